//! Sessions, codes and refresh tokens of a pool with a database, as browsers and relying parties see them.

use super::stored::Stored;
use super::*;
use crate::directory::name::UserName;
use crate::endings::rows::EndingRows;
use crate::management::sessions::Which;
use crate::seen::Seen;
use crate::signin::proof::Proofs;
use crate::signin::sso::Session;

async fn sessions(stored: &Stored) -> Vec<String> {
    let now = stored.fixture.clock.now();
    let sessions = stored.users.sessions("grace", now).await.expect("read");
    sessions.into_iter().map(|session| session.session.id).collect()
}

fn cookie(browser: &Browser<'_>) -> String {
    browser.cookies["__Host-vestibule-pool"].clone()
}

#[tokio::test]
async fn a_restart_forgets_no_session_and_none_that_was_ended() {
    let stored = Stored::new().await;
    let mut kept = stored.fixture.browser();
    kept.sign_in("grace", "first compiler").await.code();
    let mut ended = stored.fixture.browser();
    ended.sign_in("grace", "first compiler").await.code();
    let copy = ended.cookies.clone();
    let page = ended.get(routes::SIGN_IN).await;
    ended.post(routes::SIGN_OUT, &[("request", &page.hidden())]).await;
    let again = stored.restarted();
    let mut browser = again.browser();
    browser.cookies.clone_from(&kept.cookies);
    browser.authorize(&[]).await.code();
    browser.cookies = copy;
    browser.authorize(&[]).await.assert_page(StatusCode::OK, "Sign in");
}

#[tokio::test]
async fn a_cookie_is_another_one_at_every_sign_in_and_the_session_keeps_its_id() {
    let stored = Stored::new().await;
    let mut browser = stored.fixture.browser();
    let first = stored.fixture.redeem(&browser.sign_in("grace", "first compiler").await.code()).await.json();
    let before = cookie(&browser);
    let page = browser.authorize(&[("prompt", "login")]).await;
    let second = browser.submit(&page, "grace", "first compiler").await.code();
    let second = stored.fixture.redeem(&second).await.json();
    assert_ne!(cookie(&browser), before);
    assert_eq!(payload(&first["id_token"])["sid"], payload(&second["id_token"])["sid"]);
    assert_eq!(sessions(&stored).await.len(), 1);
    let mut thief = stored.fixture.browser();
    thief.cookies.insert("__Host-vestibule-pool".into(), before);
    thief.authorize(&[]).await.assert_page(StatusCode::OK, "Sign in");
}

#[tokio::test]
async fn the_sessions_of_a_user_are_listed_and_one_or_the_others_end() {
    let stored = Stored::new().await;
    let fixture = &stored.fixture;
    let (mut laptop, mut phone, mut tablet) = (fixture.browser(), fixture.browser(), fixture.browser());
    laptop.headers.push(("user-agent", "Laptop"));
    let page = laptop.authorize(&[]).await;
    laptop.headers.push(("user-agent", "Laptop"));
    laptop.submit(&page, "grace", "first compiler").await.code();
    fixture.advance(1);
    let code = phone.sign_in("grace", "first compiler").await.code();
    let tokens = fixture.redeem(&code).await.json();
    fixture.advance(1);
    tablet.sign_in("grace", "first compiler").await.code();
    let listed = stored.users.sessions("grace", fixture.clock.now()).await.expect("read");
    let agents: Vec<&str> = listed.iter().map(|session| &*session.seen.agent).collect();
    assert_eq!(agents, ["", "", "Laptop"], "the last used first");
    assert_eq!((&*listed[2].seen.address, &listed[2].clients[..]), ("192.0.2.1", &["dashboard".to_owned()][..]));
    let ids = sessions(&stored).await;
    assert_eq!(Value::from(ids[1].as_str()), payload(&tokens["id_token"])["sid"]);
    let now = fixture.clock.now();
    assert_eq!(stored.users.end_sessions("grace", Which::This(ids[1].clone()), now).await.expect("ended"), 1);
    assert_eq!(stored.users.end_sessions("grace", Which::This(ids[1].clone()), now).await.expect("ended"), 0);
    phone.authorize(&[]).await.assert_page(StatusCode::OK, "Sign in");
    let refresh = fixture.refresh(tokens["refresh_token"].as_str().expect("a token")).await;
    refresh.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    let userinfo = fixture.userinfo(tokens["access_token"].as_str().expect("a token")).await;
    assert_eq!(userinfo.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(stored.users.end_sessions("grace", Which::Others(ids[0].clone()), now).await.expect("ended"), 1);
    laptop.authorize(&[]).await.assert_page(StatusCode::OK, "Sign in");
    tablet.authorize(&[]).await.code();
    stored.users.sign_out("grace", now).await.expect("signed out");
    assert!(sessions(&stored).await.is_empty());
}

#[tokio::test]
async fn the_last_use_is_written_once_a_minute_and_a_session_expires() {
    let stored = Stored::new().await;
    let mut browser = stored.fixture.browser();
    browser.sign_in("grace", "first compiler").await.code();
    let used = async || {
        let sessions = stored.users.sessions("grace", stored.fixture.clock.now()).await.expect("read");
        sessions[0].used_at.since(START).as_secs()
    };
    stored.fixture.advance(59);
    browser.authorize(&[]).await.code();
    assert_eq!(used().await, 0);
    stored.fixture.advance(1);
    browser.authorize(&[]).await.code();
    assert_eq!(used().await, 60);
    stored.fixture.advance(8 * 3600 - 61);
    browser.authorize(&[]).await.code();
    stored.fixture.advance(1);
    browser.authorize(&[]).await.assert_page(StatusCode::OK, "Sign in");
    assert!(sessions(&stored).await.is_empty());
}

#[tokio::test]
async fn a_user_has_a_hundred_sessions_at_most() {
    let stored = Stored::new().await;
    let mut first = stored.fixture.browser();
    first.sign_in("grace", "first compiler").await.code();
    for _ in 0..99 {
        stored.fixture.advance(30);
        stored.fixture.browser().sign_in("grace", "first compiler").await.code();
    }
    assert_eq!(sessions(&stored).await.len(), 100);
    stored.fixture.advance(30);
    stored.fixture.browser().sign_in("grace", "first compiler").await.code();
    assert_eq!(sessions(&stored).await.len(), 100);
    first.authorize(&[]).await.assert_page(StatusCode::OK, "Sign in");
}

#[tokio::test]
async fn a_code_and_a_refresh_token_come_once_also_over_a_restart() {
    let stored = Stored::new().await;
    let mut browser = stored.fixture.browser();
    let code = browser.sign_in("grace", "first compiler").await.code();
    let unused = browser.authorize(&[]).await.code();
    let tokens = stored.fixture.redeem(&code).await.json();
    let first = tokens["refresh_token"].as_str().expect("a token").to_owned();
    let next = stored.fixture.refresh(&first).await.json()["refresh_token"].as_str().expect("a token").to_owned();
    let again = stored.restarted();
    assert_eq!(again.redeem(&unused).await.status(), StatusCode::OK, "a code outlives the process");
    again.advance(11);
    again.refresh(&first).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    again.refresh(&next).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    assert!(again.registry.render().contains(r#"vestibule_pool_reuse_detected_total{pool="demo"} 1"#));
}

#[tokio::test]
async fn values_of_a_time_without_a_database_are_refused() {
    let stored = Stored::new().await;
    let before = Fixture::with(stored.fixture.settings.clone(), START);
    let mut browser = before.browser();
    let code = browser.sign_in("alice", "correct horse").await.code();
    let tokens = before.redeem(&code).await.json();
    let unused = browser.authorize(&[]).await.code();
    let refresh = stored.fixture.refresh(tokens["refresh_token"].as_str().expect("a token")).await;
    refresh.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    stored.fixture.redeem(&unused).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    let mut after = stored.fixture.browser();
    after.cookies.clone_from(&browser.cookies);
    after.authorize(&[]).await.assert_page(StatusCode::OK, "Sign in");
}

/// A sign-out that comes between the read of the former session and the write of the new one.
#[tokio::test]
async fn a_session_that_has_ended_meanwhile_is_not_continued() {
    let stored = Stored::new().await;
    let without_store = Fixture::new();
    for (fixture, username) in [(&stored.fixture, "grace"), (&without_store, "alice")] {
        let (sessions, now) = (&fixture.pool.ui().sessions, fixture.clock.now());
        let name = UserName::parse(username).expect("a name");
        let user = fixture.pool.directory.user_named(&name).await.expect("read").expect("there");
        let begin = async |former: Option<&Session>| {
            let seen = Seen { address: String::new(), agent: String::new() };
            sessions.begin(&user, Proofs::of_before(), former, seen, now).await.expect("begun")
        };
        let former = begin(None).await.session;
        let again = begin(Some(&former)).await.session;
        assert_eq!(again.id, former.id, "{username}: it goes on");
        sessions.end(&former, now).await.expect("ended");
        let begun = begin(Some(&former)).await;
        assert_ne!(begun.session.id, former.id, "{username}: rules take that one for ended, for good");
        let opened = sessions.open(begun.cookie.expose(), now).await.expect("read");
        assert_eq!(opened, Some(begun.session), "{username}: a session that is alive");
    }
    assert_eq!(sessions(&stored).await.len(), 1);
}

/// Beyond that they are not told apart, and none is forgotten.
#[tokio::test]
async fn a_user_who_has_ended_too_many_sessions_has_ended() {
    for (before, is_over) in [(999, false), (1000, true)] {
        let stored = Stored::new().await;
        let subject = stored.users.show("grace").await.expect("found").subject;
        let ended = stored.database.write(move |on| {
            let rows = EndingRows { pool: "demo".into() };
            (0..before).try_for_each(|id| rows.end_session(on, (&subject, &format!("{id}")), START, START).map(drop))
        });
        ended.await.expect("ended");
        let (mut kept, mut left) = (stored.fixture.browser(), stored.fixture.browser());
        for browser in [&mut kept, &mut left] {
            browser.sign_in("grace", "first compiler").await.code();
        }
        let page = left.get(routes::SIGN_IN).await;
        left.post(routes::SIGN_OUT, &[("request", &page.hidden())]).await;
        assert_eq!(kept.authorize(&[]).await.status() == StatusCode::OK, is_over, "after {before} others");
        assert_eq!(stored.count("endings").await, if is_over { 1 } else { 1000 });
    }
}

//! Users of a database.

use super::*;
use crate::credential::hasher::{Hasher, Hashing, costs};
use crate::credential::policy::PasswordPolicy;
use crate::database::{Database, Others};
use crate::directory::status::{Status, WrongState};
use crate::endings::rows::{EndingRows, KEPT};
use crate::management::{Error, Group, Management, NewUser};
use crate::passwords::Passwords;
use crate::passwords::tests::{first, set};
use crate::testing::{Directory, temporary_directory};
use crate::{MIGRATIONS, Records};

/// A pool with Grace in its database, and the database.
pub(super) struct Stored {
    pub(super) fixture: Fixture,
    pub(super) users: Management,
    pub(super) database: Arc<Database>,
    _directory: Directory,
}

impl Stored {
    pub(super) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// The same with other settings.
    pub(super) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let directory = temporary_directory("pool-stored");
        let database = Database::open(&directory.join("pool.db"), MIGRATIONS, Others::Nobody, START);
        let database = Arc::new(database.expect("a database"));
        let stored = StoredUsers { database: Arc::clone(&database), records: Records { pool: "demo".into() } };
        let (clock, hand) = Clock::manual(START);
        let process = (PoolMemory::default(), clock);
        let mut settings = settings();
        change(&mut settings);
        let fixture = Fixture::of_store(settings, process, hand, Some(stored.clone()));
        let users = Management::new(stored);
        users.put_group(Group { name: "ops".into(), description: None, precedence: None }, START).await.expect("added");
        let grace = NewUser {
            username: "Grace".into(),
            password: Some(first("first compiler")),
            attributes: vec![
                ("email".into(), "grace@example.com".into()),
                ("email_verified".into(), "true".into()),
                ("preferred_username".into(), "alice".into()),
            ],
            groups: vec!["ops".into()],
        };
        users.add(grace, START).await.expect("added");
        Self { fixture, users, database, _directory: directory }
    }

    pub(super) async fn tokens(&self) -> Value {
        let scope = ("scope", "openid email profile groups");
        let mut browser = self.fixture.browser();
        let page = browser.authorize(&[scope]).await;
        let code = browser.submit(&page, "grace", "first compiler").await.code();
        self.fixture.redeem(&code).await.json()
    }

    pub(super) async fn set_status(&self, subject: &str, status: Status) {
        let (records, subject) = (Records { pool: "demo".into() }, subject.to_owned());
        let set = self.database.write(move |on| records.set_status(on, &subject, status, START)).await;
        set.expect("set");
    }

    /// The number of rows of a table.
    pub(super) async fn count(&self, table: &'static str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        let row = self.database.read(move |on| on.query_one(&sql, &[])).await;
        row.expect("read").expect("a row").integer(0).expect("a number")
    }

    /// The same configuration and database in a new process.
    pub(super) fn restarted(&self) -> Fixture {
        let (clock, hand) = Clock::manual(self.fixture.clock.now());
        let records = Records { pool: "demo".into() };
        let stored = StoredUsers { database: Arc::clone(&self.database), records };
        Fixture::of_store(self.fixture.settings.clone(), (PoolMemory::default(), clock), hand, Some(stored))
    }

    /// Another configuration with the same database, in this process.
    pub(super) fn reconfigured(&self, change: impl FnOnce(&mut Settings)) -> Fixture {
        let mut settings = self.fixture.settings.clone();
        change(&mut settings);
        let stored = StoredUsers { database: Arc::clone(&self.database), records: Records { pool: "demo".into() } };
        Fixture::of_store(settings, self.fixture.process.clone(), self.fixture.clock.clone(), Some(stored))
    }

    /// This process learns what has ended in the database.
    pub(super) async fn follow_endings(&self) {
        let rows = EndingRows { pool: "demo".into() };
        let found = self.database.read(move |on| rows.after(on, 0)).await.expect("read");
        let now = self.fixture.clock.now();
        self.fixture.process.0.endings.publish(found.iter().map(|row| row.ending(now + KEPT)), now);
    }

    /// Makes every read of users fail, or work again.
    async fn fails(&self, fails: bool) {
        let sql = if fails { "ALTER TABLE users RENAME TO gone" } else { "ALTER TABLE gone RENAME TO users" };
        self.database.write(move |on| on.execute(sql, &[])).await.expect("renamed");
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[tokio::test]
async fn a_user_of_the_database_signs_in_and_has_the_claims_of_the_attributes() {
    let stored = Stored::new().await;
    let tokens = stored.tokens().await;
    let claims = payload(&tokens["id_token"]);
    let grace = stored.users.show("grace").await.expect("found");
    assert_eq!(text(&claims["sub"]), grace.subject);
    assert_eq!(claims["preferred_username"], "Grace", "the attribute says another name");
    assert_eq!((&claims["email"], &claims["email_verified"]), (&json!("grace@example.com"), &json!(true)));
    assert_eq!(claims["groups"], json!(["ops"]));
    let userinfo = stored.fixture.userinfo(text(&tokens["access_token"])).await.json();
    assert_eq!((&userinfo["sub"], &userinfo["groups"]), (&json!(grace.subject), &json!(["ops"])));
    // What changes is in the next tokens.
    stored.users.leave("grace", "ops", START).await.expect("left");
    let next = stored.fixture.refresh(text(&tokens["refresh_token"])).await.json();
    assert!(payload(&next["id_token"]).get("groups").is_none());
}

#[tokio::test]
async fn users_of_the_configuration_sign_in_as_before() {
    let stored = Stored::new().await;
    let code = stored.fixture.browser().sign_in("alice", "correct horse").await.code();
    assert_eq!(payload(&stored.fixture.redeem(&code).await.json()["id_token"])["sub"], "sub-of-Alice");
}

#[tokio::test]
async fn u_01_a_wrong_password_looks_the_same_for_stored_declared_and_unknown_users() {
    let stored = Stored::new().await;
    stored
        .users
        .add(NewUser { username: "nopass".into(), password: None, attributes: vec![], groups: vec![] }, START)
        .await
        .expect("added");
    stored.users.set_enabled("grace", false, START).await.expect("disabled");
    let mut answers = Vec::new();
    for username in ["grace", "nopass", "alice", "nobody"] {
        let answer = stored.fixture.browser().sign_in(username, "wrong").await;
        answer.assert_page(StatusCode::UNAUTHORIZED, "Sign in");
        answers.push(answer.text().replace(username, "?").replace(&answer.hidden(), "?"));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}

#[tokio::test]
async fn a_user_who_was_disabled_is_told_so_and_nothing_that_was_issued_counts() {
    let stored = Stored::new().await;
    let mut browser = stored.fixture.browser();
    let code = browser.sign_in("grace", "first compiler").await.code();
    let unused = browser.authorize(&[]).await.code();
    let tokens = stored.fixture.redeem(&code).await.json();
    let page = stored.fixture.browser().authorize(&[]).await;
    stored.users.set_enabled("grace", false, START).await.expect("disabled");
    assert_eq!(stored.fixture.userinfo(text(&tokens["access_token"])).await.status(), StatusCode::UNAUTHORIZED);
    let refresh = stored.fixture.refresh(text(&tokens["refresh_token"])).await;
    refresh.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    stored.fixture.redeem(&unused).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    browser.authorize(&[]).await.assert_page(StatusCode::OK, "Sign in");
    assert!(page.text().contains("name=\"password\""));
    let refused = stored.fixture.browser().sign_in("grace", "first compiler").await;
    refused.assert_page(StatusCode::FORBIDDEN, "Sign in");
    assert!(refused.text().contains("This account is disabled."), "{}", refused.text());
    let metrics = stored.fixture.registry.render();
    assert!(metrics.contains(r#"vestibule_pool_sign_ins_total{pool="demo",outcome="user_disabled"} 1"#), "{metrics}");
    // What has ended stays so.
    stored.users.set_enabled("grace", true, START).await.expect("enabled");
    let refresh = stored.fixture.refresh(text(&tokens["refresh_token"])).await;
    refresh.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    browser.authorize(&[]).await.assert_page(StatusCode::OK, "Sign in");
    browser.sign_in("grace", "first compiler").await.code();
    stored.users.sign_out("grace", START).await.expect("signed out");
    browser.authorize(&[]).await.assert_page(StatusCode::OK, "Sign in");
}

#[tokio::test]
async fn a_new_password_and_a_deletion_end_what_was_before() {
    let stored = Stored::new().await;
    let mut browser = stored.fixture.browser();
    let tokens = stored.fixture.redeem(&browser.sign_in("grace", "first compiler").await.code()).await.json();
    set(&stored.users, "grace", "second compiler", START).await;
    let refresh = stored.fixture.refresh(text(&tokens["refresh_token"])).await;
    refresh.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    browser.authorize(&[]).await.assert_page(StatusCode::OK, "Sign in");
    let tokens = stored.fixture.redeem(&browser.sign_in("grace", "second compiler").await.code()).await.json();
    stored.users.delete("grace", START).await.expect("deleted");
    assert_eq!(stored.fixture.userinfo(text(&tokens["access_token"])).await.status(), StatusCode::UNAUTHORIZED);
    stored.fixture.browser().sign_in("grace", "second compiler").await.assert_page(StatusCode::UNAUTHORIZED, "Sign in");
}

/// `auth_time` is in whole seconds, and everybody who was signed in before some second has ended.
#[tokio::test]
async fn a_sign_in_in_the_second_of_the_sign_out_has_a_later_time() {
    let stored = Stored::new().await;
    let auth_time = |tokens: &Value| payload(&tokens["id_token"])["auth_time"].as_u64().expect("a number");
    let mut former = auth_time(&stored.tokens().await);
    assert_eq!(former, START.seconds());
    for _ in 0..3 {
        stored.users.sign_out("grace", START).await.expect("signed out");
        let grace = stored.users.show("grace").await.expect("found");
        let ended = u64::try_from(grace.epoch).expect("positive");
        let tokens = stored.tokens().await;
        assert!(former < ended && ended <= auth_time(&tokens), "{former} {ended} {}", auth_time(&tokens));
        assert_eq!(payload(&tokens["id_token"])["iat"], START.seconds(), "only that");
        former = auth_time(&tokens);
    }
    // Also if the clock has gone back.
    stored.users.sign_out("grace", START + Duration::from_secs(300)).await.expect("signed out");
    assert_eq!(auth_time(&stored.tokens().await), START.seconds() + 301);
}

#[tokio::test]
async fn while_the_database_fails_nothing_is_allowed_and_nothing_is_used_up() {
    let stored = Stored::new().await;
    let mut browser = stored.fixture.browser();
    let code = browser.sign_in("grace", "first compiler").await.code();
    let tokens = stored.tokens().await;
    let mut other = stored.fixture.browser();
    let page = other.authorize(&[]).await;
    stored.fails(true).await;
    stored.fixture.redeem(&code).await.assert_error(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
    let refresh = stored.fixture.refresh(text(&tokens["refresh_token"])).await;
    refresh.assert_error(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
    assert_eq!(refresh.header("retry-after"), "5");
    let userinfo = stored.fixture.userinfo(text(&tokens["access_token"])).await;
    userinfo.assert_error(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
    for answer in [
        browser.authorize(&[]).await,
        browser.get(routes::SIGN_IN).await,
        browser.get(routes::LOGOUT).await,
        other.submit(&page, "grace", "first compiler").await,
    ] {
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text());
        assert!(answer.text().contains("cannot answer right now"), "{}", answer.text());
    }
    assert!(stored.fixture.registry.render().contains(r#"vestibule_pool_store_failures_total{pool="demo"} 7"#));
    stored.fails(false).await;
    assert_eq!(stored.fixture.redeem(&code).await.status(), StatusCode::OK);
    assert_eq!(stored.fixture.refresh(text(&tokens["refresh_token"])).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn only_who_knows_the_password_learns_the_state_and_nothing_counts_in_it() {
    let stored = Stored::new().await;
    let grace = stored.users.show("grace").await.expect("found").subject;
    for status in [Status::Unconfirmed, Status::ForceChangePassword, Status::ResetRequired] {
        stored.set_status(&grace, Status::Confirmed).await;
        let mut browser = stored.fixture.browser();
        let code = browser.sign_in("grace", "first compiler").await.code();
        let unused = browser.authorize(&[]).await.code();
        let tokens = stored.fixture.redeem(&code).await.json();
        stored.set_status(&grace, status).await;
        assert_eq!(stored.fixture.userinfo(text(&tokens["access_token"])).await.status(), StatusCode::UNAUTHORIZED);
        let refresh = stored.fixture.refresh(text(&tokens["refresh_token"])).await;
        refresh.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
        stored.fixture.redeem(&unused).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
        browser.authorize(&[]).await.assert_page(StatusCode::OK, "Sign in");
        let wrong = stored.fixture.browser().sign_in("grace", "wrong").await;
        let unknown = stored.fixture.browser().sign_in("nobody", "wrong").await;
        let shown = |answer: &Answer, name: &str| answer.text().replace(name, "?").replace(&answer.hidden(), "?");
        assert_eq!(shown(&wrong, "grace"), shown(&unknown, "nobody"), "{status:?}");
        let right = stored.fixture.browser().sign_in("grace", "first compiler").await;
        assert!(right.0.headers().get("set-cookie").is_none(), "{status:?}: no session");
        assert_eq!(right.status(), StatusCode::FORBIDDEN, "{status:?}");
        assert!(right.text().contains("sign_in.user_held"), "{status:?}");
    }
}

#[tokio::test]
async fn an_administrator_changes_the_state_where_it_can_change() {
    let stored = Stored::new().await;
    let status = async || stored.users.show("grace").await.expect("found").status;
    let twice = stored.users.confirm("grace", START).await;
    assert!(matches!(twice, Err(Error::State(WrongState(Status::Confirmed)))), "{twice:?}");
    stored.users.reset("grace", START).await.expect("reset");
    assert_eq!(status().await, Status::ResetRequired);
    set(&stored.users, "grace", "other", START).await;
    assert_eq!(status().await, Status::Confirmed);
    let subject = stored.users.show("grace").await.expect("found").subject;
    stored.set_status(&subject, Status::Unconfirmed).await;
    assert!(matches!(stored.users.reset("grace", START).await, Err(Error::State(_))));
    stored.users.confirm("grace", START).await.expect("confirmed");
    assert_eq!(status().await, Status::Confirmed);
}

#[tokio::test]
async fn a_temporary_password_whose_time_is_over_is_wrong() {
    let stored = Stored::new().await;
    let hasher = Hasher::new(1, costs([]), Hashing::default());
    let passwords = Passwords::new(stored.users.stored().clone(), PasswordPolicy::modern(), hasher);
    let grace = stored.users.show("grace").await.expect("found");
    let (password, _) = passwords.set_temporary(&grace, START).await.expect("set");
    let shown = async |password: &str| {
        let answer = stored.fixture.browser().sign_in("grace", password).await;
        assert!(answer.0.headers().get("set-cookie").is_none(), "no session");
        // With the right password, there is no form: in this pool, only an administrator can help.
        let text = answer.text();
        let has_form = text.contains("<form");
        (answer.status(), if has_form { text.replace(&answer.hidden(), "?") } else { text.to_owned() })
    };
    let wrong = shown("wrong").await;
    assert!(wrong.1.contains("<form"), "{}", wrong.1);
    assert_ne!(shown(password.expose()).await, wrong, "it is known that the password is right");
    stored.fixture.clock.advance(Duration::from_secs(7 * 86_400 - 1));
    assert_ne!(shown(password.expose()).await, shown("wrong").await);
    stored.fixture.clock.advance(Duration::from_secs(1));
    assert_eq!(shown(password.expose()).await, shown("wrong").await, "pool §2.4: no different");
}

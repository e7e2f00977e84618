//! Attacks on what the ways to sign in have between them: passkeys, codes that are sent, trusted browsers, recovery.

use super::mfa::{ASKED, vault};
use super::self_service::other_than;
use super::stored::Stored;
use super::*;
use crate::factors::settings::{Factor, Mode, Settings as Mfa};
use crate::messages::courier::console::Console;
use crate::messages::message::Kind;
use crate::messages::settings::MailBy;
use crate::passwords::tests::set;
use crate::self_service::settings::{Address, Settings as SelfService};
use crate::settings::Store;

/// A pool with every way in.
async fn pool(mode: Mode, factors: &[Factor]) -> Stored {
    Stored::with(|settings| {
        let trusts_for = Some(Duration::from_secs(30 * 86_400));
        let first = Mfa { passkey_is_first: true, email_code_is_first: true, ..Mfa::default() };
        settings.mfa = Mfa { mode, factors: factors.to_vec(), trusts_for, ..first };
        settings.self_service = Arc::new(SelfService { sign_up: None, recovery: vec![Address::Email] });
        settings.store = Some(Store { sqlite: "unused".into(), vault: vault() });
        settings.messages.mail = Some(MailBy::Console(Console::default()));
    })
    .await
}

/// Sends a name to a page that has a code sent.
async fn ask(browser: &mut Browser<'_>, path: &str, name: &str) -> Answer {
    let hidden = browser.get(path).await.hidden();
    browser.send_form(path, &[("request", &hidden), ("username", name)]).await
}

async fn answer(browser: &mut Browser<'_>, page: &Answer, code: &str) -> Answer {
    let hidden = page.hidden();
    browser.send_form(routes::EMAIL_CODE_ANSWER, &[("request", &hidden), ("code", code)]).await
}

async fn reset(browser: &mut Browser<'_>, page: &Answer, code: &str, password: &str) -> Answer {
    let hidden = page.hidden();
    let fields = [("request", &*hidden), ("code", code), ("password", password)];
    browser.send_form(routes::RESET_PASSWORD, &fields).await
}

/// One mailbox is one factor, however it is used: the other one of this user is the password, which the reader of the mail does not know.
#[tokio::test]
async fn u_06_who_reads_the_mail_alone_sets_up_no_second_factor_of_somebody_else() {
    let stored = pool(Mode::Required, &[Factor::Totp, Factor::Email]).await;
    let mut browser = stored.fixture.browser();
    let page = ask(&mut browser, routes::EMAIL_CODE, "grace").await;
    let code = stored.sent(Kind::SignIn, "grace@example.com").await;
    let refused = answer(&mut browser, &page, &code).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{}", refused.text());
    assert!(refused.text().contains("begin with your password"), "{}", refused.text());
    assert!(!browser.cookies.contains_key("__Host-vestibule-pool"), "no session");
    // With the password, the mailbox is the second factor.
    let (mut browser, page) = stored.half_way().await;
    let code = stored.sent(Kind::SecondFactor, "grace@example.com").await;
    assert!(!browser.type_code(&page, &code).await.code().is_empty());
}

/// Each application knows the `sub`, and it is a name that anybody may type.
#[tokio::test]
async fn u_04_a_sub_that_is_typed_as_a_name_keeps_no_user_from_the_second_factor() {
    let stored = pool(Mode::Required, &[Factor::Email]).await;
    let subject = stored.users.show("grace").await.expect("found").subject;
    let mut stranger = stored.fixture.browser();
    let mut asked = 0;
    while !ask(&mut stranger, routes::EMAIL_CODE, &subject).await.text().contains("Too many attempts") {
        asked += 1;
        assert!(asked < 30, "there is a limit");
    }
    stored.messages().await;
    let (mut browser, page) = stored.half_way().await;
    page.assert_page(StatusCode::OK, ASKED);
    let code = stored.sent(Kind::SecondFactor, "grace@example.com").await;
    assert!(!browser.type_code(&page, &code).await.code().is_empty());
}

/// Who names a user again and again keeps the user from nothing: a code that was sent stays when no more messages are.
#[tokio::test]
async fn requests_of_strangers_do_not_void_the_code_of_the_owner() {
    for (path, kind) in [(routes::FORGOT_PASSWORD, Kind::Reset), (routes::EMAIL_CODE, Kind::SignIn)] {
        let stored = pool(Mode::Optional, &[Factor::Totp]).await;
        let mut owner = stored.fixture.browser();
        let page = ask(&mut owner, path, "grace").await;
        let mut code = stored.sent(kind, "grace@example.com").await;
        for stranger in 0..20 {
            let mut browser = stored.fixture.browser();
            browser.address = IpAddr::from([198, 51, 100, stranger]);
            ask(&mut browser, path, "grace").await;
            // The owner takes the last that came.
            if let Some(sent) = stored.messages().await.pop() {
                code = sent.body.secret.expect("a code").expose().clone();
            }
        }
        let done = match kind {
            Kind::Reset => reset(&mut owner, &page, &code, "a compiler for everybody").await,
            _ => answer(&mut owner, &page, &code).await,
        };
        let text = done.text();
        assert!(!text.contains("not right") && !text.contains("no longer valid"), "{path}: {text}");
    }
}

/// The sealed value of a page has the `sub`, whose length must not tell whether there is one.
#[tokio::test]
async fn u_01_the_length_of_a_page_does_not_tell_who_is_a_user() {
    let stored = pool(Mode::Optional, &[Factor::Totp]).await;
    for path in [routes::FORGOT_PASSWORD, routes::EMAIL_CODE] {
        let mut lengths = Vec::new();
        for name in ["grace", "nobod", "alice"] {
            let page = ask(&mut stored.fixture.browser(), path, name).await;
            lengths.push((page.text().len(), page.hidden().len()));
        }
        lengths.dedup();
        assert_eq!(lengths.len(), 1, "{path}: {lengths:?}");
    }
}

/// When no more messages are sent, a name that somebody has goes on like one that nobody has.
#[tokio::test]
async fn u_01_beyond_the_limits_a_known_and_an_unknown_name_look_alike() {
    let stored = pool(Mode::Optional, &[Factor::Totp]).await;
    let names = ["grace", "nobod"];
    let mut said = Vec::new();
    for (name, network) in names.into_iter().zip([100, 101]) {
        let mut browser = stored.fixture.browser();
        browser.address = IpAddr::from([198, 51, network, 1]);
        let mut seen = Vec::new();
        // Five messages an hour to one user. All of them are asked for; after each of the last ones, wrong codes are typed.
        for round in 0..10 {
            let mut page = ask(&mut browser, routes::EMAIL_CODE, name).await;
            let wrong = if round < 7 { 0 } else { 5 };
            for _ in 0..wrong {
                page = answer(&mut browser, &page, "000000").await;
                seen.push((page.status(), page.text().len()));
            }
        }
        said.push(seen);
    }
    assert_eq!(said[0], said[1]);
}

/// The time of an answer is that of its transaction: it writes as many rows for a name that nobody has, and for a user to whom no more messages are sent.
#[tokio::test]
async fn u_01_a_name_that_nobody_has_writes_as_much_as_that_of_a_user() {
    for path in [routes::FORGOT_PASSWORD, routes::EMAIL_CODE] {
        let stored = pool(Mode::Optional, &[Factor::Totp]).await;
        let written = async || {
            let total = stored.database.write(|on| on.query_one("SELECT total_changes()", &[]));
            total.await.expect("counted").expect("a row").integer(0).expect("a number")
        };
        let mut said = Vec::new();
        for name in ["grace", "nobod"] {
            let mut each = Vec::new();
            for _ in 0..8 {
                let before = written().await;
                ask(&mut stored.fixture.browser(), path, name).await;
                each.push(written().await - before);
            }
            said.push(each);
        }
        assert!(said[0][0] > 0);
        assert_eq!(said[0], said[1], "{path}");
    }
}

#[tokio::test]
async fn u_06_a_new_password_is_no_second_factor_and_ends_the_trust_in_a_browser() {
    let stored = pool(Mode::Optional, &[Factor::Totp]).await;
    let seed = stored.with_totp(vec![]).await;
    let (mut trusted, page) = stored.half_way().await;
    let code = stored.code(&seed);
    trusted.post(routes::STEP, &[("request", &page.hidden()), ("code", &code), ("trust", "yes")]).await;
    // Whoever reads the mail sets a password, also in the trusted browser, and is asked for the app.
    let page = ask(&mut trusted, routes::FORGOT_PASSWORD, "grace").await;
    let code = stored.sent(Kind::Reset, "grace@example.com").await;
    let done = reset(&mut trusted, &page, &code, "a compiler for everybody").await;
    assert!(done.text().contains("Your password has changed"), "{}", done.text());
    assert!(trusted.cookies.contains_key("__Host-vestibule-pool-trusted"));
    let page = trusted.sign_in("grace", "a compiler for everybody").await;
    page.assert_page(StatusCode::OK, ASKED);
    // A code by mail alone is the same: it does not open the trusted browser either.
    let page = ask(&mut trusted, routes::EMAIL_CODE, "grace").await;
    let messages = stored.messages().await;
    let sent = messages.iter().find(|message| message.kind == Kind::SignIn).expect("a code");
    let page = answer(&mut trusted, &page, sent.body.secret.as_ref().expect("a code").expose()).await;
    page.assert_page(StatusCode::OK, ASKED);
}

#[tokio::test]
async fn u_06_trust_in_a_browser_does_not_come_back_with_a_user_who_was_disabled() {
    let stored = pool(Mode::Optional, &[Factor::Totp]).await;
    let seed = stored.with_totp(vec![]).await;
    let (mut trusted, page) = stored.half_way().await;
    let code = stored.code(&seed);
    trusted.post(routes::STEP, &[("request", &page.hidden()), ("code", &code), ("trust", "yes")]).await;
    stored.users.set_enabled("grace", false, START).await.expect("disabled");
    stored.users.set_enabled("grace", true, START).await.expect("enabled");
    trusted.sign_in("grace", "first compiler").await.assert_page(StatusCode::OK, ASKED);
}

/// A page between two steps is good for its own step only, and for the user as it was when the first was proved.
#[tokio::test]
async fn u_05_no_step_is_skipped() {
    let stored = pool(Mode::Optional, &[Factor::Totp, Factor::Email]).await;
    let seed = stored.with_totp(vec![]).await;
    let (mut browser, page) = stored.half_way().await;
    let hidden = page.hidden();
    // Its value is none of another page, and the page of the first step is none of the second.
    for path in [routes::SIGN_IN, routes::PASSKEY, routes::EMAIL_CODE_ANSWER, routes::RESET_PASSWORD, routes::VERIFY] {
        let fields = [("request", &*hidden), ("code", "000000"), ("username", "grace"), ("password", "x")];
        let answer = browser.post(path, &fields).await;
        assert!(answer.status().is_client_error(), "{path}: {}", answer.status());
    }
    let first = browser.authorize(&[]).await.hidden();
    assert_eq!(browser.post(routes::STEP, &[("request", &first)]).await.status(), StatusCode::FORBIDDEN);
    // An empty form, and a factor that is not asked for, prove nothing.
    for fields in [
        &[("request", &*hidden)][..],
        &[("request", &*hidden), ("credential", "{}")],
        &[("request", &*hidden), ("set_up", "totp")],
    ] {
        browser.post(routes::STEP, fields).await.assert_page(StatusCode::BAD_REQUEST, ASKED);
    }
    // Another password ends the sign-in, whatever was proved.
    set(&stored.users, "grace", "second compiler", START).await;
    let over = browser.type_code(&page, &stored.code(&seed)).await;
    assert_eq!(over.status(), StatusCode::FORBIDDEN);
}

/// Codes are guessed at no faster by several ways at once: those of the app, of the mail and the recovery codes count together.
#[tokio::test]
async fn u_02_guesses_at_all_second_factors_count_together() {
    let stored = pool(Mode::Optional, &[Factor::Totp, Factor::Email]).await;
    stored.with_totp(vec![[7; 32]]).await;
    let mut looked_at = 0;
    for network in 0..6 {
        let mut browser = stored.fixture.browser();
        browser.address = IpAddr::from([198, 51, network, 1]);
        let page = browser.sign_in("grace", "first compiler").await;
        for way in ["totp", "email", "recovery_code"] {
            let page = browser.press(&page, way).await;
            for guess in ["000000", "111111"] {
                let guess = if way == "recovery_code" { "22222-33333-44444" } else { guess };
                looked_at += usize::from(browser.type_code(&page, guess).await.status() == StatusCode::UNAUTHORIZED);
            }
        }
    }
    assert_eq!(looked_at, 10);
}

#[tokio::test]
async fn u_03_links_in_messages_have_the_host_of_the_pool_whatever_the_request_says() {
    let stored = pool(Mode::Optional, &[Factor::Totp]).await;
    for path in [routes::FORGOT_PASSWORD, routes::EMAIL_CODE] {
        let mut browser = stored.fixture.browser();
        let hidden = browser.get(path).await.hidden();
        browser.headers = vec![
            ("host", "evil.example"),
            ("x-forwarded-host", "evil.example"),
            ("forwarded", "host=evil.example"),
            ("origin", "https://login.example"),
        ];
        let answer = browser.post(path, &[("request", &hidden), ("username", "grace")]).await;
        assert!(!answer.text().contains("evil"), "{}", answer.text());
    }
    for message in stored.messages().await {
        let link = message.body.link.as_ref().map_or("", |link| link.expose().as_str());
        assert!(link.is_empty() || link.starts_with("https://login.example/"), "{link}");
    }
}

/// The digits of one way are none of another.
#[tokio::test]
async fn u_06_a_code_that_was_sent_for_one_thing_is_good_for_nothing_else() {
    let stored = pool(Mode::Optional, &[Factor::Email]).await;
    let (mut half, second) = stored.half_way().await;
    let code = stored.sent(Kind::SecondFactor, "grace@example.com").await;
    let mut browser = stored.fixture.browser();
    let page = ask(&mut browser, routes::EMAIL_CODE, "grace").await;
    let first = stored.sent(Kind::SignIn, "grace@example.com").await;
    assert!(first == code || answer(&mut browser, &page, &code).await.text().contains("not the one that was sent"));
    assert!(first == code || half.type_code(&second, &first).await.status() == StatusCode::UNAUTHORIZED);
    assert!(!half.type_code(&second, &code).await.code().is_empty());
    assert_ne!(other_than(&code), code);
}

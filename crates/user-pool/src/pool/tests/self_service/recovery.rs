use super::*;
use crate::directory::status::Status;
use crate::messages::message::Kind;

/// From the sign-in page of an application to the page that takes the code.
async fn forgot(browser: &mut Browser<'_>, username: &str) -> Answer {
    let page = browser.authorize(&[]).await;
    let page = browser.get(&Browser::link(&page, routes::FORGOT_PASSWORD)).await;
    page.assert_page(StatusCode::OK, "Choose a new password");
    let hidden = page.hidden();
    browser.send_form(routes::FORGOT_PASSWORD, &[("request", &hidden), ("username", username)]).await
}

async fn reset(browser: &mut Browser<'_>, page: &Answer, code: &str, password: &str) -> Answer {
    let hidden = page.hidden();
    let fields = [("request", &*hidden), ("code", code), ("password", password)];
    browser.send_form(routes::RESET_PASSWORD, &fields).await
}

fn aliases() -> directory::settings::Settings {
    directory::settings::Settings { aliases: vec![directory::settings::Alias::Email], ..Default::default() }
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_with_a_code_and_sessions_end() {
    let open = Open::new(aliases()).await;
    open.add("grace", "grace@example.com").await;
    let mut signed_in = open.fixture.browser();
    let tokens = open.fixture.redeem(&signed_in.sign_in("grace", "first compiler").await.code()).await.json();
    let mut browser = open.fixture.browser();
    let page = forgot(&mut browser, "Grace@Example.com").await;
    let code = open.code("grace@example.com").await;
    let wrong = reset(&mut browser, &page, &other_than(&code), PASSWORD).await;
    assert!(wrong.text().contains("This code is not the one that was sent"), "{}", wrong.text());
    for (password, said) in [("short", "12"), ("grace grace grace", "name"), ("", "Fill in every field.")] {
        let refused = reset(&mut browser, &page, &code, password).await;
        assert!(refused.text().contains(said), "{password}: {}", refused.text());
    }
    let done = reset(&mut browser, &page, &code, PASSWORD).await;
    assert!(done.text().contains("Your password has changed"), "{}", done.text());
    let messages = open.messages().await;
    assert_eq!(messages.iter().map(|message| message.kind).collect::<Vec<_>>(), [Kind::PasswordChanged]);
    // The request of the application goes on.
    let page = browser.get(&Browser::link(&done, routes::SIGN_IN)).await;
    assert_eq!(browser.submit(&page, "grace", PASSWORD).await.query("state").as_deref(), Some("st&te"));
    signed_in.authorize(&[]).await.assert_page(StatusCode::OK, "Sign in");
    let refresh = open.fixture.refresh(tokens["refresh_token"].as_str().expect("a token")).await;
    refresh.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    let former = open.fixture.browser().sign_in("grace", "first compiler").await;
    former.assert_page(StatusCode::UNAUTHORIZED, "Sign in");
    assert!(reset(&mut browser, &wrong, &code, "yet another password").await.text().contains("no longer valid"));
}

#[tokio::test]
async fn a_known_and_an_unknown_name_look_alike_at_each_step() {
    let open = Open::new(aliases()).await;
    open.add("grace", "grace@example.com").await;
    open.add("nomail", "nomail@example.com").await;
    open.users.set_attributes("nomail", vec![("email_verified".into(), "false".into())], START).await.expect("set");
    open.add("gone", "gone@example.com").await;
    open.users.set_enabled("gone", false, START).await.expect("disabled");
    let names = ["grace", "nobody", "nomail", "gone", "alice"];
    let (mut browsers, mut pages) = (Vec::new(), Vec::new());
    for name in names {
        let mut browser = open.fixture.browser();
        let _earlier = forgot(&mut browser, name).await;
        pages.push(forgot(&mut browser, name).await);
        browsers.push(browser);
    }
    let said = |pages: &[Answer]| {
        let mut said: Vec<_> = pages.iter().zip(names).map(|(page, name)| shown(page, &[name])).collect();
        said.dedup();
        said
    };
    assert_eq!(said(&pages).len(), 1);
    let messages = open.messages().await;
    assert!(messages.iter().all(|message| message.body.to == "grace@example.com"));
    let code = messages.last().and_then(|message| message.body.secret.clone()).expect("a code");
    for round in 0..6 {
        for (browser, page) in browsers.iter_mut().zip(&mut pages) {
            *page = reset(browser, page, &other_than(code.expose()), PASSWORD).await;
        }
        assert_eq!(said(&pages).len(), 1, "{round}: {:#?}", said(&pages));
    }
    assert!(pages[0].text().contains("Too many wrong codes."), "{}", pages[0].text());
}

#[tokio::test]
async fn who_has_to_reset_is_led_there_and_is_confirmed_afterwards() {
    let open = Open::new(aliases()).await;
    open.add("grace", "grace@example.com").await;
    open.users.reset("grace", START).await.expect("reset");
    let mut browser = open.fixture.browser();
    let page = browser.authorize(&[]).await;
    let hidden = page.hidden();
    let fields = [("request", &*hidden), ("username", "grace"), ("password", "first compiler")];
    let page = browser.send_form(routes::SIGN_IN, &fields).await;
    assert!(page.text().contains("You have to choose a new password"), "{}", page.text());
    let hidden = page.hidden();
    let page = browser.send_form(routes::FORGOT_PASSWORD, &[("request", &hidden), ("username", "grace")]).await;
    let code = open.code("grace@example.com").await;
    reset(&mut browser, &page, &code, PASSWORD).await;
    assert_eq!(open.users.show("grace").await.expect("found").status, Status::Confirmed);
    open.fixture.browser().sign_in("grace", PASSWORD).await.code();
}

#[tokio::test]
async fn a_temporary_password_is_changed_and_what_is_missing_is_given() {
    let required = vec!["email".into(), "given_name".into()];
    let open = Open::new(directory::settings::Settings { required, ..aliases() }).await;
    open.add("grace", "grace@example.com").await;
    let subject = open.users.show("grace").await.expect("found").subject;
    let (records, of) = (Records { pool: "demo".into() }, subject.clone());
    let temporary = move |on: &mut crate::database::Transaction<'_>| {
        records.set_status(on, &of, Status::ForceChangePassword, START)
    };
    open.database.write(temporary).await.expect("set");
    let mut browser = open.fixture.browser();
    let page = browser.authorize(&[]).await;
    let hidden = page.hidden();
    let fields = [("request", &*hidden), ("username", "grace"), ("password", "first compiler")];
    let page = browser.send_form(routes::SIGN_IN, &fields).await;
    page.assert_page(StatusCode::OK, "Choose your password");
    assert!(!page.text().contains(r#"name="email""#), "the user has one");
    let hidden = page.hidden();
    let mut answer = async |given_name: &str, password: &str| {
        let fields =
            [("request", &*hidden), ("given_name", given_name), ("email", "eve@example.com"), ("password", password)];
        browser.send_form(routes::NEW_PASSWORD, &fields).await
    };
    assert!(answer("", PASSWORD).await.text().contains("Check what you entered for Given name."));
    assert!(answer("Grace", "short").await.text().contains("12"));
    assert!(answer("Grace", "").await.text().contains("Fill in every field."));
    let back = answer("Grace", PASSWORD).await;
    assert_eq!(back.query("state").as_deref(), Some("st&te"));
    let grace = open.users.show("grace").await.expect("found");
    assert_eq!((grace.status, grace.attributes.get("given_name")), (Status::Confirmed, Some("Grace")));
    assert_eq!(grace.attributes.get("email"), Some("grace@example.com"), "only what is missing");
    // The page was for the temporary password.
    assert!(answer("Eve", PASSWORD).await.text().contains("Your account was changed meanwhile."));
}

/// Otherwise each spelling of a phone number would have a limit of its own.
#[tokio::test]
async fn u_02_all_spellings_of_a_name_are_counted_as_one() {
    let aliases = vec![directory::settings::Alias::PhoneNumber];
    let rules = directory::settings::Settings { aliases, ..Default::default() };
    let open = Open::with(rules, SelfService { sign_up: None, recovery: vec![Address::Email] }).await;
    let mut limited = Vec::new();
    for typed in ["+4930123", "+49 30 123", "+49-30-123", "+49(30)123", "+49.30.123", "+49/30/123"] {
        let mut browser = open.fixture.browser();
        let page = browser.get(routes::FORGOT_PASSWORD).await;
        let fields = [("request", &*page.hidden()), ("username", typed)];
        let answer = browser.send_form(routes::FORGOT_PASSWORD, &fields).await;
        limited.push(answer.text().contains("Too many attempts"));
    }
    assert_eq!(limited, [false, false, false, false, false, true]);
}

/// Whoever asks twice in different spellings has one code if there is such a user, and would have two if there is none.
#[tokio::test]
async fn u_01_all_spellings_of_a_name_that_nobody_has_share_a_code() {
    let aliases = vec![directory::settings::Alias::PhoneNumber];
    let rules = directory::settings::Settings { aliases, ..Default::default() };
    let open = Open::with(rules, SelfService { sign_up: None, recovery: vec![Address::Email] }).await;
    let mut codes = Vec::new();
    for typed in ["+4930123", "+49 30 123"] {
        let mut browser = open.fixture.browser();
        let page = browser.get(routes::FORGOT_PASSWORD).await;
        browser.send_form(routes::FORGOT_PASSWORD, &[("request", &*page.hidden()), ("username", typed)]).await;
        let rows = open.database.read(|on| on.query("SELECT sub FROM codes", &[])).await.expect("read");
        codes.push(rows.len());
    }
    assert_eq!(codes, [1, 1]);
}

/// A stranger who asks again and again, and tries codes.
#[tokio::test]
async fn u_02_a_stranger_keeps_no_user_from_codes_elsewhere() {
    let open = Open::new(by_address()).await;
    open.add("ada@example.com", "ada@example.com").await;
    let ask = async |browser: &mut Browser<'_>| {
        let page = browser.get(routes::FORGOT_PASSWORD).await;
        let fields = [("request", &*page.hidden()), ("username", "ada@example.com")];
        browser.send_form(routes::FORGOT_PASSWORD, &fields).await
    };
    let is_limited = |answer: &Answer| answer.text().contains("Too many attempts");
    let mut stranger = open.fixture.browser();
    let mut page = ask(&mut stranger).await;
    for _ in 0..20 {
        let fields = [("request", &*page.hidden()), ("code", "000000"), ("password", PASSWORD)];
        page = stranger.send_form(routes::RESET_PASSWORD, &fields).await;
    }
    while !is_limited(&ask(&mut stranger).await) {}
    let mut ada = open.fixture.browser();
    ada.address = "198.51.100.7".parse().expect("an address");
    assert!(!is_limited(&ask(&mut ada).await), "another network");
    // Strangers with many networks are stopped, and a browser in which she has signed in before is not.
    let mut known = open.fixture.browser();
    known.address = ada.address;
    known.sign_in("ada@example.com", "first compiler").await.code();
    let mut count = 0;
    loop {
        count += 1;
        let mut stranger = open.fixture.browser();
        stranger.address = format!("203.0.113.{count}").parse().expect("an address");
        if is_limited(&ask(&mut stranger).await) {
            break;
        }
    }
    assert_eq!(count, 50 - 6 + 1, "fifty in an hour");
    assert!(is_limited(&ask(&mut ada).await));
    assert!(!is_limited(&ask(&mut known).await));
}

/// A page says of a code what was typed on this page, and not what was typed on a page with another name of the same user.
#[tokio::test]
async fn u_01_wrong_codes_of_one_page_do_not_tell_on_another_that_two_names_are_one_user() {
    let open = Open::new(aliases()).await;
    open.add("grace", "grace@example.com").await;
    for names in [["grace", "grace@example.com"], ["nobody", "nobody@example.com"]] {
        let (mut first, mut second) = (open.fixture.browser(), open.fixture.browser());
        let mut page = forgot(&mut first, names[0]).await;
        let other = forgot(&mut second, names[1]).await;
        for _ in 0..4 {
            page = reset(&mut first, &page, "00000", PASSWORD).await;
        }
        let other = reset(&mut second, &other, "00000", PASSWORD).await;
        assert!(!other.text().contains("Too many wrong codes."), "{}: {}", names[1], other.text());
        let page = reset(&mut first, &page, "00000", PASSWORD).await;
        assert!(page.text().contains("Too many wrong codes."), "{}: {}", names[0], page.text());
    }
}

use super::*;
use crate::directory::settings::{Custom, Form as Shape};
use crate::directory::status::Status;
use crate::messages::message::Kind;

/// From the sign-in page of an application to the answer of the sign-up form.
async fn sign_up(browser: &mut Browser<'_>, fields: &[(&str, &str)]) -> Answer {
    let page = browser.authorize(&[]).await;
    let page = browser.get(&Browser::link(&page, routes::SIGN_UP)).await;
    page.assert_page(StatusCode::OK, "Create an account");
    send(browser, &page, fields).await
}

async fn send(browser: &mut Browser<'_>, page: &Answer, fields: &[(&str, &str)]) -> Answer {
    let hidden = page.hidden();
    browser.send_form(routes::SIGN_UP, &[&[("request", &*hidden)], fields].concat()).await
}

async fn verify(browser: &mut Browser<'_>, page: &Answer, code: &str) -> Answer {
    let hidden = page.hidden();
    browser.send_form(routes::VERIFY, &[("request", &hidden), ("code", code)]).await
}

const ADA: &[(&str, &str)] = &[("email", "ada@example.com"), ("password", PASSWORD)];

#[tokio::test]
async fn who_signs_up_confirms_the_address_and_is_signed_in_at_the_application() {
    let open = Open::new(by_address()).await;
    let mut browser = open.fixture.browser();
    let page = sign_up(&mut browser, ADA).await;
    page.assert_page(StatusCode::OK, "Confirm your account");
    assert_eq!(
        open.users.search(Default::default(), None, 9).await.expect("listed").users[0].status,
        Status::Unconfirmed
    );
    let code = open.code("ada@example.com").await;
    let wrong = verify(&mut browser, &page, &other_than(&code)).await;
    assert!(wrong.text().contains("This code is not right."), "{}", wrong.text());
    let back = verify(&mut browser, &wrong, &format!(" {} {} ", &code[..3], &code[3..])).await;
    assert!(back.header("location").starts_with(CALLBACK), "{}", back.header("location"));
    assert_eq!(back.query("state").as_deref(), Some("st&te"), "the request was kept");
    let tokens = open.fixture.redeem(&back.code()).await.json();
    let claims = payload(&tokens["id_token"]);
    assert_eq!((&claims["email"], &claims["email_verified"]), (&json!("ada@example.com"), &json!(true)));
    let ada = open.users.show("ada@example.com").await.expect("by the address");
    assert_eq!((ada.status, &ada.username), (Status::Confirmed, &ada.subject));
    open.fixture.browser().sign_in("Ada@Example.com", PASSWORD).await.code();
    // The code was used up.
    assert!(verify(&mut browser, &page, &code).await.text().contains("no longer valid"));
}

#[tokio::test]
async fn a_taken_address_answers_as_a_new_one_and_its_owner_is_told() {
    let open = Open::new(by_address()).await;
    open.add("ada@example.com", "ada@example.com").await;
    let before = open.users.search(Default::default(), None, 9).await.expect("listed").users.len();
    let (mut one, mut other) = (open.fixture.browser(), open.fixture.browser());
    let taken = sign_up(&mut one, ADA).await;
    let free = sign_up(&mut other, &[("email", "zoe@example.com"), ("password", PASSWORD)]).await;
    assert_eq!(shown(&taken, &["ada"]), shown(&free, &["zoe"]));
    let messages = open.messages().await;
    let mut kinds: Vec<_> = messages.iter().map(|message| (message.body.to.as_str(), message.kind)).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [("ada@example.com", Kind::AddressTaken), ("zoe@example.com", Kind::Verification)]);
    assert!(messages.iter().all(|message| message.kind == Kind::Verification || message.body.secret.is_none()));
    // Wrong codes look alike as well, up to the last one.
    let code = messages.iter().find_map(|message| message.body.secret.clone()).expect("a code");
    let (mut taken, mut free) = (taken, free);
    for _ in 0..6 {
        taken = verify(&mut one, &taken, &other_than(code.expose())).await;
        free = verify(&mut other, &free, &other_than(code.expose())).await;
        assert_eq!(shown(&taken, &["ada"]), shown(&free, &["zoe"]));
    }
    assert!(free.text().contains("Too many wrong codes."), "{}", free.text());
    let after = open.users.search(Default::default(), None, 9).await.expect("listed").users.len();
    assert_eq!(after, before + 2, "as much is written, and nobody has a code for the one");
}

/// Where users choose a name, the address must not be told by what the name does.
#[tokio::test]
async fn u_01_a_name_with_a_taken_address_is_as_good_as_one_with_a_new_address() {
    let aliases = vec![directory::settings::Alias::Email];
    let rules = directory::settings::Settings { aliases, ..Default::default() };
    let sign_up_settings = SignUp { allowed_domains: vec![], verify: vec![Address::Email] };
    let open = Open::with(rules, SelfService { sign_up: Some(sign_up_settings), recovery: vec![] }).await;
    open.add("ada", "ada@example.com").await;
    let written = async || {
        let total = open.database.write(|on| on.query_one("SELECT total_changes()", &[]));
        total.await.expect("counted").expect("a row").integer(0).expect("a number")
    };
    let (mut said, mut wrote) = (Vec::new(), Vec::new());
    for (name, address) in [("mallory", "ada@example.com"), ("zebedee", "zoe@example.com")] {
        let fields = |name| [("username", name), ("email", address), ("password", PASSWORD)];
        let hidden_names = [name, address];
        let (mut seen, mut rows) = (Vec::new(), Vec::new());
        // A name that is taken, a free one, and the same one again. As many rows are written, so that the time tells nothing either.
        for name in ["ada", name, name] {
            let before = written().await;
            let page = sign_up(&mut open.fixture.browser(), &fields(name)).await;
            seen.push(shown(&page, &hidden_names));
            rows.push(written().await - before);
        }
        // The password that was chosen, and another code.
        let mut browser = open.fixture.browser();
        let hidden = browser.authorize(&[]).await.hidden();
        let fields = [("request", &*hidden), ("username", name), ("password", PASSWORD)];
        let page = browser.send_form(routes::SIGN_IN, &fields).await;
        seen.push(shown(&page, &hidden_names));
        let hidden = page.hidden();
        let page = browser.send_form(routes::RESEND, &[("request", &hidden)]).await;
        seen.push(shown(&page, &hidden_names));
        seen.push(shown(&verify(&mut browser, &page, "000000").await, &hidden_names));
        said.push(seen);
        wrote.push(rows);
    }
    assert!(wrote[0][1] > 0);
    assert_eq!(wrote[0], wrote[1]);
    assert!(said[0][3].1.contains("Confirm your account") && said[0][2].1.contains("taken"), "{:?}", said[0]);
    assert_eq!(said[0], said[1]);
    let messages = open.messages().await;
    let codes = messages.iter().filter(|message| message.body.secret.is_some());
    assert!(codes.clone().count() > 0 && codes.clone().all(|message| message.body.to == "zoe@example.com"));
    let told = messages.iter().filter(|message| message.kind == Kind::AddressTaken);
    assert!(told.clone().count() > 0 && told.clone().all(|message| message.body.to == "ada@example.com"));
}

#[tokio::test]
async fn nobody_takes_an_address_in_advance() {
    let open = Open::new(by_address()).await;
    let (mut eve, mut ada) = (open.fixture.browser(), open.fixture.browser());
    let of_eve = sign_up(&mut eve, &[("email", "ada@example.com"), ("password", "the password of eve")]).await;
    let codes_of_eve = open.code("ada@example.com").await;
    let of_ada = sign_up(&mut ada, ADA).await;
    let code = open.code("ada@example.com").await;
    // The code of a sign-up is good for that sign-up only.
    let crossed = verify(&mut ada, &of_ada, &codes_of_eve).await;
    assert!(codes_of_eve == code || crossed.text().contains("This code is not right."));
    verify(&mut ada, &crossed, &code).await.code();
    open.fixture.browser().sign_in("ada@example.com", PASSWORD).await.code();
    let late = verify(&mut eve, &of_eve, &codes_of_eve).await;
    assert!(late.text().contains("Another account has this address already."), "{}", late.text());
    let refused = open.fixture.browser().sign_in("ada@example.com", "the password of eve").await;
    refused.assert_page(StatusCode::UNAUTHORIZED, "Sign in");
}

#[tokio::test]
async fn another_code_replaces_the_former_one() {
    let open = Open::new(by_address()).await;
    let mut browser = open.fixture.browser();
    let page = sign_up(&mut browser, ADA).await;
    let former = open.code("ada@example.com").await;
    let hidden = page.hidden();
    let page = browser.send_form(routes::RESEND, &[("request", &hidden)]).await;
    assert!(page.text().contains("We have sent another code."), "{}", page.text());
    let code = open.code("ada@example.com").await;
    let old = verify(&mut browser, &page, &former).await;
    assert!(former == code || old.text().contains("This code is not right."), "{}", old.text());
    verify(&mut browser, &old, &code).await.code();
}

#[tokio::test]
async fn a_link_confirms_by_a_button_and_signs_nobody_in() {
    let open = Open::new(by_address()).await;
    sign_up(&mut open.fixture.browser(), ADA).await;
    let messages = open.messages().await;
    let link = messages[0].body.link.as_ref().expect("a link").expose();
    let path = link.strip_prefix(ISSUER).expect("at the issuer");
    let mut phone = open.fixture.browser();
    let status = async || open.users.search(Default::default(), None, 9).await.expect("listed").users[0].status;
    let page = phone.get(path).await;
    page.assert_page(StatusCode::OK, "Confirm your account");
    assert_eq!(status().await, Status::Unconfirmed, "opening it confirms nothing");
    let hidden = page.hidden();
    let done = phone.send_form(routes::CONFIRM_USER, &[("request", &hidden)]).await;
    done.assert_page(StatusCode::OK, "Your account is confirmed");
    assert_eq!(status().await, Status::Confirmed);
    phone.authorize(&[]).await.assert_page(StatusCode::OK, "Sign in");
    let late = phone.send_form(routes::CONFIRM_USER, &[("request", &hidden)]).await;
    assert!(late.text().contains("This link is no longer valid."), "{}", late.text());
    let nobody = phone.get("/confirmUser?user_name=nobody&confirmation_code=000000").await;
    let hidden = nobody.hidden();
    let refused = phone.send_form(routes::CONFIRM_USER, &[("request", &hidden)]).await;
    assert!(refused.text().contains("This link is no longer valid."), "{}", refused.text());
}

#[tokio::test]
async fn what_the_form_lacks_is_said_and_what_was_typed_is_kept() {
    let custom =
        [("custom:team".to_owned(), Custom { form: Shape::Text { min: 2, max: 9 }, is_mutable: false })].into();
    let required = vec!["given_name".into(), "custom:team".into()];
    let aliases = vec![directory::settings::Alias::Email];
    let declared = [("alice".to_owned(), "the-sub-of-alice".to_owned())].into();
    let rules = directory::settings::Settings { custom, required, aliases, declared, ..Default::default() };
    let sign_up_settings = SignUp { allowed_domains: vec!["example.com".into()], verify: vec![Address::Email] };
    let settings = SelfService { sign_up: Some(sign_up_settings), recovery: vec![] };
    let open = Open::with(rules, settings).await;
    let good = [
        ("username", "ada"),
        ("email", "ada@example.com"),
        ("given_name", "Augusta"),
        ("custom:team", "core"),
        ("password", PASSWORD),
    ];
    let mut browser = open.fixture.browser();
    for (name, value, code, status, said) in [
        ("email", "ada@other.example", "sign_up.domain", 400, "not available for this e-mail address"),
        ("email", "ada", "form.attribute", 400, "Check what you entered for E-mail address."),
        ("given_name", " ", "form.attribute", 400, "Check what you entered for Given name."),
        ("custom:team", "x", "form.attribute", 400, "team"),
        ("username", "a b", "sign_up.user_name", 400, "without spaces"),
        ("username", "bob@example.com", "sign_up.user_name", 400, "not an e-mail address"),
        ("username", "ALICE", "sign_up.user_name_taken", 409, "This user name is taken."),
        ("password", "", "form.incomplete", 400, "Fill in every field."),
        ("password", "short", "form.password", 400, "12"),
        ("password", "correct horse augusta", "form.password", 400, "name"),
    ] {
        open.fixture.clock.advance(Duration::from_secs(3600));
        let mut fields = good.to_vec();
        fields.iter_mut().filter(|(field, _)| *field == name).for_each(|field| field.1 = value);
        let again = browser.authorize(&[]).await;
        let page = browser.get(&Browser::link(&again, routes::SIGN_UP)).await;
        let hidden = page.hidden();
        let answer = browser.post(routes::SIGN_UP, &[&[("request", &*hidden)], &fields[..]].concat()).await;
        assert_eq!(answer.status().as_u16(), status, "{name} {value}: {}", answer.text());
        let reason = answer.0.extensions().get::<crate::page::Code>().map(|code| code.0);
        assert_eq!(reason, Some(code), "{name} {value}");
        assert!(answer.text().contains(said), "{name} {value}: {}", answer.text());
        assert!(answer.text().contains(r#"value="core""#) || name == "custom:team", "it is kept");
        assert!(!answer.text().contains(PASSWORD), "the password is not");
    }
    assert!(open.messages().await.is_empty());
    let page = sign_up(&mut browser, &good).await;
    let code = open.code("ada@example.com").await;
    verify(&mut browser, &page, &code).await.code();
    let ada = open.users.show("ada").await.expect("added");
    assert_eq!(ada.attributes.get("custom:team"), Some("core"));
}

#[tokio::test]
async fn without_sign_up_there_is_no_page_and_no_link() {
    let open = Open::with(by_address(), SelfService::default()).await;
    let mut browser = open.fixture.browser();
    let page = browser.authorize(&[]).await;
    assert!(!page.text().contains(routes::SIGN_UP) && !page.text().contains(routes::FORGOT_PASSWORD));
    for path in [routes::SIGN_UP, routes::FORGOT_PASSWORD, routes::RESET_PASSWORD] {
        assert_eq!(browser.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(browser.post(path, &[("request", "x")]).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn strangers_do_not_fill_the_pool() {
    let open = Open::new(by_address()).await;
    for number in 0..5 {
        let page = sign_up(&mut open.fixture.browser(), ADA).await;
        page.assert_page(StatusCode::OK, "Confirm your account");
        assert!(number < 9);
    }
    let sixth = sign_up(&mut open.fixture.browser(), ADA).await;
    assert!(sixth.text().contains("Too many attempts."), "{}", sixth.text());
    let users = async || open.users.search(Default::default(), None, 99).await.expect("listed").users.len();
    assert_eq!(users().await, 5);
    let swept = async |now: Timestamp| {
        let sweep =
            move |on: &mut crate::database::Transaction<'_>| crate::self_service::sign_up::sweep(on, "demo", now, 500);
        open.database.write(sweep).await.expect("swept")
    };
    assert_eq!(swept(START + Duration::from_secs(13 * 86_400)).await, 0);
    assert_eq!(swept(START + Duration::from_secs(15 * 86_400)).await, 5);
    assert_eq!(users().await, 0);
}

#[tokio::test]
async fn forms_of_other_browsers_and_old_ones_are_refused() {
    let open = Open::new(by_address()).await;
    let mut browser = open.fixture.browser();
    let page = browser.authorize(&[]).await;
    let page = browser.get(&Browser::link(&page, routes::SIGN_UP)).await;
    let hidden = page.hidden();
    let fields = [("request", &*hidden), ("email", "ada@example.com"), ("password", PASSWORD)];
    let foreign = open.fixture.browser().post(routes::SIGN_UP, &fields).await;
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN, "{}", foreign.text());
    let elsewhere = browser.post(routes::VERIFY, &fields).await;
    assert_eq!(elsewhere.status(), StatusCode::FORBIDDEN, "the value of another page");
    open.fixture.clock.advance(Duration::from_secs(16 * 60));
    let old = browser.post(routes::SIGN_UP, &fields).await;
    assert_eq!(old.status(), StatusCode::FORBIDDEN);
    assert!(open.messages().await.is_empty());
}

/// Where administrators confirm users, nobody waits for a code.
#[tokio::test]
async fn u_01_without_a_code_a_taken_address_costs_as_much_as_a_new_one() {
    let sign_up_settings = SignUp { allowed_domains: vec![], verify: vec![] };
    let open = Open::with(by_address(), SelfService { sign_up: Some(sign_up_settings), recovery: vec![] }).await;
    open.add("ada@example.com", "ada@example.com").await;
    let written = async || {
        let total = open.database.write(|on| on.query_one("SELECT total_changes()", &[]));
        total.await.expect("counted").expect("a row").integer(0).expect("a number")
    };
    let mut rows = Vec::new();
    for address in ["ada@example.com", "zoe@example.com"] {
        let before = written().await;
        sign_up(&mut open.fixture.browser(), &[("email", address), ("password", PASSWORD)]).await;
        rows.push(written().await - before);
    }
    assert!(rows[0] > 0);
    assert_eq!(rows[0], rows[1]);
    let [told] = &open.messages().await[..] else { panic!("one message") };
    assert_eq!((told.kind, &*told.body.to), (Kind::AddressTaken, "ada@example.com"));
}

/// The pages ask for what users are named by, and say what a password needs before one is refused.
#[tokio::test]
async fn pages_say_what_a_user_is_named_by_and_how_long_a_password_is() {
    let open = Open::new(by_address()).await;
    open.add("ada@example.com", "ada@example.com").await;
    let mut browser = open.fixture.browser();
    let label = r#"<label for="username">"#;
    let page = browser.authorize(&[]).await;
    assert!(page.text().contains(&format!("{label}E-mail address</label>")), "{}", page.text());
    let page = browser.get(&Browser::link(&page, routes::SIGN_UP)).await;
    assert!(page.text().contains("Use at least 12 characters."), "{}", page.text());
    browser.sign_in("ada@example.com", "first compiler").await.code();
    let overview = browser.get("/account").await;
    let shown = overview.text().split("<main").nth(1).expect("a page");
    assert_eq!(shown.matches("ada@example.com").count(), 1, "{shown}");

    use directory::settings::{Alias, Settings};
    for (rules, named) in [
        (Settings::default(), "User name"),
        (Settings { aliases: vec![Alias::PreferredUsername], ..Settings::default() }, "User name"),
        (Settings { aliases: vec![Alias::Email], ..Settings::default() }, "User name or e-mail address"),
        (Settings { aliases: vec![Alias::PhoneNumber], ..Settings::default() }, "User name or phone number"),
        (
            Settings { aliases: vec![Alias::PhoneNumber, Alias::Email], ..Settings::default() },
            "User name, e-mail address or phone number",
        ),
        (Settings { aliases: vec![Alias::PhoneNumber], ..by_address() }, "E-mail address or phone number"),
    ] {
        let open = Open::new(rules).await;
        let mut browser = open.fixture.browser();
        let page = browser.authorize(&[]).await;
        assert!(page.text().contains(&format!("{label}{named}</label>")), "{named}: {}", page.text());
        for path in [routes::FORGOT_PASSWORD, routes::RESET_PASSWORD, routes::CONFIRM_USER] {
            let page = browser.get(path).await;
            assert!(page.text().contains(&format!("{label}{named}</label>")), "{path}: {}", page.text());
        }
    }
}

/// The number is confirmed, and the address is only what somebody has typed.
#[tokio::test]
async fn u_01_who_confirms_a_telephone_number_gets_no_address_as_a_name() {
    let sign_up = SignUp { allowed_domains: vec![], verify: vec![Address::PhoneNumber] };
    let open = Open::with(by_address(), SelfService { sign_up: Some(sign_up), recovery: vec![] }).await;
    let mut browser = open.fixture.browser();
    let fields = [("email", "boss@example.com"), ("phone_number", "+4930123456"), ("password", PASSWORD)];
    let page = self::sign_up(&mut browser, &fields).await;
    let code = open.code("+4930123456").await;
    verify(&mut browser, &page, &code).await;
    let refused = open.fixture.browser().sign_in("boss@example.com", PASSWORD).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{}", refused.text());
    open.add("boss@example.com", "boss@example.com").await;
}

/// A field that the page does not have gives no other name to count by.
#[tokio::test]
async fn u_02_sign_ups_are_counted_by_the_address() {
    for rules in [by_address(), directory::settings::Settings::default()] {
        let open = Open::new(rules).await;
        let mut limited = Vec::new();
        for number in 0..6 {
            let name = format!("ada-{number}");
            let fields = [("email", "Ada@example.com"), ("username", &*name), ("password", "short")];
            let page = self::sign_up(&mut open.fixture.browser(), &fields).await;
            limited.push(page.text().contains("Too many attempts"));
        }
        assert_eq!(limited, [false, false, false, false, false, true]);
    }
}

//! Sign-up and recovery at a user pool, through a mail server that nobody here wrote.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule::clock::Clock;

use crate::harness::app::{Proxy, folder};
use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::process::{self, Process, vestibule};
use crate::harness::server::Server;
use crate::harness::target;
use crate::user_pool::{configuration, sign_in_page, submit};

const ISSUER: &str = "https://login.test";
const PASSWORD: &str = "a compiler for everybody";

/// A mail server, and its port.
pub fn mail_server() -> (Process, String) {
    let server = Process::start(process::python("python/mail_server.py", &["plain", "0"]));
    let port = server.next_line().expect("a port");
    (server, port)
}

/// A pool whose users have their address as their name.
pub fn with_sign_up(target: &Server, port: &str) -> String {
    let settings = format!(
        "    store: {{ sqlite: people.db, key_files: [store-key] }}
    mail: {{ smtp: 'smtp://127.0.0.1:{port}', username: pool, password: hunter2, from: 'Example <no-reply@example.com>' }}
    sign_up: {{ open: true, allowed_domains: [example.com] }}
    sign_in: {{ username: email }}
    attributes: {{ required: [given_name] }}
    users:"
    );
    configuration(target).replacen("    users:", &settings, 1)
}

/// The form of a page, as a browser without scripts sends it, and the page that follows at the pool. Otherwise the answer.
#[track_caller]
pub fn send(browser: &mut Browser, page: &Answer, typed: &[(&str, &str)]) -> Answer {
    let text = page.text();
    assert!(!text.contains("<script"), "{text}");
    let part = |start: &str| {
        let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("{start} in {text}"));
        rest.split('"').next().expect("closed").to_owned()
    };
    let (action, hidden) = (part("<form method=\"post\" action=\""), part("name=\"request\" value=\""));
    let fields = [&[("request", &*hidden)], typed].concat();
    browser.headers.extend([
        ("origin".to_owned(), ISSUER.to_owned()),
        ("sec-fetch-site".to_owned(), "same-origin".to_owned()),
        ("sec-fetch-mode".to_owned(), "navigate".to_owned()),
    ]);
    let answer = browser.post_form(&format!("{ISSUER}{action}"), &fields);
    browser.headers.truncate(browser.headers.len() - 3);
    if answer.status == 303 && answer.location().starts_with('/') {
        return browser.get(&format!("{ISSUER}{}", answer.location()));
    }
    answer
}

/// Opens what the link with this text leads to.
#[track_caller]
pub fn follow(browser: &mut Browser, page: &Answer, text: &str) -> Answer {
    // The helper completes addresses as on a page of the application.
    browser.get(&page.link(text).replacen("https://app.test/", "https://login.test/", 1))
}

/// The code of a mail.
#[track_caller]
pub fn code(mail: &Value) -> String {
    code_in(mail).unwrap_or_else(|| panic!("{mail}"))
}

/// The code of a mail that may have none.
pub fn code_in(mail: &Value) -> Option<String> {
    let text = mail["text"].as_str().expect("a text");
    let digits = |word: &&str| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit());
    text.split(|c: char| !c.is_ascii_alphanumeric()).find(digits).map(str::to_owned)
}

#[test]
fn somebody_signs_up_confirms_the_address_and_reaches_the_application() {
    let target = target::echo();
    let (mails, port) = mail_server();
    let proxy = Proxy::start(&with_sign_up(&target, &port));
    on_both(|protocol| {
        let address = format!("ada.{protocol:?}@example.com");
        let mut browser = proxy.browser(protocol);
        let page = sign_in_page(&mut browser, "https://app.test/reports");
        let text = page.text();
        assert!(text.contains(r#"<label for="username">E-mail address</label>"#), "{text}");
        let page = follow(&mut browser, &page, "Create an account");
        assert!(page.text().contains("Use at least 12 characters."), "before one is refused: {}", page.text());
        let typed = [("email", &*address), ("given_name", "Ada"), ("password", PASSWORD)];
        let refused = send(&mut browser, &page, &[("email", "ada@other.example"), typed[1], typed[2]]);
        assert!(refused.text().contains("not available for this e-mail address"), "{}", refused.text());
        let page = send(&mut browser, &refused, &typed);
        assert!(page.text().contains("Confirm your account"), "{}", page.text());
        let mail = mails.next_json();
        assert_eq!(mail["to"][0], *address);
        let back = send(&mut browser, &page, &[("code", &code(&mail))]);
        assert!(back.location().starts_with("https://app.test/oauth2/idpresponse?"), "{} {}", back.status, back.text());
        browser.get(back.location());
        assert_eq!(browser.get("https://app.test/reports").status, 200);
        assert!(target.last().header("x-amzn-oidc-identity").is_some());
        // The same address again: the page is the same, and its owner is told.
        let mut other = proxy.browser(protocol);
        let page = sign_in_page(&mut other, "https://app.test/reports");
        let page = follow(&mut other, &page, "Create an account");
        let page = send(&mut other, &page, &typed);
        assert!(page.text().contains("Confirm your account"), "{}", page.text());
        let told = mails.next_json();
        assert_eq!(told["to"][0], *address);
        assert!(!told["text"].as_str().expect("a text").bytes().any(|byte| byte.is_ascii_digit()), "{told}");
    });
}

#[test]
fn a_mail_server_that_is_down_changes_nothing_that_a_stranger_sees() {
    let target = target::echo();
    let port = crate::harness::app::free_port().to_string();
    let proxy = Proxy::start(&with_sign_up(&target, &port));
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let page = sign_in_page(&mut browser, "https://app.test/");
        let page = follow(&mut browser, &page, "Create an account");
        let address = format!("{protocol:?}@example.com");
        let page = send(&mut browser, &page, &[("email", &*address), ("given_name", "Ada"), ("password", PASSWORD)]);
        assert_eq!(page.status, 200);
        assert!(page.text().contains("Confirm your account"), "{}", page.text());
        let mut other = proxy.browser(protocol);
        let page = sign_in_page(&mut other, "https://app.test/");
        let page = follow(&mut other, &page, "I forgot my password");
        let page = send(&mut other, &page, &[("username", &*address)]);
        assert!(page.text().contains("we have sent a code"), "{}", page.text());
    });
}

#[test]
fn a_forgotten_password_is_replaced() {
    let target = target::echo();
    let (mails, port) = mail_server();
    let proxy = Proxy::start(&with_sign_up(&target, &port));
    let (first, later) = ("the password before", "the password afterwards");
    on_both(|protocol| {
        let address = format!("eve.{protocol:?}@example.com");
        let mut browser = proxy.browser(protocol);
        let page = sign_in_page(&mut browser, "https://app.test/");
        let page = follow(&mut browser, &page, "Create an account");
        let page = send(&mut browser, &page, &[("email", &*address), ("given_name", "Eve"), ("password", first)]);
        let back = send(&mut browser, &page, &[("code", &code(&mails.next_json()))]);
        assert!(back.location().starts_with("https://app.test/"), "{}", back.text());

        let mut other = proxy.browser(protocol);
        let page = sign_in_page(&mut other, "https://app.test/");
        let page = follow(&mut other, &page, "I forgot my password");
        let page = send(&mut other, &page, &[("username", &address.to_uppercase())]);
        let mail = mails.next_json();
        assert_eq!(mail["to"][0], *address);
        let done = send(&mut other, &page, &[("code", &code(&mail)), ("password", later)]);
        assert!(done.text().contains("Your password has changed"), "{}", done.text());
        assert_eq!(mails.next_json()["to"][0], *address, "the notice");
        let page = follow(&mut other, &done, "Go to the sign-in page");
        let back = submit(&mut other, &page, &address, later);
        assert!(back.location().starts_with("https://app.test/oauth2/idpresponse?"), "{}", back.text());
        // The browser of before is signed out at the pool.
        let page = browser.get("https://login.test/sign-in");
        assert!(page.text().contains("name=\"password\""), "{}", page.text());
    });
}

#[test]
fn an_administrator_sends_codes_again() {
    let target = target::echo();
    let (mails, port) = mail_server();
    // The commands have the clock of the machine.
    let proxy = Proxy::start_in(folder(), &with_sign_up(&target, &port), Clock::system().now());
    let config = proxy.folder().join("vestibule.yaml");
    std::fs::write(&config, proxy.yaml()).expect("written");
    let users = |command: &str, user: &str| {
        let config = config.to_str().expect("UTF-8");
        let done = Process::start(vestibule(&["users", command, "--config", config, user])).finish();
        // What a command has written is of the past.
        proxy.clock.advance(Duration::from_secs(60));
        (done.code, done.output + &done.errors)
    };
    let mut browser = proxy.browser(Protocol::Http1);
    let page = sign_in_page(&mut browser, "https://app.test/");
    let page = follow(&mut browser, &page, "Create an account");
    let page =
        send(&mut browser, &page, &[("email", "zoe@example.com"), ("given_name", "Zoe"), ("password", PASSWORD)]);
    mails.next_json();
    let listed = users("list", "--json").1;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let subject = listed[0]["sub"].as_str().expect("a subject");
    assert_eq!(listed[0]["status"], "UNCONFIRMED");
    assert_eq!(users("resend", subject).0, Some(0));
    let back = send(&mut browser, &page, &[("code", &code(&mails.next_json()))]);
    assert!(back.location().starts_with("https://app.test/"), "{}", back.text());
    let (failed, why) = users("resend", "zoe@example.com");
    assert_eq!(failed, Some(1));
    assert!(why.contains("the user is CONFIRMED: there is nothing to confirm or to send"), "{why}");
    assert_eq!(users("reset", "zoe@example.com").0, Some(0));
    assert_eq!(users("resend", "zoe@example.com").0, Some(0));
    assert_eq!(mails.next_json()["to"][0], "zoe@example.com");
    // An invitation with a temporary password, which is changed at the first sign-in.
    let config = config.to_str().expect("UTF-8");
    let added = ["users", "add", "--config", config, "--invite", "mia@example.com", "--set", "email=mia@example.com"];
    let added = Process::start(vestibule(&added)).finish();
    assert_eq!(added.code, Some(0), "{}", added.errors);
    proxy.clock.advance(Duration::from_secs(60));
    let said = "`mia@example.com` is added. An invitation with a temporary password goes to m***@e***";
    assert!(added.output.starts_with(said), "{}", added.output);
    let first = mails.next_json();
    // Another one, with another password.
    assert_eq!(users("resend", "mia@example.com").0, Some(0));
    let mail = mails.next_json();
    assert_eq!((&mail["to"][0], &first["to"][0]), (&json!("mia@example.com"), &json!("mia@example.com")));
    assert_ne!(first["text"], mail["text"]);
    let text = mail["text"].as_str().expect("a text");
    let is_password = |word: &&str| word.len() >= 23 && word.matches('-').count() >= 3 && !word.contains('/');
    let temporary = text.split_whitespace().find(is_password).unwrap_or_else(|| panic!("{text}"));
    let mut browser = proxy.browser(Protocol::Http1);
    let page = sign_in_page(&mut browser, "https://app.test/");
    let page = send(&mut browser, &page, &[("username", "mia@example.com"), ("password", temporary)]);
    assert!(page.text().contains("Choose your password"), "{}", page.text());
    let back = send(&mut browser, &page, &[("given_name", "Mia"), ("password", PASSWORD)]);
    assert!(back.location().starts_with("https://app.test/oauth2/idpresponse?"), "{}", back.text());
}

#[test]
fn a_person_signs_up_in_chromium_without_javascript() {
    let target = target::echo();
    let (mails, port) = mail_server();
    let proxy = Proxy::start_in(folder(), &with_sign_up(&target, &port), Clock::system().now());
    let to_us = |name: &str| format!("MAP {name} {}", proxy.address());
    let settings = json!({
        "url": "https://app.test/",
        "email": "ada@example.com",
        "password": PASSWORD,
        "signed_in": r#""x-amzn-oidc-identity""#,
        "trust": [proxy.folder().join("cert.pem")],
        "resolve": format!("{}, {}", to_us("app.test"), to_us("login.test")),
        "screenshots": proxy.folder().join("pictures").to_str().expect("UTF-8"),
    });
    let mut chromium = Process::start(process::node("browser.mjs", &["sign-up", &settings.to_string()]));
    for waiting in ["sign-up", "recovery"] {
        assert_eq!(chromium.next_json(), json!({ "waiting": waiting }));
        chromium.say(&code(&mails.next_json()));
    }
    crate::browser::verdict(&chromium);
    crate::browser::copy_pictures(&proxy.folder().join("pictures"));
}

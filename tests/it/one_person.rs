//! One person and all that the pages of a user pool do, from the sign-up to the end of the account: in Chromium, with its virtual
//! authenticator, through a mail server that nobody here wrote, and with a second pool as the other provider.

use serde_json::{Value, json};
use vestibule::clock::Clock;

use crate::browser::{application, copy_pictures};
use crate::federated::company;
use crate::harness::app::{Proxy, folder};
use crate::harness::process::{self, Process};
use crate::harness::server::Server;
use crate::sign_up::{code_in, mail_server, with_sign_up};
use crate::user_pool::PASSWORD;

/// People sign up with an address, may have second factors, and may come from a company.
fn configuration(target: &Server, mail: &str, issuer: &str) -> String {
    let sign_in = "    sign_in: { username: email, first_factors: [password, passkey] }
    mfa: { mode: optional, factors: [passkey, totp] }
    identity_providers: { corp: { attributes: { email: email, given_name: name } } }\n";
    let provider = format!(
        "\nidentity_providers:
  corp:
    issuer: '{issuer}'
    title: The Company
    client_id: people
    client_secret: the-secret-of-the-other-pool
    ca_file: ca.pem\n"
    );
    with_sign_up(target, mail).replacen("    sign_in: { username: email }\n", sign_in, 1) + &provider
}

/// The code of the next mail to this address that has one.
fn code_to(mails: &Process, address: &str) -> String {
    loop {
        let mail = mails.next_json();
        if mail["to"] == json!([address])
            && let Some(code) = code_in(&mail)
        {
            return code;
        }
    }
}

/// Runs the scenario in a window of this size. Returns what was seen.
#[track_caller]
fn run(is_phone: bool, (width, height): (u32, u32)) -> Value {
    let (target, now) = (application(), Clock::system().now());
    let (mails, port) = mail_server();
    let (company, issuer) = company(now);
    let proxy = Proxy::start_in(folder(), &configuration(&target, &port, &issuer), now);
    let to_us = |name: &str| format!("MAP {name} {}", proxy.address());
    let pictures = std::env::var_os("VESTIBULE_TEST_PICTURES").map(|_| proxy.folder().join("pictures"));
    let settings = json!({
        "url": "https://app.test/",
        "pool": "https://login.test/",
        "email": "ada@example.com",
        "new_email": "ada.lovelace@example.com",
        "password": "a compiler for everybody",
        "company": { "button": "Continue with The Company", "username": "ada", "password": PASSWORD },
        "now": now.seconds(),
        "is_phone": is_phone,
        "timeout_ms": 60000,
        "width": width,
        "height": height,
        "trust": [proxy.folder().join("cert.pem"), company.folder().join("cert.pem")],
        "resolve": format!("{}, {}", to_us("app.test"), to_us("login.test")),
        "screenshots": pictures,
    });
    let mut chromium = Process::start(process::node("browser.mjs", &["one-person", &settings.to_string()]));
    let seen = loop {
        let told = chromium.next_json();
        if told["ok"].is_boolean() {
            break told;
        }
        if let Some(address) = told["waiting"].as_str() {
            chromium.say(&code_to(&mails, address));
        }
    };
    if let Some(pictures) = pictures {
        copy_pictures(&pictures);
    }
    assert_eq!(seen["ok"], true, "{seen:#}");
    assert_eq!((&seen["codes"], &seen["credentials"]), (&json!(10), &json!(1)), "{seen:#}");
    let data = json!({"name": "account.json", "email": "ada.lovelace@example.com", "given_name": "Ada L."});
    assert_eq!(seen["data"], data);
    let series = "vestibule_pool_provider_sign_ins_total{pool=\"people\",provider=\"corp\",outcome=\"ok\"}";
    assert_eq!(proxy.metric(series), 1);
    seen
}

#[test]
fn a_person_does_everything_on_a_desktop_and_signs_in_by_the_keyboard() {
    let seen = run(false, (1280, 800));
    assert!(seen["keys"].as_u64().is_some_and(|keys| keys <= 8), "Tab was pressed {} times", seen["keys"]);
}

#[test]
fn a_person_does_everything_on_a_phone() {
    run(true, (390, 844));
}

//! Second factors and passkeys in Chromium, with its virtual authenticator: through a proxy whose pool has a database.

use serde_json::json;
use vestibule::clock::Clock;

use crate::harness::app::{Proxy, folder};
use crate::harness::process::{self, Process};
use crate::harness::server::Server;
use crate::harness::target;
use crate::user_pool::{PASSWORD, configuration};

/// Two users of the configuration, who must have a second factor.
fn with_second_factors(target: &Server) -> String {
    let store = "    store: { sqlite: people.db, key_files: [store-key] }
    mfa: { mode: required, factors: [passkey, totp] }
    sign_in: { first_factors: [password, passkey] }
    users:
      - { username: bob, password_hash: 'HASH', subject: user-2 }";
    let store = store.replace("HASH", &crate::user_pool::hash());
    configuration(target).replacen("    users:", &store, 1)
}

#[test]
fn a_person_sets_up_and_uses_passkeys_and_one_time_passwords() {
    let target = target::echo();
    let now = Clock::system().now();
    let proxy = Proxy::start_in(folder(), &with_second_factors(&target), now);
    let to_us = |name: &str| format!("MAP {name} {}", proxy.address());
    let pictures = std::env::var("VESTIBULE_TEST_PICTURES").ok();
    let settings = json!({
        "url": "https://app.test/",
        "account": "https://login.test/account/factors",
        "username": "alice",
        "password": PASSWORD,
        "other": { "username": "bob", "password": PASSWORD },
        "now": now.seconds(),
        "signed_in": r#""x-amzn-oidc-identity""#,
        // Browsers give passkeys only to pages whose certificate is trusted.
        "trust": [proxy.folder().join("cert.pem")],
        "resolve": format!("{}, {}", to_us("app.test"), to_us("login.test")),
        "screenshots": pictures,
    });
    let chromium = Process::start(process::node("browser.mjs", &["second-factors", &settings.to_string()]));
    let seen = chromium.next_json();
    assert_eq!(seen["ok"], true, "{seen:#}");
    assert_eq!(seen["codes"], 10, "{seen:#}");
    assert_eq!(seen["credentials"], 2, "{seen:#}");
    assert_eq!(seen["said"], "It was removed. Trusted browsers are asked for the second step again.", "{seen:#}");
    assert_eq!(seen["alert"], "This code is wrong, or it was used before.", "{seen:#}");
}

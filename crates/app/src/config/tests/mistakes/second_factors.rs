//! `mfa`, `passkeys` and `sign_in.first_factors` of a user pool.

use super::report_of;
use crate::config::tests::SOUND;

/// Its store keys do not exist, so that there is always a report.
const POOL: &str = "user_pools:
  people:
    signing_key_file: pool-key
    store: { sqlite: people.db, key_files: [gone] }
";
const MAIL: &str = "mail: { smtp: 'smtp://127.0.0.1', from: pool@example.com }";

#[track_caller]
fn said(host: &str, below: &[&str]) -> String {
    let below = below.iter().map(|line| format!("    {line}\n")).collect::<String>();
    report_of("second-factors", &format!("{SOUND}{POOL}    issuer: https://{host}\n{below}"))
}

#[track_caller]
fn check(below: &[&str], expected: &str) {
    let found = said("login.example.com", below);
    assert!(found.contains(&format!("error: {expected}")), "{below:?}\n{found}");
}

#[test]
fn factors_that_cannot_be() {
    check(&["mfa: { factors: [] }"], "there is no second factor to ask for");
    check(&["mfa: { factors: [email] }"], "the pool has no `mail`, so no code can be sent");
    check(&["mfa: { factors: [sms] }"], "the pool has no `sms`, so no code can be sent");
    check(&["mfa: { remembered_browsers: 36h }"], "expected whole days");
    check(&["sign_in: { first_factors: [password, email_code] }"], "the pool has no `mail`, so no code can be sent");
}

#[test]
fn an_address_is_not_both_factor_and_recovery() {
    let both = "these are all the addresses of `recovery`, too: nobody could choose another password";
    check(&[MAIL, "mfa: { factors: [totp, email] }"], both);
    check(&[MAIL, "mfa: { mode: off, groups: { ops: required }, factors: [email] }", "recovery: [email]"], both);
    for below in [
        &[MAIL, "mfa: { factors: [totp, email] }", "recovery: []"][..],
        &[MAIL, "mfa: { mode: off, factors: [email] }"],
        &[MAIL, "mfa: { factors: [totp] }", "sign_in: { first_factors: [password, email_code] }"],
    ] {
        let found = said("login.example.com", below);
        assert!(!found.contains("recovery") && !found.contains("first_factors"), "{below:?}\n{found}");
    }
}

#[test]
fn the_domain_of_passkeys() {
    check(
        &["mfa: {}", "passkeys: { relying_party_id: example.org }"],
        "`example.org` is neither the host of the issuer nor a domain above",
    );
    let found = said("127.0.0.1", &["sign_in: { first_factors: [password, passkey] }"]);
    assert!(found.contains("error: passkeys need a host name, not an IP address"), "{found}");
    let found = said("login.example.com", &["mfa: {}", "passkeys: { relying_party_id: example.com }"]);
    assert!(!found.contains("passkeys"), "{found}");
    // On every host of the pool.
    let domains = "custom_domains: [auth.example.com, login.example.de]";
    let found = said("login.example.com", &["mfa: {}", "passkeys: { relying_party_id: example.com }", domains]);
    assert!(
        found.contains("error: passkeys belong to `example.com`, and are worth nothing on `login.example.de`"),
        "{found}"
    );
    assert!(!found.contains("worth nothing on `auth.example.com`"), "{found}");
    let found = said("login.example.com", &["mfa: { factors: [totp] }", domains]);
    assert!(!found.contains("passkeys"), "{found}");
}

#[test]
fn second_factors_need_a_store() {
    for key in ["mfa", "passkeys"] {
        let pool = "user_pools:\n  people:\n    issuer: https://login.example.com\n    signing_key_file: pool-key\n";
        let found = report_of("no-store", &format!("{SOUND}{pool}    {key}: {{}}\n"));
        assert!(found.contains(&format!("error: `{key}` needs a database: this pool has no `store`")), "{found}");
    }
}

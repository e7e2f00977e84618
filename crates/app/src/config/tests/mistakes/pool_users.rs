//! `attributes`, `sign_in`, `sign_up` and `recovery` of a user pool.

use super::report_of;
use crate::config::tests::SOUND;

const POOL: &str = "user_pools:
  people:
    issuer: https://login.example.com
    signing_key_file: pool-key
";
/// Its keys do not exist, so that there is always a report.
const STORE: &str = "    store: { sqlite: people.db, key_files: [gone] }\n";

/// What is said of a pool with that, and with a store.
#[track_caller]
fn said(name: &str, below: &str) -> String {
    report_of(name, &format!("{SOUND}{POOL}{STORE}    {below}\n"))
}

#[track_caller]
fn check(below: &str, expected: &str) {
    let found = said("pool-users", below);
    assert!(found.contains(&format!("error: {expected}")), "{below}\n{found}");
}

#[test]
fn attributes_of_the_pool() {
    let custom = |attribute: &str| format!("attributes: {{ custom: {{ {attribute} }} }}");
    check(&custom("\"a b\": { type: string }"), "`a b` cannot be the name of an attribute");
    check(&custom("\"custom:x\": { type: string }"), "`custom:x` cannot be the name of an attribute");
    check(&custom("a_name_of_21_letters_: { type: string }"), "`a_name_of_21_letters_` cannot be");
    check(&custom("x: { type: number, max_length: 3 }"), "only a `string` has a `max_length`");
    check(&custom("x: { type: string, min_value: 3 }"), "only a `number` has a `min_value`");
    check(&custom("x: { type: string, min_length: 9, max_length: 8 }"), "no value can be within these bounds");
    let many: Vec<_> = (0..51).map(|number| format!("x{number}: {{ type: boolean }}")).collect();
    check(&custom(&many.join(", ")), "51 attributes are too many");
    check("attributes: { required: [e_mail] }", "there is no attribute `e_mail` that users give");
    check("attributes: { required: [email_verified] }", "there is no attribute `email_verified` that users give");
    check("attributes: { required: [custom:x] }", "there is no attribute `custom:x` that users give");
    let good =
        "attributes: { required: [email, custom:x], custom: { x: { type: string, max_length: 64, mutable: false } } }";
    let found = said("pool-users-good", good);
    assert!(!found.contains("attribute"), "{found}");
}

#[test]
fn names_to_sign_in_with() {
    check("sign_in: { username: email, aliases: [email] }", "users whose name is their e-mail address have no aliases");
    let found = said("pool-names-good", "sign_in: { aliases: [email, phone_number, preferred_username] }");
    assert!(!found.contains("sign_in"), "{found}");
}

#[test]
fn what_people_do_by_themselves() {
    check("sign_up: { open: true, verify: [email] }", "the pool has no `mail`, so no code can be sent");
    check("sign_up: { open: true, verify: [phone_number] }", "the pool has no `sms`, so no code can be sent");
    check("sign_up: { allowed_domains: [example] }", "`example` is not the domain of an e-mail address");
    check("recovery: [phone_number]", "the pool has no `sms`, so no code can be sent");
    // Whoever confirms a number would have the address of somebody else.
    let both = "mail: { smtp: 'smtp://127.0.0.1', from: pool@example.com }\n    sms: { webhook: { url: 'https://sms.example.com/', secret_file: gone } }\n    ";
    let instead = "and with this list a telephone number is confirmed instead of the e-mail address";
    for (list, above) in [("[phone_number, email]", "sign_in: { username: email }"), ("[phone_number]", "")] {
        let domains = if above.is_empty() { "allowed_domains: [example.com], " } else { "" };
        let below = format!("{both}{above}\n    sign_up: {{ open: true, {domains}verify: {list} }}");
        let found = said("pool-self-service-number", &below);
        assert!(found.contains(instead), "{found}");
        let found = said("pool-self-service-email", &below.replace(list, "[email, phone_number]"));
        assert!(!found.contains("sign_up"), "{found}");
    }
    let found = said("pool-self-service-good", "sign_up: { open: true, allowed_domains: [Example.com], verify: [] }");
    assert!(!found.contains("sign_up"), "{found}");
}

#[test]
fn what_users_change_of_themselves() {
    for name in ["groups", "sub", "email_verified", "updated_at", "custom:team"] {
        check(&format!("account: {{ attributes: [{name:?}] }}"), &format!("users cannot change `{name}`"));
    }
    let fixed = "attributes: { custom: { badge: { type: string, mutable: false } } }\n    account: { attributes: [custom:badge] }";
    check(fixed, "users cannot change `custom:badge`");
    let good = "attributes: { custom: { team: { type: string, mutable: true } } }\n    account: { attributes: [name, email, preferred_username, custom:team], delete: true }";
    let found = said("pool-account-good", good);
    assert!(!found.contains("users cannot change"), "{found}");
}

#[test]
fn without_a_store_there_is_nobody_to_have_them() {
    for key in [
        "attributes: { required: [email] }",
        "sign_in: { aliases: [email] }",
        "sign_up: { open: true }",
        "recovery: [email]",
        "account: { delete: true }",
    ] {
        let found = report_of("pool-no-store", &format!("{SOUND}{POOL}    {key}\n"));
        assert!(found.contains("error: the pool has no `store`"), "{found}");
        assert!(found.contains("it is for users in a database: add `store`"), "{found}");
    }
}

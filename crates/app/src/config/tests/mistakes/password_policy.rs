//! `password_policy` of a user pool.

use super::{report_of, warnings};
use crate::config::tests::{SOUND, files, load_in};
use crate::user_pool::credential::policy::{Class, PasswordPolicy};

const POOL: &str = "user_pools:
  people:
    issuer: https://login.example.com
    signing_key_file: pool-key
";
const STORE: &str = "    store: { sqlite: people.db, key_files: [session-key-2] }\n";

/// What is said of a pool with a store and this policy.
#[track_caller]
fn refused(policy: &str, expected: &str) {
    let text = format!("{SOUND}{POOL}{STORE}    password_policy: {{ {policy} }}\n");
    let report = report_of("password-policy", &text);
    assert!(report.contains(expected), "{policy}: {report}");
}

#[track_caller]
fn settled(policy: &str) -> PasswordPolicy {
    let files = files("password-policy");
    let text = format!("{SOUND}{POOL}{STORE}{policy}");
    let config = load_in(&files, &text).unwrap_or_else(|report| panic!("{report}"));
    config.user_pools[0].settings.password_policy.clone()
}

#[test]
fn a_preset_and_what_changes_it() {
    assert_eq!(settled(""), PasswordPolicy::modern());
    assert_eq!(settled("    password_policy: {}\n"), PasswordPolicy::modern());
    assert_eq!(settled("    password_policy: { preset: cognito }\n"), PasswordPolicy::cognito());
    let changed = settled("    password_policy: { preset: cognito, min_length: 10, require: [] }\n");
    assert_eq!(changed, PasswordPolicy { min_length: 10, required: vec![], ..PasswordPolicy::cognito() });
    let changed = settled("    password_policy: { history: 5, temporary_validity: 1d }\n");
    let temporary_validity = std::time::Duration::from_secs(86_400);
    assert_eq!(changed, PasswordPolicy { history: 5, temporary_validity, ..PasswordPolicy::modern() });
    let changed = settled("    password_policy: { require: [digit, uppercase] }\n");
    assert_eq!(changed, PasswordPolicy { required: vec![Class::Uppercase, Class::Digit], ..PasswordPolicy::modern() });
}

#[test]
fn policies_that_make_no_sense() {
    refused("preset: strict", "`strict`");
    refused("min_length: 5", "5 is out of range: 6 to 99");
    refused("min_length: 100", "100 is out of range: 6 to 99");
    refused("require: [digit, emoji]", "`emoji`");
    refused("require: [digit, symbol, digit]", "this kind of characters is already required");
    refused("minimum: 12", "min_length");
    refused("history: 6", "6 is out of range: 0 to 5");
    refused("breach_list_file: missing", "the file `DIR/missing` cannot be read");
    refused("breach_list_file: secret", "the file `DIR/secret` is not a list of breached passwords");
    refused("breached_at_sign_in: reset", "there is no `breach_list_file`");
    refused("breached_at_sign_in: block", "`block`");
    refused("temporary_validity: 1m", "is out of range");
    let text = format!("{SOUND}{POOL}    password_policy: {{ preset: modern }}\n");
    let report = report_of("password-policy-storeless", &text);
    assert!(report.contains("`password_policy` has no effect: this pool has no `store`"), "{report}");
}

#[test]
fn a_short_password_is_warned_of() {
    let warned = |length: u8| {
        let pool = format!("{POOL}{STORE}    password_policy: {{ min_length: {length} }}\n");
        warnings("password-policy-short", &[("target_groups:\n", &format!("{pool}target_groups:\n"))])
    };
    assert!(warned(7).contains("passwords of 7 characters are found by trying"), "{}", warned(7));
    assert!(!warned(8).contains("characters are found"));
}

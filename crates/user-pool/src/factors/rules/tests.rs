//! What may be removed.

use serde_json::json;

use super::*;
use crate::clock::Timestamp;
use crate::directory::attribute::Attributes;
use crate::directory::record::Record;
use crate::directory::status::Status;
use crate::factors::passkeys::ListedPasskey;
use crate::secret::Secret;

const AT: Timestamp = Timestamp::from_seconds(9);

/// `has`: `password`, `email` and `phone` (verified), `provider` (where the user signs in).
fn user(has: &[&str]) -> User {
    let mut attributes = json!({});
    if has.contains(&"email") {
        attributes["email"] = "ada@example.com".into();
        attributes["email_verified"] = "true".into();
    }
    if has.contains(&"phone") {
        attributes["phone_number"] = "+4930123456".into();
        attributes["phone_number_verified"] = "true".into();
    }
    let record = Record {
        subject: "s".into(),
        username: "ada".into(),
        status: if has.contains(&"provider") { Status::ExternalProvider } else { Status::Confirmed },
        is_enabled: true,
        attributes: Attributes::from_json(&attributes.to_string()).expect("attributes"),
        password_hash: has.contains(&"password").then(|| Secret::new("a hash".into())),
        password_set_at: None,
        temporary_until: None,
        epoch: 0,
        created_at: AT,
        modified_at: AT,
        groups: vec![],
        identities: vec![],
    };
    User::stored(record).expect("a user")
}

fn owned(passkeys: usize, has_app: bool) -> Owned {
    let passkey = |number| ListedPasskey { id: format!("{number}"), name: None, created_at: AT, used_at: None };
    let mut factors = vec![];
    factors.extend((passkeys > 0).then_some(Factor::Passkey));
    factors.extend(has_app.then_some(Factor::Totp));
    Owned {
        factors,
        app_since: has_app.then_some(AT),
        passkeys: (0..passkeys).map(passkey).collect(),
        ..Owned::default()
    }
}

/// A pool with all factors. `first`: what signs in without a password.
fn settings(mode: Mode, first: &[&str]) -> Settings {
    Settings {
        mode,
        factors: Factor::ALL.to_vec(),
        passkey_is_first: first.contains(&"passkey"),
        email_code_is_first: first.contains(&"email"),
        ..Settings::default()
    }
}

const NOTHING: &[&str] = &[];
const PASSWORD: &[&str] = &["password"];

#[test]
fn the_last_second_factor_stays_where_one_is_required() {
    let check = |mode, has: &[&str], before: Owned, after: Owned, expected| {
        assert_eq!(may_keep(&user(has), &before, &after, &settings(mode, NOTHING)), expected, "{mode:?} {has:?}");
    };
    let last = Err(Stays::LastSecondFactor);
    check(Mode::Required, PASSWORD, owned(0, true), owned(0, false), last);
    check(Mode::Required, PASSWORD, owned(1, false), owned(0, false), last);
    check(Mode::Required, PASSWORD, owned(1, true), owned(0, true), Ok(()));
    check(Mode::Required, PASSWORD, owned(2, false), owned(1, false), Ok(()));
    check(Mode::Required, &["password", "email"], owned(0, true), owned(0, false), Ok(()));
    check(Mode::Optional, PASSWORD, owned(0, true), owned(0, false), Ok(()));
    check(Mode::Off, PASSWORD, owned(1, true), owned(0, false), Ok(()));
}

#[test]
fn a_factor_that_the_pool_does_not_ask_for_may_go() {
    let only_app = Settings { factors: vec![Factor::Totp], ..settings(Mode::Required, NOTHING) };
    assert_eq!(may_keep(&user(PASSWORD), &owned(1, false), &owned(0, false), &only_app), Ok(()));
}

#[test]
fn the_strictest_group_decides() {
    let mut settings = settings(Mode::Off, NOTHING);
    settings.groups.insert("admins".into(), Mode::Required);
    let of_group = |groups: serde_json::Value| {
        let claims = json!({ "groups": groups }).as_object().expect("an object").clone();
        let user = crate::settings::UserSettings {
            username: "ada".into(),
            password_hash: Secret::new("a hash".into()),
            subject: "s".into(),
            claims,
        };
        User::new(user).expect("a user")
    };
    let (before, after) = (owned(0, true), owned(0, false));
    assert_eq!(may_keep(&of_group(json!(["admins"])), &before, &after, &settings), Err(Stays::LastSecondFactor));
    assert_eq!(may_keep(&of_group(json!(["others"])), &before, &after, &settings), Ok(()));
}

#[test]
fn the_only_way_in_stays() {
    let check = |has: &[&str], first: &[&str], before: Owned, after: Owned, expected| {
        let settings = settings(Mode::Optional, first);
        assert_eq!(may_keep(&user(has), &before, &after, &settings), expected, "{has:?} {first:?}");
    };
    let only = Err(Stays::OnlyWayIn);
    check(NOTHING, &["passkey"], owned(1, false), owned(0, false), only);
    check(NOTHING, &["passkey"], owned(1, true), owned(0, true), only);
    check(NOTHING, &["passkey"], owned(2, false), owned(1, false), Ok(()));
    check(PASSWORD, &["passkey"], owned(1, false), owned(0, false), Ok(()));
    check(&["email"], &["passkey", "email"], owned(1, false), owned(0, false), Ok(()));
    // Codes by mail do not sign in without a password in this pool, or the address is not verified.
    check(&["email"], &["passkey"], owned(1, false), owned(0, false), only);
    check(NOTHING, &["passkey", "email"], owned(1, false), owned(0, false), only);
}

#[test]
fn one_mailbox_is_not_two_factors() {
    let settings = settings(Mode::Required, &["passkey", "email"]);
    let check = |has: &[&str], before: Owned, after: Owned, expected| {
        assert_eq!(may_keep(&user(has), &before, &after, &settings), expected, "{has:?}");
    };
    check(&["email"], owned(1, false), owned(0, false), Err(Stays::LastSecondFactor));
    check(&["email"], owned(0, true), owned(0, false), Err(Stays::LastSecondFactor));
    check(&["email"], owned(1, true), owned(0, true), Ok(()));
    check(&["password", "email"], owned(1, false), owned(0, false), Ok(()));
}

/// They begin at their provider, and in no other way.
#[test]
fn a_user_of_another_provider_needs_a_passkey_only_where_a_second_factor_is_required() {
    let may_remove = |mode, before: Owned, after: Owned| {
        may_keep(&user(&["provider"]), &before, &after, &settings(mode, &["passkey", "email"]))
    };
    assert_eq!(may_remove(Mode::Optional, owned(1, false), owned(0, false)), Ok(()));
    let last = Err(Stays::LastSecondFactor);
    assert_eq!(may_remove(Mode::Required, owned(1, false), owned(0, false)), last);
    assert_eq!(may_remove(Mode::Required, owned(0, true), owned(0, false)), last);
    assert_eq!(may_remove(Mode::Required, owned(1, true), owned(0, true)), Ok(()));
}

#[test]
fn a_phone_number_stays_where_it_is_the_only_second_factor_that_must_be() {
    let loses = |mode: Mode, has: &[&str], owned: &Owned| {
        let (before, after) = (user(&[has, &["phone"]].concat()), user(has));
        may_become(&before, &after, owned, &settings(mode, &[]))
    };
    let none = owned(0, false);
    assert_eq!(loses(Mode::Required, &["password"], &none), Err(Stays::LastSecondFactor));
    assert_eq!(loses(Mode::Required, &["provider"], &none), Err(Stays::LastSecondFactor));
    assert_eq!(loses(Mode::Required, &["password", "email"], &none), Ok(()));
    assert_eq!(loses(Mode::Required, &["password"], &owned(0, true)), Ok(()));
    assert_eq!(loses(Mode::Optional, &["password"], &none), Ok(()));
}

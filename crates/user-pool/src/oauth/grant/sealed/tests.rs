use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::crypto::{aead, octets};
use crate::oauth::lifetimes::{ClientLifetimes, Lifetimes};
use crate::signin::proof::Proofs;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
const LIFETIMES: Lifetimes =
    Lifetimes { access: Duration::from_secs(3600), id: Duration::from_secs(3600), refresh: LIFETIME };

fn grants() -> SealedGrants {
    grants_with(LIFETIMES, &GrantMemory::default())
}

fn grants_with(lifetimes: Lifetimes, memory: &GrantMemory) -> SealedGrants {
    let seal = Seal::new([aead::Key::new(&Secret::new([7; 32]))].into(), "https://login.example".into());
    SealedGrants::new(seal, ClientLifetimes::all(lifetimes), memory.clone())
}

fn grant_of(subject: &str) -> Grant {
    Grant {
        client_id: "app".into(),
        subject: subject.into(),
        scope: "openid email".into(),
        resource: None,
        auth_time: NOW.seconds(),
        proofs: Proofs::of_before(),
        session_id: "s".into(),
        fingerprint: "f".into(),
        claims: None,
    }
}

fn issue_to(grants: &SealedGrants, subject: &str, now: Timestamp) -> Secret<String> {
    let code_challenge = Some(URL_SAFE_NO_PAD.encode(octets::sha256(b"verifier")));
    let grant = grant_of(subject);
    grants.issue(Pending { grant, redirect_uri: "https://app/cb".into(), code_challenge, nonce: None }, now)
}

fn issue(grants: &SealedGrants, now: Timestamp) -> Secret<String> {
    issue_to(grants, "alice", now)
}

fn redeem_with(
    grants: &SealedGrants,
    code: &Secret<String>,
    verifier: Option<&str>,
    now: Timestamp,
) -> Result<Redeemed, Refused> {
    let presented =
        Presented { code: code.expose(), client_id: "app", redirect_uri: "https://app/cb", code_verifier: verifier };
    grants.redeem(&presented, now)
}

fn redeem(grants: &SealedGrants, code: &Secret<String>, now: Timestamp) -> Result<Redeemed, Refused> {
    redeem_with(grants, code, Some("verifier"), now)
}

fn refresh(grants: &SealedGrants, token: &Secret<String>, now: Timestamp) -> Result<Secret<String>, Refused> {
    let token = grants.open_refresh_token(token.expose(), "app", None, now)?;
    grants.refresh(token, now).map(|redeemed| redeemed.refresh_token)
}

#[test]
fn u_08_one_users_codes_do_not_push_out_anothers() {
    let grants = grants();
    let fresh = issue(&grants, NOW);
    let used = issue(&grants, NOW);
    assert!(redeem(&grants, &used, NOW).is_ok());
    for _ in 0..10_200 {
        issue_to(&grants, "mallory", NOW);
    }
    // Redeeming is what takes memory: as much as the rate limit lets through, in the longest time that a code is remembered.
    let mut redeemed = 0;
    for second in 0..590 {
        for _ in 0..2 {
            let now = NOW + Duration::from_secs(second);
            redeemed += u32::from(redeem(&grants, &issue_to(&grants, "mallory", now), now).is_ok());
        }
    }
    assert_eq!(redeemed, 120 + 589, "the burst, and then one in each second");
    assert!(redeem(&grants, &fresh, NOW + Duration::from_secs(59)).is_ok());
    let late = NOW + Duration::from_secs(599);
    assert_eq!(redeem(&grants, &used, late).err(), Some(Refused::Reused), "it is still known that this one was used");
}

#[test]
fn u_08_a_flood_makes_no_code_of_its_own_good_again() {
    let grants = grants();
    let mut now = NOW;
    let codes: Vec<_> = (0..256 + 20).map(|_| issue_to(&grants, "mallory", now)).collect();
    for code in &codes {
        if redeem(&grants, code, now).is_err() {
            now = now + Duration::from_millis(1000);
        }
    }
    for code in &codes {
        assert!(redeem(&grants, code, now + Duration::from_secs(60)).is_err());
    }
}

#[test]
fn u_08_a_verifier_and_a_challenge_come_together_or_not_at_all() {
    let grants = grants();
    let code = issue(&grants, NOW);
    assert_eq!(redeem_with(&grants, &code, None, NOW).err(), Some(Refused::Invalid), "a challenge without a verifier");
    let pending = || Pending {
        grant: grant_of("alice"),
        redirect_uri: "https://app/cb".into(),
        code_challenge: None,
        nonce: None,
    };
    let code = grants.issue(pending(), NOW);
    assert_eq!(redeem(&grants, &code, NOW).err(), Some(Refused::Invalid), "a verifier without a challenge");
    let code = grants.issue(pending(), NOW);
    assert!(redeem_with(&grants, &code, None, NOW).is_ok());
}

#[test]
fn u_08_a_code_that_another_replica_made_is_redeemed() {
    let (one, other) = (grants(), grants());
    let code = issue(&one, NOW);
    let redeemed = redeem(&other, &code, NOW).expect("sealed with the same key");
    let second = refresh(&one, &redeemed.refresh_token, NOW).expect("sealed with the same key");
    let third = refresh(&other, &second, NOW + Duration::from_secs(60)).expect("a newer generation");
    let later = NOW + Duration::from_secs(120);
    let fourth = refresh(&one, &third, later).expect("a newer generation");
    assert_eq!(refresh(&one, &second, later).err(), Some(Refused::Reused));
    assert_eq!(refresh(&one, &fourth, later).err(), Some(Refused::Invalid), "the family is revoked");
}

#[test]
fn u_08_a_code_from_the_future_is_as_little_worth_as_an_old_one() {
    let grants = grants();
    // The clock was ahead and has been set back; another replica's may be ahead by less than a code lives.
    let code = issue(&grants, NOW + Duration::from_secs(3600));
    assert_eq!(redeem(&grants, &code, NOW).err(), Some(Refused::Invalid));
    let code = issue(&grants, NOW + Duration::from_secs(30));
    assert!(redeem(&grants, &code, NOW).is_ok());
}

#[test]
fn u_08_a_used_code_is_recognised_for_ten_minutes() {
    let grants = grants();
    let code = issue(&grants, NOW);
    assert!(redeem(&grants, &code, NOW).is_ok());
    let later = NOW + Duration::from_secs(599);
    issue(&grants, later);
    assert_eq!(redeem(&grants, &code, later).err(), Some(Refused::Reused));
    let later = NOW + Duration::from_secs(600);
    issue(&grants, later);
    assert_eq!(redeem(&grants, &code, later).err(), Some(Refused::Invalid));
}

#[test]
fn u_09_a_refresh_token_is_one_clients_and_one_kind() {
    let grants = grants();
    let code = issue(&grants, NOW);
    let redeemed = redeem(&grants, &code, NOW).expect("fresh");
    let token = redeemed.refresh_token.expose();
    assert_eq!(grants.open_refresh_token(token, "other", None, NOW).err(), Some(Refused::Invalid));
    assert_eq!(grants.open_refresh_token(code.expose(), "app", None, NOW).err(), Some(Refused::Invalid));
    assert_eq!(grants.open_refresh_token("", "app", None, NOW).err(), Some(Refused::Invalid));
    assert!(grants.open_refresh_token(token, "app", None, NOW).is_ok());
    assert_eq!(grants.open_refresh_token(token, "app", None, NOW + LIFETIME).err(), Some(Refused::Invalid));
}

#[test]
fn u_09_one_users_sign_ins_do_not_end_anothers_refresh_token() {
    let grants = grants();
    let unused = redeem(&grants, &issue(&grants, NOW), NOW).expect("fresh").refresh_token;
    let first = redeem(&grants, &issue(&grants, NOW), NOW).expect("fresh").refresh_token;
    let second = refresh(&grants, &first, NOW).expect("fresh");
    // Each of 101,000 sign-ins with a used refresh token, slowly enough for the rate limit.
    let mallory = grant_of("mallory");
    let mut now = NOW;
    for number in 0..101_000 {
        now = now + Duration::from_millis(10);
        let token = grants.families.begin(&number.to_string(), &mallory, now);
        let token = grants.families.open(token.expose(), "app", None, now).expect("ours");
        grants.families.rotate(token, now, |_| Ok(())).expect("never used");
    }
    assert!(refresh(&grants, &unused, now).is_ok());
    assert_eq!(refresh(&grants, &first, now).err(), Some(Refused::Reused), "what was used is still known");
    assert_eq!(refresh(&grants, &second, now).err(), Some(Refused::Invalid), "and so the family is revoked");
}

#[test]
fn u_09_a_flood_makes_no_refresh_token_of_its_own_good_again() {
    let grants = grants();
    let mallory = grant_of("mallory");
    let stolen = grants.families.begin("revoked", &mallory, NOW);
    grants.families.revoke("revoked", &mallory, NOW);
    for number in 0..1001 {
        grants.families.revoke(&number.to_string(), &mallory, NOW);
    }
    assert_eq!(refresh(&grants, &stolen, NOW).err(), Some(Refused::Invalid));
}

#[test]
fn u_09_a_flood_before_the_lifetime_became_shorter_does_not_keep_the_user_out() {
    let memory = GrantMemory::default();
    let before = grants_with(LIFETIMES, &memory);
    let alice = grant_of("alice");
    for number in 0..1001 {
        let token = before.families.begin(&number.to_string(), &alice, NOW);
        let token = before.families.open(token.expose(), "app", None, NOW).expect("ours");
        before.families.rotate(token, NOW, |_| Ok(())).expect("never used");
    }
    let after = grants_with(Lifetimes { refresh: Duration::from_secs(3600), ..LIFETIMES }, &memory);
    let later = NOW + Duration::from_secs(60);
    let token = redeem(&after, &issue(&after, later), later).expect("fresh").refresh_token;
    assert!(refresh(&after, &token, later).is_ok());
}

#[test]
fn u_09_what_was_revoked_stays_revoked_when_the_lifetime_becomes_longer_again() {
    let memory = GrantMemory::default();
    let short = || grants_with(Lifetimes { refresh: Duration::from_secs(3600), ..LIFETIMES }, &memory);
    let long = || grants_with(LIFETIMES, &memory);
    // A code that comes again, and a refresh token that comes again.
    let code = issue(&long(), NOW);
    let first = redeem(&long(), &code, NOW).expect("fresh").refresh_token;
    let old = redeem(&long(), &issue(&long(), NOW), NOW).expect("fresh").refresh_token;
    let current = refresh(&long(), &old, NOW).expect("current");
    let later = NOW + Duration::from_secs(60);
    assert_eq!(redeem(&short(), &code, later).err(), Some(Refused::Reused));
    assert_eq!(refresh(&short(), &old, later).err(), Some(Refused::Reused));
    let later = NOW + Duration::from_secs(29 * 24 * 3600);
    assert_eq!(refresh(&long(), &first, later).err(), Some(Refused::Invalid));
    assert_eq!(refresh(&long(), &current, later).err(), Some(Refused::Invalid));
}

#[test]
fn token_requests_of_one_user_at_one_client_are_limited() {
    let grants = grants();
    let mut token = redeem(&grants, &issue(&grants, NOW), NOW).expect("fresh").refresh_token;
    for _ in 0..119 {
        token = refresh(&grants, &token, NOW).expect("within the burst");
    }
    assert_eq!(refresh(&grants, &token, NOW).err(), Some(Refused::TooMany(Duration::from_secs(1))));
    assert!(redeem(&grants, &issue_to(&grants, "bob", NOW), NOW).is_ok(), "another user is not limited");
    assert!(refresh(&grants, &token, NOW + Duration::from_secs(1)).is_ok(), "nothing was used up");
}

#[test]
fn what_is_worth_nothing_does_not_use_up_the_token_requests_of_its_user() {
    let grants = grants();
    let (old, stale, fresh) = (issue(&grants, NOW), issue(&grants, NOW), issue(&grants, NOW));
    let first = redeem(&grants, &old, NOW).expect("fresh").refresh_token;
    let second = refresh(&grants, &first, NOW).expect("current");
    // Somebody finds them in a history, a log, the storage of a browser.
    let later = NOW + Duration::from_secs(59);
    for _ in 0..150 {
        assert_eq!(redeem(&grants, &old, later).err(), Some(Refused::Reused));
        assert!(refresh(&grants, &first, later).is_err() && refresh(&grants, &second, later).is_err());
        assert!(redeem_with(&grants, &stale, Some("another"), later).is_err());
    }
    assert!(redeem(&grants, &fresh, later).is_ok(), "the user is not kept out");
    let a_year_later = NOW + Duration::from_secs(366 * 24 * 3600);
    for _ in 0..150 {
        assert_eq!(redeem(&grants, &old, a_year_later).err(), Some(Refused::Invalid));
    }
    assert!(redeem(&grants, &issue(&grants, a_year_later), a_year_later).is_ok(), "nor by an old code");
}

#[test]
fn a_scope_is_a_whole_word() {
    let grant = Grant {
        claims: None,
        client_id: String::new(),
        subject: String::new(),
        scope: "openid email_extra".into(),
        resource: None,
        auth_time: 0,
        proofs: Proofs::of_before(),
        session_id: String::new(),
        fingerprint: String::new(),
    };
    assert!(grant.has("openid"));
    assert!(!grant.has("email"));
}

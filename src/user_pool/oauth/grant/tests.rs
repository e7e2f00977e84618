use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::crypto::{aead, digest};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn grants() -> Grants {
    let seal = Seal::new([aead::Key::new(&Secret::new([7; 32]))].into(), "https://login.example".into());
    Grants::new(seal, Duration::from_secs(3600), NOW)
}

fn issue(grants: &Grants, now: Timestamp) -> Secret<String> {
    let grant = Grant {
        client_id: "app".into(),
        subject: "alice".into(),
        scope: "openid email".into(),
        auth_time: NOW.seconds(),
        session_id: "s".into(),
        fingerprint: "f".into(),
    };
    let code_challenge = URL_SAFE_NO_PAD.encode(digest::sha256(b"verifier"));
    grants.issue(Pending { grant, redirect_uri: "https://app/cb".into(), code_challenge, nonce: None }, now)
}

fn redeem(grants: &Grants, code: &Secret<String>, now: Timestamp) -> Result<Redeemed, Refused> {
    let presented =
        Presented { code: code.expose(), client_id: "app", redirect_uri: "https://app/cb", code_verifier: "verifier" };
    grants.redeem(&presented, now)
}

#[test]
fn u_08_codes_are_bounded_and_the_oldest_go_first() {
    let grants = grants();
    let first = issue(&grants, NOW);
    let second = issue(&grants, NOW);
    for _ in 0..9_999 {
        issue(&grants, NOW);
    }
    assert_eq!(redeem(&grants, &first, NOW).err(), Some(Refused::Invalid));
    assert!(redeem(&grants, &second, NOW).is_ok());
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
    assert_eq!(grants.refresh(token, "other", None, NOW).err(), Some(Refused::Invalid));
    assert_eq!(grants.refresh(code.expose(), "app", None, NOW).err(), Some(Refused::Invalid));
    assert_eq!(grants.refresh("", "app", None, NOW).err(), Some(Refused::Invalid));
    assert!(grants.refresh(token, "app", None, NOW).is_ok());
    assert_eq!(grants.refresh(token, "app", None, NOW + Duration::from_secs(3600)).err(), Some(Refused::Invalid));
}

#[test]
fn u_09_a_family_that_was_pushed_out_is_refused() {
    let grants = grants();
    let code = issue(&grants, NOW);
    let redeemed = redeem(&grants, &code, NOW).expect("fresh");
    for number in 0..100_000 {
        grants.families.revoke(&number.to_string());
    }
    assert_eq!(grants.refresh(redeemed.refresh_token.expose(), "app", None, NOW).err(), Some(Refused::Invalid));
}

#[test]
fn a_scope_is_a_whole_word() {
    let grant = Grant {
        client_id: String::new(),
        subject: String::new(),
        scope: "openid email_extra".into(),
        auth_time: 0,
        session_id: String::new(),
        fingerprint: String::new(),
    };
    assert!(grant.has("openid"));
    assert!(!grant.has("email"));
}

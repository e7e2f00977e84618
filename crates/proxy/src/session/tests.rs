use std::sync::Arc;

use http::{HeaderMap, header};
use proptest::prelude::{any, prop, proptest};
use serde_json::json;

use super::*;
use crate::crypto::aead::Key;
use crate::identity::Identity;
use crate::secret::Secret;
use crate::session::record::SessionId;
use crate::session::shards::{Found, find};

pub(super) const BASE: &str = "__Host-sess";
pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

pub(super) fn key(byte: u8) -> Key {
    Key::new(&Secret::new([byte; 32]))
}

pub(super) fn settings(keys: impl IntoIterator<Item = u8>) -> settings::Settings {
    settings::Settings { keys: keys.into_iter().map(key).collect::<Vec<_>>().into(), clear_site_data: None }
}

fn sessions() -> Sessions {
    Sessions::new(&settings([1]), BASE.into())
}

/// A session whose access token has `bytes` characters that do not compress.
pub(super) fn session(bytes: usize) -> Session {
    let noise: String = (0..).map(|_| crate::crypto::octets::token()).take(bytes / 43 + 1).collect();
    let claims = json!({"email": "alice@example.com", "groups": ["a", "b"]});
    Session {
        id: SessionId::random(),
        generation: 0,
        provider: "corp".into(),
        identity: Arc::new(Identity::assertion(
            "https://idp.test".into(),
            "alice".into(),
            claims.as_object().expect("an object").clone(),
            Some(Secret::new(noise[..bytes].to_owned())),
        )),
        refresh_token: Some(Secret::new("refresh".into())),
        id_token: None,
        authenticated_at: NOW,
        expires_at: NOW + Duration::from_secs(3600),
        refresh_at: Some(NOW + Duration::from_secs(48)),
        access_token_expires_at: Some(NOW + Duration::from_secs(60)),
        nonce_hash: Some("nonce-hash".into()),
        is_asked_again: true,
    }
}

/// `name=value` of each `Set-Cookie` line that does not delete a cookie.
fn pairs(lines: &[HeaderValue]) -> Vec<String> {
    let pair =
        |line: &HeaderValue| line.to_str().expect("ASCII").split(';').next().expect("split yields one").to_owned();
    lines.iter().map(pair).filter(|pair| !pair.ends_with('=')).collect()
}

fn request(pairs: &[String]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::COOKIE, pairs.join("; ").parse().expect("a header value"));
    headers
}

#[track_caller]
fn open(sessions: &Sessions, host: &str, pairs: &[String]) -> Result<Session, Error> {
    match find(&request(pairs), sessions.base()) {
        Found::Whole(shards) => sessions.open(host, &shards),
        Found::Broken => Err(Error::Invalid),
        Found::Nothing => panic!("the request carries shards"),
    }
}

#[track_caller]
fn saved(session: &Session) -> Vec<String> {
    pairs(&sessions().save("app.test", session, NOW).expect("fits"))
}

#[test]
fn a_saved_session_opens_as_it_was() {
    let session = session(100);
    let opened = open(&sessions(), "app.test", &saved(&session)).expect("opens");
    assert_eq!(opened.id, session.id);
    assert_eq!(opened.identity.subject(), "alice");
    assert_eq!(opened.identity.issuer(), "https://idp.test");
    assert_eq!(opened.identity.claims(), session.identity.claims());
    assert_eq!(opened.identity.access_token(), session.identity.access_token());
    assert_eq!(opened.refresh_token, session.refresh_token);
    assert_eq!(opened.id_token, None);
    assert_eq!(opened.nonce_hash, session.nonce_hash);
    assert_eq!(
        (opened.authenticated_at, opened.expires_at, opened.refresh_at, opened.access_token_expires_at),
        (session.authenticated_at, session.expires_at, session.refresh_at, session.access_token_expires_at)
    );
}

#[test]
fn s_01_no_changed_byte_is_accepted() {
    let pairs = saved(&session(10));
    let [only] = pairs.as_slice() else { panic!("one shard") };
    let start = only.find('=').expect("a pair") + 1;
    for at in start..only.len() {
        for replacement in ['A', 'Z', '1', '2', '_', '~', '='] {
            let mut changed = only.clone();
            changed.replace_range(at..=at, &replacement.to_string());
            if changed != *only {
                assert_eq!(open(&sessions(), "app.test", &[changed]).err(), Some(Error::Invalid), "byte {at}");
            }
        }
    }
}

#[test]
fn s_02_a_session_that_is_not_whole_is_refused() {
    let pairs = saved(&session(9000));
    assert_eq!(pairs.len(), 3);
    let refused = |given: &[String]| assert_eq!(open(&sessions(), "app.test", given).err(), Some(Error::Invalid));
    for missing in 0..pairs.len() {
        let mut rest = pairs.clone();
        rest.remove(missing);
        refused(&rest);
    }
    for doubled in 0..pairs.len() {
        refused(&[pairs.clone(), vec![pairs[doubled].clone()]].concat());
    }
    for stray in ["3=AAAA", "9=AAAA", "99999999=A", "00=A"] {
        refused(&[pairs.clone(), vec![format!("{BASE}-{stray}")]].concat());
    }
    let other = saved(&session(9000));
    for mixed in 0..pairs.len() {
        let mut mix = pairs.clone();
        mix[mixed] = other[mixed].clone();
        refused(&mix);
    }
    let renamed = |from: usize, to: usize| pairs[from].replacen(&format!("-{from}="), &format!("-{to}="), 1);
    refused(&[renamed(1, 0), renamed(0, 1), pairs[2].clone()]);
    refused(&[pairs[0].clone(), renamed(2, 1), renamed(1, 2)]);
}

#[test]
fn s_03_a_session_opens_only_at_its_host_and_under_its_name() {
    let pairs = saved(&session(10));
    assert_eq!(open(&sessions(), "other.test", &pairs).err(), Some(Error::Invalid));
    let other = Sessions::new(&settings([1]), "__Host-other".into());
    let renamed: Vec<String> = pairs.iter().map(|pair| pair.replace(BASE, "__Host-other")).collect();
    assert_eq!(open(&other, "app.test", &renamed).err(), Some(Error::Invalid));
    let foreign = Sessions::new(&settings([9]), BASE.into());
    assert_eq!(open(&foreign, "app.test", &pairs).err(), Some(Error::Invalid));
}

#[test]
fn s_03_a_pending_login_is_not_a_session() {
    let context = Purpose::PendingLogin.context(BASE, "app.test");
    let text = Sealer::new(settings([1]).keys).seal_bytes(&context, &codec::encode(&session(10)).expect("fits"));
    let pair = format!("{BASE}-0=1{text}");
    assert_eq!(open(&sessions(), "app.test", &[pair]).err(), Some(Error::Invalid));
}

#[test]
fn s_06_equal_sessions_are_sealed_with_different_nonces() {
    let session = session(10);
    let texts: std::collections::HashSet<_> = (0..1000).flat_map(|_| saved(&session)).collect();
    assert_eq!(texts.len(), 1000);
}

#[test]
fn s_12_every_line_is_within_what_browsers_keep() {
    for bytes in [0, 2000, 2860, 2950, 3000, 6000, 9000, 10_000] {
        let lines = sessions().save("app.test", &session(bytes), NOW).expect("fits");
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.len() <= 4096), "{bytes}");
        open(&sessions(), "app.test", &pairs(&lines)).expect("opens");
    }
    assert_eq!(sessions().save("app.test", &session(20_000), NOW).err(), Some(Error::TooLarge));
}

#[test]
fn s_15_an_older_key_opens_and_a_retired_one_does_not() {
    let pairs = saved(&session(10));
    let rotated = Sessions::new(&settings([2, 1]), BASE.into());
    open(&rotated, "app.test", &pairs).expect("the old key still opens");
    let sealed_anew = rotated.save("app.test", &session(10), NOW).expect("fits");
    assert!(open(&sessions(), "app.test", &self::pairs(&sealed_anew)).is_err(), "the new key seals");
    let retired = Sessions::new(&settings([2]), BASE.into());
    assert_eq!(open(&retired, "app.test", &pairs).err(), Some(Error::Invalid));
}

#[test]
fn shards_that_are_no_longer_needed_are_deleted() {
    let lines = sessions().save("app.test", &session(10), NOW).expect("fits");
    let lines: Vec<&str> = lines.iter().map(|line| line.to_str().expect("ASCII")).collect();
    assert!(lines[0].starts_with("__Host-sess-0=1"));
    // The session lasts one hour. The browser keeps the cookie for seven more days, so that the user is told that it expired.
    assert!(lines[0].ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=608401"), "{}", lines[0]);
    let deleted = |number| format!("__Host-sess-{number}=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
    assert_eq!(lines[1..], [1, 2, 3].map(deleted));
}

#[test]
fn clearing_deletes_the_four_names_and_the_strays() {
    let headers = request(&["__Host-sess-0=x".into(), "__Host-sess-9=x".into(), "__Host-session-1=x".into()]);
    let lines = sessions().clear(&headers);
    let names: Vec<&str> =
        lines.iter().filter_map(|line| line.to_str().ok()?.split_once('=').map(|(name, _)| name)).collect();
    assert_eq!(names, ["__Host-sess-0", "__Host-sess-1", "__Host-sess-2", "__Host-sess-3", "__Host-sess-9"]);
}

proptest! {
    #[test]
    fn shards_join_in_any_order(bytes in 0_usize..10_000, seed in any::<u64>()) {
        let session = session(bytes);
        let mut pairs = saved(&session);
        let length = pairs.len();
        pairs.rotate_left((seed % length as u64) as usize);
        pairs.insert((seed % (length as u64 + 1)) as usize, "theme=dark".into());
        let opened = open(&sessions(), "app.test", &pairs).expect("opens");
        assert_eq!(opened.id, session.id);
    }

    #[test]
    fn f_09_no_stranger_s_cookie_opens(value in "[0-4][A-Za-z0-9_=%\"-]{0,200}", more in prop::option::of("[!-:<-~]{0,80}")) {
        let mut pairs = vec![format!("{BASE}-0={value}")];
        pairs.extend(more.map(|more| format!("{BASE}-1={more}")));
        assert_eq!(open(&sessions(), "app.test", &pairs).err(), Some(Error::Invalid));
    }

    #[test]
    fn any_flipped_bit_is_refused(bit in any::<usize>(), bytes in 0_usize..6000) {
        let mut pairs = saved(&session(bytes));
        let index = bit % pairs.len();
        let pair = &mut pairs[index];
        let start = pair.find('=').expect("a pair") + 1;
        let mut raw = std::mem::take(pair).into_bytes();
        let length = raw.len() - start;
        raw[start + (bit / 7) % length] ^= 1 << (bit % 7);
        *pair = String::from_utf8(raw).expect("seven bits");
        if let Ok(value) = HeaderValue::try_from(pairs.join("; ")) {
            let headers = HeaderMap::from_iter([(header::COOKIE, value)]);
            let opened = match find(&headers, BASE) {
                Found::Whole(shards) => sessions().open("app.test", &shards),
                Found::Broken | Found::Nothing => Err(Error::Invalid),
            };
            assert_eq!(opened.err(), Some(Error::Invalid));
        }
    }
}

#[test]
fn sessions_are_shared_by_threads() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Arc<Session>>();
    check::<Sessions>();
}

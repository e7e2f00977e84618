//! Fuzz target for `fuzz/`: the decrypted content of a session cookie, and cookies that Vestibule did not encrypt.

use std::cell::RefCell;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};
use serde_json::json;

use crate::clock::Timestamp;
use crate::crypto::aead::Key;
use crate::identity::Identity;
use crate::secret::Secret;
use crate::session::record::{Session, SessionId};
use crate::session::shards::{self, Found};
use crate::session::{Sessions, codec, settings};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const BASE: &str = "shop";

/// Uses the input in three ways: as the decrypted content of a cookie, as a cookie, and as changes to a valid cookie.
pub fn sealed(input: &[u8]) {
    under_a_seal(input);
    as_a_cookie(input);
    as_a_change(input);
}

/// A session that decodes can be encoded again, and the result decodes to the same session.
fn under_a_seal(input: &[u8]) {
    let Ok(session) = codec::decode(input) else { return };
    let Ok(written) = codec::encode(&session) else { return };
    let again = codec::decode(&written).expect("we wrote it");
    assert_eq!(codec::encode(&again).expect("it was written before"), written);
    assert_eq!((again.expires_at, again.identity.subject()), (session.expires_at, session.identity.subject()));
}

/// A cookie that Vestibule did not encrypt cannot be decrypted.
fn as_a_cookie(input: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(&[b"shop-0=", input].concat()) else { return };
    let headers = HeaderMap::from_iter([(header::COOKIE, value)]);
    if let Found::Whole(found) = shards::find(&headers, BASE) {
        assert!(sessions().open("app.test", &found).is_err(), "a session that we did not seal");
    }
}

/// Each pair of bytes is an offset in the cookie and the new byte at that offset. The cookie decrypts only if no byte has changed.
fn as_a_change(input: &[u8]) {
    thread_local! {
        // Encrypted once, because each encryption uses a random nonce. The same input must always give the same result.
        static COOKIE: RefCell<Vec<u8>> = RefCell::new(cookie());
    }
    let sealed = COOKIE.with_borrow(Clone::clone);
    let mut changed = sealed.clone();
    for change in input.chunks_exact(2) {
        let place = usize::from(change[0]) * sealed.len() / 256;
        changed[place] = change[1];
    }
    let Ok(value) = HeaderValue::from_bytes(&changed) else { return };
    let headers = HeaderMap::from_iter([(header::COOKIE, value)]);
    let Found::Whole(found) = shards::find(&headers, BASE) else { return };
    let opened = sessions().open("app.test", &found);
    // Other cookies in the header, and blanks around the value, do not change the value.
    let is_same = found.values() == [&sealed[b"shop-0=".len()..]];
    assert_eq!(opened.is_ok(), is_same, "a changed session opens, or one that was not changed does not");
}

fn sessions() -> Sessions {
    let keys = [Key::new(&Secret::new([7; 32]))];
    Sessions::new(&settings::Settings { keys: keys.into(), clear_site_data: None }, Arc::from(BASE))
}

/// A session in one cookie, as a browser sends it.
fn cookie() -> Vec<u8> {
    let claims = json!({ "sub": "alice", "email": "alice@example.com" });
    let claims = claims.as_object().cloned().unwrap_or_default();
    let session = Session {
        id: SessionId([7; 16]),
        generation: 0,
        provider: "corp".to_owned(),
        identity: Arc::new(Identity::assertion("https://idp.test".to_owned(), "alice".to_owned(), claims, None)),
        refresh_token: None,
        id_token: None,
        authenticated_at: NOW,
        expires_at: NOW + std::time::Duration::from_secs(3600),
        refresh_at: None,
        access_token_expires_at: None,
        nonce_hash: None,
        is_asked_again: false,
    };
    let lines = sessions().save("app.test", &session, NOW).expect("it fits");
    lines[0].as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().to_vec()
}

//! The public keys that verify our signatures: as a key set, and one by one in PEM form, as the ALB's endpoint serves them
//! (ALB §4.3).
//!
//! They include keys that no longer sign, and keys that do not sign yet. So old and new keys overlap during a rotation.

use bytes::Bytes;
use http::{HeaderValue, header};
use serde_json::json;

use crate::jose::signing_key::PublicKey;
use crate::message::WholeResponse;

/// How long a verifier may cache a key set. A new key must be published for longer than this before it signs.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The path of the key set. It is not below the prefix of the other reserved paths, because applications use this fixed path.
const KEY_SET: &str = "/.well-known/vestibule/jwks.json";
/// The prefix of the paths of single keys. The key ID follows.
const KEYS: &str = "/.well-known/vestibule/keys/";

/// A path of public keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The key set (RFC 7517 §5).
    Set,
    /// The key with this id, in PEM form.
    Key(String),
}

impl Asked {
    /// What a decoded path asks for. `None` if it is not a path of public keys.
    pub fn by(path: &str) -> Option<Self> {
        if path == KEY_SET {
            return Some(Self::Set);
        }
        let is_kid = |kid: &&str| !kid.is_empty() && kid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        path.strip_prefix(KEYS).filter(is_kid).map(|kid| Self::Key(kid.to_owned()))
    }
}

/// Whether a decoded path is that of the key set, or is where the paths of single keys are.
pub(crate) fn is_reserved(path: &str) -> bool {
    path == KEY_SET || path.starts_with(KEYS)
}

/// The responses of both endpoints, made once.
#[derive(Debug)]
pub struct PublicKeys {
    key_set: Bytes,
    by_kid: Vec<(String, Bytes)>,
}

impl PublicKeys {
    pub(super) fn new(signing: &PublicKey, others: &[PublicKey]) -> Self {
        let mut keys = vec![signing];
        for other in others {
            // During a rotation, the other keys often include the signing key.
            if keys.iter().all(|key| key.kid() != other.kid()) {
                keys.push(other);
            }
        }
        let key_set = json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()}).to_string().into();
        Self { key_set, by_kid: keys.iter().map(|key| (key.kid().to_owned(), key.pem().to_owned().into())).collect() }
    }

    /// The response. `None` if no key of ours has this id.
    pub fn answer(&self, asked: &Asked) -> Option<WholeResponse> {
        match asked {
            Asked::Set => Some(answer("application/jwk-set+json", self.key_set.clone())),
            Asked::Key(kid) => {
                let (_, pem) = self.by_kid.iter().find(|(known, _)| known == kid)?;
                Some(answer("application/x-pem-file", pem.clone()))
            }
        }
    }
}

fn answer(content_type: &'static str, body: Bytes) -> WholeResponse {
    let mut response = WholeResponse::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests;

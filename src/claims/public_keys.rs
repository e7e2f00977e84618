//! The keys that verify what we sign: as a key set, and one by one in PEM form as the ALB's endpoint has them (ALB §4.3).
//!
//! Keys that sign no longer, or not yet, are among them, so that a rotation has an overlap.

use bytes::Bytes;
use http::{HeaderValue, header};
use serde_json::json;

use crate::jose::signing_key::PublicKey;
use crate::message::WholeResponse;

/// How long a verifier may keep a key set. A new key is to be published for longer than that before it signs.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The answers of both endpoints, made once.
#[derive(Debug)]
pub(crate) struct PublicKeys {
    key_set: Bytes,
    by_kid: Vec<(String, Bytes)>,
}

impl PublicKeys {
    pub(super) fn new(signing: &PublicKey, others: &[PublicKey]) -> Self {
        let mut keys = vec![signing];
        for other in others {
            // The signing key is often among the others while keys rotate.
            if keys.iter().all(|key| key.kid() != other.kid()) {
                keys.push(other);
            }
        }
        let key_set = json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()}).to_string().into();
        Self { key_set, by_kid: keys.iter().map(|key| (key.kid().to_owned(), key.pem().to_owned().into())).collect() }
    }

    /// The key set (RFC 7517 §5): what `/.well-known/vestibule/jwks.json` answers.
    pub(crate) fn key_set(&self) -> WholeResponse {
        answer("application/jwk-set+json", self.key_set.clone())
    }

    /// One key in PEM form: what `/.well-known/vestibule/keys/{kid}` answers. `None` for a key that is not ours.
    pub(crate) fn pem(&self, kid: &str) -> Option<WholeResponse> {
        let (_, pem) = self.by_kid.iter().find(|(known, _)| known == kid)?;
        Some(answer("application/x-pem-file", pem.clone()))
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

//! The key set (RFC 7517 §5): the signing keys, and former and future ones.

use serde_json::{Value, json};

use crate::message::WholeResponse;
use crate::user_pool::oauth::provider::Provider;
use crate::user_pool::reply;

/// How long the key set may be cached, in seconds. A new key must be published for longer than that before it signs.
const MAX_AGE_SECONDS: u32 = 300;

impl Provider {
    /// Answers with the keys.
    pub(crate) fn jwks(&self) -> WholeResponse {
        let keys: Vec<&Value> = self.issuer.keys().map(|key| key.jwk()).collect();
        reply::public_json(&json!({"keys": keys}), MAX_AGE_SECONDS)
    }
}

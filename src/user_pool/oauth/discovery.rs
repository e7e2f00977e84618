//! What the pool publishes about itself: provider metadata (OpenID Connect Discovery §3) and the key set (RFC 7517 §5).

use serde_json::{Value, json};

use crate::jose::signing_key::Algorithm;
use crate::message::WholeResponse;
use crate::user_pool::oauth::provider::Provider;
use crate::user_pool::oauth::request::SCOPES;
use crate::user_pool::{reply, routes};

/// How long both may be cached, in seconds. A new key must be published for longer than that before it signs.
const MAX_AGE_SECONDS: u32 = 300;

impl Provider {
    /// Answers with the metadata.
    pub(crate) fn discovery(&self) -> WholeResponse {
        reply::public_json(&self.metadata(), MAX_AGE_SECONDS)
    }

    /// Answers with the signing keys, and former and future ones.
    pub(crate) fn jwks(&self) -> WholeResponse {
        let keys: Vec<&Value> = self.issuer.keys().map(|key| key.jwk()).collect();
        reply::public_json(&json!({"keys": keys}), MAX_AGE_SECONDS)
    }

    fn metadata(&self) -> Value {
        let issuer = &self.issuer;
        let algorithms: Vec<&str> = issuer.algorithms().map(Algorithm::name).collect();
        json!({
            "issuer": issuer.url(),
            "authorization_endpoint": issuer.at(routes::AUTHORIZE),
            "token_endpoint": issuer.at(routes::TOKEN),
            "userinfo_endpoint": issuer.at(routes::USERINFO),
            "jwks_uri": issuer.at(routes::JWKS),
            "end_session_endpoint": issuer.at(routes::LOGOUT),
            "scopes_supported": SCOPES,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": algorithms,
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "code_challenge_methods_supported": ["S256"],
            "claims_supported": [
                "iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce", "at_hash", "sid", "preferred_username",
                "name", "email", "email_verified", "groups",
            ],
            "prompt_values_supported": ["none", "login", "select_account"],
            "authorization_response_iss_parameter_supported": true,
            "claims_parameter_supported": false,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
        })
    }
}

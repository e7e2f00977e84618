//! What the pool publishes about itself: provider metadata (OpenID Connect Discovery §3) and the key set (RFC 7517 §5).

use serde_json::{Value, json};

use crate::client_options::{GrantTypes, SCOPES};
use crate::jose::signing_key::{Algorithm, PublicKey};
use crate::message::WholeResponse;
use crate::oauth::provider::Provider;
use crate::signin::proof::Level;
use crate::{reply, routes};

/// How long both may be cached, in seconds. A new key must be published for longer than that before it signs.
const MAX_AGE_SECONDS: u32 = 300;

impl Provider {
    /// Answers with the metadata.
    pub(crate) fn discovery(&self) -> WholeResponse {
        reply::public_json(&self.metadata(), MAX_AGE_SECONDS)
    }

    /// Answers with the signing keys, and former and future ones.
    pub(crate) fn jwks(&self) -> WholeResponse {
        let ring = self.issuer.keys();
        let keys: Vec<&Value> = ring.published().map(PublicKey::jwk).collect();
        reply::public_json(&json!({"keys": keys}), MAX_AGE_SECONDS)
    }

    fn metadata(&self) -> Value {
        let issuer = &self.issuer;
        let page_at = |path: &str| format!("{}{path}", self.pages_url);
        let algorithms: Vec<&str> = issuer.keys().algorithms().map(Algorithm::name).collect();
        let mut metadata = json!({
            "issuer": issuer.url(),
            "authorization_endpoint": page_at(routes::AUTHORIZE),
            "token_endpoint": issuer.at(routes::TOKEN),
            "userinfo_endpoint": issuer.at(routes::USERINFO),
            "jwks_uri": issuer.at(routes::JWKS),
            "end_session_endpoint": page_at(routes::LOGOUT),
            "scopes_supported": SCOPES,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "form_post"],
            "grant_types_supported": self.grant_types(),
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": algorithms,
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "code_challenge_methods_supported": ["S256"],
            "claims_supported": [
                "iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce", "at_hash", "sid", "preferred_username",
                "name", "email", "email_verified", "groups",
            ],
            "acr_values_supported": self.sign_in.levels().into_iter().map(Level::name).collect::<Vec<_>>(),
            "prompt_values_supported": ["none", "login", "select_account"],
            "authorization_response_iss_parameter_supported": true,
            "claims_parameter_supported": self.is_stored(),
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
        });
        if self.is_stored()
            && let Some(metadata) = metadata.as_object_mut()
        {
            // RFC 8414 §2.
            metadata.insert("revocation_endpoint".into(), issuer.at(routes::REVOKE).into());
            // Back-Channel Logout §2.1.
            metadata.insert("backchannel_logout_supported".into(), true.into());
            metadata.insert("backchannel_logout_session_supported".into(), true.into());
            // RFC 9126 §5.
            metadata.insert("pushed_authorization_request_endpoint".into(), issuer.at(routes::PAR).into());
            metadata.insert("introspection_endpoint".into(), issuer.at(routes::INTROSPECT).into());
            let with_secret = json!(["client_secret_basic", "client_secret_post"]);
            metadata.insert("introspection_endpoint_auth_methods_supported".into(), with_secret);
            let methods = metadata["token_endpoint_auth_methods_supported"].clone();
            metadata.insert("revocation_endpoint_auth_methods_supported".into(), methods);
        }
        metadata
    }

    /// Those that a client of the pool can use.
    fn grant_types(&self) -> Vec<&'static str> {
        let is_used = |wanted| self.directory.clients().any(|client| client.options().grant_types == wanted);
        let of_clients = is_used(GrantTypes::ClientCredentials).then_some("client_credentials");
        ["authorization_code", "refresh_token"].into_iter().chain(of_clients).collect()
    }
}

//! Signs ID and access tokens, and knows its own again.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::crypto::{digest, random};
use crate::identity::Claims;
use crate::jose::signing_key::{PublicKey, SigningKey};
use crate::secret::Secret;
use crate::user_pool::directory::user::User;
use crate::user_pool::oauth::grant::Grant;
use crate::user_pool::routes;
use crate::user_pool::seal::{Purpose, Seal};

/// The issuer's name and keys.
#[derive(Debug)]
pub(crate) struct Issuer {
    url: Arc<str>,
    seal: Seal,
    key: SigningKey,
    other_keys: Vec<PublicKey>,
    token_lifetime: Duration,
}

/// What an access token says to this pool only. Sealed with a fresh nonce each time: relying parties cannot compare two tokens
/// to learn that a password was changed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Inside {
    pub(crate) family: String,
    pub(crate) fingerprint: String,
    /// The session that the token ends with; `None` where `offline_access` was granted.
    pub(crate) session_id: Option<String>,
}

/// `typ` of an access token (RFC 9068 §2.1), which no ID token has.
const ACCESS_TOKEN_TYPE: &str = "at+jwt";
const ID_TOKEN_TYPE: &str = "JWT";

/// Claims that the protocol makes; a user's configuration cannot (attacks U-10).
const PROTOCOL_CLAIMS: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "azp",
    "at_hash",
    "c_hash",
    "s_hash",
    "sid",
    "client_id",
    "scope",
    "grant",
    "preferred_username",
];

impl Issuer {
    pub(crate) fn new(
        url: Arc<str>,
        seal: Seal,
        key: SigningKey,
        other_keys: Vec<PublicKey>,
        token_lifetime: Duration,
    ) -> Self {
        Self { url, seal, key, other_keys, token_lifetime }
    }

    /// `iss`: no trailing slash.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The address of one of our paths.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// How long ID and access tokens live.
    pub(crate) fn token_lifetime(&self) -> Duration {
        self.token_lifetime
    }

    /// Every key that a token of ours may verify with, the signing one first.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        std::iter::once(self.key.public()).chain(&self.other_keys)
    }

    /// An access token (RFC 9068 §2.2) for our own userinfo endpoint, and for nothing else. `scope` is all or a part of
    /// what was granted.
    pub(crate) fn access_token(&self, grant: &Grant, scope: &str, family: &str, now: Timestamp) -> Secret<String> {
        let inside = Inside {
            family: family.to_owned(),
            fingerprint: grant.fingerprint.clone(),
            session_id: (!grant.has("offline_access")).then(|| grant.session_id.clone()),
        };
        self.signed(
            ACCESS_TOKEN_TYPE,
            &json!({
                "iss": &*self.url,
                "sub": grant.subject,
                "aud": self.at(routes::USERINFO),
                "exp": (now + self.token_lifetime).seconds(),
                "iat": now.seconds(),
                "jti": random::token(),
                "client_id": grant.client_id,
                "scope": scope,
                "auth_time": grant.auth_time,
                "grant": self.seal.seal(Purpose::AccessToken, &inside),
            }),
        )
    }

    /// An ID token (OIDC Core §2).
    pub(crate) fn id_token(
        &self,
        grant: &Grant,
        user: &User,
        nonce: Option<&str>,
        access_token: &Secret<String>,
        now: Timestamp,
    ) -> Secret<String> {
        let mut payload = json!({
            "iss": &*self.url,
            "sub": grant.subject,
            "aud": grant.client_id,
            "exp": (now + self.token_lifetime).seconds(),
            "iat": now.seconds(),
            "auth_time": grant.auth_time,
            "sid": grant.session_id,
            "at_hash": left_half(access_token),
        });
        if let (Some(nonce), Some(payload)) = (nonce, payload.as_object_mut()) {
            payload.insert("nonce".into(), nonce.into());
        }
        if let Some(payload) = payload.as_object_mut() {
            payload.extend(claims_of(user, &grant.scope));
        }
        self.signed(ID_TOKEN_TYPE, &payload)
    }

    /// The claims of an access token of ours that has not expired, and what is sealed in it.
    pub(crate) fn read_access_token(&self, token: &str, now: Timestamp) -> Option<(Value, Inside)> {
        let payload = self.read(token, ACCESS_TOKEN_TYPE)?;
        let is_good = payload["aud"] == self.at(routes::USERINFO).as_str()
            && payload["exp"].as_u64().is_some_and(|expires_at| expires_at > now.seconds());
        let inside = self.seal.open(Purpose::AccessToken, payload["grant"].as_str()?)?;
        is_good.then_some((payload, inside))
    }

    /// The claims of an ID token of ours, which may have expired: it is only a hint (RP-Initiated Logout §2).
    pub(crate) fn read_id_token_hint(&self, token: &str) -> Option<Value> {
        self.read(token, ID_TOKEN_TYPE)
    }

    fn read(&self, token: &str, typ: &str) -> Option<Value> {
        self.keys().find_map(|key| key.payload(token, typ)).filter(|payload| payload["iss"] == *self.url)
    }

    fn signed(&self, typ: &str, payload: &Value) -> Secret<String> {
        let header = json!({"alg": "ES256", "typ": typ, "kid": self.key.kid()});
        Secret::new(self.key.compact(&header, payload).expect("P-256 signing fails only without randomness"))
    }
}

/// What a scope lets a relying party know (OIDC Core §5.4); `groups` is ours, and what the configuration adds is profile.
pub(crate) fn claims_of(user: &User, scope: &str) -> Claims {
    let has = |wanted: &str| scope.split(' ').any(|granted| granted == wanted);
    let mut claims = Claims::new();
    if has("profile") {
        claims.insert("preferred_username".into(), user.preferred_username().into());
    }
    for (name, value) in user.claims() {
        let scope = match name.as_str() {
            "email" | "email_verified" => "email",
            "groups" => "groups",
            "phone_number" | "phone_number_verified" => "phone",
            "address" => "address",
            _ => "profile",
        };
        if has(scope) && !PROTOCOL_CLAIMS.contains(&name.as_str()) {
            claims.insert(name.clone(), value.clone());
        }
    }
    claims
}

/// `at_hash` (OIDC Core §3.1.3.6).
fn left_half(token: &Secret<String>) -> String {
    URL_SAFE_NO_PAD.encode(&digest::sha256(token.expose().as_bytes())[..16])
}

//! Signs ID and access tokens, and verifies its own tokens.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::crypto::octets;
use crate::identity::{Claims, Identity};
use crate::jose::compact::{Compact, Kind};
use crate::jose::key_set::KeySet;
use crate::jose::signing_key::{Algorithm, PublicKey, SigningKey};
use crate::jose::verify::{self, Audience, Expected, Expiry, Presence, Verified};
use crate::secret::Secret;
use crate::user_pool::directory::user::User;
use crate::user_pool::oauth::grant::record::Grant;
use crate::user_pool::routes;
use crate::user_pool::seal::{Purpose, Seal};
use crate::user_pool::settings::Settings;

/// The issuer's name and keys.
#[derive(Debug)]
pub(crate) struct Issuer {
    url: Arc<str>,
    seal: Seal,
    key: SigningKey,
    rs256_key: Option<SigningKey>,
    other_keys: Vec<PublicKey>,
    /// What verifies: all of the keys above.
    key_set: KeySet,
    token_lifetime: Duration,
}

/// The contents of an ID token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdToken<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) grant: &'a Grant,
    pub(crate) user: &'a User,
    pub(crate) nonce: Option<&'a str>,
    pub(crate) access_token: &'a Secret<String>,
}

/// The part of an access token that only this pool can read. It is encrypted with a fresh nonce each time, so relying parties
/// cannot compare two tokens to learn that a password was changed. Serialized as a list to be short, because session cookies contain the token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "(String, String, Option<String>)", into = "(String, String, Option<String>)")]
pub(crate) struct Inside {
    pub(crate) family: String,
    pub(crate) fingerprint: String,
    /// The token is valid only as long as this session. `None` if `offline_access` was granted.
    pub(crate) session_id: Option<String>,
}

impl From<(String, String, Option<String>)> for Inside {
    fn from((family, fingerprint, session_id): (String, String, Option<String>)) -> Self {
        Self { family, fingerprint, session_id }
    }
}

impl From<Inside> for (String, String, Option<String>) {
    fn from(inside: Inside) -> Self {
        (inside.family, inside.fingerprint, inside.session_id)
    }
}

/// `typ` of an access token (RFC 9068 §2.1), which no ID token has.
const ACCESS_TOKEN_TYPE: &str = "at+jwt";
const ID_TOKEN_TYPE: &str = "JWT";

/// Claims of the protocol. The configuration of a user cannot set them (attacks U-10).
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
    pub(crate) fn new(settings: &Settings, url: Arc<str>, seal: Seal) -> Self {
        let signing = [Some(&settings.signing_key), settings.rs256_signing_key.as_ref()].into_iter().flatten();
        let key_set = KeySet::of(signing.map(SigningKey::public).chain(&settings.other_keys));
        Self {
            url,
            seal,
            key_set,
            key: settings.signing_key.clone(),
            rs256_key: settings.rs256_signing_key.clone(),
            other_keys: settings.other_keys.clone(),
            token_lifetime: settings.token_lifetime,
        }
    }

    /// `iss`: no trailing slash.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The URL of a path of the pool.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The lifetime of ID and access tokens.
    pub(crate) fn token_lifetime(&self) -> Duration {
        self.token_lifetime
    }

    /// All keys that can verify tokens of the pool, signing keys first.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.signing_keys().map(SigningKey::public).chain(&self.other_keys)
    }

    /// The signature algorithms of ID tokens. RS256 comes first, because it is the default of relying parties.
    pub(crate) fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.signing_keys().map(SigningKey::algorithm)
    }

    fn signing_keys(&self) -> impl Iterator<Item = &SigningKey> {
        self.rs256_key.iter().chain([&self.key])
    }

    /// The key for `algorithm`. The configuration guarantees that it exists.
    fn key_for(&self, algorithm: Algorithm) -> &SigningKey {
        self.signing_keys().find(|key| key.algorithm() == algorithm).unwrap_or(&self.key)
    }

    /// Issues an access token (RFC 9068 §2.2). It is valid either at the userinfo endpoint of the pool, or at the resource of the grant. The
    /// resource cannot ask who the user is, so the token says it (§2.2.2). `scope` is the granted scope or a part of it.
    pub(crate) fn access_token(
        &self,
        (grant, user): (&Grant, &User),
        scope: &str,
        family: &str,
        now: Timestamp,
    ) -> Secret<String> {
        let mut payload = json!({
            "iss": &*self.url,
            "sub": grant.subject,
            "aud": grant.resource.clone().unwrap_or_else(|| self.at(routes::USERINFO)),
            "exp": (now + self.token_lifetime).seconds(),
            "iat": now.seconds(),
            "jti": octets::token(),
            "client_id": grant.client_id,
            "scope": scope,
            "auth_time": grant.auth_time,
        });
        let inside = || Inside {
            family: family.to_owned(),
            fingerprint: grant.fingerprint.clone(),
            session_id: (!grant.has("offline_access")).then(|| grant.session_id.clone()),
        };
        match (payload.as_object_mut(), &grant.resource) {
            (Some(payload), Some(_)) => {
                // RFC 9068 §2.2.1.
                payload.insert("acr".into(), grant.proofs.level().name().into());
                payload.insert("amr".into(), grant.proofs.amr().into());
                payload.extend(claims_of(user, scope));
            }
            (Some(payload), None) => {
                payload.insert("grant".into(), self.seal.seal(Purpose::AccessToken, &inside()).into());
            }
            (None, _) => {}
        }
        self.signed(&self.key, ACCESS_TOKEN_TYPE, &payload)
    }

    /// An ID token (OIDC Core §2).
    pub(crate) fn id_token(&self, of: &IdToken<'_>, now: Timestamp) -> Secret<String> {
        let IdToken { algorithm, grant, user, nonce, access_token } = *of;
        let mut payload = json!({
            "iss": &*self.url,
            "sub": grant.subject,
            "aud": grant.client_id,
            "exp": (now + self.token_lifetime).seconds(),
            "iat": now.seconds(),
            "auth_time": grant.auth_time,
            "acr": grant.proofs.level().name(),
            "amr": grant.proofs.amr(),
            "sid": grant.session_id,
            "at_hash": left_half(access_token),
        });
        if let (Some(nonce), Some(payload)) = (nonce, payload.as_object_mut()) {
            payload.insert("nonce".into(), nonce.into());
        }
        if let Some(payload) = payload.as_object_mut() {
            payload.extend(claims_of(user, &grant.scope));
        }
        self.signed(self.key_for(algorithm), ID_TOKEN_TYPE, &payload)
    }

    /// Verifies an access token. Returns its claims and its encrypted part. `None` if it has expired.
    pub(crate) fn read_access_token(&self, token: &str, now: Timestamp) -> Option<(Claims, Inside)> {
        let audience = self.at(routes::USERINFO);
        let claims = self.read(token, Kind::AccessToken, (Audience::Us(&audience), Expiry::Exact), now)?;
        let inside = self.seal.open(Purpose::AccessToken, claims.get("grant")?.as_str()?)?;
        Some((claims, inside))
    }

    /// Verifies an ID token and returns its claims. It may have expired, because it is only a hint (RP-Initiated Logout §2).
    pub(crate) fn read_id_token_hint(&self, token: &str, now: Timestamp) -> Option<Claims> {
        self.read(token, Kind::Jwt, (Audience::Any, Expiry::Never), now)
    }

    fn read(
        &self,
        token: &str,
        kind: Kind,
        (audience, expiry): (Audience<'_>, Expiry),
        now: Timestamp,
    ) -> Option<Claims> {
        let token = Compact::parse(token, kind).ok()?;
        let registered_claims = Presence::Required;
        let expected = Expected { issuer: &self.url, audience, registered_claims, expiry, now };
        verify::verify(&token, &self.key_set, &expected).ok().map(Verified::into_claims)
    }

    fn signed(&self, key: &SigningKey, typ: &str, payload: &Value) -> Secret<String> {
        let header = json!({"alg": key.algorithm().name(), "typ": typ, "kid": key.kid()});
        Secret::new(key.compact(&header, payload).expect("signing fails only without randomness"))
    }
}

/// The claims of a scope (OIDC Core §5.4). `groups` is our own scope. Additional claims of the configuration belong to `profile`.
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

/// The users of a pool as a sign-in with this scope gives them. Nobody has signed in: for `check` only.
pub(crate) fn supposed_users(settings: &Settings, scope: &str) -> Vec<Identity> {
    let issuer = settings.issuer.as_str().trim_end_matches('/');
    let users = settings.users.iter().cloned().filter_map(User::new);
    let supposed = users.map(|user| {
        let mut claims = claims_of(&user, scope);
        // The other members of an ID token that are no claims of the protocol.
        let protocol =
            [("auth_time", 0.into()), ("acr", "".into()), ("amr", serde_json::json!([])), ("sid", "".into())];
        claims.extend(protocol.map(|(name, value)| (name.to_owned(), value)));
        Identity::supposed(issuer.to_owned(), user.subject().to_owned(), claims)
    });
    supposed.collect()
}

/// `at_hash` (OIDC Core §3.1.3.6).
fn left_half(token: &Secret<String>) -> String {
    URL_SAFE_NO_PAD.encode(&octets::sha256(token.expose().as_bytes())[..16])
}

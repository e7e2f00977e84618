//! Signs ID and access tokens, and verifies its own tokens.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client_options::resource_server;
use crate::clock::Timestamp;
use crate::crypto::{octets, uuid};
use crate::directory::user::User;
use crate::identity::ASKED_AT;
use crate::identity::{Claims, Identity};
use crate::jose::compact::{Compact, Kind};
use crate::jose::signing_key::{Algorithm, SigningKey};
use crate::jose::verify::{self, Audience, Expected, Expiry, Presence, Verified};
use crate::oauth::cognito;
use crate::oauth::grant::record::Grant;
use crate::oauth::keys::{KeyRing, Keys};
use crate::oauth::lifetimes::{ClientLifetimes, Lifetimes};
use crate::oauth::user_claims::claims_of;
use crate::routes;
use crate::seal::{Purpose, Seal};
use crate::secret::Secret;
use crate::settings::Settings;

/// The issuer's name and keys.
#[derive(Debug)]
pub(crate) struct Issuer {
    url: Arc<str>,
    seal: Seal,
    keys: Keys,
    lifetimes: ClientLifetimes,
    form: Form,
}

/// What tokens say besides the claims of the standards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The family of the grant, encrypted: the pool has no database.
    Sealed,
    /// Cognito's claims (pool §8.2, §8.3). The family is `origin_jti`, and the database has the rest.
    Cognito,
}

/// An access token for the userinfo endpoint. Its family may be revoked.
#[derive(Debug)]
pub(crate) struct AccessToken {
    pub claims: Claims,
    pub(crate) family: String,
    /// Without a database.
    pub(crate) inside: Option<Inside>,
}

/// The contents of an ID token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdToken<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) grant: &'a Grant,
    pub(crate) user: &'a User,
    pub(crate) nonce: Option<&'a str>,
    pub(crate) access_token: &'a Secret<String>,
    pub(crate) family: &'a str,
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

impl Issuer {
    /// Signs with `keys`.
    pub(crate) fn new(url: Arc<str>, seal: Seal, keys: Keys, (form, lifetimes): (Form, ClientLifetimes)) -> Self {
        Self { url, seal, keys, lifetimes, form }
    }

    /// `iss`: no trailing slash.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The URL of a path of the pool.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The lifetimes of what a client gets.
    pub(crate) fn lifetimes(&self, client_id: &str) -> Lifetimes {
        self.lifetimes.of(client_id)
    }

    /// The keys of now.
    pub(crate) fn keys(&self) -> Arc<KeyRing> {
        self.keys.now()
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
        let mut payload = match grant.resource {
            Some(_) => claims_of(user, scope),
            None => Claims::new(),
        };
        payload.extend(members(json!({
            "iss": &*self.url,
            "sub": grant.subject,
            "aud": grant.resource.clone().unwrap_or_else(|| self.at(routes::USERINFO)),
            "exp": (now + self.lifetimes(&grant.client_id).access).seconds(),
            "iat": now.seconds(),
            "jti": uuid::random(),
            "client_id": grant.client_id,
            "scope": scope,
            "auth_time": grant.auth_time,
        })));
        // A rule with `max_age` takes an access token, too.
        if let Some(asked_at) = grant.asked_before() {
            payload.insert(ASKED_AT.into(), asked_at.into());
        }
        if grant.resource.is_some() || self.form == Form::Cognito {
            // RFC 9068 §2.2.1.
            payload.insert("acr".into(), grant.proofs.level().name().into());
            payload.insert("amr".into(), grant.proofs.amr().into());
        }
        match (self.form, &grant.resource) {
            (Form::Cognito, _) => {
                payload.extend(cognito::common("access", family, user));
                payload.extend(members(json!({"username": user.preferred_username(), "version": 2})));
            }
            (Form::Sealed, Some(_)) => {}
            (Form::Sealed, None) => {
                let inside = Inside {
                    family: family.to_owned(),
                    fingerprint: grant.fingerprint.clone(),
                    session_id: (!grant.has("offline_access")).then(|| grant.session_id.clone()),
                };
                payload.insert("grant".into(), self.seal.seal(Purpose::AccessToken, &inside).into());
            }
        }
        self.signed(self.keys.now().of_access_tokens(), ACCESS_TOKEN_TYPE, &Value::Object(payload))
    }

    /// An ID token (OIDC Core §2).
    pub(crate) fn id_token(&self, of: &IdToken<'_>, now: Timestamp) -> Secret<String> {
        let IdToken { algorithm, grant, user, nonce, access_token, family } = *of;
        let mut payload = claims_of(user, &grant.scope);
        payload.extend(grant.claims.as_ref().map(|asked| asked.of_id_token(user)).unwrap_or_default());
        payload.extend(members(json!({
            "iss": &*self.url,
            "sub": grant.subject,
            "aud": grant.client_id,
            "exp": (now + self.lifetimes(&grant.client_id).id).seconds(),
            "iat": now.seconds(),
            "auth_time": grant.auth_time,
            "acr": grant.proofs.level().name(),
            "amr": grant.proofs.amr(),
            "sid": grant.session_id,
            "at_hash": left_half(access_token),
        })));
        if let Some(nonce) = nonce {
            payload.insert("nonce".into(), nonce.into());
        }
        if let Some(asked_at) = grant.asked_before() {
            payload.insert(ASKED_AT.into(), asked_at.into());
        }
        if self.form == Form::Cognito {
            payload.extend(cognito::common("id", family, user));
            let claims = json!({"cognito:username": user.preferred_username(), "jti": uuid::random()});
            payload.extend(members(claims));
            payload.extend(cognito::identities(user).map(|identities| ("identities".to_owned(), identities)));
        }
        self.signed(self.keys.now().of(algorithm), ID_TOKEN_TYPE, &Value::Object(payload))
    }

    /// An access token of a client for itself (pool §8.3). It is for the resource servers whose scopes it has.
    pub(crate) fn client_token(&self, client_id: &str, scopes: &[&str], now: Timestamp) -> Secret<String> {
        let mut audience: Vec<&str> = scopes.iter().filter_map(|scope| resource_server(scope)).collect();
        audience.dedup();
        let audience = if let [one] = audience[..] { one.into() } else { Value::from(audience) };
        let mut payload = cognito::of_client();
        payload.extend(members(json!({
            "iss": &*self.url,
            "sub": client_id,
            "aud": audience,
            "exp": (now + self.lifetimes(client_id).access).seconds(),
            "iat": now.seconds(),
            "jti": uuid::random(),
            "client_id": client_id,
            "scope": scopes.join(" "),
            "auth_time": now.seconds(),
        })));
        self.signed(self.keys.now().of_access_tokens(), ACCESS_TOKEN_TYPE, &Value::Object(payload))
    }

    /// Verifies an access token for any resource. `None` if it has expired.
    pub(crate) fn read_any_access_token(&self, token: &str, now: Timestamp) -> Option<Claims> {
        self.read(token, Kind::AccessToken, (Audience::Any, Expiry::Exact), now)
    }

    /// Whether a token is signed by the pool: an access token or an ID token, which may have expired.
    pub(crate) fn is_signed(&self, token: &str, now: Timestamp) -> bool {
        let mut kinds = [Kind::AccessToken, Kind::Jwt].into_iter();
        kinds.any(|kind| self.read(token, kind, (Audience::Any, Expiry::Never), now).is_some())
    }

    /// Verifies an access token for the userinfo endpoint. `None` if it has expired.
    pub(crate) fn read_access_token(&self, token: &str, now: Timestamp) -> Option<AccessToken> {
        let audience = self.at(routes::USERINFO);
        self.access_token_of(self.read(token, Kind::AccessToken, (Audience::Us(&audience), Expiry::Exact), now)?)
    }

    /// The family of an access token of a user.
    pub(crate) fn access_token_of(&self, claims: Claims) -> Option<AccessToken> {
        match self.form {
            Form::Cognito => {
                let family = claims.get("origin_jti")?.as_str()?.to_owned();
                Some(AccessToken { claims, family, inside: None })
            }
            Form::Sealed => {
                let inside: Inside = self.seal.open(Purpose::AccessToken, claims.get("grant")?.as_str()?)?;
                Some(AccessToken { claims, family: inside.family.clone(), inside: Some(inside) })
            }
        }
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
        verify::verify(&token, self.keys.now().set(), &expected).ok().map(Verified::into_claims)
    }

    /// A token that `key` signs.
    pub(super) fn signed(&self, key: &SigningKey, typ: &str, payload: &Value) -> Secret<String> {
        let header = json!({"alg": key.algorithm().name(), "typ": typ, "kid": key.kid()});
        Secret::new(key.compact(&header, payload).expect("signing fails only without randomness"))
    }
}

/// The users of a pool as a sign-in with this scope gives them. Nobody has signed in: for `check` only.
pub fn supposed_users(settings: &Settings, scope: &str) -> Vec<Identity> {
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

/// The members of an object; none of another value.
pub(crate) fn members(object: Value) -> Claims {
    match object {
        Value::Object(members) => members,
        _ => Claims::new(),
    }
}

/// `at_hash` (OIDC Core §3.1.3.6).
fn left_half(token: &Secret<String>) -> String {
    URL_SAFE_NO_PAD.encode(&octets::sha256(token.expose().as_bytes())[..16])
}

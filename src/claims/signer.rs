//! Makes the signed claims (`x-amzn-oidc-data`), and keeps them for half their life.
//!
//! In both formats `iss` is the user's provider and `signer` this deployment, as the ALB has them: that is what code written
//! for the ALB checks. So a verifier must check `signer` as well as `iss`: another deployment in front of the same provider
//! has its own `signer` and its own keys (attacks K-01).

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use http::HeaderValue;
use serde_json::{Map, Value};

use crate::claims::settings::Format;
use crate::clock::Timestamp;
use crate::identity::{Claims, Identity};
use crate::jose::error::Error;
use crate::jose::signing_key::SigningKey;

/// Life of an assertion (spec §4.2): `exp` is never later than this from now.
const LIFETIME: Duration = Duration::from_secs(120);

/// Audiences whose assertions one session keeps: the target groups that one browser uses at the same time.
const AUDIENCES_MAX: usize = 8;

#[derive(Debug)]
pub(super) struct Signer {
    key: SigningKey,
    format: Format,
    name: String,
}

/// A user's assertions, one for each audience, and what they are made of.
#[derive(Debug)]
pub(super) struct Assertions {
    subject: String,
    issuer: String,
    client_id: String,
    claims: Claims,
    made: RefCell<Vec<Assertion>>,
}

#[derive(Debug)]
struct Assertion {
    audience: Arc<str>,
    made_at: Timestamp,
    value: HeaderValue,
}

impl Signer {
    pub(super) fn new(key: SigningKey, format: Format, name: String) -> Self {
        Self { key, format, name }
    }

    pub(super) fn prepare(&self, identity: &Identity, client_id: &str) -> Assertions {
        Assertions {
            subject: identity.subject().to_owned(),
            issuer: identity.issuer().to_owned(),
            client_id: client_id.to_owned(),
            claims: identity.claims().clone(),
            made: RefCell::default(),
        }
    }

    /// The assertion for `audience`: the last one while half its life is left, else a new one.
    pub(super) fn assertion(
        &self,
        user: &Assertions,
        audience: &Arc<str>,
        now: Timestamp,
    ) -> Result<HeaderValue, Error> {
        // A clock that was set back must not stretch a life: what was made in the future is made again.
        let is_fresh = |made: &Assertion| made.made_at <= now && now.since(made.made_at) < LIFETIME / 2;
        if let Some(made) = user.made.borrow().iter().find(|made| made.is_for(audience) && is_fresh(made)) {
            return Ok(made.value.clone());
        }
        let token = match self.format {
            Format::Jwt => self.jwt(user, audience, now),
            Format::Alb => self.alb(user, now),
        }?;
        let mut value = HeaderValue::try_from(token).expect("base64url and dots");
        value.set_sensitive(true);
        let mut all = user.made.borrow_mut();
        all.retain(|made| !made.is_for(audience) && is_fresh(made));
        if all.len() >= AUDIENCES_MAX {
            all.remove(0);
        }
        all.push(Assertion { audience: Arc::clone(audience), made_at: now, value: value.clone() });
        Ok(value)
    }

    /// A standard JWT (RFC 7519).
    fn jwt(&self, user: &Assertions, audience: &str, now: Timestamp) -> Result<String, Error> {
        let expires_at = (now + LIFETIME).seconds();
        // Ours alone speak of this token; a provider's `exp` or `jti` speaks of another one.
        let mut payload = user.claims_without(&["sub", "iss", "aud", "iat", "exp", "nbf", "jti"]);
        payload.insert("sub".into(), user.subject.as_str().into());
        payload.insert("iss".into(), user.issuer.as_str().into());
        payload.insert("aud".into(), audience.into());
        payload.insert("iat".into(), now.seconds().into());
        payload.insert("exp".into(), expires_at.into());
        self.key.compact(&self.header(user, expires_at), &Value::Object(payload))
    }

    /// The ALB's exact bytes (spec §4.2): each segment padded, and the padding signed.
    fn alb(&self, user: &Assertions, now: Timestamp) -> Result<String, Error> {
        let expires_at = (now + LIFETIME).seconds();
        let mut payload = user.claims_without(&["exp", "iss"]);
        if !payload.contains_key("sub") {
            let rest = std::mem::take(&mut payload);
            payload.insert("sub".into(), user.subject.as_str().into());
            payload.extend(rest);
        }
        payload.insert("exp".into(), expires_at.into());
        payload.insert("iss".into(), user.issuer.as_str().into());
        let mut token = URL_SAFE.encode(self.header(user, expires_at).to_string());
        token.push('.');
        URL_SAFE.encode_string(Value::Object(payload).to_string(), &mut token);
        let signature = self.key.sign(token.as_bytes())?;
        token.push('.');
        token.push_str(&signature);
        // 64 bytes are 86 characters and two of padding.
        token.push_str("==");
        Ok(token)
    }

    /// The JOSE header, the same in both formats: members and order are the ALB's (spec §4.2).
    fn header(&self, user: &Assertions, expires_at: u64) -> Value {
        let mut header = Map::new();
        header.insert("typ".into(), "JWT".into());
        header.insert("kid".into(), self.key.kid().into());
        header.insert("alg".into(), "ES256".into());
        header.insert("iss".into(), user.issuer.as_str().into());
        header.insert("client".into(), user.client_id.as_str().into());
        header.insert("signer".into(), self.name.as_str().into());
        header.insert("exp".into(), expires_at.into());
        Value::Object(header)
    }
}

impl Assertions {
    fn claims_without(&self, names: &[&str]) -> Claims {
        let mut claims = self.claims.clone();
        claims.retain(|name, _| !names.contains(&name.as_str()));
        claims
    }
}

impl Assertion {
    fn is_for(&self, audience: &Arc<str>) -> bool {
        // The same group is nearly always the same allocation.
        Arc::ptr_eq(&self.audience, audience) || self.audience == *audience
    }
}

#[cfg(test)]
mod tests;

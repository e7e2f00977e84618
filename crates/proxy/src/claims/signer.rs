//! Makes the signed claims (`x-amzn-oidc-data`), and reuses them for half of their lifetime.
//!
//! In both formats `iss` is the user's provider and `signer` is this deployment. The ALB uses the same members, and code
//! written for the ALB checks them. A verifier must check `signer` as well as `iss`: another deployment with the same
//! provider has its own `signer` and its own keys (attacks K-01).

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, URL_SAFE, URL_SAFE_NO_PAD};
use http::HeaderValue;
use serde_json::{Map, Value};

use crate::claims::settings::Format;
use crate::clock::Timestamp;
use crate::identity::{Claims, Identity};
use crate::jose::signing_key::{Error, SigningKey};

/// Lifetime of an assertion (ALB §4.2). `exp` is never later than this duration from now.
const LIFETIME: Duration = Duration::from_secs(120);

/// Maximum number of audiences whose assertions are cached for one session. An audience is a target group, and this is how
/// many one browser may use at the same time.
const AUDIENCES_MAX: usize = 8;

/// Bytes of `aud`, `iat` and `exp` in header and payload together, for a target group with a name of usual length.
const VARYING_BYTES: usize = 96;

#[derive(Debug)]
pub(super) struct Signer {
    key: SigningKey,
    format: Format,
    name: String,
}

/// A user's assertions, one for each audience, and the parts that they are made of.
#[derive(Debug)]
pub(super) struct Assertions {
    /// The beginning of a JSON object, up to the first member that differs between assertions.
    header: String,
    payload: String,
    issuer: Value,
    made: RefCell<Vec<Assertion>>,
}

#[derive(Debug)]
struct Assertion {
    audience: Arc<str>,
    made_at: Timestamp,
    value: HeaderValue,
}

impl Assertions {
    /// The approximate length of one assertion. base64url turns three bytes into four characters. [`VARYING_BYTES`] stands for
    /// the parts that differ between assertions (audience and times).
    pub(super) fn length(&self) -> usize {
        const SIGNATURE_BYTES: usize = 88;
        (self.header.len() + self.payload.len() + VARYING_BYTES).div_ceil(3) * 4 + SIGNATURE_BYTES
    }

    /// The approximate memory in bytes: the common parts, and one assertion for each target group that a browser usually uses
    /// at the same time.
    pub(super) fn weight(&self) -> usize {
        const USUAL: usize = 2;
        let plain = self.header.len() + self.payload.len();
        // base64url turns three bytes into four characters.
        plain + USUAL * plain * 4 / 3
    }
}

impl Signer {
    pub(super) fn new(key: SigningKey, format: Format, name: String) -> Self {
        Self { key, format, name }
    }

    /// Writes the parts that all assertions of a user have in common.
    pub(super) fn prepare(&self, identity: &Identity, client_id: &str) -> Assertions {
        let payload = match self.format {
            Format::Jwt => jwt_claims(identity),
            Format::Alb => alb_claims(identity),
        };
        Assertions {
            header: open_ended(self.header(identity.issuer(), client_id)),
            payload: open_ended(payload),
            issuer: identity.issuer().into(),
            made: RefCell::default(),
        }
    }

    /// The assertion for `audience`: the cached one while at least half of its lifetime is left, otherwise a new one.
    pub(super) fn assertion(
        &self,
        user: &Assertions,
        audience: &Arc<str>,
        now: Timestamp,
    ) -> Result<HeaderValue, Error> {
        // If the clock was set back, an assertion from the future is made again. Otherwise it would be used for too long.
        let is_fresh = |made: &Assertion| made.made_at <= now && now.since(made.made_at) < LIFETIME / 2;
        if let Some(made) = user.made.borrow().iter().find(|made| made.is_for(audience) && is_fresh(made)) {
            return Ok(made.value.clone());
        }
        let mut value = HeaderValue::try_from(self.sign(user, audience, now)?).expect("base64url and dots");
        value.set_sensitive(true);
        let mut all = user.made.borrow_mut();
        all.retain(|made| !made.is_for(audience) && is_fresh(made));
        if all.len() >= AUDIENCES_MAX {
            all.remove(0);
        }
        all.push(Assertion { audience: Arc::clone(audience), made_at: now, value: value.clone() });
        Ok(value)
    }

    /// A compact JWS (RFC 7515 §7.1). In the ALB's format each segment is padded, and the padding is signed (ALB §4.2).
    fn sign(&self, user: &Assertions, audience: &str, now: Timestamp) -> Result<String, Error> {
        let (header, payload) = (&user.header, &user.payload);
        let (issued_at, expires_at) = (now.seconds(), (now + LIFETIME).seconds());
        let (engine, payload, padding): (&GeneralPurpose, _, _) = match self.format {
            Format::Jwt => {
                let audience = Value::from(audience);
                let payload = format!(r#"{payload},"aud":{audience},"iat":{issued_at},"exp":{expires_at}}}"#);
                (&URL_SAFE_NO_PAD, payload, "")
            }
            // The 64 bytes of the signature become 86 characters and two characters of padding.
            Format::Alb => (&URL_SAFE, format!(r#"{payload},"exp":{expires_at},"iss":{}}}"#, user.issuer), "=="),
        };
        let mut token = engine.encode(format!(r#"{header},"exp":{expires_at}}}"#));
        token.push('.');
        engine.encode_string(payload, &mut token);
        let signature = self.key.sign(token.as_bytes())?;
        Ok(format!("{token}.{signature}{padding}"))
    }

    /// The JOSE header without `exp`. It is the same in both formats: the members and their order are the ALB's (ALB §4.2).
    fn header(&self, issuer: &str, client_id: &str) -> Map<String, Value> {
        let members = [
            ("typ", "JWT"),
            ("kid", self.key.kid()),
            ("alg", "ES256"),
            ("iss", issuer),
            ("client", client_id),
            ("signer", &self.name),
        ];
        members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
    }
}

/// The claims of a standard JWT (RFC 7519 §4.1), without `aud`, `iat` and `exp`.
fn jwt_claims(identity: &Identity) -> Claims {
    // These members must describe this token. The provider's `exp` or `jti` describes the provider's token.
    let mut claims = claims_without(identity, &["sub", "iss", "aud", "iat", "exp", "nbf", "jti"]);
    claims.insert("sub".into(), identity.subject().into());
    claims.insert("iss".into(), identity.issuer().into());
    claims
}

/// The claims of the ALB's format: the claims from userinfo, in their order. `exp` and `iss` are missing, because the ALB
/// appends them.
fn alb_claims(identity: &Identity) -> Claims {
    let claims = claims_without(identity, &["exp", "iss"]);
    if claims.contains_key("sub") {
        return claims;
    }
    [("sub".to_owned(), identity.subject().into())].into_iter().chain(claims).collect()
}

fn claims_without(identity: &Identity, names: &[&str]) -> Claims {
    let mut claims = identity.claims().clone();
    claims.retain(|name, _| !names.contains(&name.as_str()));
    claims
}

/// A JSON object with at least one member, without its closing brace.
fn open_ended(members: Map<String, Value>) -> String {
    let mut text = Value::Object(members).to_string();
    text.pop();
    text
}

impl Assertion {
    fn is_for(&self, audience: &Arc<str>) -> bool {
        // The same target group is nearly always the same allocation.
        Arc::ptr_eq(&self.audience, audience) || self.audience == *audience
    }
}

#[cfg(test)]
mod tests;

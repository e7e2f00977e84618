//! **The one place where a token is verified**, whoever signed it: signature first, then what it says of itself.
//!
//! Who calls this says which claims must be there and adds the checks of its own kind of token (nonce, subject, …).

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::jose::compact::{Algorithm, Compact};
use crate::jose::key_set::{KeySet, NotVerified};
use crate::jose::mismatch::Mismatch;
use crate::jose::standing::Standing;
use crate::jose::strict_json;

/// How far the signer's clock and ours may differ (pitfalls 46).
pub const LEEWAY: Duration = Duration::from_secs(60);
/// The last second of the year 9999: a later time is no time (pitfalls 46).
const SECONDS_MAX: f64 = 253_402_300_799.0;

/// What a token must say.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'e> {
    /// `iss`, compared exactly.
    pub issuer: &'e str,
    pub audience: Audience<'e>,
    /// Which of `iss`, `aud`, `exp` and `iat` must be there. Those that are there must be right in any case.
    pub registered_claims: Presence,
    pub expiry: Expiry,
    pub now: Timestamp,
}

/// For whom a token must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience<'e> {
    /// One of `aud` is this name.
    Us(&'e str),
    /// One of `aud` is one of these names, of which there is at least one. `aud` must be there.
    OneOf(&'e [String]),
    /// Any, or none.
    Any,
}

/// When a token is too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// From [`LEEWAY`] after `exp`: another clock than ours wrote it.
    WithLeeway,
    /// From `exp`: we wrote it.
    Exact,
    /// Never: it is a hint at a user of the past (`id_token_hint`, OIDC RP-Initiated Logout §2).
    Never,
}

/// Which registered claims must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// `iss`, `aud`, `exp` and `iat`.
    Required,
    /// `iss` and `exp`, as in an access token (ALB §8.2). `aud` is asked for by [`Audience::OneOf`].
    IssuerAndExpiry,
    /// None.
    Optional,
}

/// Proof that a token's signature and registered claims are right: only [`verify`] makes one.
#[derive(Debug)]
pub struct Verified {
    claims: Map<String, Value>,
    algorithm: Algorithm,
    key: Arc<Standing>,
}

impl Verified {
    /// What the token says.
    pub(crate) fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// What the token says, to keep.
    pub fn into_claims(self) -> Map<String, Value> {
        self.claims
    }

    /// Whether the key that signed it is still one of the key set. Who remembers that the token is good has to ask it.
    pub(crate) fn key(&self) -> &Arc<Standing> {
        &self.key
    }

    /// What it was signed with.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// Why a token was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No key of the set has its key id, type and algorithm. The signer's keys may be newer than ours.
    #[error("no key of the key set has its key id and algorithm")]
    NoKey,
    /// The signature does not verify.
    #[error("the signature does not verify")]
    Signature,
    /// What was signed is not a JSON object, repeats a member or nests too deep.
    #[error("its payload is not a JSON object whose member names are all different")]
    Payload,
    /// `iss` is another issuer.
    #[error("its `iss` is {0}")]
    Issuer(Mismatch),
    /// `aud` does not name us.
    #[error("its `aud` is {0}")]
    Audience(Mismatch),
    /// `exp` is in the past.
    #[error("it has expired")]
    Expired,
    /// `nbf` is in the future.
    #[error("it is not valid yet")]
    NotYetValid,
    /// `iat` is in the future.
    #[error("it was issued in the future: one of the two clocks is wrong")]
    IssuedInFuture,
    /// A claim is missing or has another type than the standard gives it.
    #[error("its claim `{0}` is missing or of the wrong type")]
    Claim(&'static str),
}

/// Verifies `token`: a key of `keys` signed it, and it says what is `expected`.
///
/// # Errors
///
/// [`Fault`], the first that is found; nothing of the token is read before the signature is right.
pub fn verify(token: &Compact<'_>, keys: &KeySet, expected: &Expected<'_>) -> Result<Verified, Fault> {
    let key = keys.verify(token).map_err(|why| match why {
        NotVerified::NoKey => Fault::NoKey,
        NotVerified::Signature => Fault::Signature,
    })?;
    let claims = strict_json::object(&token.unverified_payload).map_err(|_| Fault::Payload)?;
    check(&claims, expected)?;
    Ok(Verified { claims, algorithm: token.algorithm, key: Arc::clone(key) })
}

/// Checks the registered claims of a token. **The signature is not verified here**: [`verify`] does both, and `check --request` asks about
/// claims that nobody has signed.
///
/// # Errors
///
/// [`Fault`], the first that is found.
pub(crate) fn check(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), Fault> {
    check_times(claims, expected)?;
    check_issuer(claims, expected)?;
    check_audience(claims, expected)
}

fn check_issuer(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), Fault> {
    match claims.get("iss") {
        None if expected.registered_claims == Presence::Optional => Ok(()),
        Some(Value::String(issuer)) if issuer == expected.issuer => Ok(()),
        Some(Value::String(issuer)) => Err(Fault::Issuer(Mismatch::new(Some(issuer), expected.issuer))),
        _ => Err(Fault::Claim("iss")),
    }
}

fn check_audience(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), Fault> {
    let Some(audience) = claims.get("aud") else {
        let is_named = matches!(expected.audience, Audience::OneOf(_));
        let is_required = is_named || expected.registered_claims == Presence::Required;
        return if is_required { Err(Fault::Claim("aud")) } else { Ok(()) };
    };
    let names = audiences(audience).ok_or(Fault::Claim("aud"))?;
    let mismatch = |expected: &str| Err(Fault::Audience(Mismatch::new(Some(&names.join(" ")), expected)));
    match expected.audience {
        Audience::Us(us) if !names.contains(&us) => mismatch(us),
        Audience::OneOf(ours) if !ours.iter().any(|ours| names.contains(&ours.as_str())) => {
            mismatch(&ours.join(" or "))
        }
        Audience::Us(_) | Audience::OneOf(_) | Audience::Any => Ok(()),
    }
}

/// The names in an `aud`: one text, or a list of texts (RFC 7519 §4.1.3).
pub(crate) fn audiences(claim: &Value) -> Option<Vec<&str>> {
    match claim {
        Value::String(name) => Some(vec![name]),
        Value::Array(names) => names.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// RFC 7519 §2: a NumericDate is a JSON number. A text that another reader skips is refused (CVE-2026-25537).
fn check_times(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), Fault> {
    let time = |name: &'static str| match claims.get(name).map(|value| (value.is_number(), value.as_f64())) {
        None => Ok(None),
        Some((true, Some(seconds))) if (0.0..=SECONDS_MAX).contains(&seconds) => Ok(Some(seconds)),
        Some(_) => Err(Fault::Claim(name)),
    };
    let seconds = |at: Timestamp| at.millis() as f64 / 1000.0;
    let latest = seconds(expected.now + LEEWAY);
    let earliest = match expected.expiry {
        Expiry::WithLeeway => Some(seconds(expected.now - LEEWAY)),
        Expiry::Exact => Some(seconds(expected.now)),
        Expiry::Never => None,
    };
    let (expires, issued, not_before) = (time("exp")?, time("iat")?, time("nbf")?);
    if expected.registered_claims != Presence::Optional {
        expires.ok_or(Fault::Claim("exp"))?;
    }
    if expected.registered_claims == Presence::Required {
        issued.ok_or(Fault::Claim("iat"))?;
    }
    if expires.zip(earliest).is_some_and(|(expires, earliest)| expires <= earliest) {
        Err(Fault::Expired)
    } else if issued.is_some_and(|issued| issued > latest) {
        Err(Fault::IssuedInFuture)
    } else if not_before.is_some_and(|not_before| not_before > latest) {
        Err(Fault::NotYetValid)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;

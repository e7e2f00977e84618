//! The one place where a token that somebody else signed is verified: signature first, then what it says of itself.
//!
//! Who calls this says which claims must be there and adds the checks of its own kind of token (nonce, subject, …).

use std::time::Duration;

use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::jose::compact::{Algorithm, Compact};
use crate::jose::key_set::{KeySet, NotVerified};
use crate::jose::mismatch::Mismatch;

/// How far the signer's clock and ours may differ (pitfalls 46).
pub(crate) const LEEWAY: Duration = Duration::from_secs(60);
/// The last second of the year 9999: a later time is no time (pitfalls 46).
const SECONDS_MAX: f64 = 253_402_300_799.0;

/// What a token must say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'e> {
    /// `iss`, compared exactly.
    pub(crate) issuer: &'e str,
    /// One of `aud`.
    pub(crate) audience: &'e str,
    /// Whether `iss`, `aud`, `exp` and `iat` must be there. Those that are there must be right in either case.
    pub(crate) registered_claims: Presence,
    pub(crate) now: Timestamp,
}

/// Whether claims must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    Required,
    Optional,
}

/// Proof that a token's signature and registered claims are right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verified<'t> {
    pub(crate) claims: &'t Map<String, Value>,
    pub(crate) algorithm: Algorithm,
}

/// Why a token was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// No key of the set has its key id, type and algorithm. The signer's keys may be newer than ours.
    #[error("no key of the key set has its key id and algorithm")]
    NoKey,
    /// The signature does not verify.
    #[error("the signature does not verify")]
    Signature,
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
/// [`Fault`], the first that is found; nothing of the token is believed before the signature is right.
pub(crate) fn verify<'t>(
    token: &'t Compact<'_>,
    keys: &KeySet,
    expected: &Expected<'_>,
) -> Result<Verified<'t>, Fault> {
    keys.verify(token).map_err(|why| match why {
        NotVerified::NoKey => Fault::NoKey,
        NotVerified::Signature => Fault::Signature,
    })?;
    let claims = &token.unverified_payload;
    check_times(claims, expected)?;
    check_issuer(claims, expected)?;
    check_audience(claims, expected)?;
    Ok(Verified { claims, algorithm: token.algorithm })
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
        let is_required = expected.registered_claims == Presence::Required;
        return if is_required { Err(Fault::Claim("aud")) } else { Ok(()) };
    };
    let names = audiences(audience).ok_or(Fault::Claim("aud"))?;
    if names.contains(&expected.audience) {
        return Ok(());
    }
    Err(Fault::Audience(Mismatch::new(Some(&names.join(" ")), expected.audience)))
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
    let (latest, earliest) = (seconds(expected.now + LEEWAY), seconds(expected.now - LEEWAY));
    let (expires, issued, not_before) = (time("exp")?, time("iat")?, time("nbf")?);
    if expected.registered_claims == Presence::Required {
        expires.ok_or(Fault::Claim("exp"))?;
        issued.ok_or(Fault::Claim("iat"))?;
    }
    if expires.is_some_and(|expires| expires <= earliest) {
        Err(Fault::Expired)
    } else if issued.is_some_and(|issued| issued > latest) {
        Err(Fault::IssuedInFuture)
    } else if not_before.is_some_and(|not_before| not_before > latest) {
        Err(Fault::NotYetValid)
    } else {
        Ok(())
    }
}

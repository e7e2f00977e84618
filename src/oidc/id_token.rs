//! Verifies ID tokens (OIDC Core §3.1.3.7 and §12.2): form first, then the signature, then what they say.
//!
//! `openidconnect` checks issuer, audience, signature, `exp`, `iat` and nonce. What it leaves to its caller is here: the
//! strict form, the types of the times, `nbf`, `azp`, `at_hash`, and a subject that can be a header.

use std::time::{Duration, SystemTime};

use openidconnect::core::{CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier, CoreJsonWebKeySet};
use openidconnect::{
    AccessToken, AccessTokenHash, ClaimsVerificationError, ClientId, IssuerUrl, Nonce, SignatureVerificationError,
};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::crypto::compare;
use crate::identity::Claims;
use crate::jose::compact::Compact;
use crate::oidc::error::IdTokenFault;
use crate::oidc::jwks::{Key, Keys, signing_algorithm};

/// How far the provider's clock and ours may differ (pitfalls 46).
const LEEWAY: Duration = Duration::from_secs(60);
/// The last second of the year 9999: a later time is no time (pitfalls 46).
const SECONDS_MAX: f64 = 253_402_300_799.0;
/// OIDC Core §2.
const SUBJECT_BYTES_MAX: usize = 255;

/// What an ID token must say.
#[derive(Debug)]
pub(crate) struct Expected<'e> {
    pub(crate) issuer: &'e str,
    pub(crate) client_id: &'e str,
    /// The login's nonce; `None` for a refreshed token, which need not carry one (OIDC Core §12.2).
    pub(crate) nonce: Option<&'e str>,
    /// The access token that came with it.
    pub(crate) access_token: &'e str,
}

/// A verified ID token.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) subject: String,
    /// Every claim, the protocol's own among them.
    pub(crate) claims: Claims,
}

/// Verifies `token`, which must be read already.
pub(crate) fn verify(
    text: &str,
    token: Compact<'_>,
    keys: &Keys,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<Verified, IdTokenFault> {
    let key = keys.verify(&token)?;
    check_times(&token.unverified_payload, now)?;
    let subject = subject(&token.unverified_payload)?.to_owned();
    let parsed: CoreIdToken =
        serde_json::from_value(Value::from(text)).map_err(|_| IdTokenFault::Claim("of the standard"))?;
    let claims = verify_claims(&parsed, key, expected, &token, now)?;
    check_audience(claims, expected.client_id)?;
    check_access_token(claims, key, expected.access_token, &token)?;
    Ok(Verified { subject, claims: token.unverified_payload })
}

fn verify_claims<'t>(
    parsed: &'t CoreIdToken,
    key: &Key,
    expected: &Expected<'_>,
    token: &Compact<'_>,
    now: Timestamp,
) -> Result<&'t CoreIdTokenClaims, IdTokenFault> {
    let latest = (now + LEEWAY).to_system_time();
    let earliest = (now - LEEWAY).to_system_time();
    let issuer = IssuerUrl::new(expected.issuer.to_owned()).map_err(|_| IdTokenFault::Issuer)?;
    let keys = CoreJsonWebKeySet::new(vec![key.key().clone()]);
    let verifier = CoreIdTokenVerifier::new_public_client(ClientId::new(expected.client_id.to_owned()), issuer, keys)
        .set_allowed_algs([signing_algorithm(token.algorithm)])
        // Others beside us are allowed where `azp` says that it was made for us: see `check_audience`.
        .set_other_audience_verifier_fn(|_| true)
        .set_time_fn(move || earliest.into())
        .set_issue_time_verifier_fn(move |issued| {
            if SystemTime::from(issued) > latest { Err(String::from(ISSUED_IN_FUTURE)) } else { Ok(()) }
        });
    match expected.nonce {
        Some(nonce) => parsed.claims(&verifier, &Nonce::new(nonce.to_owned())),
        None => parsed.claims(&verifier, |_: Option<&Nonce>| Ok(())),
    }
    .map_err(|error| translate(&error))
}

const ISSUED_IN_FUTURE: &str = "issued in the future";

fn translate(error: &ClaimsVerificationError) -> IdTokenFault {
    match error {
        ClaimsVerificationError::Expired(why) if why == ISSUED_IN_FUTURE => IdTokenFault::IssuedInFuture,
        ClaimsVerificationError::Expired(_) => IdTokenFault::Expired,
        ClaimsVerificationError::InvalidAudience(_) => IdTokenFault::Audience,
        ClaimsVerificationError::InvalidIssuer(_) => IdTokenFault::Issuer,
        ClaimsVerificationError::InvalidNonce(_) => IdTokenFault::Nonce,
        ClaimsVerificationError::InvalidSubject(_) => IdTokenFault::Subject,
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
            IdTokenFault::NoKey
        }
        ClaimsVerificationError::SignatureVerification(_) => IdTokenFault::Signature,
        _ => IdTokenFault::Claim("of the standard"),
    }
}

/// RFC 7519 §2: a NumericDate is a JSON number. A string that another reader skips is refused (CVE-2026-25537).
fn check_times(claims: &Claims, now: Timestamp) -> Result<(), IdTokenFault> {
    let time = |name: &'static str| match claims.get(name).map(|value| (value.is_number(), value.as_f64())) {
        None => Ok(None),
        Some((true, Some(seconds))) if (0.0..=SECONDS_MAX).contains(&seconds) => Ok(Some(seconds)),
        Some(_) => Err(IdTokenFault::Claim(name)),
    };
    let seconds = |at: Timestamp| at.millis() as f64 / 1000.0;
    time("exp")?.ok_or(IdTokenFault::Claim("exp"))?;
    time("iat")?.ok_or(IdTokenFault::Claim("iat"))?;
    match time("nbf")? {
        Some(not_before) if not_before > seconds(now + LEEWAY) => Err(IdTokenFault::NotYetValid),
        _ => Ok(()),
    }
}

/// Reads `sub`, which will be a header: printable, and not longer than OIDC Core §2 allows.
fn subject(claims: &Claims) -> Result<&str, IdTokenFault> {
    let subject = claims.get("sub").and_then(Value::as_str).ok_or(IdTokenFault::Subject)?;
    let fits = (1..=SUBJECT_BYTES_MAX).contains(&subject.len()) && !subject.contains(char::is_control);
    if fits { Ok(subject) } else { Err(IdTokenFault::Subject) }
}

/// OIDC Core §3.1.3.7, 3 to 5: with other audiences beside us, `azp` must say that it was made for us (attacks J-05).
fn check_audience(claims: &CoreIdTokenClaims, client_id: &str) -> Result<(), IdTokenFault> {
    let others = claims.audiences().iter().any(|audience| audience.as_str() != client_id);
    match claims.authorized_party() {
        Some(party) if party.as_str() == client_id => Ok(()),
        Some(_) => Err(IdTokenFault::AuthorizedParty),
        None if others => Err(IdTokenFault::Audience),
        None => Ok(()),
    }
}

/// OIDC Core §3.1.3.8.
fn check_access_token(
    claims: &CoreIdTokenClaims,
    key: &Key,
    access_token: &str,
    token: &Compact<'_>,
) -> Result<(), IdTokenFault> {
    let Some(said) = claims.access_token_hash() else { return Ok(()) };
    let access_token = AccessToken::new(access_token.to_owned());
    let hash = AccessTokenHash::from_token(&access_token, &signing_algorithm(token.algorithm), key.key())
        .map_err(|_| IdTokenFault::AccessTokenHash)?;
    if compare::equal(said.as_bytes(), hash.as_bytes()) { Ok(()) } else { Err(IdTokenFault::AccessTokenHash) }
}

//! Checks of an ID token (OIDC Core §3.1.3.7 and §12.2): `azp`, `nonce`, `at_hash`, and a subject that can be sent in a header.
//! [`jose::verify`] checks the signature and the registered claims.
//!
//! [`jose::verify`]: crate::jose::verify::verify

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::crypto::octets;
use crate::identity::Claims;
use crate::jose::mismatch::Mismatch;
use crate::jose::verify::{self, Verified};
use crate::oidc::error::{IdTokenFault, NonceFault};

/// OIDC Core §2.
const SUBJECT_BYTES_MAX: usize = 255;

/// The expected `nonce`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Nonce<'e> {
    /// The token of a sign-in that sent this nonce.
    Sent(&'e str),
    /// The token of a sign-in that sent no nonce. A token with a nonce belongs to another sign-in.
    NotSent,
    /// The token of a refresh. The nonce is absent or that of the sign-in, compared by its [`nonce_hash`] (OIDC Core §12.2). The hash
    /// is empty if the sign-in sent no nonce. It is `None` for sessions from before hashes were stored.
    OfLogin(Option<&'e str>),
}

/// The hash of the nonce that a session stores: 72 bits, enough to detect the nonce of another sign-in.
pub(crate) fn nonce_hash(nonce: &str) -> String {
    URL_SAFE_NO_PAD.encode(&octets::sha256(nonce.as_bytes())[..9])
}

/// The context of an ID token: the client and the other values of the response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'e> {
    pub(crate) client_id: &'e str,
    pub(crate) nonce: Nonce<'e>,
    /// The access token of the same response.
    pub(crate) access_token: &'e str,
    /// What the login asked for, in seconds.
    pub(crate) max_age: Option<u64>,
    pub(crate) now: Timestamp,
}

/// The user of an ID token.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) subject: String,
    /// All claims, including those of the protocol.
    pub(crate) claims: Claims,
}

/// Checks the claims of an ID token whose signature and registered claims are already verified.
pub(crate) fn check(token: Verified, context: &Context<'_>) -> Result<Said, IdTokenFault> {
    let claims = token.claims();
    let subject = subject(claims)?.to_owned();
    check_authorized_party(claims, context.client_id)?;
    check_nonce(claims, context.nonce)?;
    check_auth_time(claims, context)?;
    // OIDC Core §3.1.3.8.
    if let Some(said) = text(claims, "at_hash")? {
        let hash = token.algorithm().half_hash(context.access_token);
        if !octets::equal(said.as_bytes(), hash.as_bytes()) {
            return Err(IdTokenFault::AccessTokenHash);
        }
    }
    Ok(Said { subject, claims: token.into_claims() })
}

/// An optional claim that is a text.
fn text<'c>(claims: &'c Claims, name: &'static str) -> Result<Option<&'c str>, IdTokenFault> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(verify::Fault::Claim(name).into()),
    }
}

/// Reads `sub`. It is sent in a header, so it must be printable, and not longer than OIDC Core §2 allows.
pub(super) fn subject(claims: &Claims) -> Result<&str, IdTokenFault> {
    let subject = claims.get("sub").and_then(Value::as_str).ok_or(IdTokenFault::Subject)?;
    let fits = (1..=SUBJECT_BYTES_MAX).contains(&subject.len()) && !subject.contains(char::is_control);
    if fits { Ok(subject) } else { Err(IdTokenFault::Subject) }
}

/// OIDC Core §3.1.3.7, 3 to 5: if there are other audiences, `azp` must be this client (attacks J-05).
fn check_authorized_party(claims: &Claims, client_id: &str) -> Result<(), IdTokenFault> {
    let others = || {
        let names = claims.get("aud").and_then(verify::audiences).unwrap_or_default();
        names.into_iter().any(|name| name != client_id)
    };
    match text(claims, "azp")? {
        Some(party) if party == client_id => Ok(()),
        None if !others() => Ok(()),
        party => Err(IdTokenFault::AuthorizedParty(Mismatch::new(party, client_id))),
    }
}

/// OIDC Core §3.1.3.7, 11: where `max_age` was asked for, `auth_time` is there (§2) and late enough. The request went through the
/// browser, and its user can take the parameter out. One that is yet to come is none: in milliseconds, it would be late enough for ever.
fn check_auth_time(claims: &Claims, context: &Context<'_>) -> Result<(), IdTokenFault> {
    let Some(max_age) = context.max_age else { return Ok(()) };
    let latest = (context.now + verify::LEEWAY).seconds() as f64;
    let authenticated_at = claims.get("auth_time").and_then(Value::as_f64).filter(|at| (0.0..=latest).contains(at));
    let authenticated_at = authenticated_at.ok_or(verify::Fault::Claim("auth_time"))?;
    let earliest = context.now - verify::LEEWAY - Duration::from_secs(max_age);
    if authenticated_at * 1000.0 >= earliest.millis() as f64 { Ok(()) } else { Err(IdTokenFault::AuthTime) }
}

fn check_nonce(claims: &Claims, expected: Nonce<'_>) -> Result<(), IdTokenFault> {
    let foreign = IdTokenFault::Nonce(NonceFault::Foreign);
    let said = match claims.get("nonce") {
        None | Some(Value::Null) => None,
        Some(Value::String(nonce)) => Some(nonce.as_str()).filter(|nonce| !nonce.is_empty()),
        Some(_) => return Err(foreign),
    };
    let is_right = match (expected, said) {
        (Nonce::Sent(_), None) => return Err(IdTokenFault::Nonce(NonceFault::Missing)),
        (Nonce::Sent(sent), Some(said)) => octets::equal(said.as_bytes(), sent.as_bytes()),
        (Nonce::NotSent | Nonce::OfLogin(_), None) => true,
        (Nonce::OfLogin(None), Some(_)) => true,
        (Nonce::NotSent, Some(_)) => false,
        (Nonce::OfLogin(Some(hash)), Some(said)) => octets::equal(nonce_hash(said).as_bytes(), hash.as_bytes()),
    };
    if is_right { Ok(()) } else { Err(foreign) }
}

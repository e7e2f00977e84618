//! What an ID token must say beyond a good signature and good registered claims, which are [`jose::verify`]'s
//! (OIDC Core §3.1.3.7 and §12.2): `azp`, `nonce`, `at_hash`, and a subject that can be a header.
//!
//! [`jose::verify`]: crate::jose::verify::verify

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::crypto::{compare, digest};
use crate::identity::Claims;
use crate::jose::mismatch::Mismatch;
use crate::jose::verify::{self, Verified};
use crate::oidc::error::{IdTokenFault, NonceFault};

/// OIDC Core §2.
const SUBJECT_BYTES_MAX: usize = 255;

/// What the token's `nonce` must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Nonce<'e> {
    /// The answer to a login that sent this one.
    Sent(&'e str),
    /// The answer to a login that sent none: a token that has one was made for another login.
    NotSent,
    /// The answer to a refresh: absent, or that of the login, known by its [`nonce_hash`] (OIDC Core §12.2). The hash of
    /// a login that sent none is empty; of a session from before hashes were kept there is none.
    OfLogin(Option<&'e str>),
}

/// What a session keeps of its login's nonce: 72 bits of its hash, enough to tell another login's.
pub(crate) fn nonce_hash(nonce: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest::sha256(nonce.as_bytes())[..9])
}

/// What came with an ID token, and who it is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'e> {
    pub(crate) client_id: &'e str,
    pub(crate) nonce: Nonce<'e>,
    /// The access token that came with it.
    pub(crate) access_token: &'e str,
}

/// An ID token's user.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) subject: String,
    /// Every claim, the protocol's own among them.
    pub(crate) claims: Claims,
}

/// Checks what an ID token says whose signature and registered claims are verified.
pub(crate) fn check(token: Verified<'_>, context: &Context<'_>) -> Result<Said, IdTokenFault> {
    let claims = token.claims;
    let subject = subject(claims)?;
    check_authorized_party(claims, context.client_id)?;
    check_nonce(claims, context.nonce)?;
    // OIDC Core §3.1.3.8.
    if let Some(said) = text(claims, "at_hash")? {
        let hash = token.algorithm.half_hash(context.access_token);
        if !compare::equal(said.as_bytes(), hash.as_bytes()) {
            return Err(IdTokenFault::AccessTokenHash);
        }
    }
    Ok(Said { subject: subject.to_owned(), claims: claims.clone() })
}

/// An optional claim that is a text.
fn text<'c>(claims: &'c Claims, name: &'static str) -> Result<Option<&'c str>, IdTokenFault> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(verify::Fault::Claim(name).into()),
    }
}

/// Reads `sub`, which will be a header: printable, and not longer than OIDC Core §2 allows.
fn subject(claims: &Claims) -> Result<&str, IdTokenFault> {
    let subject = claims.get("sub").and_then(Value::as_str).ok_or(IdTokenFault::Subject)?;
    let fits = (1..=SUBJECT_BYTES_MAX).contains(&subject.len()) && !subject.contains(char::is_control);
    if fits { Ok(subject) } else { Err(IdTokenFault::Subject) }
}

/// OIDC Core §3.1.3.7, 3 to 5: with other audiences beside us, `azp` must say that it was made for us (attacks J-05).
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

fn check_nonce(claims: &Claims, expected: Nonce<'_>) -> Result<(), IdTokenFault> {
    let foreign = IdTokenFault::Nonce(NonceFault::Foreign);
    let said = match claims.get("nonce") {
        None | Some(Value::Null) => None,
        Some(Value::String(nonce)) => Some(nonce.as_str()).filter(|nonce| !nonce.is_empty()),
        Some(_) => return Err(foreign),
    };
    let is_right = match (expected, said) {
        (Nonce::Sent(_), None) => return Err(IdTokenFault::Nonce(NonceFault::Missing)),
        (Nonce::Sent(sent), Some(said)) => compare::equal(said.as_bytes(), sent.as_bytes()),
        (Nonce::NotSent | Nonce::OfLogin(_), None) => true,
        (Nonce::OfLogin(None), Some(_)) => true,
        (Nonce::NotSent, Some(_)) => false,
        (Nonce::OfLogin(Some(hash)), Some(said)) => compare::equal(nonce_hash(said).as_bytes(), hash.as_bytes()),
    };
    if is_right { Ok(()) } else { Err(foreign) }
}

//! The strict reading of a compact JWS (RFC 7515 §7.1) that a stranger sent, before any key is looked at.
//!
//! Only form: whether the signature is right, and whether the claims are, others say.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::jose::strict_json;

/// Largest token that is read. The ALB's own limit for claims and token is 11 KB (spec §2.5.4).
pub(crate) const TOKEN_BYTES_MAX: usize = 64 * 1024;
/// Longest key id that is compared.
const KID_BYTES_MAX: usize = 1024;

/// Why a token was not read. None of them quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Longer than [`TOKEN_BYTES_MAX`].
    #[error("the token is too large")]
    TooLarge,
    /// Not three segments: a JWE has five.
    #[error("the token has not three segments")]
    Segments,
    /// A segment is not base64url without padding (RFC 7515 §2).
    #[error("a segment is not unpadded base64url")]
    Base64,
    /// Header or payload is not a JSON object, repeats a member or nests too deep.
    #[error("a segment is not a JSON object whose member names are all different")]
    Json,
    /// `none`, a shared-secret algorithm, one for encryption, or one we do not know.
    #[error("the algorithm is not allowed")]
    Algorithm,
    /// `typ` or `cty` say that this is another kind of token (RFC 8725 §3.11).
    #[error("the token is of another type")]
    Type,
    /// `crit` names extensions, and we understand none (RFC 7515 §4.1.11).
    #[error("the token needs an extension")]
    Critical,
    /// `jwk`, `jku`, `x5u` or `x5c`: a token does not choose the key that verifies it.
    #[error("the token brings its own key")]
    EmbeddedKey,
    /// `kid` is not a string of sensible length.
    #[error("the key id is not a short string")]
    KeyId,
}

/// Signature algorithms that a provider may use (RFC 7518 §3.1, RFC 8037 §3.1): public keys only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    /// Reads an `alg`; names are case-sensitive (RFC 7515 §4.1.1).
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" => Self::EdDsa,
            _ => return None,
        })
    }
}

/// A compact JWS, read and not yet verified.
#[derive(Debug)]
pub(crate) struct Compact<'t> {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<String>,
    /// What the signature is over.
    pub(crate) signing_input: &'t str,
    pub(crate) signature: Vec<u8>,
    /// The claims as they are said; nobody has vouched for them yet.
    pub(crate) unverified_payload: Map<String, Value>,
}

impl<'t> Compact<'t> {
    /// Reads `token`.
    ///
    /// # Errors
    ///
    /// One [`Error`] per way in which a token is not a plain signed JWT.
    pub(crate) fn parse(token: &'t str) -> Result<Self, Error> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let segments: Vec<&str> = token.splitn(4, '.').collect();
        let &[header, payload, signature] = segments.as_slice() else { return Err(Error::Segments) };
        let signing_input = &token[..header.len() + 1 + payload.len()];
        let header = object(header)?;
        let (algorithm, key_id) = check(&header)?;
        let signature = decode(signature)?;
        Ok(Self { algorithm, key_id, signing_input, signature, unverified_payload: object(payload)? })
    }
}

fn check(header: &Map<String, Value>) -> Result<(Algorithm, Option<String>), Error> {
    let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::from_name).ok_or(Error::Algorithm)?;
    // RFC 7515 §4.1.9: media types are compared without case.
    match header.get("typ") {
        None => {}
        Some(Value::String(kind)) if kind.eq_ignore_ascii_case("JWT") => {}
        Some(_) => return Err(Error::Type),
    }
    if header.contains_key("cty") {
        return Err(Error::Type);
    }
    if header.contains_key("crit") {
        return Err(Error::Critical);
    }
    if ["jwk", "jku", "x5u", "x5c"].iter().any(|name| header.contains_key(*name)) {
        return Err(Error::EmbeddedKey);
    }
    let key_id = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) if kid.len() <= KID_BYTES_MAX => Some(kid.clone()),
        Some(_) => return Err(Error::KeyId),
    };
    Ok((algorithm, key_id))
}

fn decode(segment: &str) -> Result<Vec<u8>, Error> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| Error::Base64)
}

fn object(segment: &str) -> Result<Map<String, Value>, Error> {
    strict_json::object(&decode(segment)?).map_err(|_| Error::Json)
}

#[cfg(test)]
mod tests;

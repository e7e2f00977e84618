//! The strict reading of a compact JWS (RFC 7515 §7.1) that a stranger sent, before any key is looked at.
//!
//! Only form: whether the signature is right, and whether the claims are, others say.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::jose::strict_json;

/// Largest token that is read. The ALB's own limit for claims and token is 11 KB (ALB §2.5.4).
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
    /// `none`, one for encryption, or one we do not know.
    #[error("its algorithm (`alg`) is not one that is accepted")]
    Algorithm,
    /// `HS256` and its like: whoever can verify such a token can make one.
    #[error("it is signed with a shared secret ({0}); set this client to RS256 or ES256 at the provider")]
    SharedSecret(&'static str),
    /// `typ` or `cty` say that this is another kind of token (RFC 8725 §3.11).
    #[error("the token is of another type")]
    Type,
    /// `crit` names extensions, and we understand none (RFC 7515 §4.1.11).
    #[error("the token needs an extension")]
    Critical,
    /// `jwk`, `jku` or `x5u`: a token does not choose the key that verifies it.
    #[error("the token brings its own key")]
    EmbeddedKey,
    /// `kid` is neither a text of sensible length nor a number.
    #[error("the key id is not a short text")]
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
    Es512,
    EdDsa,
}

impl Algorithm {
    /// The names of all of them.
    pub(crate) const NAMES: [&'static str; 10] =
        ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

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
            "ES512" => Self::Es512,
            "EdDSA" => Self::EdDsa,
            _ => return None,
        })
    }

    /// The left half of the hash of `text`, in base64url: `at_hash` and `c_hash` (OIDC Core §3.1.3.6). The hash is the
    /// signature's own; with EdDSA it is SHA-512, which Ed25519 is built on.
    pub(crate) fn half_hash(self, text: &str) -> String {
        let hash = match self {
            Self::Rs256 | Self::Ps256 | Self::Es256 => &digest::SHA256,
            Self::Rs384 | Self::Ps384 | Self::Es384 => &digest::SHA384,
            Self::Rs512 | Self::Ps512 | Self::Es512 | Self::EdDsa => &digest::SHA512,
        };
        let hash = digest::digest(hash, text.as_bytes());
        URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2])
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
    let algorithm = algorithm(header)?;
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
    // `x5c` and `x5t` are not looked at: some providers send them, and the key comes from the key set in any case.
    if ["jwk", "jku", "x5u"].iter().any(|name| header.contains_key(*name)) {
        return Err(Error::EmbeddedKey);
    }
    let key_id = match header.get("kid") {
        None | Some(Value::Null) => None,
        Some(Value::String(kid)) if kid.len() <= KID_BYTES_MAX => Some(kid.clone()),
        Some(Value::Number(kid)) => Some(kid.to_string()),
        Some(_) => return Err(Error::KeyId),
    };
    Ok((algorithm, key_id))
}

fn algorithm(header: &Map<String, Value>) -> Result<Algorithm, Error> {
    let name = header.get("alg").and_then(Value::as_str).ok_or(Error::Algorithm)?;
    if let Some(shared) = ["HS256", "HS384", "HS512"].into_iter().find(|shared| *shared == name) {
        return Err(Error::SharedSecret(shared));
    }
    Algorithm::from_name(name).ok_or(Error::Algorithm)
}

fn decode(segment: &str) -> Result<Vec<u8>, Error> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| Error::Base64)
}

fn object(segment: &str) -> Result<Map<String, Value>, Error> {
    strict_json::object(&decode(segment)?).map_err(|_| Error::Json)
}

#[cfg(test)]
mod tests;

//! The strict reading of a compact JWS (RFC 7515 §7.1) that a stranger sent, before any key is looked at.
//!
//! **Every token that Vestibule reads comes through here**: this is the one place for size, base64url, `alg`, `typ`, `crit` and
//! repeated members of the header. The payload stays bytes until [`verify`] has seen a right signature.
//!
//! [`verify`]: crate::jose::verify::verify

use std::fmt;

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
pub enum Error {
    /// Longer than [`TOKEN_BYTES_MAX`].
    #[error("the token is too large")]
    TooLarge,
    /// Not three segments: a JWE has five.
    #[error("the token has not three segments")]
    Segments,
    /// A segment is not base64url without padding (RFC 7515 §2).
    #[error("a segment is not unpadded base64url")]
    Base64,
    /// The header is not a JSON object, repeats a member or nests too deep.
    #[error("its header is not a JSON object whose member names are all different")]
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

/// The kind of a token, which its `typ` says. One kind of token never passes for another (RFC 8725 §3.11, attacks J-04).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ID token or a signed answer of userinfo: `JWT`, or no `typ` at all, because OpenID Connect demands none.
    Jwt,
    /// An access token (RFC 9068 §2.1): `at+jwt`, never absent.
    AccessToken,
    /// An access token of a provider that may not follow RFC 9068: `at+jwt`, `JWT`, or no `typ` at all.
    AnyAccessToken,
}

impl Kind {
    /// Whether `typ` says this kind. Media types are compared without case, and `application/` may be left out
    /// (RFC 7515 §4.1.9).
    fn accepts(self, typ: Option<&Value>) -> bool {
        match (self, typ) {
            (Self::Jwt | Self::AnyAccessToken, None) => true,
            (Self::Jwt, Some(Value::String(typ))) => is_jwt(typ),
            (Self::AccessToken, Some(Value::String(typ))) => is_access_token(typ),
            (Self::AnyAccessToken, Some(Value::String(typ))) => is_jwt(typ) || is_access_token(typ),
            (_, _) => false,
        }
    }
}

fn is_jwt(typ: &str) -> bool {
    typ.eq_ignore_ascii_case("JWT")
}

fn is_access_token(typ: &str) -> bool {
    typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt")
}

/// Signature algorithms that a provider may use (RFC 7518 §3.1, RFC 8037 §3.1): public keys only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
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
    pub const NAMES: [&'static str; 10] =
        ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

    /// Reads an `alg`; names are case-sensitive (RFC 7515 §4.1.1).
    pub fn from_name(name: &str) -> Option<Self> {
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

/// A compact JWS, read and not yet verified. Only this room sees what it says.
pub struct Compact<'t> {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    /// What the signature is over.
    pub(super) signing_input: &'t [u8],
    pub(super) signature: Vec<u8>,
    /// Nobody has vouched for it yet, so it isn't even read as JSON.
    pub(super) unverified_payload: Vec<u8>,
}

impl fmt::Debug for Compact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compact").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl<'t> Compact<'t> {
    /// What the token says that it was signed with.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Reads `token`, which must be of the `kind`.
    ///
    /// # Errors
    ///
    /// One [`Error`] per way in which a token is not a plain signed JWT of that kind.
    pub fn parse(token: &'t str, kind: Kind) -> Result<Self, Error> {
        let [header, payload, signature] = segments(token)?;
        let signing_input = &token.as_bytes()[..header.len() + 1 + payload.len()];
        let header = strict_json::object(&decode(header)?).map_err(|_| Error::Json)?;
        let (algorithm, key_id) = check(&header, kind)?;
        Ok(Self {
            algorithm,
            key_id,
            signing_input,
            signature: decode(signature)?,
            unverified_payload: decode(payload)?,
        })
    }
}

/// What the payload of a token says that **nobody has verified**: its algorithm may be unknown and its signature wrong. For
/// planning only, as when to refresh or by whose keys to verify it; `None` where it is no JWT.
pub fn unverified_claims(token: &str) -> Option<Map<String, Value>> {
    let [_, payload, _] = segments(token).ok()?;
    strict_json::object(&decode(payload).ok()?).ok()
}

fn segments(token: &str) -> Result<[&str; 3], Error> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Error::TooLarge);
    }
    let mut segments = token.splitn(4, '.');
    match (segments.next(), segments.next(), segments.next(), segments.next()) {
        (Some(header), Some(payload), Some(signature), None) => Ok([header, payload, signature]),
        _ => Err(Error::Segments),
    }
}

fn check(header: &Map<String, Value>, kind: Kind) -> Result<(Algorithm, Option<String>), Error> {
    let algorithm = algorithm(header)?;
    // `cty` says that the payload is not claims but another token (RFC 7519 §5.2).
    if !kind.accepts(header.get("typ")) || header.contains_key("cty") {
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

#[cfg(test)]
mod tests;

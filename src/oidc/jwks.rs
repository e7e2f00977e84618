//! A provider's key set (RFC 7517 §5), reduced to the keys that may verify an ID token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::JsonWebKey as _;
use openidconnect::core::{CoreJsonWebKey, CoreJwsSigningAlgorithm};
use serde_json::{Map, Value};

use crate::jose::compact::{Algorithm, Compact};
use crate::jose::strict_json;
use crate::oidc::error::{FetchError, IdTokenFault};

/// Most keys that are kept (attacks O-06).
const KEYS_MAX: usize = 100;
/// NIST SP 800-131A; and what the verifier can.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// Keys of a provider.
#[derive(Debug)]
pub(crate) struct Keys(Vec<Key>);

/// One public key.
#[derive(Debug)]
pub(crate) struct Key {
    id: Option<String>,
    kind: Kind,
    /// The only algorithm it is for, where the set says so.
    algorithm: Option<Algorithm>,
    key: CoreJsonWebKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Keys {
    /// Reads a set. Keys that are not for us are left out, not an error: sets hold keys for many uses.
    pub(crate) fn parse(document: &[u8]) -> Result<Self, FetchError> {
        let set = strict_json::object(document).map_err(|_| FetchError::Content("not a JSON object"))?;
        let Some(Value::Array(keys)) = set.get("keys") else { return Err(FetchError::Content("not a key set")) };
        Ok(Self(keys.iter().filter_map(Value::as_object).filter_map(Key::parse).take(KEYS_MAX).collect()))
    }

    /// Verifies the signature, and answers with the key that did.
    ///
    /// A token without a key id is tried with each key of its type (pitfalls 45).
    pub(crate) fn verify(&self, token: &Compact<'_>) -> Result<&Key, IdTokenFault> {
        let mut candidates = self.0.iter().filter(|key| key.fits(token)).peekable();
        if candidates.peek().is_none() {
            return Err(IdTokenFault::NoKey);
        }
        candidates.find(|key| key.verifies(token)).ok_or(IdTokenFault::Signature)
    }
}

impl Key {
    /// As `openidconnect` has it.
    pub(crate) fn key(&self) -> &CoreJsonWebKey {
        &self.key
    }

    fn parse(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let may_verify = match (jwk.get("use"), jwk.get("key_ops")) {
            (None, None) => true,
            (Some(purpose), None) => purpose == "sig",
            (purpose, Some(Value::Array(operations))) => {
                purpose.is_none_or(|purpose| purpose == "sig")
                    && operations.iter().any(|operation| operation == "verify")
            }
            _ => false,
        };
        let algorithm = match jwk.get("alg") {
            None => None,
            Some(name) => Some(Algorithm::from_name(name.as_str()?)?),
        };
        let kind = match (text("kty")?, text("crv")) {
            ("RSA", _) if is_strong_rsa(text("n")?, text("e")?) => Kind::Rsa,
            ("EC", Some("P-256")) => Kind::P256,
            ("EC", Some("P-384")) => Kind::P384,
            ("OKP", Some("Ed25519")) if !is_small_order(text("x")?) => Kind::Ed25519,
            _ => return None, // `oct` among them: a shared secret in public is none (O-06)
        };
        // A set that publishes private halves proves nothing.
        if !may_verify || jwk.contains_key("d") {
            return None;
        }
        // Only what the verifier needs, so that an odd member beside it does no harm.
        let members = ["kty", "kid", "crv", "x", "y", "n", "e"];
        let plain: Map<String, Value> =
            members.iter().filter_map(|name| Some(((*name).to_owned(), jwk.get(*name)?.clone()))).collect();
        let key = serde_json::from_value(Value::Object(plain)).ok()?;
        Some(Self { id: text("kid").map(str::to_owned), kind, algorithm, key })
    }

    fn fits(&self, token: &Compact<'_>) -> bool {
        self.kind == kind(token.algorithm)
            && self.algorithm.is_none_or(|algorithm| algorithm == token.algorithm)
            && token.key_id.as_ref().is_none_or(|id| self.id.as_ref() == Some(id))
    }

    fn verifies(&self, token: &Compact<'_>) -> bool {
        let algorithm = signing_algorithm(token.algorithm);
        self.key.verify_signature(&algorithm, token.signing_input.as_bytes(), &token.signature).is_ok()
    }
}

const fn kind(algorithm: Algorithm) -> Kind {
    match algorithm {
        Algorithm::Rs256
        | Algorithm::Rs384
        | Algorithm::Rs512
        | Algorithm::Ps256
        | Algorithm::Ps384
        | Algorithm::Ps512 => Kind::Rsa,
        Algorithm::Es256 => Kind::P256,
        Algorithm::Es384 => Kind::P384,
        Algorithm::EdDsa => Kind::Ed25519,
    }
}

/// The algorithm as `openidconnect` names it.
pub(crate) const fn signing_algorithm(algorithm: Algorithm) -> CoreJwsSigningAlgorithm {
    match algorithm {
        Algorithm::Rs256 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        Algorithm::Rs384 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
        Algorithm::Rs512 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
        Algorithm::Ps256 => CoreJwsSigningAlgorithm::RsaSsaPssSha256,
        Algorithm::Ps384 => CoreJwsSigningAlgorithm::RsaSsaPssSha384,
        Algorithm::Ps512 => CoreJwsSigningAlgorithm::RsaSsaPssSha512,
        Algorithm::Es256 => CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        Algorithm::Es384 => CoreJwsSigningAlgorithm::EcdsaP384Sha384,
        Algorithm::EdDsa => CoreJwsSigningAlgorithm::EdDsa,
    }
}

/// Whether an RSA key is large enough, and its exponent odd and above one: with `e = 1` a signature is its own message.
fn is_strong_rsa(modulus: &str, exponent: &str) -> bool {
    let (Ok(modulus), Ok(exponent)) = (URL_SAFE_NO_PAD.decode(modulus), URL_SAFE_NO_PAD.decode(exponent)) else {
        return false;
    };
    let significant = |bytes: &[u8]| -> usize {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        bytes.get(zeros).map_or(0, |first| (bytes.len() - zeros) * 8 - first.leading_zeros() as usize)
    };
    RSA_BITS.contains(&significant(&modulus))
        && (2..=33).contains(&significant(&exponent))
        && exponent.last().is_some_and(|last| last % 2 == 1)
}

/// Whether an Ed25519 point has small order, in any of its encodings: one signature then fits every message (RFC 8032 §8.4).
fn is_small_order(point: &str) -> bool {
    const ORDER_8: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
            0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
            0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let Ok(mut y) = URL_SAFE_NO_PAD.decode(point) else { return true };
    let Some(last) = y.last_mut() else { return true };
    *last &= 0x7f; // the sign of x
    // y = 0 or 1, as they are or with p added; y = -1; and the two of order 8.
    let zero_or_one = y[0] <= 1 && y[1..].iter().all(|byte| *byte == 0);
    let near_p = y[0] >= 0xec && y[31..] == [0x7f] && y[1..31].iter().all(|byte| *byte == 0xff);
    zero_or_one || near_p || ORDER_8.iter().any(|point| y == point)
}

#[cfg(test)]
mod tests;

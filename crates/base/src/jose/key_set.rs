//! A key set (RFC 7517 §5), reduced to the public keys that may verify a signature.
//!
//! Keys that cannot be used are skipped, one by one: sets hold keys for many purposes, and one odd key must not cost the
//! others.

use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::jose::compact::{Algorithm, Compact};
use crate::jose::signing_key::PublicKey;
use crate::jose::standing::Standing;

/// Most keys that are kept (attacks O-06).
const KEYS_MAX: usize = 100;
/// NIST SP 800-131A; the upper bound is what the verifier accepts.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Some providers pad the coordinates of their keys, although RFC 7518 §2 has them not padded.
const COORDINATE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The document is not a key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON object with an array `keys`")]
pub(crate) struct NotAKeySet;

/// Why no key of a set verified a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotVerified {
    /// No key has the token's key id, type and algorithm.
    NoKey,
    /// A key has, and the signature is not that key's.
    Signature,
}

/// Public keys that may verify a signature.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: usize,
}

impl KeySet {
    /// Reads a set. A byte order mark and repeated members are accepted: nobody but us reads this document.
    ///
    /// # Errors
    ///
    /// [`NotAKeySet`]. A set without one usable key is no error here.
    pub(crate) fn parse(document: &[u8]) -> Result<Self, NotAKeySet> {
        let document = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
        let set: Value = serde_json::from_slice(document).map_err(|_| NotAKeySet)?;
        let Some(Value::Array(members)) = set.get("keys") else { return Err(NotAKeySet) };
        let usable = members.iter().filter_map(Value::as_object).filter_map(Key::parse);
        let keys: Vec<Key> = usable.take(KEYS_MAX).collect();
        Ok(Self { skipped: members.len() - keys.len(), keys })
    }

    /// The set of `keys`, which are ours.
    pub fn of<'k>(keys: impl Iterator<Item = &'k PublicKey>) -> Self {
        let keys = keys.filter_map(|key| Key::parse(key.jwk().as_object()?)).collect();
        Self { keys, skipped: 0 }
    }

    /// How many keys may verify a signature.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// How many members of the set are of no use here.
    pub(crate) fn skipped(&self) -> usize {
        self.skipped
    }

    /// Takes the place of `before`. From now on, keys that only `before` has are withdrawn, and those that this set has are good until
    /// `fresh_until`.
    pub(crate) fn succeed(&mut self, before: Option<&Self>, fresh_until: Timestamp) {
        let before = before.map_or(&[][..], |before| &before.keys);
        for key in &mut self.keys {
            if let Some(same) = before.iter().find(|earlier| earlier.is_same(key)) {
                key.standing = Arc::clone(&same.standing);
            }
            key.standing.confirm(fresh_until);
        }
        for earlier in before {
            if !self.keys.iter().any(|key| Arc::ptr_eq(&key.standing, &earlier.standing)) {
                earlier.standing.withdraw();
            }
        }
    }

    /// Verifies the signature alone. A token without a key id is tried with each key of its type (pitfalls 45). Returns the standing of the key
    /// that has signed it.
    ///
    /// # Errors
    ///
    /// [`NotVerified`].
    pub(crate) fn verify(&self, token: &Compact<'_>) -> Result<&Arc<Standing>, NotVerified> {
        let mut candidates = self.keys.iter().filter(|key| key.fits(token)).peekable();
        if candidates.peek().is_none() {
            return Err(NotVerified::NoKey);
        }
        candidates.find(|key| key.verifies(token)).map(|key| &key.standing).ok_or(NotVerified::Signature)
    }
}

/// One public key.
#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// The only algorithm it is for, where the set says so.
    algorithm: Option<Algorithm>,
    material: Material,
    standing: Arc<Standing>,
}

#[derive(Debug)]
enum Material {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// On a curve; the algorithm follows from the curve.
    Point(Algorithm, ParsedPublicKey),
}

impl Key {
    fn parse(jwk: &Map<String, Value>) -> Option<Self> {
        // A set that publishes private halves proves nothing.
        if !may_verify(jwk) || jwk.contains_key("d") {
            return None;
        }
        let algorithm = match said(jwk, "alg") {
            None => None,
            Some(name) => Some(Algorithm::from_name(name.as_str()?)?),
        };
        let id = match said(jwk, "kid") {
            Some(Value::String(id)) => Some(id.clone()),
            Some(Value::Number(id)) => Some(id.to_string()),
            _ => None,
        };
        Some(Self { id, algorithm, material: Material::parse(jwk)?, standing: Arc::new(Standing::new()) })
    }

    /// Whether this is the same key, under the same id and for the same algorithm.
    fn is_same(&self, other: &Self) -> bool {
        let is_same_material = match (&self.material, &other.material) {
            (Material::Rsa(one), Material::Rsa(other)) => one.n == other.n && one.e == other.e,
            (Material::Point(curve, one), Material::Point(other_curve, other)) => {
                curve == other_curve && one.as_ref() == other.as_ref()
            }
            (Material::Rsa(_), Material::Point(..)) | (Material::Point(..), Material::Rsa(_)) => false,
        };
        is_same_material && self.id == other.id && self.algorithm == other.algorithm
    }

    fn fits(&self, token: &Compact<'_>) -> bool {
        let is_of_its_type = match &self.material {
            Material::Rsa(_) => rsa_parameters(token.algorithm).is_some(),
            Material::Point(algorithm, _) => *algorithm == token.algorithm,
        };
        is_of_its_type
            && self.algorithm.is_none_or(|algorithm| algorithm == token.algorithm)
            && token.key_id.as_ref().is_none_or(|id| self.id.as_ref() == Some(id))
    }

    fn verifies(&self, token: &Compact<'_>) -> bool {
        let (input, signature) = (token.signing_input, token.signature.as_slice());
        match &self.material {
            Material::Rsa(key) => rsa_parameters(token.algorithm)
                .is_some_and(|parameters| key.verify(parameters, input, signature).is_ok()),
            Material::Point(_, key) => key.verify_sig(input, signature).is_ok(),
        }
    }
}

/// Whether `use` and `key_ops` (RFC 7517 §4.2, §4.3), where they are given, allow verifying signatures.
fn may_verify(jwk: &Map<String, Value>) -> bool {
    let purpose = said(jwk, "use").is_none_or(|purpose| purpose == "sig");
    let operations = match said(jwk, "key_ops") {
        None => true,
        Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
        Some(_) => false,
    };
    purpose && operations
}

/// A member that says something: `null`, blank text and an empty list are taken for absent.
fn said<'j>(jwk: &'j Map<String, Value>, name: &str) -> Option<&'j Value> {
    jwk.get(name).filter(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    })
}

impl Material {
    fn parse(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| said(jwk, name).and_then(Value::as_str);
        let bytes = |name: &str| coordinate(text(name)?);
        match (text("kty")?, text("crv")) {
            ("RSA", _) => rsa(&bytes("n")?, &bytes("e")?),
            ("EC", Some(curve)) => point(curve, &bytes("x")?, &bytes("y")?),
            ("OKP", Some("Ed25519")) => edwards(&bytes("x")?),
            _ => None, // `oct` among them: a shared secret in public is none (O-06)
        }
    }
}

/// Decodes a coordinate; the standard alphabet is accepted beside the URL-safe one.
fn coordinate(text: &str) -> Option<Vec<u8>> {
    let text: String = text
        .chars()
        .map(|c| {
            if c == '+' {
                '-'
            } else if c == '/' {
                '_'
            } else {
                c
            }
        })
        .collect();
    COORDINATE.decode(text).ok()
}

fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

/// An RSA key that is large enough, with an odd exponent above one: with `e = 1` a signature is its own message.
fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Material> {
    let (n, e) = (without_leading_zeros(modulus), without_leading_zeros(exponent));
    let bits = |bytes: &[u8]| bytes.first().map_or(0, |first| bytes.len() * 8 - first.leading_zeros() as usize);
    let is_strong =
        RSA_BITS.contains(&bits(n)) && (2..=33).contains(&bits(e)) && e.last().is_some_and(|last| last % 2 == 1);
    is_strong.then(|| Material::Rsa(RsaPublicKeyComponents { n: n.to_vec(), e: e.to_vec() }))
}

/// A point on a NIST curve (SEC 1 §2.3.3). Writers that drop leading zeros, or add one, are understood.
fn point(curve: &str, x: &[u8], y: &[u8]) -> Option<Material> {
    let (algorithm, verifier, size): (_, &'static dyn VerificationAlgorithm, usize) = match curve {
        "P-256" => (Algorithm::Es256, &ECDSA_P256_SHA256_FIXED, 32),
        "P-384" => (Algorithm::Es384, &ECDSA_P384_SHA384_FIXED, 48),
        "P-521" => (Algorithm::Es512, &ECDSA_P521_SHA512_FIXED, 66),
        _ => return None,
    };
    let mut encoded = vec![4];
    for number in [without_leading_zeros(x), without_leading_zeros(y)] {
        encoded.resize(encoded.len() + size.checked_sub(number.len())?, 0);
        encoded.extend_from_slice(number);
    }
    Some(Material::Point(algorithm, ParsedPublicKey::new(verifier, encoded).ok()?))
}

fn edwards(x: &[u8]) -> Option<Material> {
    let point: [u8; 32] = x.try_into().ok()?;
    Some(Material::Point(Algorithm::EdDsa, ParsedPublicKey::new(&ED25519, point).ok()?))
}

const fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 | Algorithm::EdDsa => return None,
    })
}

#[cfg(test)]
mod tests;

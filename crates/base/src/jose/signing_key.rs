//! A key pair that signs compact JWS with ES256 or RS256 (RFC 7518 §3.3, §3.4), and its public half in the forms verifiers want. Of
//! keys that no longer sign, or do not yet, the public half is enough.
//! Our own tokens are verified as anybody's are: by `verify`, with a `KeySet` of the public halves.

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicEncryptingKey};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
    RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use serde_json::{Value, json};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey as PublicKeyInfo;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::crypto::{octets, uuid};
use crate::secret::Secret;

/// Why a key was not accepted or a signature not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text holds no PEM private key (PKCS #8, PKCS #1 or SEC 1).
    #[error("not a private key in PEM form (PKCS #8, PKCS #1 or SEC 1)")]
    NotPem,
    /// The text holds neither a PEM public key (RFC 7468 §13) nor a private one.
    #[error("neither a public key nor a private key in PEM form (`PUBLIC KEY`, `PRIVATE KEY`)")]
    NotPublicPem,
    /// The key is neither on the P-256 curve nor an RSA key of 2048 to 8192 bits.
    #[error("neither a P-256 key nor an RSA key of 2048 to 8192 bits")]
    NotSigning,
    /// The provider refused to sign.
    #[error("the signature could not be made")]
    Signing(#[source] aws_lc_rs::error::Unspecified),
}

/// What a key signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on the P-256 curve with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// As `alg` names it (RFC 7518 §3.1).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

/// Signs; never prints. The key is read and checked once: doing so costs more than a signature.
#[derive(Clone)]
pub struct SigningKey {
    pair: Pair,
    public: PublicKey,
}

#[derive(Clone)]
enum Pair {
    Es256(Arc<EcdsaKeyPair>),
    Rs256(Arc<RsaKeyPair>),
}

/// The half of a [`SigningKey`] that everyone may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: Algorithm,
    kid: String,
    jwk: Value,
    pem: String,
}

/// Two keys are equal if their public halves are.
impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        self.public == other.public
    }
}

impl Eq for SigningKey {}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.public.kid).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Makes a new private key for ES256, in PEM form (PKCS #8).
    pub fn generate_pem() -> Secret<String> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .expect("P-256 generation fails only without randomness");
        let der = pair.to_pkcs8v1().expect("a generated key has a DER form");
        Secret::new(pem("PRIVATE KEY", der.as_ref()))
    }

    /// Makes a new private key for RS256, of 2048 bits, in PEM form (PKCS #8). Takes up to a second.
    pub fn generate_rsa_pem() -> Secret<String> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("RSA generation fails only without randomness");
        let der: Pkcs8V1Der<'_> = pair.as_der().expect("a generated key has a DER form");
        Secret::new(pem("PRIVATE KEY", der.as_ref()))
    }

    /// Reads a private key from PEM text: P-256 in PKCS #8 or SEC 1, RSA in PKCS #8 or PKCS #1.
    ///
    /// # Errors
    ///
    /// [`Error::NotPem`], [`Error::NotSigning`].
    pub fn from_pem(text: &Secret<String>) -> Result<Self, Error> {
        let der = PrivateKeyDer::from_pem_slice(text.expose().as_bytes()).map_err(|_| Error::NotPem)?;
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let es256 = |pair| Pair::Es256(Arc::new(pair));
        let rs256 = |pair| Pair::Rs256(Arc::new(pair));
        let pair = match &der {
            PrivateKeyDer::Pkcs8(der) => EcdsaKeyPair::from_pkcs8(algorithm, der.secret_pkcs8_der())
                .map(es256)
                .or_else(|_| RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map(rs256)),
            PrivateKeyDer::Sec1(der) => EcdsaKeyPair::from_private_key_der(algorithm, der.secret_sec1_der()).map(es256),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).map(rs256),
            _ => return Err(Error::NotSigning),
        }
        .map_err(|_| Error::NotSigning)?;
        let public = match &pair {
            Pair::Es256(pair) => pair.public_key().as_der(),
            Pair::Rs256(pair) => pair.public_key().as_der(),
        };
        let public = public.ok().and_then(|der: PublicKeyX509Der<'_>| PublicKey::of(der.as_ref()));
        Ok(Self { pair, public: public.ok_or(Error::NotSigning)? })
    }

    /// What this key signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.public.algorithm
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The key id, as in [`PublicKey::kid`].
    pub fn kid(&self) -> &str {
        &self.public.kid
    }

    /// Signs `input` as it stands; answers the signature in unpadded base64url: of ES256 `R ‖ S` (64 bytes).
    ///
    /// # Errors
    ///
    /// [`Error::Signing`] where the provider refuses.
    pub fn sign(&self, input: &[u8]) -> Result<String, Error> {
        match &self.pair {
            Pair::Es256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), input).map_err(Error::Signing)?;
                Ok(URL_SAFE_NO_PAD.encode(signature))
            }
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature).map_err(Error::Signing)?;
                Ok(URL_SAFE_NO_PAD.encode(signature))
            }
        }
    }

    /// A compact JWS (RFC 7515 §7.1) of `payload`, with `header` as it is: the caller names `alg` and `kid` in it.
    ///
    /// # Errors
    ///
    /// [`Error::Signing`] where the provider refuses.
    pub fn compact(&self, header: &Value, payload: &Value) -> Result<String, Error> {
        let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload.to_string(), &mut token);
        let signature = self.sign(token.as_bytes())?;
        token.push('.');
        token.push_str(&signature);
        Ok(token)
    }
}

impl PublicKey {
    /// Reads a public key from PEM text: a `PUBLIC KEY` (RFC 7468 §13), on P-256 or for RSA.
    ///
    /// # Errors
    ///
    /// [`Error::NotPublicPem`], [`Error::NotSigning`].
    pub fn from_pem(text: &Secret<String>) -> Result<Self, Error> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.expose().as_bytes()).map_err(|_| Error::NotPublicPem)?;
        Self::of(&der).ok_or(Error::NotSigning)
    }

    /// The key of a `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7).
    fn of(der: &[u8]) -> Option<Self> {
        match der.strip_prefix(&P256_INFO) {
            Some(point) => Self::es256(der, point),
            None => Self::rs256(der),
        }
    }

    /// A point on P-256: SEC 1 §2.3.3, uncompressed: 04 ‖ X ‖ Y.
    fn es256(der: &[u8], point: &[u8]) -> Option<Self> {
        if point.len() != 65 || point[0] != 4 || ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).is_err() {
            return None;
        }
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
        let kid = thumbprint(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#));
        let jwk = json!({"kty": "EC", "use": "sig", "alg": "ES256", "kid": kid, "crv": "P-256", "x": x, "y": y});
        Some(Self { algorithm: Algorithm::Es256, kid, jwk, pem: pem("PUBLIC KEY", der) })
    }

    /// An RSA key that may have any purpose.
    fn rs256(der: &[u8]) -> Option<Self> {
        // It refuses what verifiers would, too: other sizes, an even exponent.
        let key = PublicEncryptingKey::from_der(der).ok()?;
        // Of one key there is one DER, so what differs has something else in it.
        let is_whole = key.as_der().is_ok_and(|whole: PublicKeyX509Der<'_>| whole.as_ref() == der);
        let (_, info) = SubjectPublicKeyInfo::from_der(der).ok().filter(|_| is_whole)?;
        let PublicKeyInfo::RSA(key) = info.parsed().ok()? else { return None };
        // RFC 7518 §6.3.1: big-endian, without the zero that ASN.1 puts in front.
        let number = |bytes: &[u8]| {
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            URL_SAFE_NO_PAD.encode(&bytes[zeros..])
        };
        let (n, e) = (number(key.modulus), number(key.exponent));
        let kid = thumbprint(&format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#));
        let jwk = json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": n, "e": e});
        Some(Self { algorithm: Algorithm::Rs256, kid, jwk, pem: pem("PUBLIC KEY", der) })
    }

    /// What the key verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key id: the RFC 7638 thumbprint in the shape of a UUID (RFC 9562 §5.8), because verifiers written for the ALB
    /// refuse any other shape (ALB §4.2).
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// As a member of a key set (RFC 7517 §4).
    pub fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// As one PEM `PUBLIC KEY`, which is what the ALB's key endpoint answers (ALB §4.3).
    pub fn pem(&self) -> &str {
        &self.pem
    }
}

/// What a `SubjectPublicKeyInfo` of P-256 has in front of the point: id-ecPublicKey and secp256r1 (RFC 5480 §2.1.1). DER leaves no
/// choice, and the other forms that RFC 5480 allows are not used by anybody.
const P256_INFO: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The key id of a key whose required members, in the order of RFC 7638 §3.3, are `members`.
fn thumbprint(members: &str) -> String {
    uuid::of_hash(&octets::sha256(members.as_bytes()))
}

/// RFC 7468 text of some DER.
fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64 is ASCII")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests;

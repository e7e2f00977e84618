//! A P-256 key pair that signs compact JWS with ES256 (RFC 7518 §3.4), and its public half in the forms verifiers want.

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::crypto::digest;
use crate::jose::error::Error;
use crate::secret::Secret;

/// Signs; never prints. The key is read and checked once: doing so costs more than a signature.
#[derive(Clone)]
pub(crate) struct SigningKey {
    key: Arc<EcdsaKeyPair>,
    public: PublicKey,
}

/// The half of a [`SigningKey`] that everyone may have.
#[derive(Clone, Debug)]
pub(crate) struct PublicKey {
    kid: String,
    jwk: Value,
    pem: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.public.kid).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Makes a new private key, in PEM form (PKCS #8).
    pub(crate) fn generate_pem() -> Secret<String> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .expect("P-256 generation fails only without randomness");
        let der = pair.to_pkcs8v1().expect("a generated key has a DER form");
        Secret::new(pem("PRIVATE KEY", der.as_ref()))
    }

    /// Reads a private key from PEM text, PKCS #8 or SEC 1.
    ///
    /// # Errors
    ///
    /// [`Error::NotPem`], [`Error::NotP256`].
    pub(crate) fn from_pem(text: &Secret<String>) -> Result<Self, Error> {
        let der = PrivateKeyDer::from_pem_slice(text.expose().as_bytes()).map_err(|_| Error::NotPem)?;
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = match &der {
            PrivateKeyDer::Pkcs8(der) => EcdsaKeyPair::from_pkcs8(algorithm, der.secret_pkcs8_der()),
            PrivateKeyDer::Sec1(der) => EcdsaKeyPair::from_private_key_der(algorithm, der.secret_sec1_der()),
            _ => return Err(Error::NotP256),
        }
        .map_err(|_| Error::NotP256)?;
        Ok(Self { public: PublicKey::of(&pair), key: Arc::new(pair) })
    }

    /// The public half.
    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The key id, as in [`PublicKey::kid`].
    pub(crate) fn kid(&self) -> &str {
        &self.public.kid
    }

    /// Signs `input` as it stands; answers `R ‖ S` (64 bytes) in unpadded base64url.
    ///
    /// # Errors
    ///
    /// [`Error::Signing`] where the provider refuses.
    pub(crate) fn sign(&self, input: &[u8]) -> Result<String, Error> {
        let signature = self.key.sign(&SystemRandom::new(), input).map_err(Error::Signing)?;
        Ok(URL_SAFE_NO_PAD.encode(signature))
    }

    /// A compact JWS (RFC 7515 §7.1) of `payload`, with `header` as it is: the caller names `alg` and `kid` in it.
    ///
    /// # Errors
    ///
    /// [`Error::Signing`] where the provider refuses.
    pub(crate) fn compact(&self, header: &Value, payload: &Value) -> Result<String, Error> {
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
    fn of(pair: &EcdsaKeyPair) -> Self {
        // SEC 1 §2.3.3, uncompressed: 04 ‖ X ‖ Y.
        let point = pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
        // RFC 7638: the required members in this order are the thumbprint's input.
        let thumbprint = digest::sha256(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes());
        let kid = uuid_shaped(&thumbprint);
        let jwk = json!({"kty": "EC", "use": "sig", "alg": "ES256", "kid": kid, "crv": "P-256", "x": x, "y": y});
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("a P-256 point has a SubjectPublicKeyInfo");
        Self { kid, jwk, pem: pem("PUBLIC KEY", der.as_ref()) }
    }

    /// The key id: the RFC 7638 thumbprint in the shape of a UUID (RFC 9562 §5.8), because verifiers written for the ALB
    /// refuse any other shape (spec §4.2).
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// As a member of a key set (RFC 7517 §4).
    pub(crate) fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// The payload of a compact JWS that this key signed with ES256 and whose header says `typ`; its claims are unchecked.
    ///
    /// `alg` is ours to say, not the token's (RFC 8725 §3.1); `typ` keeps one kind of token from passing for another (§3.11).
    pub(crate) fn payload(&self, token: &str, typ: &str) -> Option<Value> {
        let (input, signature) = token.rsplit_once('.')?;
        let (header, payload) = input.split_once('.')?;
        let decoded = |segment: &str| URL_SAFE_NO_PAD.decode(segment).ok();
        let header: Value = serde_json::from_slice(&decoded(header)?).ok()?;
        if header["alg"] != "ES256" || header["kid"] != self.kid.as_str() || header["typ"] != typ {
            return None;
        }
        let coordinate = |name: &str| self.jwk[name].as_str().and_then(decoded);
        let point = [vec![4], coordinate("x")?, coordinate("y")?].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(input.as_bytes(), &decoded(signature)?).ok()?;
        serde_json::from_slice(&decoded(payload)?).ok()
    }

    /// As one PEM `PUBLIC KEY`, which is what the ALB's key endpoint answers (spec §4.3).
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }
}

/// The first 16 bytes of a hash as a version-8 UUID (RFC 9562 §5.8: "custom").
fn uuid_shaped(hash: &[u8; 32]) -> String {
    let mut bytes: [u8; 16] = hash[..16].try_into().expect("the hash has 32 bytes");
    bytes[6] = 0x80 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
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

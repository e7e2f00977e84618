//! Seals values as text that a browser or another program keeps for us: JSON, encrypted by [`aead`], as base64url without padding.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::crypto::aead::{self, DoesNotOpen, Key};

/// Sealing keys. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sealer(Arc<[Key]>);

/// What a sealed value is for: the associated data of the encryption. A value opens only with the same one.
#[derive(Debug, PartialEq, Eq)]
pub struct Context(Vec<u8>);

impl Context {
    /// Each part has its length before it, so two lists of parts never give the same bytes (attacks S-04).
    pub fn new<const N: usize>(parts: [&str; N]) -> Self {
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + size_of::<u64>()).sum());
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        Self(bytes)
    }
}

impl Sealer {
    /// The first key encrypts; every key can decrypt.
    ///
    /// # Panics
    ///
    /// Without a key. Validation demands one.
    pub fn new(keys: Arc<[Key]>) -> Self {
        assert!(!keys.is_empty(), "a key ring has a key");
        Self(keys)
    }

    /// Seals a value as JSON.
    pub fn seal<T: Serialize>(&self, context: &Context, value: &T) -> String {
        self.seal_bytes(context, &serde_json::to_vec(value).expect("every value that we seal has a JSON form"))
    }

    /// Opens a value that [`seal`](Self::seal) sealed.
    ///
    /// # Errors
    ///
    /// For every other text, and for a value that is not a `T`.
    pub fn open<T: DeserializeOwned>(&self, context: &Context, text: &[u8]) -> Result<T, DoesNotOpen> {
        serde_json::from_slice(&self.open_bytes(context, text)?).map_err(|_| DoesNotOpen)
    }

    /// Seals bytes.
    pub fn seal_bytes(&self, context: &Context, plain: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.0[0].seal(plain, &context.0))
    }

    /// Opens bytes that [`seal_bytes`](Self::seal_bytes) sealed.
    ///
    /// # Errors
    ///
    /// For every other text.
    pub fn open_bytes(&self, context: &Context, text: &[u8]) -> Result<Vec<u8>, DoesNotOpen> {
        // The engine refuses padding and unused bits at the end that are not zero. So each value has exactly one spelling.
        let sealed = URL_SAFE_NO_PAD.decode(text).map_err(|_| DoesNotOpen)?;
        aead::open(&self.0, &sealed, &context.0)
    }
}

#[cfg(test)]
mod tests;

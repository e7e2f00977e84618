//! Encrypts values that are sent to a browser and come back: AES-256-GCM-SIV (RFC 8452) with a random nonce and a key id.
//!
//! GCM-SIV, because the nonce is random and replicas share keys: with plain GCM two equal nonces would give away the
//! authentication key, here they only show that two plaintexts were equal.
//!
//! A sealed value is `version (1) ‖ key id (4) ‖ nonce (12) ‖ ciphertext and tag`. The caller's associated data says what
//! the value is for; it is part of the seal, so that a value made for one purpose does not open for another.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;

use crate::crypto::octets;
use crate::secret::Secret;

/// Bytes that a seal adds to the plaintext.
pub const OVERHEAD_BYTES: usize = HEAD_BYTES + NONCE_LEN + 16;

const VERSION: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES;

/// A sealing key. Its id is the start of a hash of it, so that replicas agree on it without being told.
pub struct Key {
    id: [u8; KEY_ID_BYTES],
    /// The whole hash, of which the id is the start.
    hash: [u8; 32],
    cipher: LessSafeKey,
    /// Derived from the key, so that no key has two uses.
    authentication: hmac::Key,
}

/// Compares hashes, because equal ids do not prove that the keys are equal.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        octets::equal(&self.hash, &other.hash)
    }
}

impl Eq for Key {}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The value was not sealed by one of our keys for this purpose.
#[derive(Debug, thiserror::Error)]
#[error("the value cannot be decrypted")]
pub struct DoesNotOpen;

impl Key {
    /// Prepares a 256-bit key.
    pub fn new(bytes: &Secret<[u8; 32]>) -> Self {
        let hash = octets::sha256(&[b"vestibule key id", bytes.expose().as_slice()].concat());
        let unbound =
            UnboundKey::new(&AES_256_GCM_SIV, bytes.expose()).expect("the key has the length of the algorithm");
        let derived = octets::sha256(&[b"vestibule authentication key", bytes.expose().as_slice()].concat());
        let authentication = hmac::Key::new(hmac::HMAC_SHA256, &derived);
        Self { id: [hash[0], hash[1], hash[2], hash[3]], hash, cipher: LessSafeKey::new(unbound), authentication }
    }

    /// The HMAC-SHA-256 of `message`: 32 bytes from which nobody without the key can guess a short message.
    pub(crate) fn authenticate(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.authentication, message).as_ref().to_vec()
    }

    /// Whether `code` is what [`authenticate`](Self::authenticate) returned for `message`. Takes as long for each wrong one.
    pub(crate) fn is_authentic(&self, message: &[u8], code: &[u8]) -> bool {
        hmac::verify(&self.authentication, message, code).is_ok()
    }

    /// Seals `plaintext` for the purpose that `associated` names.
    pub fn seal(&self, plaintext: &[u8], associated: &[u8]) -> Vec<u8> {
        let nonce = octets::random::<NONCE_LEN>();
        let mut sealed = Vec::with_capacity(plaintext.len() + OVERHEAD_BYTES);
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.id);
        sealed.extend_from_slice(&nonce);
        let mut body = plaintext.to_vec();
        self.cipher
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated), &mut body)
            .expect("sealing fails only beyond 64 GiB");
        sealed.append(&mut body);
        sealed
    }

    /// Whether the key id in `sealed` is that of this key.
    fn claims(&self, sealed: &[u8]) -> bool {
        sealed.len() >= OVERHEAD_BYTES && sealed[0] == VERSION && sealed[1..HEAD_BYTES] == self.id
    }

    fn open(&self, sealed: &[u8], associated: &[u8]) -> Result<Vec<u8>, DoesNotOpen> {
        let (nonce, body) = sealed[HEAD_BYTES..].split_at(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| DoesNotOpen)?;
        let mut body = body.to_vec();
        let length = self.cipher.open_in_place(nonce, Aad::from(associated), &mut body).map_err(|_| DoesNotOpen)?.len();
        body.truncate(length);
        Ok(body)
    }
}

/// Decrypts `sealed` with the key of `keys` that encrypted it, for the purpose that `associated` names.
///
/// # Errors
///
/// One error for every cause: the error must not reveal which byte was wrong.
pub fn open(keys: &[Key], sealed: &[u8], associated: &[u8]) -> Result<Vec<u8>, DoesNotOpen> {
    // Two keys may share an id (32 bits); the tag decides.
    keys.iter().filter(|key| key.claims(sealed)).find_map(|key| key.open(sealed, associated).ok()).ok_or(DoesNotOpen)
}

#[cfg(test)]
mod tests;

//! What a token is remembered by.

use crate::crypto::octets;

/// The SHA-256 of a token. Whoever reads it cannot use the token.
pub type Digest = [u8; 32];

/// The digest of a token.
pub fn digest(token: &str) -> Digest {
    octets::sha256(token.as_bytes())
}

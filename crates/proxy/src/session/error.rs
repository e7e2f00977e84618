//! Why a cookie was refused or could not be made. The client never sees this error.

use crate::crypto::aead::DoesNotOpen;

/// Why a cookie was refused or could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The value was not encrypted with one of our keys for this purpose, name and host, or it is damaged or incomplete. One
    /// variant covers all of these, so that an attacker cannot learn which byte was wrong (attacks S-05).
    #[error("the cookie cannot be decrypted")]
    Invalid,
    /// The value was encrypted with one of our keys, but this version does not know its layout. It is handled like a missing
    /// session (pitfalls 28, 30).
    #[error("the cookie has the format of another version")]
    Version,
    /// The session does not fit into four cookies of 4096 bytes (ALB §2.5.4).
    #[error("the session does not fit into four cookies")]
    TooLarge,
}

impl From<DoesNotOpen> for Error {
    fn from(DoesNotOpen: DoesNotOpen) -> Self {
        Self::Invalid
    }
}

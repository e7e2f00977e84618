//! Why a cookie was not accepted or not made; never shown to the client.

/// Why a cookie was not accepted or not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Not sealed by one of our keys for this purpose, name and host; or damaged, or not whole. One variant for all of it:
    /// which byte was wrong is nobody's business (attacks S-05).
    #[error("the cookie cannot be decrypted")]
    Invalid,
    /// Sealed by us, in a layout that this version does not know: the same as no session (pitfalls 28, 30).
    #[error("the cookie has the format of another version")]
    Version,
    /// Does not fit into four cookies of 4096 bytes (ALB §2.5.4).
    #[error("the session does not fit into four cookies")]
    TooLarge,
}

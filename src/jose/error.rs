//! One variant for each way in which a key or a token can be wrong.

/// Why a key was not accepted or a signature not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The text holds no PEM private key (PKCS #8, PKCS #1 or SEC 1).
    #[error("not a private key in PEM form (PKCS #8, PKCS #1 or SEC 1)")]
    NotPem,
    /// The key is neither on the P-256 curve nor an RSA key of 2048 to 8192 bits.
    #[error("neither a P-256 private key nor an RSA one of 2048 to 8192 bits")]
    NotSigning,
    /// The provider refused to sign.
    #[error("the signature could not be made")]
    Signing(#[source] aws_lc_rs::error::Unspecified),
}

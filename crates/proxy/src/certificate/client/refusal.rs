//! Why a handshake ends because of the client's certificate.

use std::cell::RefCell;
use std::future::Future;
use std::io;

use rustls::CertificateError;

tokio::task_local! {
    /// What the verifier has refused in the handshake of this task.
    static REFUSED: RefCell<Option<Refused>>;
}

/// A certificate that a handshake has refused, for the log: only the connection knows the address of the client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refused {
    /// The first characters of the subject.
    pub(crate) subject: Option<String>,
    /// SHA-256.
    pub(crate) fingerprint: Option<String>,
    pub(crate) error: String,
}

/// Performs a handshake, and says which certificate it has refused.
pub(crate) async fn watched<T>(handshake: impl Future<Output = T>) -> (T, Option<Refused>) {
    let watched = async {
        let done = handshake.await;
        (done, REFUSED.with(RefCell::take))
    };
    REFUSED.scope(RefCell::default(), watched).await
}

/// Keeps what the verifier refuses for [`watched`].
pub(super) fn keep(refused: impl FnOnce() -> Refused) {
    // An error says that nobody watches.
    let _ = REFUSED.try_with(|slot| *slot.borrow_mut() = Some(refused()));
}

/// Authorities above a client's certificate, the one in the trust store included (ALB §10.8).
pub(super) const AUTHORITIES_MAX: usize = 4;

/// Bytes of a client's chain in DER form. A connection keeps it as long as it is open.
pub(super) const CHAIN_BYTES_MAX: usize = 32 * 1024;

/// Bytes of a subject in its text form: it becomes a header (ALB §10.8).
pub(super) const SUBJECT_BYTES_MAX: usize = 10_000;

/// A limit that a client's chain is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OverLimit {
    #[error("the chain has more than {max} bytes", max = CHAIN_BYTES_MAX)]
    Chain,
    #[error("there are more than {max} authorities above the certificate", max = AUTHORITIES_MAX)]
    Depth,
    #[error("the subject has more than {max} bytes", max = SUBJECT_BYTES_MAX)]
    Subject,
}

/// The cause if a client shows no certificate.
pub const NONE: &str = "none";

/// The causes of refusals, for the metric.
pub const CAUSES: [&str; 11] = [
    NONE,
    "malformed",
    "expired",
    "not_valid_yet",
    "unknown_authority",
    "revoked",
    "revocation_unknown",
    "purpose",
    "signature",
    "limit",
    "other",
];

/// The cause, if a handshake has failed because of the client's certificate.
pub(crate) fn cause(error: &io::Error) -> Option<&'static str> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::NoCertificatesPresented => Some(NONE),
        rustls::Error::InvalidCertificate(error) => Some(of(error)),
        _ => None,
    }
}

/// The cause of an error about a certificate.
pub fn of(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::BadEncoding | CertificateError::UnhandledCriticalExtension => "malformed",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "not_valid_yet",
        CertificateError::UnknownIssuer => "unknown_authority",
        CertificateError::Revoked => "revoked",
        CertificateError::UnknownRevocationStatus
        | CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => "revocation_unknown",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => "purpose",
        CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => "signature",
        CertificateError::Other(other) if other.0.is::<OverLimit>() => "limit",
        _ => "other",
    }
}

/// What rustls tells the client by an alert.
pub(super) fn error(error: webpki::Error) -> CertificateError {
    use webpki::Error;
    match error {
        Error::BadDer
        | Error::BadDerTime
        | Error::TrailingData(_)
        | Error::ExtensionValueInvalid
        | Error::UnsupportedCertVersion
        | Error::MalformedExtensions => CertificateError::BadEncoding,
        Error::UnsupportedCriticalExtension => CertificateError::UnhandledCriticalExtension,
        Error::CertExpired { .. } | Error::InvalidCertValidity => CertificateError::Expired,
        Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
        Error::CertRevoked => CertificateError::Revoked,
        Error::UnknownIssuer => CertificateError::UnknownIssuer,
        Error::CrlExpired { .. } => CertificateError::ExpiredRevocationList,
        Error::UnknownRevocationStatus | Error::IssuerNotCrlSigner | Error::InvalidCrlSignatureForPublicKey => {
            CertificateError::UnknownRevocationStatus
        }
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => CertificateError::InvalidPurpose,
        Error::InvalidSignatureForPublicKey
        | Error::SignatureAlgorithmMismatch
        | Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => CertificateError::BadSignature,
        Error::MaximumPathDepthExceeded => OverLimit::Depth.into(),
        other => CertificateError::Other(rustls::OtherError(std::sync::Arc::new(other))),
    }
}

impl From<OverLimit> for CertificateError {
    fn from(limit: OverLimit) -> Self {
        Self::Other(rustls::OtherError(std::sync::Arc::new(limit)))
    }
}

//! Validated settings of ACME.

use std::path::PathBuf;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use url::Url;

/// From which authority certificates come, for which names, and where they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The directory of the authority (RFC 8555 §7.1.1).
    pub directory: Url,
    /// Certificate authorities trusted for calls to the directory, besides those of the system.
    pub roots: Vec<CertificateDer<'static>>,
    /// The folder of the account and of the certificates.
    pub folder: PathBuf,
    /// `mailto:` and an address, for messages of the authority.
    pub contact: Option<String>,
    pub challenge: Challenge,
    /// DNS names in lower case, without wildcards, each once. Each gets a certificate of its own, so that one name that
    /// fails does not keep the others from theirs.
    pub names: Vec<Arc<str>>,
}

impl Settings {
    /// Whether the authority and the folder are the same, so that what is known of a name still holds.
    pub(super) fn is_same_place(&self, other: &Self) -> bool {
        self.directory == other.directory && self.folder == other.folder
    }
}

/// How the authority verifies that a name leads here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// A request to port 80 of the name (RFC 8555 §8.3).
    Http01,
    /// A TLS handshake at port 443 of the name (RFC 8737).
    TlsAlpn01,
}

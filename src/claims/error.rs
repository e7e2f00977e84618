//! Why the headers that tell a target who the user is could not be made.

use crate::jose;

/// Why a request must not be forwarded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The claims could not be signed. This is a fault of Vestibule.
    #[error(transparent)]
    Signing(#[from] jose::signing_key::Error),
    /// A header would be longer than `claims.header_bytes_max`: the provider sends too many claims about the user.
    #[error("the header `{header}` would have {bytes} bytes; the limit `claims.header_bytes_max` is {most}")]
    TooLarge {
        /// The name of the header.
        header: &'static str,
        /// The length that the header would have.
        bytes: usize,
        /// The limit `claims.header_bytes_max`.
        most: usize,
    },
}

//! Why a target could not be told who the user is.

use crate::jose;

/// Why a request must not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The claims could not be signed. Our fault.
    #[error(transparent)]
    Signing(#[from] jose::error::Error),
    /// A header would be longer than `claims.header_bytes_max`: what the provider says of the user is too much for targets.
    #[error("the header `{header}` would have {bytes} bytes; the limit `claims.header_bytes_max` is {most}")]
    TooLarge {
        /// The header.
        header: &'static str,
        /// What it would have.
        bytes: usize,
        /// What it may have.
        most: usize,
    },
}

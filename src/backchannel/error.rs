//! Why a call failed.

use crate::message::BoxError;

/// Why a call failed before there was a whole response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No connection: name, route, refusal or TLS.
    #[error("could not connect")]
    Connect(#[source] BoxError),
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The answer is larger than we read.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection broke in the middle.
    #[error("the connection broke")]
    Broken(#[source] BoxError),
    /// The address is neither `https`, nor one of this machine where `http` is allowed.
    #[error("the address is not https")]
    Insecure,
    /// The client could not be made.
    #[error("the client could not be made")]
    Setup(#[source] BoxError),
}

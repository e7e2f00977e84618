//! One call: a request, and its whole answer or why there is none.

use std::future::Future;
use std::pin::Pin;

use crate::message::{BoxError, WholeRequest, WholeResponse};

/// One bounded request, one bounded response. Two implementations: the network, and the user pool in this process.
pub trait Backchannel: Send + Sync + std::fmt::Debug {
    /// Makes the call. Redirects are not followed. Deadline and size limit are the implementation's.
    fn call(&self, request: WholeRequest) -> Pin<Box<dyn Future<Output = Result<WholeResponse, Error>> + Send + '_>>;
}

/// Why a call failed before there was a whole response.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection: name, route, refusal or TLS.
    #[error("could not connect")]
    Connect(#[source] BoxError),
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// Calls before this one hung, and none is made until a probe is answered.
    #[error("it is not asked, because it did not answer in time before")]
    CircuitOpen,
    /// The answer is larger than we read.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection broke in the middle.
    #[error("the connection broke")]
    Broken(#[source] BoxError),
    /// The address is neither `https`, nor one for which the configuration allows `http`.
    #[error("the address is not https")]
    Insecure,
    /// The client could not be made.
    #[error("the client could not be made")]
    Setup(#[source] BoxError),
}

//! Outgoing HTTP calls that the proxy makes for itself, not for a client.

pub(crate) mod error;
pub(crate) mod network;
pub(crate) mod settings;

use std::future::Future;
use std::pin::Pin;

use crate::message::{WholeRequest, WholeResponse};
use error::Error;

/// One bounded request, one bounded response. Two implementations: the network, and the user pool in this process.
pub(crate) trait Backchannel: Send + Sync + std::fmt::Debug {
    /// Makes the call. Redirects are not followed. Deadline and size limit are the implementation's.
    fn call(&self, request: WholeRequest) -> Pin<Box<dyn Future<Output = Result<WholeResponse, Error>> + Send + '_>>;
}

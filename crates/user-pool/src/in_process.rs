//! The back channel from our own relying party to the pool: no socket, no certificate, the same requests.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::backchannel::call::{Backchannel, Error};
use crate::message::{WholeRequest, WholeResponse};
use crate::pool::UserPool;

/// Calls [`UserPool::handle_ours`].
#[derive(Clone, Debug)]
pub struct InProcess(Arc<UserPool>);

impl InProcess {
    /// Creates a back channel to `pool`.
    pub fn new(pool: Arc<UserPool>) -> Self {
        Self(pool)
    }
}

impl Backchannel for InProcess {
    fn call(&self, request: WholeRequest) -> Pin<Box<dyn Future<Output = Result<WholeResponse, Error>> + Send + '_>> {
        Box::pin(async move { Ok(self.0.handle_ours(request).await) })
    }
}

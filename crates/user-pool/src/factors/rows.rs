//! The rows of one pool.

use std::sync::Arc;

use crate::database::Vault;

/// The factors of the users of one pool.
#[derive(Clone, Debug)]
pub(crate) struct Factors {
    /// The name of the pool in the configuration.
    pub(crate) pool: Arc<str>,
    pub(super) vault: Vault,
}

impl Factors {
    /// Of the pool with this name in the configuration. `vault` encrypts secrets.
    pub(crate) fn new(pool: Arc<str>, vault: Vault) -> Self {
        Self { pool, vault }
    }
}

//! Validated settings of the session room.

use std::sync::Arc;

use crate::crypto::aead::Key;

/// Keys that seal sessions and pending logins: the first seals, all open (DESIGN §3). Never empty.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The key ring.
    pub(crate) keys: Arc<[Key]>,
}

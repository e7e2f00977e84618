//! Validated settings of the session room.

use std::sync::Arc;

use http::HeaderValue;

use crate::crypto::aead::Key;

/// Keys that seal sessions and pending logins: the first seals, all open (DESIGN §3). Never empty.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The key ring.
    pub(crate) keys: Arc<[Key]>,
    /// `Clear-Site-Data` of the answer that ends a session.
    pub(crate) clear_site_data: Option<HeaderValue>,
}

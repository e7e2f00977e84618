//! Validated settings of the session room.

use std::sync::Arc;

use http::HeaderValue;

use crate::crypto::aead::Key;

/// Settings of sessions and pending logins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The first key encrypts sessions and pending logins. Every key can decrypt (DESIGN §3). Never empty.
    pub keys: Arc<[Key]>,
    /// Value of the `Clear-Site-Data` header in the answer that ends a session.
    pub clear_site_data: Option<HeaderValue>,
}

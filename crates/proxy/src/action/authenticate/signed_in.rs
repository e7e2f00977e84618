//! A signed-in user, as long as a worker caches the cookie.

use std::rc::Rc;
use std::sync::Arc;

use http::HeaderValue;

use crate::action::authenticate::flights::Renewal;
use crate::action::authenticate::session_lease::SessionLease;
use crate::action::visitor::Visitor;

/// A decrypted session with its user.
#[derive(Debug)]
pub(crate) struct SignedIn {
    pub(super) visitor: Rc<Visitor>,
    pub(super) lease: Rc<SessionLease>,
    /// The cookies of this session, for a browser that sent an older cookie.
    pub(super) renewal: Option<Arc<Renewal>>,
}

impl SignedIn {
    /// The new cookies for a browser with an older cookie.
    pub(super) fn new_cookies(&self) -> &[HeaderValue] {
        self.renewal.as_ref().map_or(&[], |renewal| &renewal.cookies)
    }

    /// Approximate size in memory, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.lease.session().weight() + self.visitor.weight()
    }
}

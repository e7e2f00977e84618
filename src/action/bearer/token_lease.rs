//! Until when a bearer token holds.

use crate::action::visitor::{Lease, Renewed};
use crate::clock::Timestamp;

/// A token holds until it expires.
#[derive(Debug)]
pub(super) struct TokenLease {
    pub(super) accepted_until: Timestamp,
}

impl Lease for TokenLease {
    fn expires_at(&self) -> Timestamp {
        self.accepted_until
    }

    fn has_ended(&self, _: Timestamp) -> bool {
        false
    }

    fn renewed(&self) -> Renewed {
        Renewed::No
    }

    fn is_token(&self) -> bool {
        true
    }

    fn asked_again_at(&self) -> Option<Timestamp> {
        None
    }
}

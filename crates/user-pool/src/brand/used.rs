//! Which sign-ins at own pages are over. Each handle and each ticket counts once.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::shares::{Bounds, Found, Shares};

/// Maximum number of remembered values. Each stands for a right password, and is forgotten after a quarter of an hour. If there are more, the
/// oldest count as used.
const REMEMBERED: Bounds = Bounds { per_owner: 100_000, total: 100_000 };

/// What was used.
#[derive(Debug)]
pub(crate) struct Used(Mutex<Shares<()>>);

impl Default for Used {
    fn default() -> Self {
        Self(Mutex::new(Shares::new(REMEMBERED)))
    }
}

impl Used {
    /// Uses the value with this ID, which was made at `made_at` and is good for `lifetime`. `false` if it was used before. Of several calls at the
    /// same time, one gets `true`.
    pub(crate) fn take(&self, id: &str, made_at: Timestamp, lifetime: Duration, now: Timestamp) -> bool {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(used.find(&(), &id, made_at, now), Found::Never) {
            return false;
        }
        // A second more: a value is good up to and with the last one.
        used.put(&(), &id, (made_at, made_at + lifetime + Duration::from_secs(2)), (), now);
        true
    }

    /// Whether the value was used.
    pub(crate) fn has(&self, id: &str, made_at: Timestamp, now: Timestamp) -> bool {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !matches!(used.find(&(), &id, made_at, now), Found::Never)
    }
}

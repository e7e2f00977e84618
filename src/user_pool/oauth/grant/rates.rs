//! Limits token requests.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::user_pool::oauth::grant::record::{Grant, Refused};
use crate::user_pool::rate_limit::{Buckets, Limit};

/// Limit on token requests of one user at one client. A browser causes one per sign-in and one per refresh.
const TOKENS_PER_USER_AND_CLIENT: Limit = Limit { burst: 120, interval: Duration::from_secs(1) };
/// Maximum number of buckets.
const BUCKETS_MAX: usize = 100_000;

/// Counts token requests by user and client. A clone counts the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Rates(Arc<Mutex<Buckets>>);

impl Default for Rates {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Buckets::new(TOKENS_PER_USER_AND_CLIENT, BUCKETS_MAX))))
    }
}

impl Rates {
    /// Counts a request that is about to be given tokens. One that is not is not counted: whoever has found a code or refresh token
    /// that is worth nothing any more could use up the requests of its user.
    ///
    /// # Errors
    ///
    /// [`Refused::TooMany`].
    pub(crate) fn count(&self, grant: &Grant, now: Timestamp) -> Result<(), Refused> {
        let mut rates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = rates.key(&grant.owner());
        let wait = rates.wait(key, now);
        if !wait.is_zero() {
            return Err(Refused::TooMany(wait));
        }
        rates.take(key, now);
        Ok(())
    }
}

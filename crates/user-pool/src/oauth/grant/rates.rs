//! Limits token requests.

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::oauth::grant::record::{Grant, Refused};
use crate::rate_limit::{Buckets, Limit};

/// Limit on token requests of one user at one client. A browser causes one per sign-in and one per refresh.
const TOKENS_PER_USER_AND_CLIENT: Limit = Limit { burst: 120, interval: Duration::from_secs(1) };
/// Limit on tokens of one client for itself.
const TOKENS_PER_CLIENT: Limit = Limit { burst: 200, interval: Duration::from_millis(20) };
/// Maximum number of buckets.
const BUCKETS_MAX: usize = 100_000;

/// Counts token requests by user and client. A clone counts the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    of_users: Arc<Mutex<Buckets>>,
    of_clients: Arc<Mutex<Buckets>>,
}

impl Default for Rates {
    fn default() -> Self {
        let buckets = |limit| Arc::new(Mutex::new(Buckets::new(limit, BUCKETS_MAX)));
        Self { of_users: buckets(TOKENS_PER_USER_AND_CLIENT), of_clients: buckets(TOKENS_PER_CLIENT) }
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
        take(&self.of_users, &grant.owner(), now)
    }

    /// Counts a token that a client is about to be given for itself.
    ///
    /// # Errors
    ///
    /// [`Refused::TooMany`].
    pub(crate) fn count_client(&self, client_id: &str, now: Timestamp) -> Result<(), Refused> {
        take(&self.of_clients, &client_id, now)
    }
}

fn take(rates: &Mutex<Buckets>, of: &impl Hash, now: Timestamp) -> Result<(), Refused> {
    let mut rates = rates.lock().unwrap_or_else(PoisonError::into_inner);
    let key = rates.key(of);
    let wait = rates.wait(key, now);
    if !wait.is_zero() {
        return Err(Refused::TooMany(wait));
    }
    rates.take(key, now);
    Ok(())
}

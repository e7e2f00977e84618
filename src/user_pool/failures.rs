//! Reports failures of the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::database::Error;
use crate::message::causes::with_causes;
use crate::telemetry::metrics::{Counter, Registry};

/// Minimum time between two lines in the log: everybody who sends requests can cause failures while the database fails.
const INTERVAL: Duration = Duration::from_secs(10);

/// Counts all failures, and logs some.
#[derive(Debug)]
pub(crate) struct Failures {
    pool: Arc<str>,
    counter: Counter,
    clock: Clock,
    /// When the last line was logged, in milliseconds.
    logged_at: AtomicU64,
}

impl Failures {
    /// Registers the counter of the pool of that name.
    pub(crate) fn new(pool: &Arc<str>, clock: Clock, registry: &Registry) -> Self {
        let help = "Requests that the user pool could not answer because its database fails.";
        let counter = registry.counter("vestibule_pool_store_failures_total", help, vec![("pool", pool.to_string())]);
        Self { pool: Arc::clone(pool), counter, clock, logged_at: AtomicU64::new(0) }
    }

    /// Reports one.
    pub(crate) fn report(&self, error: &Error) {
        self.counter.increment();
        let (now, before) = (self.clock.now(), self.logged_at.load(Ordering::Relaxed));
        let is_due = now.millis() < before || now.millis() - before >= INTERVAL.as_millis() as u64;
        let claimed = is_due
            && self.logged_at.compare_exchange(before, now.millis(), Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if claimed {
            tracing::error!(
                pool = &*self.pool,
                error = with_causes(error),
                "the database of a user pool fails: requests are answered with 503"
            );
        }
    }
}

//! Reports failures of the database.

use std::sync::Arc;

use crate::clock::Clock;
use crate::database::Error;
use crate::message::causes::with_causes;
use crate::seldom::Seldom;
use crate::telemetry::metrics::{Counter, Registry};

/// Counts all failures, and logs some.
#[derive(Debug)]
pub(crate) struct Failures {
    pool: Arc<str>,
    counter: Counter,
    clock: Clock,
    /// Everybody who sends requests can cause failures while the database fails.
    logged: Seldom,
}

impl Failures {
    /// Registers the counter of the pool of that name.
    pub(crate) fn new(pool: &Arc<str>, clock: Clock, registry: &Registry) -> Self {
        let help = "Requests that the user pool could not answer because its database fails.";
        let counter = registry.counter("vestibule_pool_store_failures_total", help, vec![("pool", pool.to_string())]);
        Self { pool: Arc::clone(pool), counter, clock, logged: Seldom::default() }
    }

    /// Reports one.
    pub(crate) fn report(&self, error: &Error) {
        self.counter.increment();
        if self.logged.is_due(self.clock.now()) {
            tracing::error!(
                pool = &*self.pool,
                error = with_causes(error),
                "the database of a user pool fails: requests are answered with 503"
            );
        }
    }
}

//! The metrics of messages.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::messages::queue::Contents;
use crate::telemetry::metrics::{Counter, Registry};

/// The counters of the messages of a pool.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) sent: Counter,
    pub(crate) failed: Counter,
    pub(crate) given_up: Counter,
    pub(crate) useless: Counter,
    waiting: Counter,
    dead: Counter,
    oldest: Counter,
    /// Tells a test that there is something new.
    #[cfg(test)]
    pub(super) changed: Arc<tokio::sync::Notify>,
}

impl Metrics {
    /// Registers the series of the pool of that name.
    pub(crate) fn new(pool: &Arc<str>, registry: &Registry) -> Self {
        let labels = |name, value: &str| vec![("pool", pool.to_string()), (name, value.to_owned())];
        let outcome = |outcome| {
            let help = "Messages of the user pool by what became of them: `sent`; `failed`, a try that another may follow; `given_up`; `useless`, \
                        whose code was used, replaced or had expired before it could be sent.";
            registry.counter("vestibule_pool_messages_total", help, labels("outcome", outcome))
        };
        let state = |state| {
            let help = "Messages in the outbox of the user pool: `waiting`, and `dead`, which were given up within the last week.";
            registry.reading("vestibule_pool_outbox_messages", help, labels("state", state))
        };
        Self {
            sent: outcome("sent"),
            failed: outcome("failed"),
            given_up: outcome("given_up"),
            useless: outcome("useless"),
            waiting: state("waiting"),
            dead: state("dead"),
            oldest: registry.reading(
                "vestibule_pool_outbox_oldest_seconds",
                "The age of the oldest message that waits in the outbox of the user pool; 0 if none does.",
                vec![("pool", pool.to_string())],
            ),
            #[cfg(test)]
            changed: Arc::default(),
        }
    }

    /// Shows what is in the outbox.
    pub(crate) fn show(&self, contents: Contents, now: Timestamp) {
        self.waiting.set(contents.waiting);
        self.dead.set(contents.dead);
        self.oldest.set(contents.oldest.map_or(0, |oldest| now.since(oldest).as_secs()));
    }
}

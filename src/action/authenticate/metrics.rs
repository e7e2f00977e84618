//! Counts logins and refreshes, by provider.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::exchange::rejection::Reason;
use crate::telemetry::metrics::{Counter, Registry};

/// Series of one action's provider.
#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) started: Counter,
    pub(super) finished: Counter,
    pub(super) failures: Failures,
    pub(super) refreshes: Refreshes,
}

/// Refreshes, by what came of them.
#[derive(Clone, Debug)]
pub(super) struct Refreshes {
    pub(super) renewed: Counter,
    pub(super) ended: Counter,
    pub(super) failed: Counter,
}

impl Metrics {
    pub(super) fn new(registry: &Registry, provider: &str) -> Self {
        let labels = |outcome: &str| vec![("provider", provider.to_owned()), ("outcome", outcome.to_owned())];
        let logins = |outcome| {
            registry.counter("vestibule_logins_total", "Logins begun and finished, by provider.", labels(outcome))
        };
        let refreshes = |outcome| {
            let help = "Refreshes of a session's tokens, by provider and what came of them.";
            registry.counter("vestibule_refreshes_total", help, labels(outcome))
        };
        Self {
            started: logins("started"),
            finished: logins("finished"),
            failures: Failures::new(registry, provider),
            refreshes: Refreshes {
                renewed: refreshes("renewed"),
                ended: refreshes("ended"),
                failed: refreshes("failed"),
            },
        }
    }
}

/// Logins that failed, by reason. A series is made when its reason is first met, so that a scrape does not list what has
/// never happened.
#[derive(Debug)]
pub(super) struct Failures {
    registry: Registry,
    provider: String,
    by_reason: Mutex<HashMap<Reason, Counter>>,
}

const FAILURES: &str = "vestibule_login_failures_total";
const FAILURES_HELP: &str = "Logins that failed, by provider and reason.";

impl Failures {
    pub(super) fn new(registry: &Registry, provider: &str) -> Self {
        registry.announce(FAILURES, FAILURES_HELP, &["provider", "reason"]);
        Self { registry: registry.clone(), provider: provider.to_owned(), by_reason: Mutex::default() }
    }

    /// Counts a login that failed.
    pub(super) fn count(&self, reason: Reason) {
        let mut by_reason = self.by_reason.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = by_reason.entry(reason).or_insert_with(|| {
            let labels = vec![("provider", self.provider.clone()), ("reason", reason.code().to_owned())];
            self.registry.counter(FAILURES, FAILURES_HELP, labels)
        });
        counter.increment();
    }
}

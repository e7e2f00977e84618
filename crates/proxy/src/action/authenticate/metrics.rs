//! Metrics of sign-ins and refreshes, by provider.

use http::HeaderName;

use crate::exchange::reason_counters::ReasonCounters;
use crate::telemetry::logged_names::LoggedNames;
use crate::telemetry::metrics::{Counter, Registry};

/// The metrics of the provider of one action.
#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) started: Counter,
    pub(super) finished: Counter,
    /// Sign-ins whose code is being redeemed.
    pub(super) finishing: Counter,
    /// Failed sign-ins.
    pub(super) failures: ReasonCounters,
    pub(super) refreshes: Refreshes,
    pub(super) left_out: LeftOut,
}

/// Claims that could not be sent in their header, by header.
#[derive(Debug)]
pub(super) struct LeftOut(Vec<(HeaderName, Counter)>);

impl LeftOut {
    fn new<'h>(registry: &Registry, headers: impl Iterator<Item = &'h HeaderName>) -> Self {
        let help = "Claims that were left out of a user's headers because their value cannot be written, by header.";
        registry.announce("vestibule_claims_left_out_total", help, &["header"]);
        let counter = |header: &HeaderName| {
            registry.counter("vestibule_claims_left_out_total", help, vec![("header", header.as_str().to_owned())])
        };
        Self(headers.map(|header| (header.clone(), counter(header))).collect())
    }

    /// Counts one, and logs it once per header.
    pub(super) fn count(&self, header: &HeaderName, told: &LoggedNames) {
        self.0.iter().filter(|(known, _)| known == header).for_each(|(_, counter)| counter.increment());
        if told.is_first(header.as_str()) {
            tracing::warn!(
                header = header.as_str(),
                "a user's claim cannot be written into this header (too long, or one empty text); the header is left out. \
                 `encoding` of `claims.headers` says how a claim is written"
            );
        }
    }
}

/// Refreshes, by result.
#[derive(Clone, Debug)]
pub(super) struct Refreshes {
    pub(super) renewed: Counter,
    pub(super) ended: Counter,
    pub(super) failed: Counter,
}

impl Metrics {
    pub(super) fn new<'h>(registry: &Registry, provider: &str, headers: impl Iterator<Item = &'h HeaderName>) -> Self {
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
            finishing: registry.gauge(
                "vestibule_logins_finishing",
                "Logins under way at the provider now: the browser has come back, and its code is being redeemed.",
                vec![("provider", provider.to_owned())],
            ),
            failures: failures(registry, provider),
            refreshes: Refreshes {
                renewed: refreshes("renewed"),
                ended: refreshes("ended"),
                failed: refreshes("failed"),
            },
            left_out: LeftOut::new(registry, headers),
        }
    }
}

/// Failed sign-ins of one provider, by reason.
pub(super) fn failures(registry: &Registry, provider: &str) -> ReasonCounters {
    let labels = vec![("provider", provider.to_owned())];
    ReasonCounters::new(
        registry,
        "vestibule_login_failures_total",
        "Logins that failed, by provider and reason.",
        labels,
    )
}

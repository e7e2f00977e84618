//! Metrics about requests to targets.

use crate::telemetry::metrics::{Counter, Registry};
use crate::upstream::settings::Settings;

/// One worker's counters of one target group.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Connections opened to targets.
    pub(crate) connections: Counter,
    /// Requests that got no response.
    pub(crate) errors: Counter,
    /// Requests that were retried, because no byte had been sent or because sending them twice does no harm.
    pub(crate) retries: Counter,
    /// Requests that were not retried, because the budget for retries was used up.
    pub(crate) retries_refused: Counter,
    /// `Set-Cookie` lines that were dropped from responses.
    pub(crate) cookies_dropped: Counter,
    /// gRPC calls.
    pub(crate) grpc: Counter,
    /// `Some` if the group has stickiness.
    pub(super) stickiness: Option<Stickiness>,
}

/// Answered requests, by what became of their cookie.
#[derive(Clone, Debug)]
pub(super) struct Stickiness {
    /// The target of the cookie answered.
    pub(super) kept: Counter,
    /// Another target answered.
    pub(super) moved: Counter,
    /// There was no cookie, or one that is over or cannot be decrypted.
    pub(super) unbound: Counter,
}

impl Metrics {
    /// The counters of a group for one worker.
    pub fn new(registry: &Registry, settings: &Settings) -> Self {
        let labels = || vec![("target_group", settings.name.to_string())];
        let sticky = |result: &str| {
            registry.counter(
                "vestibule_upstream_stickiness_total",
                "Requests that a target of a group with stickiness has answered: kept (by the target of their cookie), moved (by \
                 another, because that was skipped, unhealthy, unreachable, or has left the group), unbound (without a valid cookie).",
                [labels(), vec![("result", result.to_owned())]].concat(),
            )
        };
        Self {
            stickiness: settings.stickiness.as_ref().map(|_| Stickiness {
                kept: sticky("kept"),
                moved: sticky("moved"),
                unbound: sticky("unbound"),
            }),
            grpc: registry.counter(
                "vestibule_upstream_grpc_requests_total",
                "gRPC calls for a target group, also those without an answer.",
                labels(),
            ),
            connections: registry.counter(
                "vestibule_upstream_connections_total",
                "Connections made to targets.",
                labels(),
            ),
            errors: registry.counter(
                "vestibule_upstream_errors_total",
                "Requests without an answer from any target.",
                labels(),
            ),
            retries: registry.counter(
                "vestibule_upstream_retries_total",
                "Retries of requests. A request is retried only if no byte of it was sent, or if it is idempotent.",
                labels(),
            ),
            retries_refused: registry.counter(
                "vestibule_upstream_retries_refused_total",
                "Requests that were not retried, because the retries of the group exceeded retry_budget_percent.",
                labels(),
            ),
            cookies_dropped: registry.counter(
                "vestibule_upstream_cookies_dropped_total",
                "Set-Cookie headers dropped from targets' responses, because the cookie name is reserved for Vestibule.",
                labels(),
            ),
        }
    }
}

//! Requests by rule and status class, refusals by reason, latency.

use std::rc::Rc;

use http::StatusCode;

use crate::exchange::reason_counters::ReasonCounters;
use crate::exchange::rejection::Reason;
use crate::telemetry::metrics::{Counter, Histogram, Registry};

/// One worker's counters of one listener.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Responses of each rule by status class, in the order of the rules.
    rules: Vec<[Counter; CLASSES.len()]>,
    /// Responses without a rule: refused before a rule matched, or answered by a reserved path.
    unmatched: [Counter; CLASSES.len()],
    first_byte: Histogram,
    refusals: ReasonCounters,
}

const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

impl Metrics {
    pub(crate) fn new(registry: &Registry, listener: &str, rules: &[Rc<str>]) -> Self {
        let requests = |rule: &str| {
            CLASSES.map(|class| {
                let labels =
                    vec![("listener", listener.to_owned()), ("rule", rule.to_owned()), ("status", class.to_owned())];
                registry.counter("vestibule_requests_total", "Requests answered, by rule and status class.", labels)
            })
        };
        let of_listener = vec![("listener", listener.to_owned())];
        Self {
            rules: rules.iter().map(|rule| requests(rule)).collect(),
            unmatched: requests("none"),
            first_byte: registry.histogram(
                "vestibule_request_duration_seconds",
                "Time from the end of the request head to the response head.",
                of_listener.clone(),
            ),
            refusals: ReasonCounters::new(
                registry,
                "vestibule_refusals_total",
                "Requests refused, by reason.",
                of_listener,
            ),
        }
    }

    /// Counts an answer. `rule` is the index of the rule that answered.
    pub(crate) fn answered(&self, rule: Option<usize>, status: StatusCode, first_byte: std::time::Duration) {
        let classes = rule.and_then(|rule| self.rules.get(rule)).unwrap_or(&self.unmatched);
        let class = match status.as_u16() {
            0..300 => 0,
            300..400 => 1,
            400..500 => 2,
            _ => 3,
        };
        classes[class].increment();
        self.first_byte.observe(first_byte);
    }

    /// Counts a refusal.
    pub(crate) fn refused(&self, reason: Reason) {
        self.refusals.count(reason);
    }
}

//! Metrics of one target.

use http::StatusCode;

use crate::telemetry::metrics::{Counter, Registry};
use crate::upstream::target::Target;

/// One worker's counters of one target. They go with it: the addresses of a name change, and their series must not stay for ever.
#[derive(Debug)]
pub(super) struct Answers {
    by_class: [Counter; CLASSES.len()],
    failures: Counter,
}

const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

impl Answers {
    pub(super) fn new(registry: &Registry, target: &Target) -> Self {
        let counter = |status: &str| {
            let labels = vec![
                ("target_group", target.id.group.to_string()),
                ("target", target.name.to_string()),
                ("status", status.to_owned()),
            ];
            registry.passing_counter(
                "vestibule_target_requests_total",
                "Requests sent to a target, by the status class of its answer, or none if it did not answer. Retries count again. \
                 The series of a target that has left its group ends.",
                labels,
            )
        };
        Self { by_class: CLASSES.map(counter), failures: counter("none") }
    }

    /// Counts an answer.
    pub(super) fn count(&self, status: StatusCode) {
        let class = match status.as_u16() {
            0..300 => 0,
            300..400 => 1,
            400..500 => 2,
            _ => 3,
        };
        self.by_class[class].increment();
    }

    /// Counts a request without an answer.
    pub(super) fn count_failure(&self) {
        self.failures.increment();
    }
}

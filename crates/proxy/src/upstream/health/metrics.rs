//! Metrics about health checks.

use crate::telemetry::metrics::{Counter, Registry};

/// The names of outcomes, as the label of the metric has them.
pub(super) const OUTCOMES: [&str; 5] =
    ["success", "response_code_mismatch", "timeout", "failed_health_checks", "internal_error"];

/// The states of targets that are checked.
const STATES: [&str; 3] = ["initial", "healthy", "unhealthy"];

/// The metrics of one target group.
#[derive(Debug)]
pub(super) struct GroupCells {
    /// In the order of [`OUTCOMES`].
    outcomes: [Counter; OUTCOMES.len()],
    /// In the order of [`STATES`].
    targets: [Counter; STATES.len()],
    fails_open: Counter,
}

impl GroupCells {
    pub(super) fn new(group: &str, registry: &Registry) -> Self {
        let labels = || vec![("target_group", group.to_string())];
        let with = |name, value: &str| [labels(), vec![(name, value.to_owned())]].concat();
        let outcome = |outcome: &str| {
            registry.counter(
                "vestibule_health_checks_total",
                "Health checks of targets, by outcome. internal_error: not made, because this machine had no descriptor, port or memory left.",
                with("outcome", outcome),
            )
        };
        let targets = |state: &str| {
            registry.reading(
                "vestibule_targets",
                "Targets of groups with health_check, by state: initial, healthy, unhealthy.",
                with("state", state),
            )
        };
        Self {
            outcomes: OUTCOMES.map(outcome),
            targets: STATES.map(targets),
            fails_open: registry.reading(
                "vestibule_target_group_fail_open",
                "1 if too few targets of the group are healthy, so that requests go to all of them.",
                labels(),
            ),
        }
    }

    /// Counts a check.
    pub(super) fn count(&self, outcome: &str) {
        let index = OUTCOMES.iter().position(|name| *name == outcome);
        if let Some(counter) = index.and_then(|index| self.outcomes.get(index)) {
            counter.increment();
        }
    }

    /// The group has so many targets in each of [`STATES`].
    pub(super) fn set(&self, targets: [usize; STATES.len()], fails_open: bool) {
        for (gauge, count) in self.targets.iter().zip(targets) {
            gauge.set(count.try_into().unwrap_or(u64::MAX));
        }
        self.fails_open.set(u64::from(fails_open));
    }
}

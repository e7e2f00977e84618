//! One counter for each reason.

use std::sync::OnceLock;

use crate::exchange::rejection::Reason;
use crate::telemetry::metrics::{Counter, Labels, Registry};

/// Counts by reason, in one family of metrics. A series is created when its reason first occurs, so that a scrape lists only
/// reasons that have occurred. Takes no lock after that.
#[derive(Debug)]
pub(crate) struct ReasonCounters {
    registry: Registry,
    family: &'static str,
    help: &'static str,
    /// The labels of every series, before the label `reason`.
    labels: Labels,
    by_reason: [OnceLock<Counter>; Reason::ALL.len()],
}

impl ReasonCounters {
    /// Announces the family `family`, whose series have `labels` and the label `reason`.
    pub(crate) fn new(registry: &Registry, family: &'static str, help: &'static str, labels: Labels) -> Self {
        let mut names: Vec<_> = labels.iter().map(|(name, _)| *name).collect();
        names.push("reason");
        registry.announce(family, help, &names);
        Self { registry: registry.clone(), family, help, labels, by_reason: [const { OnceLock::new() }; _] }
    }

    /// Counts one.
    pub(crate) fn count(&self, reason: Reason) {
        let new = || {
            let mut labels = self.labels.clone();
            labels.push(("reason", reason.code().to_owned()));
            self.registry.counter(self.family, self.help, labels)
        };
        self.by_reason[reason as usize].get_or_init(new).increment();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_appears_with_its_first_count() {
        let registry = Registry::default();
        let counters = ReasonCounters::new(&registry, "x_total", "X.", vec![("listener", "public".to_owned())]);
        assert!(!registry.render().contains("x_total{"), "{}", registry.render());
        let last = *Reason::ALL.last().expect("there are reasons");
        for reason in [Reason::NotFound, last, last] {
            counters.count(reason);
        }
        let text = registry.render();
        let of = |reason: Reason| format!("x_total{{listener=\"public\",reason=\"{}\"}}", reason.code());
        assert!(text.contains(&format!("{} 1\n", of(Reason::NotFound))), "{text}");
        assert!(text.contains(&format!("{} 2\n", of(last))), "{text}");
    }
}

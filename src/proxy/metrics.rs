//! Requests by rule and status class, refusals by reason, latency.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use http::StatusCode;

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
    refusals: RefCell<BTreeMap<Reason, Counter>>,
    registry: Registry,
    listener: String,
}

const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

const REFUSALS: &str = "vestibule_refusals_total";
const REFUSALS_HELP: &str = "Requests refused, by reason.";

impl Metrics {
    pub(crate) fn new(registry: &Registry, listener: &str, rules: &[Rc<str>]) -> Self {
        let requests = |rule: &str| {
            CLASSES.map(|class| {
                let labels =
                    vec![("listener", listener.to_owned()), ("rule", rule.to_owned()), ("status", class.to_owned())];
                registry.counter("vestibule_requests_total", "Requests answered, by rule and status class.", labels)
            })
        };
        registry.announce(REFUSALS, REFUSALS_HELP, &["listener", "reason"]);
        Self {
            rules: rules.iter().map(|rule| requests(rule)).collect(),
            unmatched: requests("none"),
            first_byte: registry.histogram(
                "vestibule_request_duration_seconds",
                "Time from the end of the request head to the response head.",
                vec![("listener", listener.to_owned())],
            ),
            refusals: RefCell::default(),
            registry: registry.clone(),
            listener: listener.to_owned(),
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

    /// Counts a refusal. A series is made when its reason first happens.
    pub(crate) fn refused(&self, reason: Reason) {
        let new = || {
            let labels = vec![("listener", self.listener.clone()), ("reason", reason.code().to_owned())];
            self.registry.counter(REFUSALS, REFUSALS_HELP, labels)
        };
        self.refusals.borrow_mut().entry(reason).or_insert_with(new).increment();
    }
}

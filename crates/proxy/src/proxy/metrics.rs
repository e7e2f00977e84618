//! Requests by rule and status class, refusals by reason, latency.

use std::rc::Rc;
use std::sync::Arc;

use http::StatusCode;

use crate::exchange::reason_counters::ReasonCounters;
use crate::exchange::rejection::Reason;
use crate::message::desync::Class;
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
    /// Requests that do not conform, in the order of [`Class::ALL`].
    found: [Counter; Class::ALL.len()],
    /// The answers of terminals that answer themselves, in the order of the rules. `None` if the rule forwards.
    own_answers: Vec<Option<OwnAnswers>>,
    /// The time until a target's response head, in the order of the target groups.
    target_groups: Vec<Histogram>,
}

/// The answers of one terminal.
#[derive(Debug)]
struct OwnAnswers {
    /// The name of the action in the access log.
    action: &'static str,
    counter: Counter,
}

/// What the metrics of a listener are about.
pub(crate) struct Subjects<'s> {
    pub(crate) listener: &'s str,
    /// The names and the terminals of the rules, in order.
    pub(crate) rules: &'s [(Rc<str>, &'static str)],
    pub(crate) target_groups: &'s [Arc<str>],
}

const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

impl Metrics {
    pub(crate) fn new(registry: &Registry, subjects: &Subjects<'_>) -> Self {
        let Subjects { listener, rules, target_groups } = *subjects;
        let requests = |rule: &str| {
            CLASSES.map(|class| {
                let labels =
                    vec![("listener", listener.to_owned()), ("rule", rule.to_owned()), ("status", class.to_owned())];
                registry.counter("vestibule_requests_total", "Requests answered, by rule and status class.", labels)
            })
        };
        let of_listener = vec![("listener", listener.to_owned())];
        Self {
            rules: rules.iter().map(|(rule, _)| requests(rule)).collect(),
            unmatched: requests("none"),
            first_byte: registry.histogram(
                "vestibule_request_duration_seconds",
                "Time from the end of the request head to the response head.",
                of_listener.clone(),
            ),
            found: Class::ALL.map(|class| {
                let labels =
                    vec![("listener", listener.to_owned()), ("classification", class.name().to_ascii_lowercase())];
                registry.counter(
                    "vestibule_desync_requests_total",
                    "HTTP/1.1 requests that do not conform to the standard, by their class (`desync_mitigation`).",
                    labels,
                )
            }),
            refusals: ReasonCounters::new(
                registry,
                "vestibule_refusals_total",
                "Requests refused, by reason.",
                of_listener,
            ),
            own_answers: rules.iter().map(|(rule, action)| OwnAnswers::new(registry, listener, rule, action)).collect(),
            target_groups: target_groups.iter().map(|group| target_duration(registry, group)).collect(),
        }
    }

    /// Counts what a rule's terminal has answered itself. `actions` are the actions that ran.
    pub(crate) fn answered_by(&self, rule: Option<usize>, actions: &[&'static str]) {
        let own = rule.and_then(|rule| self.own_answers.get(rule)?.as_ref());
        if let Some(own) = own.filter(|own| actions.last() == Some(&own.action)) {
            own.counter.increment();
        }
    }

    /// Counts the time that a target of the group `group` needed for its response head.
    pub(crate) fn target_answered(&self, group: usize, took: std::time::Duration) {
        if let Some(durations) = self.target_groups.get(group) {
            durations.observe(took);
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

    /// Counts a request that does not conform.
    pub(crate) fn found(&self, class: Class) {
        self.found[class as usize].increment();
    }

    /// Counts a refusal.
    pub(crate) fn refused(&self, reason: Reason) {
        self.refusals.count(reason);
    }
}

impl OwnAnswers {
    /// `None` if the terminal answers nothing itself.
    fn new(registry: &Registry, listener: &str, rule: &str, action: &'static str) -> Option<Self> {
        let (name, help) = match action {
            "redirect" => (
                "vestibule_redirects_total",
                "Answers of `redirect` actions. Redirects to a sign-in are not among them.",
            ),
            "fixed-response" => ("vestibule_fixed_responses_total", "Answers of `fixed-response` actions."),
            "static" => (
                "vestibule_static_responses_total",
                "Answers of `static` actions. That there is no such file is a refusal.",
            ),
            _ => return None,
        };
        let labels = vec![("listener", listener.to_owned()), ("rule", rule.to_owned())];
        Some(Self { action, counter: registry.counter(name, help, labels) })
    }
}

fn target_duration(registry: &Registry, group: &str) -> Histogram {
    registry.histogram(
        "vestibule_upstream_response_duration_seconds",
        "Time from offering a request to the target that answered until its response head.",
        vec![("target_group", group.to_owned())],
    )
}

//! The health of the parts of the process: the source of `/livez` and `/readyz`.
//!
//! Each worker and each accept loop has a [`Part`]. It is marked as down after a panic and as up after its restart. A
//! worker also sends a regular heartbeat.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::telemetry::metrics::{Counter, Registry};

/// Interval of the heartbeat of a worker.
pub(super) const BEAT: Duration = Duration::from_secs(1);

/// A worker without a heartbeat for this long is stuck. Normal tasks run for less than a tenth of it.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// Delay before a restart, so that a part that always panics at once does not use all CPU time.
pub(super) const RESTART_WAIT: Duration = Duration::from_millis(100);

/// The parts of one process, and whether shutdown has started.
#[derive(Clone, Debug)]
pub(crate) struct Vitals {
    leaving: Arc<AtomicBool>,
    /// The parts of a worker that ended are dropped with it.
    parts: Arc<Mutex<Vec<Weak<State>>>>,
    registry: Registry,
    epoch: Instant,
}

/// The handle of one part, held by the code that runs it.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    state: Arc<State>,
    epoch: Instant,
    restarts: Counter,
}

#[derive(Debug)]
struct State {
    name: String,
    is_up: AtomicBool,
    /// Milliseconds since the epoch; 0 before the first heartbeat, and for parts without one.
    beat: AtomicU64,
}

impl Vitals {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            leaving: Arc::default(),
            parts: Arc::default(),
            registry: registry.clone(),
            epoch: Clock::system().instant(),
        }
    }

    /// Adds a part that is up. `kind` is a metric label; `name` is shown to the operator.
    pub(crate) fn part(&self, kind: &'static str, name: String) -> Part {
        let state = Arc::new(State { name, is_up: AtomicBool::new(true), beat: AtomicU64::new(0) });
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.retain(|part| part.strong_count() > 0);
        parts.push(Arc::downgrade(&state));
        drop(parts);
        let restarts = self.registry.counter(
            "vestibule_restarts_total",
            "Parts of the process that panicked and were restarted.",
            vec![("part", kind.to_owned())],
        );
        Part { state, epoch: self.epoch, restarts }
    }

    /// Makes `/readyz` answer 503, so that no new connections are opened.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Whether shutdown has started.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// The problems, one line per part. Empty if all parts are up.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.faults_at(Clock::system().instant())
    }

    fn faults_at(&self, now: Instant) -> Vec<String> {
        let now = millis(self.epoch, now);
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = |part: Arc<State>| {
            let beat = part.beat.load(Ordering::Relaxed);
            if !part.is_up.load(Ordering::Relaxed) {
                return Some(format!("{} panicked and is being restarted", part.name));
            }
            let is_stuck = beat != 0 && now.saturating_sub(beat) > u64::try_from(STUCK_AFTER.as_millis()).unwrap_or(0);
            is_stuck.then(|| format!("{} is stuck", part.name))
        };
        parts.iter().filter_map(Weak::upgrade).filter_map(fault).collect()
    }
}

impl Part {
    /// Marks the part as down after a panic. The panic itself is already logged.
    pub(crate) fn died(&self) {
        self.state.is_up.store(false, Ordering::Relaxed);
        self.restarts.increment();
        tracing::error!(part = self.state.name, "a part of the process panicked and is being restarted");
    }

    /// Marks the part as up.
    pub(crate) fn is_up(&self) {
        self.state.is_up.store(true, Ordering::Relaxed);
    }

    /// Records a heartbeat.
    pub(crate) fn beat(&self) {
        self.state.beat.store(millis(self.epoch, Clock::system().instant()), Ordering::Relaxed);
    }
}

/// At least 1, because 0 means no heartbeat.
fn millis(epoch: Instant, now: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(epoch).as_millis()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_died_is_a_fault_until_it_runs_again() {
        let registry = Registry::default();
        let vitals = Vitals::new(&registry);
        let (one, _other) = (vitals.part("worker", "worker 0".into()), vitals.part("worker", "worker 1".into()));
        assert!(vitals.faults().is_empty());
        one.died();
        assert_eq!(vitals.faults(), ["worker 0 panicked and is being restarted"]);
        one.is_up();
        assert!(vitals.faults().is_empty());
        assert!(registry.render().contains("vestibule_restarts_total{part=\"worker\"} 1\n"));
    }

    #[test]
    fn a_worker_that_does_not_turn_is_a_fault() {
        let vitals = Vitals::new(&Registry::default());
        let (worker, _no_beat) = (vitals.part("worker", "worker 0".into()), vitals.part("accept", "admin".into()));
        worker.beat();
        let now = Clock::system().instant();
        assert!(vitals.faults_at(now + STUCK_AFTER / 2).is_empty());
        assert_eq!(vitals.faults_at(now + STUCK_AFTER * 2), ["worker 0 is stuck"]);
        worker.beat();
        assert!(vitals.faults_at(now).is_empty());
    }
}

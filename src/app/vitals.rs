//! Whether the parts of the process live: what `/livez` and `/readyz` answer.
//!
//! Each part that others depend on (a worker, an accept loop) has a [`Part`]. Whoever runs the part marks it as down when it
//! died of a bug, and as up when it runs again; a worker also says at a beat that it still turns.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::telemetry::metrics::{Counter, Registry};

/// How often a worker says that it lives.
pub(super) const BEAT: Duration = Duration::from_secs(1);

/// A worker that has not said so for this long is stuck: no task of ours runs for a tenth of it.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// Before a part is started again: a part that dies at once, every time, does not take the machine.
pub(super) const RESTART_WAIT: Duration = Duration::from_millis(100);

/// The parts of one process, and whether it is about to stop.
#[derive(Clone, Debug)]
pub(crate) struct Vitals {
    leaving: Arc<AtomicBool>,
    /// Those of a worker that died are gone with it.
    parts: Arc<Mutex<Vec<Weak<State>>>>,
    registry: Registry,
    epoch: Instant,
}

/// One part, in the hands of whoever runs it.
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
    /// Milliseconds after the epoch; 0 before the first beat, and of parts that have none.
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

    /// Adds a part, which is up. `kind` is a label of a metric, `name` what an operator reads.
    pub(crate) fn part(&self, kind: &'static str, name: String) -> Part {
        let state = Arc::new(State { name, is_up: AtomicBool::new(true), beat: AtomicU64::new(0) });
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.retain(|part| part.strong_count() > 0);
        parts.push(Arc::downgrade(&state));
        drop(parts);
        let restarts = self.registry.counter(
            "vestibule_restarts_total",
            "Parts of the process that died of a bug and were started again.",
            vec![("part", kind.to_owned())],
        );
        Part { state, epoch: self.epoch, restarts }
    }

    /// From now on `/readyz` says no: no new connections should come.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Whether the process is about to stop.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// What is wrong, one line for each part; nothing where all live.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.faults_at(Clock::system().instant())
    }

    fn faults_at(&self, now: Instant) -> Vec<String> {
        let now = millis(self.epoch, now);
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = |part: Arc<State>| {
            let beat = part.beat.load(Ordering::Relaxed);
            if !part.is_up.load(Ordering::Relaxed) {
                return Some(format!("{} died and is being started again", part.name));
            }
            let is_stuck = beat != 0 && now.saturating_sub(beat) > u64::try_from(STUCK_AFTER.as_millis()).unwrap_or(0);
            is_stuck.then(|| format!("{} is stuck", part.name))
        };
        parts.iter().filter_map(Weak::upgrade).filter_map(fault).collect()
    }
}

impl Part {
    /// It died of a bug. The panic itself is in the log.
    pub(crate) fn died(&self) {
        self.state.is_up.store(false, Ordering::Relaxed);
        self.restarts.increment();
        tracing::error!(part = self.state.name, "a part of the process died and is started again");
    }

    /// It runs.
    pub(crate) fn is_up(&self) {
        self.state.is_up.store(true, Ordering::Relaxed);
    }

    /// It turns.
    pub(crate) fn beat(&self) {
        self.state.beat.store(millis(self.epoch, Clock::system().instant()), Ordering::Relaxed);
    }
}

/// At least 1, because 0 is no beat.
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
        assert_eq!(vitals.faults(), ["worker 0 died and is being started again"]);
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

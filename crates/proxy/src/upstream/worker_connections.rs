//! The connections of one worker to all targets.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::{Clock, Timestamp};
use crate::drain;
use crate::telemetry::metrics::Registry;
use crate::upstream::settings::Settings;
use crate::upstream::target::Target;
use crate::upstream::worker_target::WorkerTarget;

/// The connections of one worker. They live as long as the worker, whatever configuration it has. So a reload keeps the
/// connections to the targets that it keeps.
#[derive(Debug)]
pub struct WorkerConnections {
    /// By the address of the [`Target`], of which there is one for each identity. An entry holds its target, so no other
    /// target can get that address.
    targets: RefCell<HashMap<*const Target, Rc<WorkerTarget>>>,
    clock: Clock,
    registry: Registry,
}

impl WorkerConnections {
    /// No connections yet. Starts the task that closes idle ones, on the `LocalSet` of the caller. The task ends with the
    /// returned value.
    pub fn new(clock: Clock, registry: Registry) -> Rc<Self> {
        let connections = Rc::new(Self { targets: RefCell::default(), clock, registry });
        drain::background(sweep(Rc::downgrade(&connections)));
        connections
    }

    /// The clock by which connections age.
    pub(super) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// The time by which connections age.
    pub(super) fn now(&self) -> Instant {
        self.clock.instant()
    }

    /// The calendar time.
    pub(super) fn time(&self) -> Timestamp {
        self.clock.now()
    }

    /// This worker's part of `target`. Its pool takes over the limits.
    pub(super) fn to(&self, target: &Arc<Target>, limits: &Settings) -> Rc<WorkerTarget> {
        let mut targets = self.targets.borrow_mut();
        let found = targets.entry(Arc::as_ptr(target)).or_insert_with(|| {
            Rc::new(WorkerTarget::new(Arc::clone(target), limits, self.clock.clone(), &self.registry))
        });
        found.pool.limit(limits);
        Rc::clone(found)
    }

    /// The targets that this worker knows.
    #[cfg(test)]
    pub(super) fn targets(&self) -> Vec<Rc<WorkerTarget>> {
        self.targets.borrow().values().map(Rc::clone).collect()
    }

    /// Forgets the targets that no group and no request of this worker uses. This closes their idle connections. Closes the
    /// connections to the others that have been idle for too long or that the target has closed. Ends what is under way at targets
    /// that have left their group.
    fn prune(&self) {
        let now = self.now();
        self.targets.borrow_mut().retain(|_, target| {
            let is_used = Rc::strong_count(target) > 1;
            if is_used {
                target.pool.prune(now);
                target.http2.prune(now, target.pool.idle_timeout());
                if target.target.has_left(now) {
                    target.cut();
                }
            }
            is_used
        });
    }

    /// The time until the next sweep: as long as the shortest `idle_timeout`, within bounds. Shorter if a target is leaving.
    fn beat(&self) -> Duration {
        let targets = self.targets.borrow();
        let wait = |target: &Rc<WorkerTarget>| {
            let idle_timeout = target.pool.idle_timeout();
            if target.target.is_leaving() { idle_timeout.min(BEAT_WHILE_LEAVING) } else { idle_timeout }
        };
        let shortest = targets.values().map(wait).min();
        shortest.unwrap_or(BEAT_MAX).clamp(BEAT_MIN, BEAT_MAX)
    }
}

/// How often idle connections are checked at least. A connection that its target has closed holds a descriptor until then.
const BEAT_MAX: Duration = Duration::from_secs(5);
/// And while a target is leaving. What is under way there may end so much late.
const BEAT_WHILE_LEAVING: Duration = Duration::from_secs(1);
/// And at most, because a check looks at every connection.
const BEAT_MIN: Duration = Duration::from_millis(100);

/// Closes what is not used, even if no request arrives.
async fn sweep(connections: Weak<WorkerConnections>) {
    let mut beat = BEAT_MIN;
    loop {
        tokio::time::sleep(beat).await;
        let Some(connections) = connections.upgrade() else { break };
        connections.prune();
        beat = connections.beat();
    }
}

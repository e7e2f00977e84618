//! Whether a group has enough healthy targets.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::telemetry::metrics::Registry;
use crate::upstream::health::metrics::GroupCells;
use crate::upstream::health::settings::Minimum;
use crate::upstream::health::state::Verdict;
use crate::upstream::target::Target;

/// The health of a group of one configuration.
#[derive(Debug)]
pub(crate) struct GroupHealth {
    name: Arc<str>,
    minimum: Minimum,
    /// Grows with every configuration.
    pub(super) number: u64,
    sends_to_all: AtomicBool,
    fails_open: AtomicBool,
    /// Locked only when a target changes its state, or the group its targets.
    members: Mutex<Members>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Members {
    targets: Vec<Arc<Target>>,
    /// Whether nothing was known of any target when the group got them, and some were not checked since. Then the first target
    /// that succeeds must not get the requests of all.
    is_starting: bool,
}

/// What all configurations share of a group, because a gauge has one value and the log one reader.
#[derive(Debug)]
struct Shared {
    cells: GroupCells,
    /// Whether the log says that requests go to all targets.
    is_told: AtomicBool,
    /// The configurations that have the group, by their numbers. The newest one reports: an older one lives until its last request
    /// ends, and must not report beside it.
    configurations: Mutex<BTreeMap<u64, Weak<GroupHealth>>>,
}

/// What is shared of all groups in use, by name.
#[derive(Debug, Default)]
pub(super) struct Groups(Mutex<BTreeMap<Arc<str>, Weak<Shared>>>);

impl Groups {
    /// The group `name` of the configuration of that number. Its metrics are in `registry`.
    pub(super) fn enter(
        &self,
        name: &Arc<str>,
        minimum: Minimum,
        number: u64,
        registry: &Registry,
    ) -> Arc<GroupHealth> {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        groups.retain(|_, shared| shared.strong_count() > 0);
        let found = groups.get(name).and_then(Weak::upgrade);
        let shared = found.unwrap_or_else(|| Arc::new(Shared::new(name, registry)));
        groups.insert(Arc::clone(name), Arc::downgrade(&shared));
        let group = Arc::new(GroupHealth {
            name: Arc::clone(name),
            minimum,
            number,
            sends_to_all: AtomicBool::new(true),
            fails_open: AtomicBool::new(false),
            members: Mutex::default(),
            shared,
        });
        let mut configurations = group.shared.configurations.lock().unwrap_or_else(PoisonError::into_inner);
        configurations.insert(number, Arc::downgrade(&group));
        drop(configurations);
        group
    }
}

impl Shared {
    fn new(name: &str, registry: &Registry) -> Self {
        Self {
            cells: GroupCells::new(name, registry),
            is_told: AtomicBool::new(false),
            configurations: Mutex::default(),
        }
    }

    fn is_newest(&self, number: u64) -> bool {
        let configurations = self.configurations.lock().unwrap_or_else(PoisonError::into_inner);
        configurations.keys().next_back() == Some(&number)
    }

    /// A configuration does not have the group any more. Returns the group of the newest one that has it.
    fn leave(&self, number: u64) -> Option<Arc<GroupHealth>> {
        let mut configurations = self.configurations.lock().unwrap_or_else(PoisonError::into_inner);
        configurations.remove(&number);
        configurations.values().next_back().and_then(Weak::upgrade)
    }
}

impl GroupHealth {
    /// A group that needs one healthy target of these.
    #[cfg(test)]
    pub(crate) fn played(targets: Vec<Arc<Target>>) -> Arc<Self> {
        let minimum = Minimum { count: 1, percentage: None };
        let group = Groups::default().enter(&"app".into(), minimum, 0, &Registry::default());
        group.replace(targets);
        group
    }

    /// Counts a check of a target.
    pub(super) fn count(&self, outcome: &str) {
        self.shared.cells.count(outcome);
    }

    /// Whether requests go to all targets, because too few are healthy (ALB §9.3: fail open) or the group is starting.
    pub(crate) fn sends_to_all(&self) -> bool {
        self.sends_to_all.load(Ordering::Relaxed)
    }

    /// Whether requests go to all targets because too few are healthy. Not while the group is starting.
    pub(crate) fn fails_open(&self) -> bool {
        self.fails_open.load(Ordering::Relaxed)
    }

    /// Whether some targets were not checked yet, and nothing was known of the others before.
    pub(super) fn is_starting(&self) -> bool {
        self.members.lock().unwrap_or_else(PoisonError::into_inner).is_starting
    }

    /// The group has these targets now.
    pub(super) fn replace(&self, targets: Vec<Arc<Target>>) {
        let is_starting = targets.iter().all(|target| target.health.read().verdict.state() == "initial");
        *self.members.lock().unwrap_or_else(PoisonError::into_inner) = Members { targets, is_starting };
        self.update();
    }

    /// Whether a target other than `target` satisfies `condition`.
    pub(super) fn has_other(&self, target: &Arc<Target>, condition: impl Fn(&Target) -> bool) -> bool {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.targets.iter().any(|other| !Arc::ptr_eq(other, target) && condition(other))
    }

    /// Decides again, because the targets or their states are different.
    pub(super) fn update(&self) {
        // Locked until the end: two targets that change at the same time must not decide in another order than they counted.
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let verdicts: Vec<_> = members.targets.iter().map(|target| target.health.read().verdict).collect();
        members.is_starting &= verdicts.contains(&Verdict::Unchecked);
        let count = |state: &str| verdicts.iter().filter(|verdict| verdict.state() == state).count();
        let healthy = count("healthy");
        let is_enough = self.minimum.is_reached(healthy, verdicts.len());
        self.sends_to_all.store(!is_enough || members.is_starting, Ordering::Relaxed);
        // A group that is starting, or that has no targets, has no news for anybody.
        let fails_open = !is_enough && !members.is_starting && !verdicts.is_empty();
        self.fails_open.store(fails_open, Ordering::Relaxed);
        if !self.shared.is_newest(self.number) {
            return;
        }
        self.shared.cells.set([count("initial"), healthy, count("unhealthy")], fails_open);
        if !members.is_starting {
            self.tell(fails_open, healthy, verdicts.len());
        }
    }

    /// Writes to the log whether requests go to all targets, once for each change.
    fn tell(&self, fails_open: bool, healthy: usize, targets: usize) {
        if self.shared.is_told.swap(fails_open, Ordering::Relaxed) == fails_open {
            return;
        }
        if fails_open {
            tracing::warn!(
                target_group.name = %self.name, healthy, targets,
                "too few targets are healthy; requests go to all targets of the group"
            );
        } else {
            tracing::info!(
                target_group.name = %self.name, healthy, targets,
                "enough targets are healthy; requests go only to them"
            );
        }
    }
}

impl Drop for GroupHealth {
    fn drop(&mut self) {
        // A configuration that was refused must not be what the metrics say.
        if let Some(newest) = self.shared.leave(self.number) {
            newest.update();
        }
    }
}

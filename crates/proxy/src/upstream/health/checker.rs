//! Checks targets for as long as a configuration wants it. One per process.

use std::collections::HashMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::crypto::octets;
use crate::drain::Control;
use crate::telemetry::metrics::Registry;
use crate::upstream::health::check::{self, Outcome};
use crate::upstream::health::group_health::{GroupHealth, Groups};
use crate::upstream::health::machine::Machine;
use crate::upstream::health::settings::{HealthCheck, Settings};
use crate::upstream::health::state::{FAILURE_BYTES_MAX, Reading, Verdict};
use crate::upstream::place::Place;
use crate::upstream::target::{Target, WHOLE};

/// Checks targets. There is one task for each target that is checked, so at most one check of a target is under way, however many
/// configurations have the target.
pub struct Checker {
    /// By the address of the [`Target`]. The [`Checks`] of an entry hold its target, so no other target can get that address.
    watched: Mutex<HashMap<usize, Watched>>,
    /// Numbers configurations.
    configurations: AtomicU64,
    /// Checks that may be under way at a time.
    permits: Semaphore,
    groups: Groups,
    ask: Ask,
    /// A number from 0 to 1, by which the times of checks differ.
    chance: fn() -> f64,
    control: Control,
    clock: Clock,
    registry: Registry,
}

type Ask = Box<dyn Fn(Arc<HealthCheck>, Place) -> Pin<Box<dyn Future<Output = Outcome> + Send>> + Send + Sync>;

/// A target that is checked.
struct Watched {
    /// What the configurations in use want. Never empty.
    plans: Vec<Arc<Plan>>,
    /// Tells the task that the plans are different.
    changed: Arc<Notify>,
}

/// How one configuration wants a group to be checked.
#[derive(Debug)]
pub(crate) struct Plan {
    check: Arc<HealthCheck>,
    pub(crate) group: Arc<GroupHealth>,
    slow_start: Duration,
}

/// Targets are checked until this is dropped.
#[derive(Debug)]
pub(crate) struct Checks {
    checker: Arc<Checker>,
    plan: Arc<Plan>,
    targets: Vec<Arc<Target>>,
}

/// Each check uses a descriptor. With the default `timeout` and `interval`, that many are enough for 700 targets that do not answer.
const CHECKS_MAX: usize = 128;
/// The first checks of targets are spread over this time, so that a start does not ask all of them at once.
const FIRST_WITHIN: Duration = Duration::from_secs(1);
/// The part of the interval by which a check may come earlier or later.
const JITTER: f64 = 0.1;

impl Checker {
    /// Checks over the network, on the control runtime.
    pub fn new(control: Control, clock: Clock, registry: Registry) -> Arc<Self> {
        let ask = |check: Arc<HealthCheck>, place: Place| -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
            Box::pin(async move { check::check(&check, &place).await })
        };
        Self::with(Box::new(ask), by_chance, control, clock, registry)
    }

    fn with(ask: Ask, chance: fn() -> f64, control: Control, clock: Clock, registry: Registry) -> Arc<Self> {
        Arc::new(Self {
            watched: Mutex::default(),
            configurations: AtomicU64::new(0),
            permits: Semaphore::new(CHECKS_MAX),
            groups: Groups::default(),
            ask,
            chance,
            control,
            clock,
            registry,
        })
    }

    /// A checker for tests without health checks.
    #[cfg(test)]
    pub(crate) fn unused() -> Arc<Self> {
        Self::played(|| 0.5, |_, place| -> std::future::Ready<Outcome> { panic!("{place} is checked") })
    }

    /// A checker that the test answers for. The control runtime is the runtime of the test.
    #[cfg(test)]
    pub(in crate::upstream) fn played<F: Future<Output = Outcome> + Send + 'static>(
        chance: fn() -> f64,
        answer: impl Fn(Arc<HealthCheck>, Place) -> F + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (_, draining) = crate::drain::channel();
        let control = Control::new(tokio::runtime::Handle::current(), draining.spawner());
        let ask =
            move |check, place| -> Pin<Box<dyn Future<Output = Outcome> + Send>> { Box::pin(answer(check, place)) };
        Self::with(Box::new(ask), chance, control, Clock::system(), Registry::default())
    }

    /// A plan for the group `name` of a new configuration.
    pub(crate) fn plan(&self, name: &Arc<str>, settings: &Settings, slow_start: Duration) -> Arc<Plan> {
        let number = self.configurations.fetch_add(1, Ordering::Relaxed);
        let group = self.groups.enter(name, settings.minimum, number, &self.registry);
        Arc::new(Plan { check: Arc::new(settings.check.clone()), group, slow_start })
    }

    /// Checks the targets of a group as the plan says. What is known of those that are checked already stays known.
    pub(crate) fn start(self: &Arc<Self>, plan: &Arc<Plan>, targets: Vec<Arc<Target>>) -> Checks {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        for target in &targets {
            let key = Arc::as_ptr(target).addr();
            if let Some(watched) = watched.get_mut(&key) {
                watched.plans.push(Arc::clone(plan));
                watched.changed.notify_one();
                continue;
            }
            target.health.write(Reading { verdict: Verdict::Unchecked, since: self.clock.now(), answers: false });
            target.health.set_failure("");
            let changed = Arc::new(Notify::new());
            let new = Watched { plans: vec![Arc::clone(plan)], changed };
            let task = Task {
                checker: Arc::clone(self),
                target: Arc::clone(target),
                changed: Arc::clone(&new.changed),
                machine: Machine::new(),
                was_made: true,
            };
            watched.insert(key, new);
            self.control.start_detached(task.run());
        }
        drop(watched);
        plan.group.replace(targets.clone());
        Checks { checker: Arc::clone(self), plan: Arc::clone(plan), targets }
    }

    /// A part of [`FIRST_WITHIN`] by chance.
    fn first_wait(&self) -> Duration {
        FIRST_WITHIN.mul_f64((self.chance)())
    }

    /// The time until the next check: `interval`, up to a tenth shorter or longer by chance. So the checks of many targets, and
    /// those of several replicas, do not stay together.
    fn jittered(&self, interval: Duration) -> Duration {
        interval.mul_f64(1.0 + JITTER * (2.0 * (self.chance)() - 1.0))
    }

    /// The plan of the newest configuration. `None` if no configuration wants the target to be checked.
    fn newest(&self, target: &Arc<Target>) -> Option<Arc<Plan>> {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let plans = &watched.get(&Arc::as_ptr(target).addr())?.plans;
        plans.iter().max_by_key(|plan| plan.group.number).cloned()
    }

    /// The groups of all configurations that the target is checked for.
    fn groups(&self, target: &Arc<Target>) -> Vec<Arc<GroupHealth>> {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let plans = watched.get(&Arc::as_ptr(target).addr()).map(|watched| watched.plans.iter());
        plans.into_iter().flatten().map(|plan| Arc::clone(&plan.group)).collect()
    }
}

impl fmt::Debug for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checker").finish_non_exhaustive()
    }
}

impl Drop for Checks {
    fn drop(&mut self) {
        let mut watched = self.checker.watched.lock().unwrap_or_else(PoisonError::into_inner);
        for target in &self.targets {
            let key = Arc::as_ptr(target).addr();
            let Some(of_target) = watched.get_mut(&key) else { continue };
            // Only one: the next checks of the same group have begun already.
            if let Some(index) = of_target.plans.iter().position(|plan| Arc::ptr_eq(plan, &self.plan)) {
                of_target.plans.swap_remove(index);
            }
            of_target.changed.notify_one();
            if of_target.plans.is_empty() {
                watched.remove(&key);
            }
        }
    }
}

/// What became of a check.
enum Made {
    Ended(Outcome),
    /// Another check is wanted.
    Changed,
    /// No configuration wants the target to be checked.
    Unwanted,
}

/// Checks one target.
struct Task {
    checker: Arc<Checker>,
    target: Arc<Target>,
    changed: Arc<Notify>,
    machine: Machine,
    /// Whether the last check could be made, so that the log says only once that it could not.
    was_made: bool,
}

impl Task {
    async fn run(mut self) {
        let Some(mut plan) = self.newest() else { return };
        let mut due = Instant::now() + self.checker.first_wait();
        loop {
            // Cancel-safe: the deadline stays, and a notification that is not seen here is seen by the next call.
            tokio::select! {
                biased;
                () = self.changed.notified() => {
                    let Some(newest) = self.newest() else { return };
                    if newest.check != plan.check {
                        self.machine.begin_another_check();
                        due = due.min(Instant::now() + self.checker.first_wait());
                    }
                    plan = newest;
                    continue;
                }
                () = tokio::time::sleep_until(due) => {}
            }
            let interval = plan.check.interval;
            match self.made(&mut plan).await {
                Made::Ended(outcome) => self.record(&outcome, &plan),
                // The next turn begins the other check.
                Made::Changed => continue,
                Made::Unwanted => return,
            }
            // The time of the answer does not move the next check (ALB §9.3), unless it takes so long that the next is late.
            due = (due + self.checker.jittered(interval)).max(Instant::now());
        }
    }

    /// Makes a check, unless another is wanted before it ends. Takes over a new plan with the same check.
    async fn made(&self, plan: &mut Arc<Plan>) -> Made {
        let asked = Arc::clone(&plan.check);
        let mut asking = pin!(self.ask(&asked));
        loop {
            // Dropping a check closes its connection.
            let outcome = tokio::select! {
                outcome = &mut asking => Some(outcome),
                () = self.changed.notified() => None,
            };
            match (self.newest(), outcome) {
                (None, _) => return Made::Unwanted,
                (Some(newest), _) if newest.check != asked => {
                    self.changed.notify_one();
                    return Made::Changed;
                }
                (Some(newest), outcome) => {
                    *plan = newest;
                    if let Some(outcome) = outcome {
                        return Made::Ended(outcome);
                    }
                }
            }
        }
    }

    /// The plan in force. `None` if this task must end, also if another task checks the target by now.
    fn newest(&self) -> Option<Arc<Plan>> {
        let watched = self.checker.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let is_ours = watched
            .get(&Arc::as_ptr(&self.target).addr())
            .is_some_and(|watched| Arc::ptr_eq(&watched.changed, &self.changed));
        drop(watched);
        is_ours.then(|| self.checker.newest(&self.target)).flatten()
    }

    async fn ask(&self, check: &Arc<HealthCheck>) -> Outcome {
        let Ok(_permit) = self.checker.permits.acquire().await else {
            return Outcome::NotMade("the process ends".to_owned());
        };
        let asked = (self.checker.ask)(Arc::clone(check), self.target.id.place.clone());
        // A panic is a bug. It must not end the checks of the target.
        let asked = AssertUnwindSafe(asked).catch_unwind().await;
        asked.unwrap_or_else(|_| Outcome::NotMade("the check stopped with a panic; this is a bug".to_owned()))
    }

    fn record(&mut self, outcome: &Outcome, plan: &Plan) {
        plan.group.count(outcome.name());
        let (result, detail) = match outcome {
            Outcome::Success => (Ok(()), ""),
            // A target can say much about why it ends a connection, and the log has it, too.
            Outcome::Failure(cause, detail) => (Err(*cause), &detail[..detail.floor_char_boundary(FAILURE_BYTES_MAX)]),
            Outcome::NotMade(detail) => return self.not_made(detail),
        };
        self.was_made = true;
        self.target.health.set_failure(detail);
        let before = self.target.health.read();
        self.machine.record(result, plan.check.thresholds);
        let verdict = self.machine.verdict();
        let is_other_state = verdict.state() != before.verdict.state();
        if is_other_state {
            self.change_speed(verdict, plan);
        }
        // A target that fails in another way is still unhealthy since it became so.
        let since = if is_other_state { self.checker.clock.now() } else { before.since };
        self.target.health.write(Reading { verdict, since, answers: self.machine.answers() });
        if is_other_state {
            self.tell(verdict, detail);
        }
        if verdict != before.verdict {
            self.checker.groups(&self.target).iter().for_each(|group| group.update());
        }
    }

    fn not_made(&mut self, detail: &str) {
        if std::mem::replace(&mut self.was_made, false) {
            tracing::warn!(
                target.address = %self.target.name, target_group.name = %self.target.id.group, error = detail,
                "the health of the target could not be checked; its state stays"
            );
        }
    }

    /// ALB §9.4: a target that becomes healthy starts slowly if another healthy one has its whole share, and does so no more when
    /// it becomes unhealthy. Targets that are healthy from the beginning of their group do not start slowly.
    fn change_speed(&self, verdict: Verdict, plan: &Plan) {
        if verdict != Verdict::Healthy {
            return self.target.start_at_once();
        }
        let now = self.checker.clock.instant();
        let is_whole = |other: &Target| other.health.is_healthy() && other.slow_share(now, plan.slow_start) == WHOLE;
        if !plan.slow_start.is_zero() && !plan.group.is_starting() && plan.group.has_other(&self.target, is_whole) {
            self.target.start_slowly(now);
        }
    }

    /// Writes another state to the log.
    fn tell(&self, verdict: Verdict, detail: &str) {
        let (successes, failures) = self.machine.streak();
        let (target, group) = (&self.target.name, &self.target.id.group);
        match verdict.reason() {
            None => tracing::info!(
                target.address = %target, target_group.name = %group, successes, "the target is healthy"
            ),
            Some(reason) => tracing::warn!(
                target.address = %target, target_group.name = %group, failures, reason, error = detail,
                "the target is unhealthy"
            ),
        }
    }
}

/// A number from 0 to 1.
fn by_chance() -> f64 {
    f64::from(u32::from_le_bytes(octets::random())) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests;

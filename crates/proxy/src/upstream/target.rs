//! One target: its identity, and the state that all workers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::upstream::error::Error;
use crate::upstream::health::state::TargetHealth;
use crate::upstream::place::Place;
use crate::upstream::settings::{Ejection, Settings};
use crate::upstream::tls::Tls;

/// What makes a target the same target in another configuration.
///
/// Time-outs and limits are not part of it: a connection takes over those of the group for each request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TargetId {
    /// The group's name. Two groups may judge the same address differently, so each has a state of its own for it.
    pub(crate) group: Arc<str>,
    pub(crate) place: Place,
    /// `Some` if connections use TLS. Other authorities mean another target: its connections were verified otherwise.
    pub(crate) tls: Option<Tls>,
}

/// A target of a group. All workers share it, and so do configurations that have the same target.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) id: TargetId,
    /// The place of the target, for logs.
    pub(crate) name: Arc<str>,
    /// Requests that this target was chosen for and that have not ended, of all workers.
    in_flight: AtomicUsize,
    /// When the target is chosen again: twice the milliseconds after `epoch`, plus one if its answers were the cause. 0 if
    /// the target is not skipped.
    skip_until: AtomicU64,
    /// Failures one after the other, to connect and to answer.
    connect_failures: AtomicU32,
    server_errors: AtomicU32,
    /// When the slow start began, in milliseconds after `epoch`. 0 if there was none.
    slow_since: AtomicU64,
    pub(super) outcomes: Outcomes,
    /// How many groups have the target now. Only the table changes it.
    registrations: AtomicUsize,
    /// When the requests under way are cut, in milliseconds after `epoch`. 0 while a group has the target.
    leaves_at: AtomicU64,
    /// When the last group gave the target back, in milliseconds after `epoch`.
    left_at: AtomicU64,
    /// Only of meaning in a group with health checks.
    pub(crate) health: TargetHealth,
    epoch: Instant,
}

/// What `anomaly_mitigation` knows of a target.
#[derive(Debug)]
pub(super) struct Outcomes {
    /// Requests of the current window, and how many of them failed.
    pub(super) requests: AtomicU32,
    pub(super) faults: AtomicU32,
    /// The share of its weight that the target gets now, in thousandths.
    pub(super) share: AtomicU32,
}

/// The whole of a share or of a slow start.
pub(super) const WHOLE: u32 = 1000;

impl Target {
    /// A target that nothing is known of. It counts as healthy. `epoch` is any recent time.
    pub(super) fn new(id: TargetId, epoch: Instant) -> Self {
        Self {
            name: Arc::from(id.place.to_string()),
            id,
            in_flight: AtomicUsize::new(0),
            skip_until: AtomicU64::new(0),
            connect_failures: AtomicU32::new(0),
            server_errors: AtomicU32::new(0),
            slow_since: AtomicU64::new(0),
            outcomes: Outcomes { requests: AtomicU32::new(0), faults: AtomicU32::new(0), share: AtomicU32::new(WHOLE) },
            registrations: AtomicUsize::new(0),
            leaves_at: AtomicU64::new(0),
            left_at: AtomicU64::new(0),
            health: TargetHealth::default(),
            epoch,
        }
    }

    /// The end of the time for which this target is skipped, as a number that grows with time. `None` if it is not skipped.
    pub(crate) fn skipped_until(&self, now: Instant) -> Option<u64> {
        let until = self.skip_until.load(Ordering::Relaxed);
        // Most targets are not skipped. Then the time is not computed.
        (until != 0 && until > 2 * self.millis(now)).then_some(until)
    }

    /// No connection to the target could be made, or a new connection was closed at once. Skips the target if this has
    /// happened often enough.
    pub(crate) fn refused(&self, now: Instant, settings: &Ejection, error: &Error) {
        let failures = self.connect_failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures < settings.after_failures {
            return;
        }
        let until = 2 * (self.millis(now) + millis(settings.skip_for));
        if self.skip_until.swap(until, Ordering::Relaxed) == 0 {
            tracing::warn!(
                target.address = %self.name, target_group.name = %self.id.group,
                error = error.in_one_line(), failures, skip_for_ms = millis(settings.skip_for),
                "cannot connect to the target; the target is skipped for a while"
            );
        }
    }

    /// The target accepted a connection.
    pub(crate) fn accepted(&self) {
        if self.connect_failures.load(Ordering::Relaxed) != 0 {
            self.connect_failures.store(0, Ordering::Relaxed);
        }
        let until = self.skip_until.load(Ordering::Relaxed);
        if until != 0 && until.is_multiple_of(2) && self.is_skipped_no_more(until) {
            tracing::info!(
                target.address = %self.name, target_group.name = %self.id.group,
                "target accepts connections again"
            );
        }
    }

    /// The target answered with a status of the class 5xx. Returns whether this has happened often enough to skip it.
    pub(super) fn has_failed_too_often(&self, settings: &Ejection) -> bool {
        let Some(max) = settings.after_server_errors else { return false };
        self.server_errors.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= max
    }

    /// Skips the target for its answers.
    pub(super) fn skip_for_answers(&self, now: Instant, settings: &Ejection) {
        let until = 2 * (self.millis(now) + millis(settings.skip_for)) + 1;
        if self.skip_until.swap(until, Ordering::Relaxed) == 0 {
            tracing::warn!(
                target.address = %self.name, target_group.name = %self.id.group,
                errors = self.server_errors.load(Ordering::Relaxed), skip_for_ms = millis(settings.skip_for),
                "the target answers with errors; the target is skipped for a while"
            );
        }
    }

    /// The target answered with a status below 500.
    pub(super) fn answered_well(&self) {
        if self.server_errors.load(Ordering::Relaxed) == 0 {
            return;
        }
        self.server_errors.store(0, Ordering::Relaxed);
        let until = self.skip_until.load(Ordering::Relaxed);
        if !until.is_multiple_of(2) && self.is_skipped_no_more(until) {
            tracing::info!(
                target.address = %self.name, target_group.name = %self.id.group,
                "target answers without errors again"
            );
        }
    }

    fn is_skipped_no_more(&self, until: u64) -> bool {
        self.skip_until.compare_exchange(until, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Begins to give the target its share of the requests little by little.
    pub(super) fn start_slowly(&self, now: Instant) {
        self.slow_since.store(self.millis(now).max(1), Ordering::Relaxed);
    }

    /// Ends the slow start.
    pub(super) fn start_at_once(&self) {
        self.slow_since.store(0, Ordering::Relaxed);
    }

    /// The share of its weight that a target gets `duration` after its slow start began, in thousandths. It grows linearly
    /// (ALB §9.4), and is never zero.
    pub(super) fn slow_share(&self, now: Instant, duration: Duration) -> u32 {
        let since = self.slow_since.load(Ordering::Relaxed);
        if since == 0 || duration.is_zero() {
            return WHOLE;
        }
        let share = self.millis(now).saturating_sub(since).saturating_mul(WHOLE.into()) / millis(duration).max(1);
        u32::try_from(share).unwrap_or(WHOLE).clamp(SLOW_SHARE_MIN, WHOLE)
    }

    /// A group takes the target into use. The caller sees to it that this and [`deregister`](Self::deregister) do not happen
    /// at once.
    pub(super) fn register(&self) {
        self.registrations.fetch_add(1, Ordering::Relaxed);
        self.leaves_at.store(0, Ordering::Relaxed);
    }

    /// A group that has registered the target does not have it any more. If no other has, the target gets no new requests, and
    /// those under way are cut after `delay`.
    pub(super) fn deregister(&self, now: Instant, delay: Duration) {
        if self.registrations.fetch_sub(1, Ordering::Relaxed) > 1 {
            return;
        }
        self.left_at.store(self.millis(now), Ordering::Relaxed);
        self.leaves_at.store((self.millis(now) + millis(delay)).max(1), Ordering::Relaxed);
        tracing::info!(
            target.address = %self.name, target_group.name = %self.id.group,
            in_flight = self.in_flight(), deregistration_delay_ms = millis(delay),
            "the target leaves its group"
        );
    }

    /// Whether no group has the target any more.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaves_at.load(Ordering::Relaxed) != 0
    }

    /// For how long no group has had the target.
    pub(super) fn leaving_for(&self, now: Instant) -> Option<Duration> {
        let since = Duration::from_millis(self.left_at.load(Ordering::Relaxed));
        self.is_leaving().then(|| now.saturating_duration_since(self.epoch).saturating_sub(since))
    }

    /// Whether no group has the target any more, and the time for its last requests is over.
    pub(super) fn has_left(&self, now: Instant) -> bool {
        let at = self.leaves_at.load(Ordering::Relaxed);
        at != 0 && at <= self.millis(now)
    }

    /// Counts a request that the target was chosen for.
    pub(super) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the end of such a request.
    pub(super) fn end(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Requests under way at this target, of all workers.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    fn millis(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.epoch))
    }
}

/// What a target gets at the beginning of a slow start, so that it gets something to do.
const SLOW_SHARE_MIN: u32 = WHOLE / 100;

impl TargetId {
    /// The identity of `place` as a target of the group `settings`.
    pub(crate) fn new(settings: &Settings, place: Place) -> Self {
        Self { group: Arc::clone(&settings.name), place, tls: settings.tls.clone() }
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    const SKIP: Duration = Duration::from_secs(10);

    fn target(now: Instant) -> Target {
        Target::new(TargetId { group: "app".into(), place: Place::new("127.0.0.1", 1), tls: None }, now)
    }

    #[test]
    fn a_target_is_skipped_after_so_many_failures_one_after_the_other() {
        let now = Clock::system().instant();
        let (target, error) = (target(now), Error::NoTargets);
        let settings = Ejection { skip_for: SKIP, after_failures: 3, after_server_errors: None };
        target.refused(now, &settings, &error);
        target.refused(now, &settings, &error);
        target.accepted();
        target.refused(now, &settings, &error);
        target.refused(now, &settings, &error);
        assert!(target.skipped_until(now).is_none());
        target.refused(now, &settings, &error);
        assert!(target.skipped_until(now).is_some());
        assert!(target.skipped_until(now + SKIP).is_none());
        target.answered_well();
        assert!(target.skipped_until(now).is_some(), "an answer over an old connection says nothing of new ones");
        target.accepted();
        assert!(target.skipped_until(now).is_none());
    }

    #[test]
    fn a_target_that_answers_with_errors_is_not_well_because_it_accepts_connections() {
        let now = Clock::system().instant();
        let target = target(now);
        let settings = Ejection { skip_for: SKIP, after_failures: 1, after_server_errors: Some(2) };
        assert!(!target.has_failed_too_often(&settings));
        target.answered_well();
        assert!(!target.has_failed_too_often(&settings));
        assert!(target.has_failed_too_often(&settings));
        target.skip_for_answers(now, &settings);
        target.accepted();
        assert!(target.skipped_until(now).is_some());
        target.answered_well();
        assert!(target.skipped_until(now).is_none());
        assert!(!target.has_failed_too_often(&Ejection { after_server_errors: None, ..settings }));
    }

    #[test]
    fn a_target_has_left_when_no_group_has_it_and_its_time_is_over() {
        let now = Clock::system().instant();
        let (target, delay) = (target(now), Duration::from_secs(300));
        let state = |seconds| (target.is_leaving(), target.has_left(now + Duration::from_secs(seconds)));
        target.register();
        target.register();
        target.deregister(now, delay);
        assert_eq!(state(1000), (false, false), "another group has it");
        target.deregister(now, delay);
        assert_eq!(target.leaving_for(now + Duration::from_secs(7)).map(|leaving| leaving.as_secs()), Some(7));
        assert_eq!([299, 300].map(state), [(true, false), (true, true)]);
        target.register();
        assert_eq!(state(1000), (false, false), "it has come back");
        assert_eq!(target.leaving_for(now), None);
        target.deregister(now, Duration::ZERO);
        assert_eq!(state(1), (true, true));
    }

    #[test]
    fn a_slow_start_grows_linearly() {
        let start = Clock::system().instant();
        let (target, duration) = (target(start), Duration::from_secs(100));
        let share = |seconds| target.slow_share(start + Duration::from_secs(seconds), duration);
        assert_eq!(share(0), WHOLE, "none has begun");
        target.start_slowly(start + Duration::from_secs(10));
        assert_eq!([10, 60, 110, 1000].map(share), [SLOW_SHARE_MIN, WHOLE / 2, WHOLE, WHOLE]);
        assert_eq!(target.slow_share(start, Duration::ZERO), WHOLE);
    }
}

//! A target group, shared by all workers: its targets, and which of them are skipped for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::upstream::error::Error;
use crate::upstream::settings::{Settings, TargetSettings};

/// A target group. Immutable except for the skip times of its targets.
#[derive(Debug)]
pub(crate) struct TargetGroup {
    pub(crate) settings: Settings,
    pub(crate) targets: Vec<Target>,
    /// What [`Target::skip_until`] counts from.
    epoch: Instant,
}

/// One target.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) settings: TargetSettings,
    /// `host:port`, for logs.
    pub(crate) name: Arc<str>,
    /// Milliseconds after the group's epoch before which this target is skipped; 0 if it is not skipped.
    skip_until: AtomicU64,
}

impl TargetGroup {
    /// A group whose targets all count as healthy. `now` is any recent time.
    pub(crate) fn new(settings: Settings, now: Instant) -> Self {
        let target = |target: &TargetSettings| Target {
            name: Arc::from(target.authority()),
            settings: target.clone(),
            skip_until: AtomicU64::new(0),
        };
        Self { targets: settings.targets.iter().map(target).collect(), settings, epoch: now }
    }

    /// The targets to try for one request, at most `N`: round robin from `turn` over the healthy targets, then
    /// the skipped targets, the longest skipped first. So a group without a healthy target still gets requests
    /// (ALB §9.3: fail open), and one healthy target is enough.
    ///
    /// The order is decided once. A target that becomes skipped while another is tried stays in it.
    pub(crate) fn order<const N: usize>(&self, turn: usize, now: Instant) -> impl Iterator<Item = usize> + use<N> {
        let millis = self.millis(now);
        let count = self.targets.len();
        let (mut picked, mut places) = (0, [0; N]);
        let mut skipped: Vec<(u64, usize)> = Vec::new();
        for index in (0..count).map(|step| (turn + step) % count) {
            if picked == N {
                break;
            }
            let until = self.targets[index].skip_until.load(Ordering::Relaxed);
            if until <= millis {
                places[picked] = index;
                picked += 1;
            } else {
                skipped.push((until, index));
            }
        }
        skipped.sort_unstable();
        for (place, (_, index)) in places[picked..].iter_mut().zip(skipped) {
            *place = index;
            picked += 1;
        }
        places.into_iter().take(picked)
    }

    /// Skips a target for a while, because no connection to it could be made or kept.
    pub(crate) fn skip(&self, target: usize, now: Instant, error: &Error) {
        let until = self.millis(now) + millis(self.settings.skip_for);
        if self.targets[target].skip_until.swap(until, Ordering::Relaxed) == 0 {
            tracing::warn!(
                target.address = %self.targets[target].name, target_group.name = %self.settings.name,
                error = error.in_one_line(), skip_for_ms = millis(self.settings.skip_for),
                "cannot connect to the target; the target is skipped for a while"
            );
        }
    }

    /// A target accepted a connection.
    pub(crate) fn accepted(&self, target: usize) {
        let was_skipped = self.targets[target].skip_until.load(Ordering::Relaxed) != 0;
        if was_skipped && self.targets[target].skip_until.swap(0, Ordering::Relaxed) != 0 {
            tracing::info!(
                target.address = %self.targets[target].name, target_group.name = %self.settings.name,
                "target accepts connections again"
            );
        }
    }

    fn millis(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.epoch))
    }
}

impl TargetSettings {
    /// `host:port`, an IPv6 address in brackets.
    pub(crate) fn authority(&self) -> String {
        let (host, port) = (&self.host, self.port);
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn group(count: u16) -> (TargetGroup, Instant) {
        let targets = (0..count).map(|port| TargetSettings { host: "127.0.0.1".into(), port: port + 1 }).collect();
        let now = Clock::system().instant();
        (TargetGroup::new(Settings::new("app".into(), targets), now), now)
    }

    #[test]
    fn targets_take_turns() {
        let (group, now) = group(3);
        let first = |turn| group.order::<3>(turn, now).next();
        assert_eq!((0..4).map(first).collect::<Vec<_>>(), [Some(0), Some(1), Some(2), Some(0)]);
        assert_eq!(group.order::<3>(1, now).collect::<Vec<_>>(), [1, 2, 0]);
    }

    #[test]
    fn a_target_that_refused_comes_last_until_its_time_is_over() {
        let (group, now) = group(3);
        group.skip(1, now, &Error::NoTargets);
        assert_eq!(group.order::<3>(1, now).collect::<Vec<_>>(), [2, 0, 1]);
        assert_eq!(group.order::<3>(1, now + Duration::from_secs(11)).collect::<Vec<_>>(), [1, 2, 0]);
        group.accepted(1);
        assert_eq!(group.order::<3>(1, now).collect::<Vec<_>>(), [1, 2, 0]);
    }

    #[test]
    fn a_group_of_which_none_is_well_still_gets_requests() {
        let (group, now) = group(2);
        group.skip(1, now, &Error::NoTargets);
        group.skip(0, now + Duration::from_secs(1), &Error::NoTargets);
        assert_eq!(group.order::<3>(0, now + Duration::from_secs(2)).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn a_target_that_is_skipped_while_another_is_tried_stays_in_the_order() {
        let (group, now) = group(2);
        let mut order = group.order::<3>(0, now);
        assert_eq!(order.next(), Some(0));
        group.skip(1, now, &Error::NoTargets);
        assert_eq!(order.next(), Some(1));
    }

    #[test]
    fn a_request_is_offered_to_so_many_targets_and_to_no_more() {
        let (group, now) = group(5);
        group.skip(2, now, &Error::NoTargets);
        assert_eq!(group.order::<3>(1, now).collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!(group.order::<5>(1, now).collect::<Vec<_>>(), [1, 3, 4, 0, 2]);
    }

    #[test]
    fn an_empty_group_has_no_order() {
        let (group, now) = group(0);
        assert_eq!(group.order::<3>(7, now).count(), 0);
    }
}

//! Gives fewer requests to targets that fail more often than the others of their group (`anomaly_mitigation`; ALB §9.4).
//!
//! At the end of each window, the share of a target that fails much more often than the middle one of its group is halved, and that of
//! each other target is doubled, up to the whole. How the load balancer of AWS decides is not documented; this rule is our own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::upstream::members::Members;
use crate::upstream::target::{Target, WHOLE};

/// When the failures of a group were compared last.
#[derive(Debug)]
pub(super) struct Anomalies {
    /// Milliseconds after `epoch`.
    window_ends: AtomicU64,
    epoch: Instant,
}

const WINDOW: Duration = Duration::from_secs(10);
/// With fewer targets there is no "others" (ALB: anomalies are found among at least three healthy targets).
const TARGETS_MIN: usize = 3;
/// With fewer requests in a window, nothing is known of a target.
const REQUESTS_MIN: u32 = 10;
/// A target that fails less often than in so many of a thousand requests is normal.
const FAULTS_MIN: u32 = 50;
/// A target that fails so many times more often than the middle one is not normal.
const TIMES_THE_MIDDLE: u32 = 3;
/// The least share, in thousandths: it must still be seen when the target gets better.
const SHARE_MIN: u32 = WHOLE / 16;

impl Anomalies {
    /// The first window begins at `epoch`.
    pub(super) fn new(epoch: Instant) -> Self {
        Self { window_ends: AtomicU64::new(millis(WINDOW)), epoch }
    }

    /// Counts a request that the target answered or failed to answer.
    pub(super) fn count(target: &Target, is_fault: bool) {
        target.outcomes.requests.fetch_add(1, Ordering::Relaxed);
        if is_fault {
            target.outcomes.faults.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Compares the targets if the window has ended. One of the workers does it.
    pub(super) fn compare(&self, members: &Members, now: Instant) {
        let passed = millis(now.saturating_duration_since(self.epoch));
        let ends = self.window_ends.load(Ordering::Relaxed);
        if passed < ends {
            return;
        }
        let next = passed + millis(WINDOW);
        if self.window_ends.compare_exchange(ends, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            judge(members, now);
        }
    }
}

/// Changes the shares after a window, and begins the next.
fn judge(members: &Members, now: Instant) {
    let rate = |target: &Target| {
        let requests = target.outcomes.requests.swap(0, Ordering::Relaxed);
        let faults = target.outcomes.faults.swap(0, Ordering::Relaxed);
        if requests < REQUESTS_MIN { 0 } else { per_mille(faults, requests) }
    };
    let mut rates: Vec<(u32, &Target)> =
        members.list.iter().map(|member| (rate(&member.target), &*member.target)).collect();
    rates.sort_unstable_by_key(|(rate, _)| std::cmp::Reverse(*rate));
    let healthy = members.in_use(now);
    let middle = rates.get(rates.len() / 2).map_or(0, |(rate, _)| *rate);
    // At most half of the targets, the worst: the others have to carry their load.
    let most = if healthy < TARGETS_MIN { 0 } else { rates.len() / 2 };
    for (index, (rate, target)) in rates.iter().enumerate() {
        let is_anomalous = index < most && *rate >= FAULTS_MIN && *rate > middle.saturating_mul(TIMES_THE_MIDDLE);
        let before = target.outcomes.share.load(Ordering::Relaxed);
        let after = if is_anomalous { (before / 2).max(SHARE_MIN) } else { (before * 2).min(WHOLE) };
        target.outcomes.share.store(after, Ordering::Relaxed);
        if before == WHOLE && after < WHOLE {
            tracing::warn!(
                target.address = %target.name, target_group.name = %target.id.group, faults_per_mille = rate,
                "the target fails more often than the others; it gets fewer requests"
            );
        } else if before < WHOLE && after == WHOLE {
            tracing::info!(
                target.address = %target.name, target_group.name = %target.id.group,
                "the target fails no more often than the others; it gets all its requests again"
            );
        }
    }
}

fn per_mille(part: u32, whole: u32) -> u32 {
    u32::try_from(u64::from(part) * 1000 / u64::from(whole.max(1))).unwrap_or(1000).min(1000)
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::upstream::testing::members;

    const SECOND: Duration = Duration::from_secs(1);

    fn requests(members: &Members, target: usize, count: u32, faults: u32) {
        for request in 0..count {
            Anomalies::count(&members.list[target].target, request < faults);
        }
    }

    fn shares(members: &Members) -> Vec<u32> {
        members.list.iter().map(|member| member.target.outcomes.share.load(Ordering::Relaxed)).collect()
    }

    #[test]
    fn a_target_that_fails_more_often_than_the_others_gets_less_until_it_is_well() {
        let start = Clock::system().instant();
        let (members, anomalies) = (members(&[1, 1, 1], start), Anomalies::new(start));
        let mut now = start;
        for expected in [500, 250, 125, 62, 62] {
            requests(&members, 0, 100, 50);
            requests(&members, 1, 100, 1);
            anomalies.compare(&members, now + WINDOW - SECOND);
            now += WINDOW;
            anomalies.compare(&members, now);
            assert_eq!(shares(&members), [expected, 1000, 1000]);
        }
        for expected in [124, 248, 496, 992, 1000] {
            requests(&members, 0, 100, 0);
            now += WINDOW;
            anomalies.compare(&members, now);
            assert_eq!(shares(&members), [expected, 1000, 1000]);
        }
    }

    #[test]
    fn what_all_have_in_common_or_happens_seldom_is_no_anomaly() {
        let start = Clock::system().instant();
        for (counts, weights) in [
            // The application fails everywhere.
            ([(100, 50), (100, 40), (100, 30)].as_slice(), &[1, 1, 1][..]),
            // Too few requests, and too few failures.
            (&[(9, 9), (100, 0), (100, 4)], &[1, 1, 1]),
            // Too few targets.
            (&[(100, 100), (100, 0)], &[1, 1]),
        ] {
            let (members, anomalies) = (members(weights, start), Anomalies::new(start));
            for (target, (count, faults)) in counts.iter().enumerate() {
                requests(&members, target, *count, *faults);
            }
            anomalies.compare(&members, start + WINDOW);
            assert!(shares(&members).iter().all(|share| *share == WHOLE), "{counts:?}");
        }
    }

    #[test]
    fn no_more_than_half_of_the_targets_get_less() {
        let start = Clock::system().instant();
        let (members, anomalies) = (members(&[1; 5], start), Anomalies::new(start));
        for (target, faults) in [90, 80, 70, 0, 0].into_iter().enumerate() {
            requests(&members, target, 100, faults);
        }
        anomalies.compare(&members, start + WINDOW);
        // The middle one fails as often as the third, so nobody stands out.
        assert_eq!(shares(&members), [1000; 5]);
        for (target, faults) in [90, 80, 20, 0, 0].into_iter().enumerate() {
            requests(&members, target, 100, faults);
        }
        anomalies.compare(&members, start + 2 * WINDOW);
        assert_eq!(shares(&members), [500, 500, 1000, 1000, 1000]);
    }
}

//! A target group, shared by all workers: its targets, and the order in which they are tried.

use std::sync::Arc;
use std::time::Instant;

use crate::upstream::settings::Settings;
use crate::upstream::target::{Target, TargetId};
use crate::upstream::target_table::TargetTable;

/// A target group of one configuration. Immutable except for the state of its targets.
#[derive(Debug)]
pub(crate) struct TargetGroup {
    pub(crate) settings: Settings,
    pub(crate) targets: Vec<Arc<Target>>,
}

impl TargetGroup {
    /// A group with targets of `table`. What the process knows of them already stays known.
    pub(crate) fn new(settings: Settings, table: &TargetTable) -> Self {
        let targets = table.targets(settings.targets.iter().map(|place| TargetId::new(&settings, place)));
        Self { settings, targets }
    }

    /// The targets to try for one request, at most `N`: round robin from `turn` over the healthy targets, then
    /// the skipped targets, the longest skipped first. So a group without a healthy target still gets requests
    /// (ALB §9.3: fail open), and one healthy target is enough.
    ///
    /// The order is decided once. A target that becomes skipped while another is tried stays in it.
    pub(crate) fn order<const N: usize>(&self, turn: usize, now: Instant) -> impl Iterator<Item = usize> + use<N> {
        let count = self.targets.len();
        let (mut picked, mut places) = (0, [0; N]);
        let mut skipped: Vec<(u64, usize)> = Vec::new();
        for index in (0..count).map(|step| (turn + step) % count) {
            if picked == N {
                break;
            }
            match self.targets[index].skipped_until(now) {
                None => {
                    places[picked] = index;
                    picked += 1;
                }
                Some(until) => skipped.push((until, index)),
            }
        }
        skipped.sort_unstable();
        for (place, (_, index)) in places[picked..].iter_mut().zip(skipped) {
            *place = index;
            picked += 1;
        }
        places.into_iter().take(picked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::clock::Clock;
    use crate::upstream::error::Error;
    use crate::upstream::settings::TargetSettings;

    fn settings(ports: impl IntoIterator<Item = u16>) -> Settings {
        let target = |port| TargetSettings { host: "127.0.0.1".into(), port };
        Settings::new("app".into(), ports.into_iter().map(target).collect())
    }

    fn group(count: u16) -> (TargetGroup, Instant) {
        let now = Clock::system().instant();
        (TargetGroup::new(settings(1..=count), &TargetTable::new(now)), now)
    }

    impl TargetGroup {
        fn skip(&self, target: usize, now: Instant) {
            self.targets[target].skip(now, self.settings.skip_for, &Error::NoTargets);
        }
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
        group.skip(1, now);
        assert_eq!(group.order::<3>(1, now).collect::<Vec<_>>(), [2, 0, 1]);
        assert_eq!(group.order::<3>(1, now + Duration::from_secs(11)).collect::<Vec<_>>(), [1, 2, 0]);
        group.targets[1].accepted();
        assert_eq!(group.order::<3>(1, now).collect::<Vec<_>>(), [1, 2, 0]);
    }

    #[test]
    fn a_group_of_which_none_is_well_still_gets_requests() {
        let (group, now) = group(2);
        group.skip(1, now);
        group.skip(0, now + Duration::from_secs(1));
        assert_eq!(group.order::<3>(0, now + Duration::from_secs(2)).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn a_target_that_is_skipped_while_another_is_tried_stays_in_the_order() {
        let (group, now) = group(2);
        let mut order = group.order::<3>(0, now);
        assert_eq!(order.next(), Some(0));
        group.skip(1, now);
        assert_eq!(order.next(), Some(1));
    }

    #[test]
    fn a_request_is_offered_to_so_many_targets_and_to_no_more() {
        let (group, now) = group(5);
        group.skip(2, now);
        assert_eq!(group.order::<3>(1, now).collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!(group.order::<5>(1, now).collect::<Vec<_>>(), [1, 3, 4, 0, 2]);
    }

    #[test]
    fn an_empty_group_has_no_order() {
        let (group, now) = group(0);
        assert_eq!(group.order::<3>(7, now).count(), 0);
    }

    #[test]
    fn another_configuration_knows_which_targets_are_skipped() {
        let now = Clock::system().instant();
        let table = TargetTable::new(now);
        let first = TargetGroup::new(settings([1, 2, 3]), &table);
        first.skip(0, now);
        first.skip(1, now);
        // The target with port 2 has another place, the one with port 1 is gone, and the one with port 4 is new.
        let second = TargetGroup::new(settings([4, 3, 2]), &table);
        assert_eq!(second.order::<3>(2, now).collect::<Vec<_>>(), [0, 1, 2]);
        drop(first);
        // Nobody used it in between, so nothing is known of it.
        let third = TargetGroup::new(settings([1, 2]), &table);
        assert_eq!(third.order::<3>(0, now).collect::<Vec<_>>(), [0, 1]);
    }
}

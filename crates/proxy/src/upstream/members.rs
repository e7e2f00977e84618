//! The targets that a group has at one time.

use std::sync::Arc;
use std::time::Instant;

use crate::upstream::health::group_health::GroupHealth;
use crate::upstream::target::Target;

/// The targets of a group, until its configuration or the addresses of a name change.
#[derive(Debug, Default)]
pub(crate) struct Members {
    /// Grows with every change of the group.
    pub(super) number: u64,
    pub(crate) list: Box<[Member]>,
    /// Indexes of `list`, each as often as its weight says, and evenly spread.
    pub(super) schedule: Box<[usize]>,
    /// `None` if the group is not checked.
    pub(crate) health: Option<Arc<GroupHealth>>,
}

/// A target of a group.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) target: Arc<Target>,
    /// Its share of the requests, relative to the others. At least one.
    pub(crate) weight: u32,
    /// The index of a target that is another address of the same name, of the other family. Both are raced when connecting
    /// (RFC 8305).
    pub(super) rival: Option<usize>,
}

impl Members {
    pub(super) fn new(number: u64, targets: Vec<(Arc<Target>, u32)>) -> Self {
        let rival = |index: usize| {
            let place = &targets[index].0.id.place;
            // Begin behind the target, so that not all of one family have the same rival.
            let others = (1..targets.len()).map(|step| (index + step) % targets.len());
            others.into_iter().find(|other| place.is_other_family(&targets[*other].0.id.place))
        };
        let rivals: Vec<_> = (0..targets.len()).map(rival).collect();
        let weights: Vec<_> = targets.iter().map(|(_, weight)| *weight).collect();
        let list = targets.into_iter().zip(rivals);
        let list = list.map(|((target, weight), rival)| Member { target, weight, rival }).collect();
        Self { number, list, schedule: schedule(&weights), health: None }
    }

    /// Whether requests go to all targets, because there are no health checks or too few targets are healthy (ALB §9.3).
    pub(super) fn are_all_usable(&self) -> bool {
        self.health.as_ref().is_none_or(|health| health.sends_to_all())
    }

    /// Whether requests go to the target while it is not skipped.
    pub(super) fn is_usable(&self, index: usize) -> bool {
        self.are_all_usable() || self.list[index].target.health.is_healthy()
    }

    /// How many targets are neither skipped nor unhealthy.
    pub(super) fn in_use(&self, now: Instant) -> usize {
        let is_in_use = |index: &usize| self.list[*index].target.skipped_until(now).is_none() && self.is_usable(*index);
        (0..self.list.len()).filter(is_in_use).count()
    }

    /// Whether more than half of the targets would be in use without one of them.
    pub(super) fn can_spare_one(&self, now: Instant) -> bool {
        let used = self.in_use(now);
        2 * (used - usize::from(used > 0)) >= self.list.len()
    }
}

/// Indexes, each as often as its weight says relative to the others. The occurrences of an index are spread evenly: each
/// turn goes to the index that is furthest behind its share (as nginx does it).
fn schedule(weights: &[u32]) -> Box<[usize]> {
    let divisor = weights.iter().copied().fold(0, greatest_common_divisor).max(1);
    let weights: Vec<i64> = weights.iter().map(|weight| i64::from(weight / divisor)).collect();
    let total: i64 = weights.iter().sum();
    let mut behind = vec![0_i64; weights.len()];
    let turn = |_| {
        let mut next = 0;
        for (index, weight) in weights.iter().enumerate() {
            behind[index] += weight;
            if behind[index] > behind[next] {
                next = index;
            }
        }
        behind[next] -= total;
        next
    };
    (0..total).map(turn).collect()
}

fn greatest_common_divisor(left: u32, right: u32) -> u32 {
    if right == 0 { left } else { greatest_common_divisor(right, left % right) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_gives_each_its_share_and_spreads_it() {
        assert!(schedule(&[]).is_empty());
        assert_eq!(*schedule(&[7]), [0]);
        assert_eq!(*schedule(&[1, 1, 1]), [0, 1, 2]);
        assert_eq!(*schedule(&[100, 100]), [0, 1]);
        assert_eq!(*schedule(&[5, 1, 1]), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(*schedule(&[20, 10]), [0, 1, 0]);
    }
}

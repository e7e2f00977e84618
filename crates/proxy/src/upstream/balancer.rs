//! Chooses a target for a request.

use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::crypto::octets;
use crate::upstream::health::state::Verdict;
use crate::upstream::members::Members;
use crate::upstream::settings::Algorithm;
use crate::upstream::target::{Target, WHOLE};

/// One worker's choice among the targets of a group.
#[derive(Debug)]
pub(super) struct Balancer {
    algorithm: Algorithm,
    slow_start: Duration,
    turn: Cell<usize>,
    /// The state of a generator of numbers (SplitMix64). They only spread requests, so nothing depends on them being secret.
    random: Cell<u64>,
}

impl Balancer {
    /// `worker` is the first position of round robin, so that workers start with different targets.
    pub(super) fn new(algorithm: Algorithm, slow_start: Duration, worker: usize) -> Self {
        let random = Cell::new(u64::from_le_bytes(octets::random()));
        Self { algorithm, slow_start, turn: Cell::new(worker), random }
    }

    /// The turn of the next request. All targets that are tried for it are chosen with the same turn.
    pub(super) fn next_turn(&self) -> usize {
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        turn
    }

    /// Whether a request that is bound to the member `index` goes there: the target is ready, or it is only skipped and no target is
    /// ready.
    pub(super) fn holds(members: &Members, index: usize, now: Instant) -> bool {
        let target = |index: usize| &members.list[index].target;
        let is_usable = |index| members.is_usable(index) && !target(index).is_leaving();
        let is_ready = |index| is_usable(index) && target(index).skipped_until(now).is_none();
        is_ready(index) || (is_usable(index) && !(0..members.list.len()).any(is_ready))
    }

    /// The target to try next for a request, as an index of the members. `tried` are those that were tried for it before.
    /// `None` if all were.
    ///
    /// Targets that are ready come first: healthy or not checked, and not skipped. If too few are healthy, all count as healthy
    /// (ALB §9.3: fail open). If none is ready, a request that might be answered is worth more than a refusal, so the others are
    /// tried: see [`last_resort`].
    pub(super) fn pick(&self, members: &Members, turn: usize, now: Instant, tried: &[usize]) -> Option<usize> {
        let are_all_usable = members.are_all_usable();
        let is_ready = |index: usize| {
            let target = &members.list[index].target;
            !tried.contains(&index)
                && (are_all_usable || target.health.is_healthy())
                && target.skipped_until(now).is_none()
                && !target.is_leaving()
        };
        let ready = match self.algorithm {
            Algorithm::RoundRobin => self.round_robin(members, turn, now, is_ready),
            Algorithm::LeastOutstandingRequests => self.least_outstanding(members, turn, is_ready),
            Algorithm::WeightedRandom { .. } => self.weighted_random(members, now, is_ready),
        };
        ready.or_else(|| last_resort(members, now, tried, are_all_usable))
    }

    /// The target whose turn it is. If it cannot have the request, any of the others: were it the next of the schedule, that one
    /// would get twice as much as the others.
    fn round_robin(
        &self,
        members: &Members,
        turn: usize,
        now: Instant,
        is_ready: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        // A target in its slow start takes a part of its turns only.
        let share = |index: usize| members.list[index].target.slow_share(now, self.slow_start);
        let takes = |share: u32| share == WHOLE || self.below(WHOLE.into()) < share.into();
        let own = rotated(members, turn).next()?;
        if is_ready(own) && takes(share(own)) {
            return Some(own);
        }
        let any =
            |is_wanted: &dyn Fn(usize) -> bool| members.schedule.get(self.any_position(members, is_wanted)?).copied();
        any(&|index| is_ready(index) && share(index) == WHOLE).or_else(|| any(&is_ready))
    }

    /// Of the targets with the fewest requests under way in relation to their weight, the one whose turn it is. If that one cannot
    /// have the request, any of the others.
    fn least_outstanding(&self, members: &Members, turn: usize, is_ready: impl Fn(usize) -> bool) -> Option<usize> {
        let own = rotated(members, turn).next()?;
        let begin = if is_ready(own) { turn } else { self.any_position(members, &is_ready)? };
        fewest(members, begin, is_ready)
    }

    /// A position of the schedule by chance, among those of targets that are wanted. So each target is as likely as its weight says.
    fn any_position(&self, members: &Members, is_wanted: &dyn Fn(usize) -> bool) -> Option<usize> {
        let wanted = || (0..members.schedule.len()).filter(|position| is_wanted(members.schedule[*position]));
        let chosen = usize::try_from(self.below(wanted().count() as u64)).ok()?;
        // Fewer are wanted now, if one was skipped since they were counted.
        wanted().nth(chosen).or_else(|| wanted().next())
    }

    fn weighted_random(&self, members: &Members, now: Instant, is_ready: impl Fn(usize) -> bool) -> Option<usize> {
        let weight = |index: &usize| {
            let member = &members.list[*index];
            let share = self.share(&member.target, now);
            // A target is never without any share, so that it is seen when it gets better.
            (u64::from(member.weight) * u64::from(share)).max(1)
        };
        let ready = || (0..members.list.len()).filter(|index| is_ready(*index));
        let total: u64 = ready().map(|index| weight(&index)).sum();
        let mut left = self.below(total);
        let mut last = None;
        for index in ready() {
            let weight = weight(&index);
            if left < weight {
                return Some(index);
            }
            left -= weight;
            // What the shares are changes while they are read.
            last = Some(index);
        }
        last
    }

    /// The share of its weight that a target gets, in thousandths.
    fn share(&self, target: &Target, now: Instant) -> u32 {
        match self.algorithm {
            Algorithm::WeightedRandom { anomaly_mitigation: true } => target.outcomes.share.load(Ordering::Relaxed),
            _ => target.slow_share(now, self.slow_start),
        }
    }

    /// A number from zero to below `bound`; zero if `bound` is zero.
    fn below(&self, bound: u64) -> u64 {
        let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mixed = mixed ^ (mixed >> 31);
        // Takes the upper bits of the product, which is even enough for bounds far below 2^64 and needs no division.
        u64::try_from((u128::from(mixed) * u128::from(bound)) >> 64).unwrap_or(0)
    }
}

/// The indexes of the schedule, beginning with that of the turn.
fn rotated(members: &Members, turn: usize) -> impl Iterator<Item = usize> {
    let (before, from) = match members.schedule.len() {
        0 => (&[][..], &[][..]),
        length => members.schedule.split_at(turn % length),
    };
    from.iter().chain(before).copied()
}

/// The target with the fewest requests under way, in relation to its weight. Among equals, the first of the schedule that begins with
/// that of the turn.
fn fewest(members: &Members, turn: usize, is_ready: impl Fn(usize) -> bool) -> Option<usize> {
    let mut best: Option<(usize, u64, u64)> = None;
    for index in rotated(members, turn).filter(|index| is_ready(*index)) {
        let member = &members.list[index];
        let (load, weight) = (member.target.in_flight() as u64, u64::from(member.weight));
        if best.is_none_or(|(_, best_load, best_weight)| load * best_weight < best_load * weight) {
            best = Some((index, load, weight));
        }
        if load == 0 {
            break;
        }
    }
    best.map(|(index, ..)| index)
}

/// The best target that is not ready. In this order: those whose last check succeeded, although they are not healthy again yet; those
/// that are healthy and skipped, the longest skipped first; the others. Targets that have left the group come last.
fn last_resort(members: &Members, now: Instant, tried: &[usize], are_all_usable: bool) -> Option<usize> {
    let untried = (0..members.list.len()).filter(|index| !tried.contains(index));
    untried.min_by_key(|index| {
        let target = &members.list[*index].target;
        let (skipped_until, health) = (target.skipped_until(now), target.health.read());
        let is_healthy = are_all_usable || health.verdict == Verdict::Healthy;
        let is_promising = is_healthy || (health.answers && skipped_until.is_none());
        (target.is_leaving(), !is_promising, skipped_until)
    })
}

#[cfg(test)]
mod tests;

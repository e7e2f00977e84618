use std::sync::Arc;

use super::*;
use crate::clock::{Clock, Timestamp};
use crate::upstream::error::Error;
use crate::upstream::health::group_health::GroupHealth;
use crate::upstream::health::state::{Cause, Reading, Verdict};
use crate::upstream::settings::Ejection;
use crate::upstream::testing::members;

const EJECTION: Ejection = Ejection { skip_for: Duration::from_secs(10), after_failures: 1, after_server_errors: None };

fn balancer(algorithm: Algorithm) -> Balancer {
    Balancer::new(algorithm, Duration::ZERO, 0)
}

fn skip(members: &Members, index: usize, now: Instant) {
    members.list[index].target.refused(now, &EJECTION, &Error::NoTargets);
}

/// The targets in the order in which they are tried for one request.
fn order(balancer: &Balancer, members: &Members, turn: usize, now: Instant) -> Vec<usize> {
    let mut tried = Vec::new();
    while let Some(index) = balancer.pick(members, turn, now, &tried) {
        tried.push(index);
    }
    tried
}

/// How many of `count` requests go to each target.
fn spread(balancer: &Balancer, members: &Members, count: usize, now: Instant) -> Vec<usize> {
    let mut spread = vec![0; members.list.len()];
    for _ in 0..count {
        spread[balancer.pick(members, balancer.next_turn(), now, &[]).expect("a target")] += 1;
    }
    spread
}

const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::RoundRobin,
    Algorithm::LeastOutstandingRequests,
    Algorithm::WeightedRandom { anomaly_mitigation: false },
    Algorithm::WeightedRandom { anomaly_mitigation: true },
];

#[test]
fn targets_take_turns() {
    let now = Clock::system().instant();
    let (members, balancer) = (members(&[1, 1, 1], now), balancer(Algorithm::RoundRobin));
    assert_eq!(order(&balancer, &members, 1, now)[0], 1);
    assert_eq!(order(&balancer, &members, usize::MAX, now)[0], usize::MAX % 3);
    assert_eq!(spread(&balancer, &members, 300, now), [100; 3]);
}

#[test]
fn weights_are_kept_exactly_by_round_robin_and_nearly_by_chance() {
    let now = Clock::system().instant();
    let members = members(&[6, 3, 1], now);
    assert_eq!(spread(&balancer(Algorithm::RoundRobin), &members, 1000, now), [600, 300, 100]);
    // Nothing is under way, so all are equal but for their weights.
    assert_eq!(spread(&balancer(Algorithm::LeastOutstandingRequests), &members, 1000, now), [600, 300, 100]);
    let random = balancer(Algorithm::WeightedRandom { anomaly_mitigation: false });
    random.random.set(1);
    let spread = spread(&random, &members, 10_000, now);
    for (got, expected) in spread.iter().zip([6000_usize, 3000, 1000]) {
        assert!(got.abs_diff(expected) < 200, "{spread:?}");
    }
}

#[test]
fn a_target_that_refused_comes_last_until_its_time_is_over() {
    let now = Clock::system().instant();
    let (members, balancer) = (members(&[1, 1, 1], now), balancer(Algorithm::RoundRobin));
    skip(&members, 1, now);
    assert_eq!(order(&balancer, &members, 1, now)[2], 1);
    assert_eq!(order(&balancer, &members, 1, now + Duration::from_secs(11))[0], 1);
    members.list[1].target.accepted();
    assert_eq!(order(&balancer, &members, 1, now)[0], 1);
}

#[test]
fn the_others_share_evenly_what_a_target_cannot_have() {
    let now = Clock::system().instant() + Duration::from_millis(1);
    for (algorithm, is_slow) in [
        (Algorithm::RoundRobin, false),
        (Algorithm::RoundRobin, true),
        (Algorithm::LeastOutstandingRequests, false),
        (Algorithm::WeightedRandom { anomaly_mitigation: false }, false),
    ] {
        let members = members(&[1, 1, 1, 2], now - Duration::from_millis(1));
        let balancer = Balancer::new(algorithm, Duration::from_secs(100), 0);
        balancer.random.set(1);
        if is_slow {
            members.list[0].target.start_slowly(now);
        } else {
            skip(&members, 0, now);
        }
        let spread = spread(&balancer, &members, 10_000, now);
        for (got, expected) in spread.iter().zip([0_usize, 2500, 2500, 5000]) {
            assert!(got.abs_diff(expected) < 200, "{algorithm:?}, slow start: {is_slow}: {spread:?}");
        }
    }
}

#[test]
fn every_algorithm_tries_each_target_once_the_skipped_last_and_the_longest_skipped_of_them_first() {
    let now = Clock::system().instant();
    for algorithm in ALGORITHMS {
        let (members, balancer) = (members(&[1, 5, 1, 2], now), balancer(algorithm));
        skip(&members, 1, now);
        skip(&members, 0, now + Duration::from_secs(1));
        let order = order(&balancer, &members, 0, now + Duration::from_secs(2));
        let (mut first, last) = (order[..2].to_vec(), &order[2..]);
        first.sort_unstable();
        assert_eq!((first, last), (vec![2, 3], &[1, 0][..]), "{algorithm:?}");
        assert!(super::Balancer::pick(&balancer, &Members::default(), 7, now, &[]).is_none());
    }
}

#[test]
fn a_target_that_is_skipped_while_another_is_tried_is_still_tried() {
    let now = Clock::system().instant();
    for algorithm in ALGORITHMS {
        let (members, balancer) = (members(&[1, 1], now), balancer(algorithm));
        let first = balancer.pick(&members, 0, now, &[]).expect("a target");
        skip(&members, 1 - first, now);
        assert_eq!(balancer.pick(&members, 0, now, &[first]), Some(1 - first), "{algorithm:?}");
        assert_eq!(balancer.pick(&members, 0, now, &[first, 1 - first]), None, "{algorithm:?}");
    }
}

#[test]
fn the_target_with_the_fewest_requests_for_its_weight_is_chosen() {
    let now = Clock::system().instant();
    let (members, balancer) = (members(&[1, 2, 1], now), balancer(Algorithm::LeastOutstandingRequests));
    let begin = |index: usize, count| (0..count).for_each(|_| members.list[index].target.begin());
    begin(0, 3);
    begin(1, 4);
    begin(2, 5);
    // 3, 2 and 5 for each unit of weight.
    assert_eq!(order(&balancer, &members, 0, now), [1, 0, 2]);
    begin(1, 3);
    assert_eq!(order(&balancer, &members, 0, now), [0, 1, 2]);
}

#[test]
fn a_target_in_its_slow_start_gets_its_part_and_everything_if_there_is_no_other() {
    let start = Clock::system().instant();
    let slow_start = Duration::from_secs(100);
    for algorithm in [Algorithm::RoundRobin, Algorithm::WeightedRandom { anomaly_mitigation: false }] {
        let members = members(&[1, 1], start);
        let balancer = Balancer::new(algorithm, slow_start, 0);
        balancer.random.set(1);
        let slow_since = start + Duration::from_millis(1);
        members.list[0].target.start_slowly(slow_since);
        // After a quarter of the time it has a quarter of its weight.
        let spread_then = spread(&balancer, &members, 10_000, slow_since + slow_start / 4);
        let expected = if algorithm == Algorithm::RoundRobin { 1250_usize } else { 2000 };
        assert!(spread_then[0].abs_diff(expected) < 200, "{algorithm:?}: {spread_then:?}");
        let later = spread(&balancer, &members, 10_000, slow_since + slow_start);
        assert!(later[0].abs_diff(5000) < 200, "{algorithm:?}: {later:?}");
        skip(&members, 1, slow_since);
        assert_eq!(spread(&balancer, &members, 100, slow_since), [100, 0], "{algorithm:?}");
    }
}

#[test]
fn a_target_with_an_anomaly_gets_its_part() {
    let now = Clock::system().instant();
    let members = members(&[1, 1, 1], now);
    members.list[2].target.outcomes.share.store(WHOLE / 4, Ordering::Relaxed);
    let balancer = balancer(Algorithm::WeightedRandom { anomaly_mitigation: true });
    balancer.random.set(1);
    let spread = spread(&balancer, &members, 9000, now);
    assert!(spread[2].abs_diff(1000) < 150 && spread[0].abs_diff(4000) < 200, "{spread:?}");
}

#[test]
fn a_target_that_leaves_gets_no_request_that_another_can_have() {
    let now = Clock::system().instant();
    for algorithm in ALGORITHMS {
        let (members, balancer) = (members(&[1, 1, 1], now), balancer(algorithm));
        let [leaving, skipped, ready] = [0, 1, 2];
        members.list[leaving].target.register();
        members.list[leaving].target.deregister(now, Duration::from_secs(300));
        skip(&members, skipped, now);
        assert_eq!(order(&balancer, &members, 0, now), [ready, skipped, leaving], "{algorithm:?}");
    }
}

#[test]
fn unhealthy_targets_get_nothing_as_long_as_enough_are_healthy() {
    let now = Clock::system().instant();
    for algorithm in ALGORITHMS {
        let balancer = balancer(algorithm);
        let members = checked(&[HEALTHY, UNHEALTHY, HEALTHY, ANSWERING], now);
        let spread = spread(&balancer, &members, 100, now);
        assert!(spread[1] == 0 && spread[3] == 0 && spread[0] > 0 && spread[2] > 0, "{algorithm:?}: {spread:?}");
        assert_eq!(members.in_use(now), 2);
        let members = checked(&[UNHEALTHY, UNHEALTHY], now);
        assert_eq!(order(&balancer, &members, 0, now).len(), 2, "{algorithm:?}: fail open");
        assert_eq!(members.in_use(now), 2);
    }
}

#[test]
fn a_request_that_no_ready_target_took_is_offered_to_the_others_the_most_promising_first() {
    let now = Clock::system().instant();
    let [skipped, unhealthy, ready, answering, leaving, refusing] = [0, 1, 2, 3, 4, 5];
    for algorithm in ALGORITHMS {
        let members = checked(&[HEALTHY, UNHEALTHY, HEALTHY, ANSWERING, HEALTHY, ANSWERING], now);
        skip(&members, skipped, now);
        skip(&members, refusing, now);
        members.list[leaving].target.register();
        members.list[leaving].target.deregister(now, Duration::from_secs(300));
        let order = order(&balancer(algorithm), &members, 0, now);
        assert_eq!(order, [ready, answering, skipped, unhealthy, refusing, leaving], "{algorithm:?}");
    }
}

#[test]
fn a_request_has_a_target_also_while_the_last_healthy_one_becomes_unhealthy() {
    let now = Clock::system().instant();
    let members = checked(&[HEALTHY, UNHEALTHY], now);
    write(&members.list[0].target, UNHEALTHY);
    assert!(!members.are_all_usable(), "the group has not decided yet");
    for algorithm in ALGORITHMS {
        assert_eq!(order(&balancer(algorithm), &members, 0, now).len(), 2, "{algorithm:?}");
    }
}

/// A verdict, and whether the last check succeeded.
type Health = (Verdict, bool);

const HEALTHY: Health = (Verdict::Healthy, true);
const UNHEALTHY: Health = (Verdict::Unhealthy(Cause::Timeout), false);
const ANSWERING: Health = (Verdict::Unhealthy(Cause::Timeout), true);

fn write(target: &Target, (verdict, answers): Health) {
    target.health.write(Reading { verdict, since: Timestamp::from_millis(0), answers });
}

/// A group with health checks. It needs one healthy target.
fn checked(targets: &[Health], now: Instant) -> Members {
    let members = members(&vec![1; targets.len()], now);
    members.list.iter().zip(targets).for_each(|(member, health)| write(&member.target, *health));
    let targets = members.list.iter().map(|member| Arc::clone(&member.target)).collect();
    Members { health: Some(GroupHealth::played(targets)), ..members }
}

#[test]
fn a_bound_request_goes_to_its_target_while_that_is_ready_or_no_other_is() {
    let now = Clock::system().instant();
    let members = members(&[1, 1], now);
    let holds = || [0, 1].map(|index| Balancer::holds(&members, index, now));
    assert_eq!(holds(), [true, true]);
    skip(&members, 0, now);
    assert_eq!(holds(), [false, true]);
    skip(&members, 1, now);
    assert_eq!(holds(), [true, true], "no other is better");
    members.list[0].target.register();
    members.list[0].target.deregister(now, Duration::from_secs(300));
    assert_eq!(holds(), [false, true]);
    // Health checks.
    let holds = |members: &Members| [0, 1].map(|index| Balancer::holds(members, index, now));
    let members = checked(&[HEALTHY, UNHEALTHY], now);
    assert_eq!(holds(&members), [true, false]);
    skip(&members, 0, now);
    assert_eq!(holds(&members), [true, false], "the other is unhealthy");
    assert_eq!(holds(&checked(&[UNHEALTHY, UNHEALTHY], now)), [true, true], "fail open");
}

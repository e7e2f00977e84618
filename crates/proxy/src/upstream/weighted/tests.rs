use proptest::prelude::*;

use super::*;

fn weighted(weights: &[u16], worker: usize) -> WeightedGroups {
    let share =
        |(at, weight): (usize, &u16)| Share { name: format!("group-{at}").into(), group: 10 + at, weight: *weight };
    WeightedGroups::new(&Settings { shares: weights.iter().enumerate().map(share).collect(), stickiness: None }, worker)
}

fn picks(groups: &WeightedGroups, count: usize) -> Vec<usize> {
    let pick = |_| groups.pick(&HeaderMap::new(), Scheme::Https, Timestamp::from_seconds(0)).group;
    (0..count).map(pick).collect()
}

#[test]
fn requests_are_spread_by_weight() {
    assert_eq!(picks(&weighted(&[3, 1], 0), 8), [10, 10, 11, 10, 10, 10, 11, 10]);
    assert_eq!(picks(&weighted(&[3, 1], 1), 4), [10, 11, 10, 10]);
    assert_eq!(picks(&weighted(&[0, 1, 0], 0), 3), [11, 11, 11]);
    assert_eq!(picks(&weighted(&[1], 5), 3), [10, 10, 10]);
}

proptest! {
    /// In each cycle every group gets exactly its weight, wherever the cycle begins.
    #[test]
    fn every_cycle_has_each_group_as_often_as_its_weight(
        weights in prop::collection::vec(0_u16..12, 1..6), worker in 0_usize..20,
    ) {
        let total: usize = weights.iter().map(|weight| usize::from(*weight)).sum();
        prop_assume!(total > 0);
        let groups = weighted(&weights, worker);
        for _ in 0..2 {
            let picked = picks(&groups, total);
            for (at, weight) in weights.iter().enumerate() {
                prop_assert_eq!(picked.iter().filter(|group| **group == 10 + at).count(), usize::from(*weight));
            }
        }
    }
}

use std::time::Duration;

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

#[test]
fn s_07_an_ended_session_is_known_and_others_are_not() {
    let revoked = Revoked::default();
    let (ended, other) = (SessionId::random(), SessionId::random());
    revoked.add(ended, NOW + Duration::from_secs(60), NOW);
    assert!(revoked.contains(&ended));
    assert!(!revoked.contains(&other));
}

#[test]
fn all_are_known_after_they_have_been_merged() {
    let revoked = Revoked::default();
    let ids: Vec<_> = (0..3 * RECENT_MAX).map(|_| SessionId::random()).collect();
    for id in &ids {
        revoked.add(*id, NOW + Duration::from_secs(60), NOW);
        assert!(revoked.current.load().recent.len() <= RECENT_MAX);
    }
    assert!(ids.iter().all(|id| revoked.contains(id)));
}

#[test]
fn what_is_over_anyway_goes_first_then_what_ends_soonest() {
    let id = |number| SessionId([number; 16]);
    let mut snapshot = Snapshot::default();
    for (number, seconds) in [(1, 0), (2, 30), (3, 10), (4, 20)] {
        snapshot.recent.insert(id(number), NOW + Duration::from_secs(seconds));
    }
    snapshot.settle(NOW, 2);
    let mut kept: Vec<u8> = snapshot.settled.keys().map(|id| id.0[0]).collect();
    kept.sort_unstable();
    assert_eq!(kept, [2, 4]);
    assert!(snapshot.recent.is_empty());
}

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
/// The end of a session that has little left.
const ENDED: Outcome = Outcome::Ended { until: Timestamp::from_seconds(1_800_000_000 + KEEP_OUTCOME.as_secs()) };
const SOON: Duration = Duration::from_millis(5);

fn key() -> FlightKey {
    (SessionId::random(), 0)
}

/// Joins, and answers whether that started a flight.
fn join(refresher: &Refresher, key: FlightKey, now: Timestamp) -> (watch::Receiver<Option<Landed>>, Option<Landing>) {
    let mut started = None;
    let flight = refresher.join(key, now, |landing| started = Some(landing));
    (flight, started)
}

#[tokio::test]
async fn v_01_whoever_comes_meanwhile_joins_the_first() {
    let refresher = Refresher::default();
    let key = key();
    let (first, landing) = join(&refresher, key, NOW);
    let joined: Vec<_> = (0..100).map(|_| join(&refresher, key, NOW)).collect();
    assert!(joined.iter().all(|(_, landing)| landing.is_none()));
    landing.expect("the first starts").tell(ENDED, NOW);
    for flight in joined.into_iter().map(|(flight, _)| flight).chain([first]) {
        assert!(matches!(landed(flight, SOON).await, Outcome::Ended { .. }));
    }
}

#[tokio::test]
async fn another_session_or_generation_has_its_own_flight() {
    let refresher = Refresher::default();
    let (id, generation) = key();
    assert!(join(&refresher, (id, generation), NOW).1.is_some());
    assert!(join(&refresher, (id, generation + 1), NOW).1.is_some());
    assert!(join(&refresher, key(), NOW).1.is_some());
}

#[test]
fn v_03_a_failure_is_not_tried_again_at_once() {
    let refresher = Refresher::default();
    let key = key();
    join(&refresher, key, NOW).1.expect("starts").tell(Outcome::Failed, NOW);
    assert!(join(&refresher, key, NOW + BACK_OFF - Duration::from_millis(1)).1.is_none());
    assert!(join(&refresher, key, NOW + BACK_OFF).1.is_some());
}

#[test]
fn an_outcome_is_kept_for_requests_that_are_late() {
    let refresher = Refresher::default();
    let key = key();
    join(&refresher, key, NOW).1.expect("starts").tell(ENDED, NOW);
    assert!(join(&refresher, key, NOW + KEEP_OUTCOME - Duration::from_millis(1)).1.is_none());
    assert!(join(&refresher, key, NOW + KEEP_OUTCOME).1.is_some());
}

#[test]
fn v_03_a_refusal_is_kept_until_the_session_would_have_ended() {
    let (refresher, until) = (Refresher::default(), NOW + Duration::from_secs(8 * 3600));
    let key = key();
    join(&refresher, key, NOW).1.expect("starts").tell(Outcome::Ended { until }, NOW);
    assert!(join(&refresher, key, until - Duration::from_millis(1)).1.is_none());
    assert!(join(&refresher, key, until).1.is_some());
}

#[tokio::test]
async fn a_flight_that_is_lost_or_late_has_failed_and_another_starts() {
    let refresher = Refresher::default();
    let key = key();
    let (flight, landing) = join(&refresher, key, NOW);
    assert!(matches!(landed(flight.clone(), SOON).await, Outcome::Failed), "late");
    assert!(join(&refresher, key, NOW).1.is_none(), "it is still under way");
    drop(landing);
    assert!(matches!(landed(flight, SOON).await, Outcome::Failed), "lost");
    assert!(join(&refresher, key, NOW).1.is_some());
}

#[test]
fn what_is_no_longer_kept_is_swept() {
    let refresher = Refresher::default();
    for _ in 0..100 {
        join(&refresher, key(), NOW).1.expect("starts").tell(ENDED, NOW);
    }
    let (_, _under_way) = join(&refresher, key(), NOW);
    join(&refresher, key(), NOW + KEEP_OUTCOME + SWEEP_EVERY);
    let flights = refresher.0.lock().expect("not poisoned");
    assert_eq!(flights.by_key.len(), 2);
}

#[tokio::test]
async fn a_full_memory_ends_a_session_and_begins_no_flight() {
    let refresher = Refresher::default();
    let until = NOW + Duration::from_secs(3600);
    for _ in 0..FLIGHTS_MAX {
        join(&refresher, key(), NOW).1.expect("starts").tell(Outcome::Ended { until }, NOW);
    }
    let (flight, started) = join(&refresher, key(), NOW);
    assert!(started.is_none());
    assert!(matches!(landed(flight, SOON).await, Outcome::Ended { .. }));
    // When they are no longer kept there is room again.
    assert!(join(&refresher, key(), until).1.is_some());
}

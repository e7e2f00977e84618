use super::*;
use crate::secret::Secret;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const SOON: Duration = Duration::from_millis(5);
const HOUR: Duration = Duration::from_secs(3600);
const LIFE: Duration = Duration::from_secs(8 * 3600);
const ALICE: u64 = 1;

fn session() -> Session {
    Session::example("alice", NOW, LIFE)
}

/// Looks, and answers also the way to land a flight that was begun.
fn look(flights: &Arc<Flights>, session: &Session, user: u64, now: Timestamp) -> (Known, Option<Landing>) {
    let mut started = None;
    let known = flights.look(session, user, now, |_, landing| started = Some(landing));
    (known, started)
}

/// Begins a flight and lands it.
#[track_caller]
fn fly(flights: &Arc<Flights>, session: &Session, outcome: Outcome, now: Timestamp) {
    look(flights, session, ALICE, now).1.expect("a flight begins").land(outcome, now);
}

/// The next generation, whose refresh is due in an hour.
fn next(session: &Session, now: Timestamp) -> Session {
    let generation = session.generation + 1;
    let refresh_token = Some(Secret::new(format!("refresh-{generation}")));
    Session { generation, refresh_token, refresh_at: Some(now + HOUR), ..session.clone() }
}

fn renewed(session: &Session, now: Timestamp) -> Outcome {
    Outcome::Renewed(Arc::new(Renewal { session: next(session, now), cookies: Vec::new(), is_rotated: true }))
}

fn generation_of(known: &Known) -> Option<u32> {
    match known {
        Known::Renewed(renewal) => Some(renewal.session.generation),
        Known::UnderWay(_, newest) | Known::NotBefore(_, newest) => newest.as_ref().map(|new| new.session.generation),
        Known::Superseded => None,
    }
}

#[tokio::test]
async fn v_01_whoever_comes_meanwhile_joins_the_first() {
    let (flights, session) = (Arc::new(Flights::default()), session());
    let (first, landing) = look(&flights, &session, ALICE, NOW);
    let joined: Vec<_> = (0..100).map(|_| look(&flights, &session, ALICE, NOW)).collect();
    assert!(joined.iter().all(|(_, landing)| landing.is_none()));
    landing.expect("the first starts").land(Outcome::Refused, NOW);
    for known in joined.into_iter().map(|(known, _)| known).chain([first]) {
        let Known::UnderWay(flight, None) = known else { panic!("{known:?}") };
        assert!(matches!(flight.outcome(SOON).await, Outcome::Refused));
    }
}

#[test]
fn another_session_has_its_own_flight_and_so_has_a_newer_generation() {
    let (flights, session) = (Arc::new(Flights::default()), session());
    let old = look(&flights, &session, ALICE, NOW).1.expect("starts");
    let newer = Session { refresh_at: Some(NOW), ..next(&session, NOW) };
    let landing = look(&flights, &newer, ALICE, NOW).1.expect("another replica was faster");
    assert!(look(&flights, &self::session(), ALICE, NOW).1.is_some());
    // What lands late for the older one replaces nothing.
    landing.land(renewed(&newer, NOW), NOW);
    old.land(Outcome::Failed, NOW);
    assert_eq!(generation_of(&look(&flights, &session, ALICE, NOW).0), Some(2));
}

#[test]
fn v_03_a_failure_is_not_tried_again_at_once() {
    let (flights, session) = (Arc::new(Flights::default()), session());
    fly(&flights, &session, Outcome::Failed, NOW);
    let (known, landing) = look(&flights, &session, ALICE, NOW + BACK_OFF - Duration::from_millis(1));
    assert!(landing.is_none());
    assert!(matches!(known, Known::NotBefore(at, None) if at == NOW + BACK_OFF), "{known:?}");
    assert!(look(&flights, &session, ALICE, NOW + BACK_OFF).1.is_some());
}

#[test]
fn b_8_new_tokens_are_kept_until_the_browser_has_shown_their_cookie() {
    let (flights, session) = (Arc::new(Flights::default()), session());
    fly(&flights, &session, renewed(&session, NOW), NOW);
    // However late the old cookie comes, as long as the new tokens are good.
    let late = NOW + HOUR - Duration::from_millis(1);
    let (known, landing) = look(&flights, &session, ALICE, late);
    assert!(landing.is_none() && matches!(known, Known::Renewed(_)), "{known:?}");
    // Then these are refreshed, not the spent ones; who comes meanwhile goes on with them.
    let mut refreshed = None;
    let known = flights.look(&session, ALICE, NOW + HOUR, |session, landing| refreshed = Some((session, landing)));
    let (base, landing) = refreshed.expect("a flight begins");
    assert_eq!((base.generation, generation_of(&known)), (1, Some(1)));
    landing.land(renewed(&base, NOW + HOUR), NOW + HOUR);
    assert_eq!(generation_of(&look(&flights, &session, ALICE, NOW + HOUR).0), Some(2));

    // An older cookie says nothing of the newest.
    flights.seen(&session.id, 1, NOW + HOUR);
    flights.seen(&session.id, 2, NOW + HOUR);
    let (seen, over) = (NOW + HOUR + KEEP_AFTER_SEEN - Duration::from_millis(1), NOW + HOUR + KEEP_AFTER_SEEN);
    assert_eq!(generation_of(&look(&flights, &session, ALICE, seen).0), Some(2), "requests may be on their way");
    let (known, landing) = look(&flights, &session, ALICE, over);
    assert!(landing.is_none(), "a spent refresh token is never sent again");
    assert!(matches!(known, Known::Superseded), "{known:?}");
    assert_eq!(flights.lock().bytes, 0);
    // The newest generation goes on from there.
    let newest = Session { refresh_at: Some(over), generation: 2, ..session };
    assert!(look(&flights, &newest, ALICE, over).1.is_some());
}

#[test]
fn a_refresh_token_that_was_not_rotated_may_be_sent_again() {
    let (flights, session) = (Arc::new(Flights::default()), session());
    let renewal = Renewal { session: next(&session, NOW), cookies: Vec::new(), is_rotated: false };
    fly(&flights, &session, Outcome::Renewed(Arc::new(renewal)), NOW);
    flights.seen(&session.id, 1, NOW);
    assert!(look(&flights, &session, ALICE, NOW + KEEP_AFTER_SEEN).1.is_some());
}

#[tokio::test]
async fn a_flight_that_is_lost_or_late_has_failed_and_another_starts() {
    let (flights, session) = (Arc::new(Flights::default()), session());
    let (Known::UnderWay(flight, _), landing) = look(&flights, &session, ALICE, NOW) else { panic!("under way") };
    assert!(matches!(flight.clone().outcome(SOON).await, Outcome::Failed), "late");
    assert!(look(&flights, &session, ALICE, NOW).1.is_none(), "it is still under way");
    drop(landing);
    assert!(matches!(flight.outcome(SOON).await, Outcome::Failed), "lost");
    assert!(look(&flights, &session, ALICE, NOW).1.is_some());
}

#[test]
fn what_is_no_longer_kept_is_swept() {
    let flights = Arc::new(Flights::default());
    for _ in 0..100 {
        fly(&flights, &session(), Outcome::Failed, NOW);
    }
    let short = Session::example("alice", NOW, HOUR);
    fly(&flights, &short, renewed(&short, NOW), NOW);
    for _ in 0..3 {
        look(&flights, &session(), ALICE, NOW + HOUR);
    }
    let entries = flights.lock();
    assert_eq!((entries.by_session.len(), entries.by_end.len(), entries.bytes), (3, 3, 0));
    assert_eq!(entries.by_user[&ALICE].len(), 3);
}

#[test]
fn b_9a_a_user_with_many_sessions_makes_room_at_the_cost_of_their_own() {
    let (flights, victim) = (Arc::new(Flights::default()), session());
    look(&flights, &victim, 2, NOW).1.expect("starts").land(renewed(&victim, NOW), NOW);
    let own: Vec<Session> = (0..SESSIONS_OF_A_USER_MAX).map(|_| session()).collect();
    for session in &own {
        fly(&flights, session, renewed(session, NOW), NOW);
    }
    // Requests with their old cookies may be on their way: none can be spared, and nobody is signed out.
    let (known, landing) = look(&flights, &session(), ALICE, NOW);
    assert!(landing.is_none() && matches!(known, Known::NotBefore(at, None) if at == NOW + BACK_OFF), "{known:?}");
    let later = NOW + KEEP_AT_LEAST;
    assert!(look(&flights, &session(), ALICE, later).1.is_some());
    assert!(matches!(look(&flights, &own[0], ALICE, later).0, Known::UnderWay(..)), "the oldest was forgotten");
    assert!(matches!(look(&flights, &victim, 2, later).0, Known::Renewed(_)), "nobody else's");
    let entries = flights.lock();
    assert_eq!(entries.by_user[&ALICE].len(), SESSIONS_OF_A_USER_MAX);
}

#[test]
fn b_9a_a_full_memory_begins_no_flight_and_ends_no_session() {
    let flights = Arc::new(Flights::default());
    let mut landings = Vec::new();
    for user in 0..SESSIONS_MAX as u64 {
        landings.extend(look(&flights, &session(), user, NOW).1);
    }
    assert_eq!(landings.len(), SESSIONS_MAX);
    let newcomer = session();
    let (known, landing) = look(&flights, &newcomer, ALICE, NOW);
    assert!(landing.is_none() && matches!(known, Known::NotBefore(..)), "{known:?}");
    landings.pop().expect("one").land(Outcome::Failed, NOW);
    assert!(look(&flights, &newcomer, ALICE, NOW).1.is_some(), "there is room again");
    assert!(flights.lock().by_session.len() <= SESSIONS_MAX);
}

#[test]
fn b_9a_the_bytes_that_are_kept_are_bounded() {
    let flights = Arc::new(Flights::default());
    let cookie = HeaderValue::from_bytes(&[b'x'; 64 * 1024]).expect("a value");
    for (user, number) in (0..3000_u64).zip(0..) {
        // A second between any two, so that the older ones can be spared.
        let (session, now) = (session(), NOW + Duration::from_secs(number));
        let renewal = Renewal { session: next(&session, now), cookies: vec![cookie.clone()], is_rotated: true };
        look(&flights, &session, user, now).1.expect("starts").land(Outcome::Renewed(Arc::new(renewal)), now);
    }
    let entries = flights.lock();
    assert!(entries.bytes <= BYTES_MAX && entries.bytes > BYTES_MAX / 2, "{}", entries.bytes);
    let counted: usize = entries.by_session.values().filter_map(|entry| Some(entry.newest.as_ref()?.0.bytes())).sum();
    assert_eq!(entries.bytes, counted);
}

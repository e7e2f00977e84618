use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const HOUR: Duration = Duration::from_secs(3600);

fn session(subject: &str, began: Timestamp) -> Session {
    Session::example(subject, began, HOUR)
}

fn is_over(revoked: &Revoked, session: &Session) -> bool {
    revoked.contains(&revoked.handle(session))
}

#[test]
fn s_07_an_ended_session_is_known_and_others_are_not() {
    let revoked = Revoked::default();
    let (ended, other) = (session("alice", NOW), session("alice", NOW));
    revoked.sign_out(&ended, NOW);
    assert!(is_over(&revoked, &ended));
    assert!(is_over(&revoked, &Session { generation: 7, ..ended.clone() }), "whatever its tokens are");
    assert!(!is_over(&revoked, &other));
}

#[test]
fn a_refused_generation_ends_the_older_ones_and_no_newer_one() {
    let revoked = Revoked::default();
    let refused = Session { generation: 3, ..session("alice", NOW) };
    revoked.refuse(&refused, NOW);
    // A later refusal of an older generation does not make the session valid again.
    revoked.refuse(&Session { generation: 1, ..refused.clone() }, NOW);
    for (generation, expected) in [(0, true), (3, true), (4, false)] {
        assert_eq!(is_over(&revoked, &Session { generation, ..refused.clone() }), expected, "{generation}");
    }
    revoked.sign_out(&refused, NOW);
    revoked.refuse(&refused, NOW);
    assert!(is_over(&revoked, &Session { generation: 4, ..refused }), "a sign-out stays one");
}

#[test]
fn all_are_known_after_they_have_been_merged() {
    let revoked = Revoked::default();
    let sessions: Vec<_> = (0..3 * RECENT_MAX).map(|number| session(&number.to_string(), NOW)).collect();
    for session in &sessions {
        assert_eq!(revoked.sign_out(session, NOW), 0);
        assert!(revoked.current.load().recent.len() <= RECENT_MAX);
    }
    assert!(sessions.iter().all(|session| is_over(&revoked, session)));
}

#[test]
fn b_9a_one_user_who_signs_in_and_out_brings_nobodys_session_back() {
    let revoked = Revoked::default();
    let stolen = session("victim", NOW);
    revoked.sign_out(&stolen, NOW);
    let innocent = session("victim", NOW + Duration::from_secs(1));
    let mut own = Vec::new();
    for turn in 0..101_500 {
        let session = session("mallory", NOW + Duration::from_millis(turn));
        assert_eq!(revoked.sign_out(&session, session.authenticated_at), 0, "nothing is forgotten");
        own.push(session);
    }
    assert!(is_over(&revoked, &stolen), "it stays signed out");
    assert!(!is_over(&revoked, &innocent));
    assert!(own.iter().all(|session| is_over(&revoked, session)), "Mallory's own stay signed out, too");
    assert!(!is_over(&revoked, &session("mallory", NOW + HOUR)), "who signs in again is signed in");
    let current = revoked.current.load();
    assert!(current.recent.len() + current.settled.len() <= RECENT_MAX + SESSIONS_OF_A_USER_MAX + 1);
    assert_eq!(current.users.len(), 1);
}

#[test]
fn b_9a_a_full_memory_first_merges_the_users_with_most_sessions() {
    let mut snapshot = Snapshot::default();
    let mut add = |user: u64, began: u64, until: u64| {
        let id = SessionId::random();
        let (authenticated_at, until) = (NOW + Duration::from_secs(began), NOW + Duration::from_secs(until));
        snapshot.recent.insert(id, Ended { generation: EVERY_GENERATION, user, authenticated_at, until });
        id
    };
    add(9, 1, 0); // Already expired.
    let (first, second) = (add(1, 1, 30), add(2, 1, 10));
    add(3, 5, 90);
    add(3, 7, 80);
    assert_eq!(snapshot.settle(NOW, 2, 100), 0);
    let mut kept: Vec<SessionId> = snapshot.settled.keys().copied().collect();
    kept.sort_unstable_by_key(|id| *id != first);
    assert_eq!(kept, [first, second]);
    let before = snapshot.users[&3];
    assert_eq!(before.until, NOW + Duration::from_secs(90), "as long as any of them would have lived");
    assert_eq!(before.began_before, NOW + Duration::from_millis(7001));
    // If every user has one entry, the entry that expires soonest is evicted and counted.
    assert_eq!(snapshot.settle(NOW, 1, 100), 1);
    assert_eq!(snapshot.settled.keys().collect::<Vec<_>>(), [&first]);
    // Expired entries are dropped.
    snapshot.settle(NOW + HOUR, 1, 100);
    assert!(snapshot.settled.is_empty() && snapshot.users.is_empty());
}

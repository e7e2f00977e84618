use std::time::Duration;

use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const DAY: Duration = Duration::from_secs(86_400);

fn at(seconds: u64) -> u64 {
    NOW.seconds() + seconds
}

fn standing(endings: &Arc<Endings>, subject: &str, claims: serde_json::Value) -> Standing {
    let claims = claims.as_object().expect("an object").clone();
    Standing::new(Arc::clone(endings), subject, &claims, NOW)
}

fn user(subject: &str, before: u64) -> Ending<'_> {
    Ending { ended: Ended::User(subject), before, until: NOW + DAY }
}

#[test]
fn sign_ins_before_the_second_have_ended_and_later_ones_have_not() {
    let endings = Arc::new(Endings::default());
    let of = |subject, time: u64| standing(&endings, subject, json!({ "auth_time": time }));
    let (earlier, same, other) = (of("ada", at(9)), of("ada", at(10)), of("bob", at(9)));
    assert!(!earlier.has_ended() && !same.has_ended() && !other.has_ended());
    endings.publish([user("ada", at(10))], NOW);
    for _ in 0..2 {
        assert!(earlier.has_ended(), "and it stays so");
        assert!(!same.has_ended() && !other.has_ended());
    }
    endings.publish([user("ada", at(5))], NOW);
    assert!(earlier.has_ended(), "an older ending takes nothing back");
    assert!(of("ada", at(9)).has_ended(), "one that is made later knows");
    assert_eq!([endings.first_auth_time("ada"), endings.first_auth_time("bob")], [at(10), 0]);
}

#[test]
fn a_session_ends_alone_whatever_its_time_is() {
    let endings = Arc::new(Endings::default());
    let of = |sid: &str| standing(&endings, "ada", json!({ "auth_time": at(100), "sid": sid }));
    let (one, other) = (of("one"), of("other"));
    // A user may have the name of a session.
    endings
        .publish([Ending { ended: Ended::Session("one"), before: 0, until: NOW + DAY }, user("other", at(1000))], NOW);
    assert!(one.has_ended() && !other.has_ended());
}

#[test]
fn everybody_ends_at_once() {
    let endings = Arc::new(Endings::default());
    let (earlier, later) = (
        standing(&endings, "ada", json!({"auth_time": at(9)})),
        standing(&endings, "bob", json!({"auth_time": at(10)})),
    );
    endings.publish([Ending { ended: Ended::Everybody, before: at(10), until: NOW + DAY }], NOW);
    assert!(earlier.has_ended() && !later.has_ended());
    assert_eq!(endings.first_auth_time("carol"), at(10));
}

#[test]
fn without_an_auth_time_the_beginning_counts() {
    let endings = Arc::new(Endings::default());
    let began = standing(&endings, "ada", json!({ "auth_time": "yesterday" }));
    endings.publish([user("ada", NOW.seconds())], NOW);
    assert!(!began.has_ended());
    endings.publish([user("ada", NOW.seconds() + 1)], NOW);
    assert!(began.has_ended());
}

#[test]
fn many_are_known_and_those_that_are_over_are_dropped() {
    let endings = Arc::new(Endings::default());
    let names: Vec<String> = (0..RECENT_MAX * 3).map(|number| format!("user-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let until = if number % 2 == 0 { NOW + Duration::from_secs(1) } else { NOW + DAY };
        endings.publish([Ending { until, ..user(name, at(1)) }], NOW);
    }
    let has_ended = |name: &str| standing(&endings, name, json!({ "auth_time": at(0) })).has_ended();
    assert!(names.iter().all(|name| has_ended(name)));
    endings.publish(names[..1].iter().map(|name| Ending { until: NOW + DAY * 2, ..user(name, at(1)) }), NOW);
    let more: Vec<String> = (0..=RECENT_MAX).map(|number| format!("more-{number}")).collect();
    endings.publish(more.iter().map(|name| Ending { until: NOW + DAY * 2, ..user(name, at(1)) }), NOW + DAY / 2);
    assert!(has_ended("user-0") && has_ended("user-1") && !has_ended("user-2"), "user-0 was prolonged");
    assert_eq!(
        endings.current.load().settled.len() + endings.current.load().recent.len(),
        names.len() / 2 + 1 + more.len()
    );
    endings.publish([Ending { until: NOW, ..user("late", at(1)) }], NOW);
    assert!(!has_ended("late"), "it is over already");
}

#[test]
fn exchanges_that_last_are_woken() {
    let endings = Arc::new(Endings::default());
    let changes = standing(&endings, "ada", json!({})).changes();
    assert!(!changes.has_changed().expect("a sender"));
    endings.publish([user("ada", at(1))], NOW);
    assert!(changes.has_changed().expect("a sender"));
}

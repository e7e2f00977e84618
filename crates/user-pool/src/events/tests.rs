use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::audit::{Actor, AuditRows, Done, Outcome};
use super::buffer::{EventBuffer, Waiting};
use super::event::{Challenge, Event, Kind, Reason, Response, Visit};
use super::event_rows::EventRows;
use super::keeper::{self, EventKeeper, Progress};
use super::settings::EventSettings;
use crate::MIGRATIONS;
use crate::clock::{Clock, Timestamp};
use crate::database::{Database, Others};
use crate::drain;
use crate::seen::Seen;
use crate::testing::{Directory, temporary_directory};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const DAY: Duration = Duration::from_secs(86_400);

fn database(name: &str) -> (Directory, Arc<Database>) {
    let directory = temporary_directory(name);
    let database = Database::open(&directory.join("pool.db"), MIGRATIONS, Others::Nobody, NOW).expect("a database");
    (directory, Arc::new(database))
}

fn rows() -> EventRows {
    EventRows { pool: "people".into() }
}

fn audit() -> AuditRows {
    AuditRows { pool: "people".into() }
}

fn event(subject: &str, response: Response, at: Timestamp) -> Event {
    let seen = Seen { address: "192.0.2.1".into(), agent: "Browser/1".into() };
    let event = Event::new(Some(subject), (Kind::SignIn, response), Visit { seen, client: Some("wiki".into()) }, at);
    event.after(vec![(Challenge::Password, true), (Challenge::Mfa, response != Response::Fail)])
}

async fn record(database: &Database, events: Vec<Event>) {
    let record = database.write(move |on| events.iter().try_for_each(|event| rows().record(on, event)));
    record.await.expect("recorded");
}

async fn of(database: &Database, subject: &'static str) -> Vec<Event> {
    database.read(move |on| rows().of_user(on, subject, 5000)).await.expect("read")
}

#[tokio::test]
async fn events_are_read_as_they_were_written_the_newest_first() {
    let (_directory, database) = database("events-rows");
    let first = event("ada", Response::Pass, NOW);
    let second = event("ada", Response::Fail, NOW + DAY).because(Reason::TooMany);
    let third = event("ada", Response::Pass, NOW + DAY);
    let all = vec![first.clone(), event("bob", Response::InProgress, NOW), second.clone(), third.clone()];
    record(&database, all).await;
    assert_eq!(of(&database, "ada").await, [third, second, first], "also of those of the same moment");
}

#[tokio::test]
async fn failures_that_strangers_cause_are_bounded_and_push_nothing_else_out() {
    let (_directory, database) = database("events-bounds");
    let minute = |number: u64| NOW + Duration::from_secs(60 * number);
    record(&database, vec![event("ada", Response::Pass, NOW)]).await;
    record(&database, (0..40).map(|number| event("ada", Response::Fail, minute(number))).collect()).await;
    assert_eq!(of(&database, "ada").await.len(), 1 + 20, "twenty in an hour");
    record(&database, (0..4000).map(|number| event("ada", Response::Fail, minute(60 + number))).collect()).await;
    let events = of(&database, "ada").await;
    let failed = events.iter().filter(|event| event.response == Response::Fail).count();
    assert_eq!((failed, events.len()), (200, 201));
    record(&database, (0..1100).map(|number| event("bob", Response::Pass, minute(number))).collect()).await;
    assert_eq!(of(&database, "bob").await.len(), 1000);
}

#[tokio::test]
async fn the_keeper_writes_what_waits_and_deletes_what_is_old() {
    let (_directory, database) = database("events-keeper");
    let by = Actor::Command(1000);
    let done = |at| {
        let by = by.clone();
        database.write(move |on| {
            let done = Done { operation: "group.put", subject: None, detail: Some("ops") };
            audit().record(on, &by, done, at)
        })
    };
    record(&database, vec![event("ada", Response::Pass, NOW)]).await;
    done(NOW).await.expect("recorded");
    let buffer = Arc::new(EventBuffer::default());
    let (clock, hand) = Clock::manual(NOW + DAY);
    let settings = EventSettings { events_kept: DAY * 2, audit_kept: DAY * 3 };
    let keeper = EventKeeper::new(Arc::clone(&database), &"people".into(), settings, Arc::clone(&buffer), clock);
    let mut progress = Progress::default();
    buffer.put(event("ada", Response::Fail, NOW + DAY));
    keeper.work(&mut progress).await.expect("done");
    assert_eq!(of(&database, "ada").await.len(), 2);
    hand.advance(DAY + Duration::from_secs(1));
    keeper.work(&mut progress).await.expect("done");
    assert_eq!(of(&database, "ada").await.len(), 1, "older than two days");
    let audited = async || database.read(|on| audit().newest(on, None, 10)).await.expect("read").len();
    assert_eq!(audited().await, 1);
    hand.advance(DAY);
    keeper.work(&mut progress).await.expect("done");
    assert_eq!((of(&database, "ada").await.len(), audited().await), (0, 0));
}

#[tokio::test]
async fn what_waits_when_the_process_ends_is_written() {
    let (_directory, database) = database("events-end");
    let buffer = Arc::new(EventBuffer::default());
    let clock = Clock::manual(NOW).0;
    let (pool, settings) = ("people".into(), EventSettings::default());
    let keeper = EventKeeper::new(Arc::clone(&database), &pool, settings, Arc::clone(&buffer), clock);
    let (drain, mut draining) = drain::channel();
    buffer.put(event("ada", Response::Pass, NOW));
    drain.start();
    let (_newest, told) = watch::channel(Some(Arc::new(keeper)));
    keeper::run(told, &mut draining).await;
    assert_eq!(of(&database, "ada").await.len(), 1);
}

#[test]
fn events_wait_up_to_a_bound() {
    let buffer = EventBuffer::default();
    (0..2000).for_each(|_| buffer.put(event("ada", Response::Fail, NOW)));
    let taken = buffer.take();
    assert_eq!((taken.events.len(), taken.dropped), (1024, 2000 - 1024));
    assert_eq!(buffer.take(), Waiting::default());
}

#[tokio::test]
async fn events_of_all_names_together_are_bounded() {
    let (_directory, database) = database("events-all");
    let names = (0..30).map(|number| format!("user-{number}"));
    let at = |number: u64| NOW + Duration::from_secs(number);
    let mut events: Vec<Event> =
        names.zip(0..).map(|(name, number)| event(&name, Response::Fail, at(number))).collect();
    events.extend((0..5).map(|number| event("ada", Response::Pass, at(number))));
    record(&database, events).await;
    let swept = database.write(|on| rows().sweep_excess(on, 10)).await.expect("swept");
    let left = database.read(|on| rows().newest(on, 100)).await.expect("read");
    assert_eq!((swept, left.len()), (20, 10 + 5));
    assert_eq!(left[0].subject, "user-29", "the newest stay");
}

#[test]
fn what_anybody_can_cause_is_told_apart() {
    let by_anybody = |kind, response| Event::new(None, (kind, response), Visit::none(), NOW).is_by_anybody();
    for kind in [Kind::SignUp, Kind::ForgotPassword, Kind::ResendCode] {
        assert!(by_anybody(kind, Response::InProgress), "{kind:?}");
        assert!(!by_anybody(kind, Response::Pass), "{kind:?}");
    }
    assert!(by_anybody(Kind::SignIn, Response::Fail));
    // The password was right.
    assert!(!by_anybody(Kind::SignIn, Response::InProgress));
}

#[tokio::test]
async fn nameless_events_tell_of_nobody() {
    let (_directory, database) = database("events-nameless");
    record(&database, vec![event("ada", Response::Pass, NOW), event("bob", Response::Pass, NOW)]).await;
    let made = database.write(|on| rows().make_nameless(on, "ada", "erased-1")).await.expect("written");
    let [left] = &of(&database, "erased-1").await[..] else { panic!("one event") };
    assert_eq!((made, &*left.visit.seen.address, &*left.visit.seen.agent), (1, "", ""));
    assert_eq!((of(&database, "ada").await.len(), of(&database, "bob").await.len()), (0, 1));
}

#[tokio::test]
async fn the_audit_says_who_what_and_whom() {
    let (_directory, database) = database("events-audit");
    let recorded = database.write(|on| {
        for (actor, operation, subject, detail) in [
            (Actor::Command(1000), "user.disable", Some("ada"), None),
            (Actor::User, "user.password", Some("bob"), None),
            (Actor::System, "group.put", None, Some("ops")),
        ] {
            audit().record(on, &actor, Done { operation, subject, detail }, NOW)?;
        }
        Ok((audit().newest(on, None, 10)?, audit().newest(on, Some("bob"), 10)?, audit().after(on, 1)?))
    });
    let (all, of_bob, after) = recorded.await.expect("recorded");
    let text = |entries: &[super::audit::Entry]| -> Vec<String> {
        entries.iter().map(|entry| format!("{} {} {:?}", entry.actor, entry.operation, entry.subject)).collect()
    };
    assert_eq!(
        text(&all),
        ["system group.put None", r#"user user.password Some("bob")"#, r#"cli:1000 user.disable Some("ada")"#]
    );
    assert_eq!(text(&of_bob), [r#"user user.password Some("bob")"#]);
    assert_eq!(after.iter().map(|entry| entry.id).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(all[0].detail.as_deref(), Some("ops"));
}

#[tokio::test]
async fn what_a_user_does_alone_is_bounded_in_the_audit() {
    let (_directory, database) = database("events-audit-bound");
    let counted = database.write(|on| {
        for number in 0..1020 {
            let done = Done { operation: "user.password", subject: Some("ada"), detail: None };
            audit().record(on, &Actor::User, done, NOW + Duration::from_secs(number))?;
            let done = Done { operation: "user.show", subject: Some("bob"), detail: None };
            audit().record(on, &Actor::Command(0), done, NOW)?;
        }
        Ok((audit().newest(on, Some("ada"), 5000)?, audit().newest(on, Some("bob"), 5000)?.len()))
    });
    let (of_ada, of_bob) = counted.await.expect("counted");
    assert_eq!((of_ada.len(), of_bob), (1000, 1020));
    assert_eq!(of_ada[0].at, NOW + Duration::from_secs(1019), "the newest stay");
}

#[tokio::test]
async fn the_audit_says_what_came_of_it() {
    let (_directory, database) = database("events-audit-outcome");
    let outcomes = [Outcome::Begun, Outcome::Failed, Outcome::Done];
    let recorded = database.write(move |on| {
        for outcome in outcomes {
            let done = Done { operation: "backup", subject: None, detail: None };
            audit().record_outcome(on, &Actor::Command(0), (done, outcome), NOW)?;
        }
        audit().record(on, &Actor::System, Done { operation: "group.put", subject: None, detail: None }, NOW)?;
        audit().after(on, 0)
    });
    let entries = recorded.await.expect("recorded");
    let said: Vec<_> = entries.iter().map(keeper::said).collect();
    assert_eq!(
        said,
        [
            "somebody begins to read data of a user pool",
            "data of a user pool could not be read",
            "data of a user pool was read",
            "something of a user pool was changed"
        ]
    );
}

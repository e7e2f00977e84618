//! What one provider said about tokens a short time ago, and the calls that ask it now. Shared by the workers; never locked across an await.
//!
//! A stranger can send any number of made-up tokens (attacks D-20). They push out nothing that is good, because tokens that are not active are
//! remembered apart. How often the provider is asked about tokens that were not active before is limited, in calls per second and in calls at a time,
//! and each client network has a share of these calls ([`fairness`](super::fairness)).
//! Tokens that were active are asked about besides, with their own limit, so made-up ones do not lock anybody out who is in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::clock::Timestamp;
use crate::flight::{self, Flight};
use crate::oidc::introspection::digest::Digest;
use crate::oidc::introspection::fairness::{Asker, Calls, Class};
use crate::oidc::introspection::outcome::{Found, Outcome};
use crate::oidc::introspection::recent::{Limits, Recent};

/// How long it is remembered that a token is not active. Short, because a provider of several machines may know a new token a moment late.
pub(crate) const INACTIVE_FOR: Duration = Duration::from_secs(5);
/// How long a call that failed is not repeated for the same token.
const FAILED_FOR: Duration = Duration::from_secs(1);
/// Of tokens that are active: two generations.
const ACTIVE: Limits = Limits { entries: 10_000, bytes: 16 * 1024 * 1024 };
/// Of tokens that are not, or of which nothing is known.
const OTHERS: Limits = Limits { entries: 10_000, bytes: 16 * 1024 * 1024 };

/// One for each provider.
#[derive(Debug)]
pub(crate) struct Table {
    entries: Mutex<Entries>,
    calls: [Semaphore; Class::COUNT],
}

#[derive(Debug)]
struct Entries {
    /// What was said of tokens that are active. It is kept when it is no longer fresh: then the token is of [`Class::Good`].
    active: Recent<Digest, Outcome>,
    others: Recent<Digest, (Outcome, Timestamp)>,
    flights: HashMap<Digest, (Flight<Outcome>, Class)>,
    in_class: [usize; Class::COUNT],
    unknown: Calls,
}

/// Reports the answer about one token. If it is dropped before, the flight is lost and another call may be made.
#[derive(Debug)]
pub(crate) struct Landing {
    table: Arc<Table>,
    digest: Digest,
    pub(super) class: Class,
    landing: Option<flight::Landing<Outcome>>,
}

impl Table {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            entries: Mutex::new(Entries {
                active: Recent::new(ACTIVE),
                others: Recent::new(OTHERS),
                flights: HashMap::new(),
                in_class: [0; Class::COUNT],
                unknown: Calls::new(),
            }),
            calls: [Class::Good, Class::Newcomer, Class::Unknown].map(|class| Semaphore::new(class.calls_max())),
        })
    }

    /// What is known of a token. If nothing is, and the limits allow a call, `start` is told to make it.
    pub(crate) fn look(
        self: &Arc<Self>,
        digest: &Digest,
        (asker, now): (Asker, Timestamp),
        start: impl FnOnce(Landing),
    ) -> Found {
        let mut entries = self.lock();
        let was_active = match entries.active.get(digest) {
            Some(Outcome::Active(active)) if now < active.fresh_until => {
                return Found::Known(Outcome::Active(Arc::clone(active)));
            }
            Some(_) => true,
            None => false,
        };
        if let Some((outcome, _)) = entries.others.get(digest).filter(|(_, until)| now < *until) {
            return Found::Known(outcome.clone());
        }
        if let Some((flight, _)) = entries.flights.get(digest) {
            return Found::UnderWay(flight.clone());
        }
        let Some(class) = entries.class(was_active, asker, now) else { return Found::Busy };
        let (landing, flight) = flight::new();
        entries.flights.insert(*digest, (flight.clone(), class));
        entries.in_class[class as usize] += 1;
        drop(entries);
        start(Landing { table: Arc::clone(self), digest: *digest, class, landing: Some(landing) });
        Found::UnderWay(flight)
    }

    /// Waits until a call about a token of this class may be made, which is counted until the permit is dropped.
    pub(super) fn calls(&self, class: Class) -> &Semaphore {
        &self.calls[class as usize]
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Landing {
    /// Reports the answer to all who wait, and remembers it. `bytes` is about its size.
    pub(super) fn land(mut self, outcome: Outcome, bytes: usize, now: Timestamp) {
        let mut entries = self.table.lock();
        match &outcome {
            Outcome::Active(_) => {
                entries.others.remove(&self.digest);
                entries.active.put(self.digest, outcome.clone(), bytes);
            }
            Outcome::Inactive => {
                entries.active.remove(&self.digest);
                entries.others.put(self.digest, (Outcome::Inactive, now + INACTIVE_FOR), bytes);
            }
            Outcome::Failed(_) => entries.others.put(self.digest, (outcome.clone(), now + FAILED_FOR), bytes),
        }
        drop(entries);
        if let Some(landing) = self.landing.take() {
            landing.land(outcome);
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut entries = self.table.lock();
        if let Some((_, class)) = entries.flights.remove(&self.digest) {
            entries.in_class[class as usize] -= 1;
        }
    }
}

impl Entries {
    /// Takes a call. `None` if there is none now.
    fn class(&mut self, was_active: bool, asker: Asker, now: Timestamp) -> Option<Class> {
        let in_class = self.in_class;
        let has_place = |class: Class| in_class[class as usize] < class.flights_max();
        match asker {
            Asker::Client(client) if !was_active => self.unknown.take(client, now, has_place),
            // The token was active: here, or where the exchange began.
            Asker::Client(_) | Asker::Lasting => has_place(Class::Good).then_some(Class::Good),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Claims;
    use crate::oidc::introspection::digest::digest;
    use crate::oidc::introspection::outcome::{Active, IntrospectionError};

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn look(table: &Arc<Table>, token: &str, now: Timestamp) -> (Found, Option<Landing>) {
        look_from(table, "192.0.2.1", token, now)
    }

    fn look_from(table: &Arc<Table>, client: &str, token: &str, now: Timestamp) -> (Found, Option<Landing>) {
        let mut started = None;
        let asker = Asker::Client(client.parse().expect("an address"));
        let found = table.look(&digest(token), (asker, now), |landing| started = Some(landing));
        (found, started)
    }

    fn active(until: Timestamp) -> Outcome {
        Outcome::Active(Arc::new(Active { claims: Claims::new(), fresh_until: until }))
    }

    fn land(table: &Arc<Table>, token: &str, outcome: Outcome, now: Timestamp) {
        let (_, landing) = look(table, token, now);
        landing.expect("a call").land(outcome, 100, now);
    }

    #[tokio::test]
    async fn one_call_for_one_token_whoever_asks_meanwhile() {
        let table = Table::new();
        let (first, landing) = look(&table, "a", NOW);
        let (second, none) = look(&table, "a", NOW);
        assert!(none.is_none());
        landing.expect("a call").land(Outcome::Inactive, 1, NOW);
        for found in [first, second] {
            let Found::UnderWay(flight) = found else { panic!("{found:?}") };
            assert!(matches!(flight.landed().await, Some(Outcome::Inactive)));
        }
        // A call that is lost does not stand in the way of the next one.
        let (_, landing) = look(&table, "b", NOW);
        drop(landing);
        assert!(look(&table, "b", NOW).1.is_some());
    }

    #[test]
    fn each_answer_is_remembered_for_its_time() {
        let table = Table::new();
        let seconds = Duration::from_secs;
        land(&table, "good", active(NOW + seconds(60)), NOW);
        land(&table, "bad", Outcome::Inactive, NOW);
        land(&table, "failed", Outcome::Failed(Arc::new(IntrospectionError::Waited)), NOW);
        for (token, known_for) in [("good", seconds(60)), ("bad", INACTIVE_FOR), ("failed", FAILED_FOR)] {
            let at = NOW + known_for;
            assert!(matches!(look(&table, token, at - Duration::from_millis(1)).0, Found::Known(_)), "{token}");
            assert!(matches!(look(&table, token, at).0, Found::UnderWay(_)), "{token}");
        }
        // Once it is not active, it is as any other.
        land(&table, "good", Outcome::Inactive, NOW + seconds(60));
        let (_, landing) = look(&table, "good", NOW + seconds(70));
        assert_eq!(landing.expect("a call").class, Class::Newcomer);
    }

    #[test]
    fn d_20_made_up_tokens_lock_nobody_out_who_is_in() {
        let table = Table::new();
        land(&table, "good", active(NOW + Duration::from_secs(60)), NOW);
        // As many calls as there may be at a time, and none lands.
        let mut held: Vec<Landing> = Vec::new();
        for number in 0..10_000 {
            held.extend(look(&table, &format!("made up {number}"), NOW).1);
        }
        // The network had ten calls besides, and one of them was for the good token.
        assert_eq!(held.len(), Class::Unknown.flights_max() + 9);
        // Another network has a share of its own, also of the calls at a time.
        let (_, landing) = look_from(&table, "198.51.100.7", "new", NOW);
        assert_eq!(landing.expect("a call").class, Class::Newcomer);
        // Whose exchange lasts is asked about, though nothing is known of the token here any more.
        let mut started = None;
        table.look(&digest("lasting"), (Asker::Lasting, NOW), |landing| started = Some(landing));
        assert_eq!(started.expect("a call").class, Class::Good);
        let later = NOW + Duration::from_secs(60);
        let (_, landing) = look(&table, "good", later);
        assert_eq!(landing.expect("a call").class, Class::Good);
        // Nor do they when each is answered at once: the calls of a minute are bounded.
        held.clear();
        let mut calls = 0;
        for millis in 0..60_000 {
            let now = later + Duration::from_millis(millis);
            if let (_, Some(landing)) = look(&table, &format!("other {millis}"), now) {
                landing.land(Outcome::Inactive, 1, now);
                calls += 1;
            }
        }
        assert!((4_400..=4_600).contains(&calls), "{calls}");
        let (_, landing) = look(&table, "good", later + Duration::from_secs(61));
        assert_eq!(landing.expect("a call").class, Class::Good, "it is still known as one that was active");
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_the_calls() {
        let table = Table::new();
        let ahead = NOW + Duration::from_secs(86_400);
        for number in 0..400 {
            look(&table, &number.to_string(), ahead);
        }
        assert!(matches!(look(&table, "busy", ahead).0, Found::Busy));
        assert!(look(&table, "x", NOW).1.is_some());
    }
}

//! What one provider said about tokens a short time ago, and the calls that ask it now. Shared by the workers; never locked across an await.
//!
//! A stranger can send any number of made-up tokens (attacks D-20). They push out nothing that is good, because tokens that are not active are
//! remembered apart. How often the provider is asked about tokens that were not active before is limited, in calls per second and in calls at a time.
//! Tokens that were active are asked about besides, with their own limit, so made-up ones do not lock anybody out who is in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::clock::Timestamp;
use crate::flight::{self, Flight};
use crate::oidc::introspection::digest::Digest;
use crate::oidc::introspection::outcome::{Found, Outcome};
use crate::oidc::introspection::recent::{Limits, Recent};

/// How long it is remembered that a token is not active. Short, because a provider of several machines may know a new token a moment late.
pub(crate) const INACTIVE_FOR: Duration = Duration::from_secs(5);
/// How long a call that failed is not repeated for the same token.
const FAILED_FOR: Duration = Duration::from_secs(1);
/// Calls at a time, of each [`Class`].
const CALLS_MAX: usize = 32;
/// Tokens that are asked about or wait for that, of each [`Class`].
const FLIGHTS_MAX: usize = 256;
/// Calls per second about tokens that were not active before, in the long run.
const CALLS_PER_SECOND: u32 = 100;
/// How many of these may come at once.
const BURST: u32 = 300;
/// Of tokens that are active: two generations.
const ACTIVE: Limits = Limits { entries: 10_000, bytes: 16 * 1024 * 1024 };
/// Of tokens that are not, or of which nothing is known.
const OTHERS: Limits = Limits { entries: 10_000, bytes: 16 * 1024 * 1024 };

/// What is known of a token before it is asked about. Each class has limits of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// It was active when the provider was asked last.
    Good,
    Unknown,
}

/// One for each provider.
#[derive(Debug)]
pub(crate) struct Table {
    entries: Mutex<Entries>,
    calls: [Semaphore; 2],
}

#[derive(Debug)]
struct Entries {
    /// What was said of tokens that are active. It is kept when it is no longer fresh: then the token is of [`Class::Good`].
    active: Recent<Digest, Outcome>,
    others: Recent<Digest, (Outcome, Timestamp)>,
    flights: HashMap<Digest, (Flight<Outcome>, Class)>,
    in_class: [usize; 2],
    /// When all of [`BURST`] can be used again (GCRA).
    full_at: Timestamp,
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
                in_class: [0; 2],
                full_at: Timestamp::from_millis(0),
            }),
            calls: [Semaphore::new(CALLS_MAX), Semaphore::new(CALLS_MAX)],
        })
    }

    /// What is known of a token. If nothing is, and the limits allow a call, `start` is told to make it.
    pub(crate) fn look(self: &Arc<Self>, digest: &Digest, now: Timestamp, start: impl FnOnce(Landing)) -> Found {
        let mut entries = self.lock();
        let class = match entries.active.get(digest) {
            Some(Outcome::Active(active)) if now < active.fresh_until => {
                return Found::Known(Outcome::Active(Arc::clone(active)));
            }
            Some(_) => Class::Good,
            None => Class::Unknown,
        };
        if let Some((outcome, _)) = entries.others.get(digest).filter(|(_, until)| now < *until) {
            return Found::Known(outcome.clone());
        }
        if let Some((flight, _)) = entries.flights.get(digest) {
            return Found::UnderWay(flight.clone());
        }
        if entries.in_class[class as usize] >= FLIGHTS_MAX || (class == Class::Unknown && !entries.take(now)) {
            return Found::Busy;
        }
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
    /// Takes one of the calls about unknown tokens. False if there is none now.
    fn take(&mut self, now: Timestamp) -> bool {
        let (interval, depth) =
            (Duration::from_secs(1) / CALLS_PER_SECOND, Duration::from_secs(1) / CALLS_PER_SECOND * BURST);
        // A time that is later was read while the clock was ahead.
        let full_at = if self.full_at > now + depth { now } else { self.full_at.max(now) };
        if full_at + interval > now + depth {
            return false;
        }
        self.full_at = full_at + interval;
        true
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
        let mut started = None;
        let found = table.look(&digest(token), now, |landing| started = Some(landing));
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
        assert_eq!(landing.expect("a call").class, Class::Unknown);
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
        assert_eq!(held.len(), FLIGHTS_MAX);
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
        assert!((5_900..=6_400).contains(&calls), "{calls}");
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

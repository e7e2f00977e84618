//! A document of the provider. It is fetched at the first use, and kept if later fetches fail.
//!
//! Invariants: There is at most one fetch at a time. A value is only ever replaced by a newer one. After a failure there is a
//! pause before the next fetch. If a caller misses something in the value, it may request a newer one, but not more often
//! than the pauses and [`REFETCHES_PER_MINUTE`] allow.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::flight::{self, Flight, Landing};
use crate::oidc::error::{Fetch, FetchError};

/// The age at which the value is fetched again, by the next call.
const FRESH_FOR: Duration = Duration::from_secs(3600);
/// The pause after the first failure. Each further failure doubles it.
const BACK_OFF_MIN: Duration = Duration::from_secs(1);
/// The longest pause.
const BACK_OFF_MAX: Duration = Duration::from_secs(30);
/// Maximum number of fetches per minute because something was missing in the last value (attacks D-18). Failed fetches do not
/// count, because the pauses after failures limit them.
const REFETCHES_PER_MINUTE: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);

/// A cached document.
#[derive(Debug)]
pub(crate) struct CachedDocument<T> {
    state: Mutex<State<T>>,
    succeed: Succeed<T>,
}

/// Tells a new value which one it takes the place of, and until when it is fresh.
type Succeed<T> = fn(&mut T, Option<&T>, Timestamp);

#[derive(Debug)]
struct State<T> {
    value: Option<Arc<T>>,
    fetched_at: Option<Timestamp>,
    failed_at: Option<Timestamp>,
    failures: u32,
    refetches: Refetches,
    /// The fetch that is under way, if there is one. It ends with the result in this state, or with the caller that made it.
    flight: Option<Flight<()>>,
}

/// The fetches because something was missing in the last value.
#[derive(Debug, Default)]
struct Refetches {
    last: Option<Timestamp>,
    /// How many of them in a row did not help.
    fruitless_in_a_row: u32,
    minute: Option<Timestamp>,
    in_minute: u32,
}

/// A value, and whether it was fetched for this very call.
#[derive(Debug)]
pub(crate) struct Found<T> {
    pub(crate) value: Arc<T>,
    pub(crate) is_new: bool,
}

/// Whether a value should be fetched again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IsOld(pub(crate) bool);

enum Cached<T> {
    Fresh(Arc<T>),
    /// The value is old, or the pause after a failure has not passed.
    Old(Arc<T>, MayFetch),
    Absent(MayFetch),
}

/// What a caller does about a fetch.
enum Turn {
    /// It fetches, and lands when the result is in the state.
    Fetch(Landing<()>),
    /// Another caller fetches.
    Wait(Flight<()>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum MayFetch {
    Yes,
    NotYet,
}

impl<T> CachedDocument<T> {
    /// Creates an empty cache.
    pub(crate) fn new() -> Self {
        Self::with(|_, _, _| {})
    }

    /// Creates an empty cache. `succeed` is called for each value before it is used.
    pub(crate) fn with(succeed: Succeed<T>) -> Self {
        Self {
            succeed,
            state: Mutex::new(State {
                value: None,
                fetched_at: None,
                failed_at: None,
                failures: 0,
                refetches: Refetches::default(),
                flight: None,
            }),
        }
    }

    /// The value, without a fetch. It counts as old if [`get`](Self::get) would fetch it again now.
    pub(crate) fn known(&self, clock: &Clock) -> Option<(Arc<T>, IsOld)> {
        match self.state().cached(clock.now()) {
            Cached::Fresh(value) | Cached::Old(value, MayFetch::NotYet) => Some((value, IsOld(false))),
            Cached::Old(value, MayFetch::Yes) => Some((value, IsOld(true))),
            Cached::Absent(_) => None,
        }
    }

    /// Returns the value. Fetches it if there is none or if it is old. If that fetch fails, returns the old value.
    ///
    /// # Errors
    ///
    /// If there is no value: why the fetch failed, or [`FetchError::BackingOff`].
    pub(crate) async fn get<F>(&self, clock: &Clock, fetch: impl FnOnce() -> F) -> Result<Found<T>, FetchError>
    where
        F: Future<Output = Result<T, Fetch>>,
    {
        loop {
            let (old, turn) = {
                let mut state = self.state();
                match state.cached(clock.now()) {
                    Cached::Fresh(value) | Cached::Old(value, MayFetch::NotYet) => {
                        return Ok(Found { value, is_new: false });
                    }
                    Cached::Absent(MayFetch::NotYet) => return Err(FetchError::BackingOff),
                    Cached::Old(old, MayFetch::Yes) => (Some(old), state.turn()),
                    Cached::Absent(MayFetch::Yes) => (None, state.turn()),
                }
            };
            match (turn, old) {
                // One caller fetches. The others use the old value.
                (Turn::Wait(_), Some(old)) => return Ok(Found { value: old, is_new: false }),
                // Then the state is looked at again: the fetch has a result, or its caller is gone.
                (Turn::Wait(flight), None) => _ = flight.landed().await,
                (Turn::Fetch(landing), old) => {
                    let fetched = self.fetch(clock, fetch).await;
                    landing.land(());
                    return match (fetched, old) {
                        (Ok(value), _) => Ok(Found { value, is_new: true }),
                        (Err(error), None) => Err(error),
                        (Err(error), Some(old)) => {
                            let error: &dyn std::error::Error = &error;
                            tracing::warn!(
                                error,
                                "a provider's document could not be fetched again; the old one is used"
                            );
                            Ok(Found { value: old, is_new: false })
                        }
                    };
                }
            }
        }
    }

    /// Fetches a newer value than `seen`, because `seen` lacks something. `None` if it is too early. Call [`helped`](Self::helped)
    /// if the newer value has what was missing.
    ///
    /// # Errors
    ///
    /// Why the fetch failed, or [`FetchError::BackingOff`]. The old value is kept.
    pub(crate) async fn newer_than<F>(
        &self,
        seen: &Arc<T>,
        clock: &Clock,
        fetch: impl FnOnce() -> F,
    ) -> Result<Option<Arc<T>>, FetchError>
    where
        F: Future<Output = Result<T, Fetch>>,
    {
        let landing = loop {
            let turn = {
                let mut state = self.state();
                if let Some(value) = state.value.as_ref().filter(|value| !Arc::ptr_eq(value, seen)) {
                    return Ok(Some(Arc::clone(value)));
                }
                let now = clock.now();
                if is_within(state.failed_at, back_off(state.failures), now) {
                    return Err(FetchError::BackingOff);
                }
                if !state.refetches.may_refetch(now) {
                    return Ok(None);
                }
                state.turn()
            };
            match turn {
                Turn::Fetch(landing) => break landing,
                Turn::Wait(flight) => _ = flight.landed().await,
            }
        };
        let fetched = self.fetch(clock, fetch).await;
        if fetched.is_ok() {
            self.state().refetches.count(clock.now());
        }
        landing.land(());
        fetched.map(Some)
    }

    /// The newer value had what was missing. The next one may be fetched at once.
    pub(crate) fn helped(&self) {
        self.state().refetches.fruitless_in_a_row = 0;
    }

    fn put(&self, mut value: T, now: Timestamp) -> Arc<T> {
        let mut state = self.state();
        (self.succeed)(&mut value, state.value.as_deref(), now + FRESH_FOR);
        let value = Arc::new(value);
        (state.value, state.fetched_at) = (Some(Arc::clone(&value)), Some(now));
        (state.failed_at, state.failures) = (None, 0);
        value
    }

    /// Fetches, and puts the result into the state.
    async fn fetch<F>(&self, clock: &Clock, fetch: impl FnOnce() -> F) -> Result<Arc<T>, FetchError>
    where
        F: Future<Output = Result<T, Fetch>>,
    {
        match fetch().await {
            Ok(value) => Ok(self.put(value, clock.now())),
            Err(error) => {
                let mut state = self.state();
                state.failed_at = Some(clock.now());
                state.failures = state.failures.saturating_add(1);
                Err(FetchError::Failed(error))
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn cached(&self, now: Timestamp) -> Cached<T> {
        let may_fetch =
            if is_within(self.failed_at, back_off(self.failures), now) { MayFetch::NotYet } else { MayFetch::Yes };
        match &self.value {
            None => Cached::Absent(may_fetch),
            Some(value) if is_within(self.fetched_at, FRESH_FOR, now) => Cached::Fresh(Arc::clone(value)),
            Some(value) => Cached::Old(Arc::clone(value), may_fetch),
        }
    }

    /// Joins the fetch that is under way, or begins one.
    fn turn(&mut self) -> Turn {
        if let Some(flight) = self.flight.as_ref().filter(|flight| flight.is_under_way()) {
            return Turn::Wait(flight.clone());
        }
        let (landing, flight) = flight::new();
        self.flight = Some(flight);
        Turn::Fetch(landing)
    }
}

impl Refetches {
    /// The first fetch is made at once. Each fetch that did not help doubles the pause before the next one.
    fn may_refetch(&self, now: Timestamp) -> bool {
        let is_spent = is_within(self.minute, MINUTE, now) && self.in_minute >= REFETCHES_PER_MINUTE;
        let pauses = self.fruitless_in_a_row > 0 && is_within(self.last, back_off(self.fruitless_in_a_row), now);
        !is_spent && !pauses
    }

    fn count(&mut self, now: Timestamp) {
        if !is_within(self.minute, MINUTE, now) {
            (self.minute, self.in_minute) = (Some(now), 0);
        }
        // After a minute without such a fetch, the pauses start from the beginning.
        if !is_within(self.last, MINUTE, now) {
            self.fruitless_in_a_row = 0;
        }
        self.in_minute += 1;
        self.fruitless_in_a_row = self.fruitless_in_a_row.saturating_add(1);
        self.last = Some(now);
    }
}

fn back_off(failures: u32) -> Duration {
    BACK_OFF_MIN.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(BACK_OFF_MAX)
}

/// Whether `now` is less than `period` after `start`. False if `start` is in the future, because the clock was then set back.
fn is_within(start: Option<Timestamp>, period: Duration, now: Timestamp) -> bool {
    start.is_some_and(|start| now >= start && now.since(start) < period)
}

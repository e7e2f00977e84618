//! A document of the provider that is fetched when first needed and kept when the provider is gone.
//!
//! Invariants: at most one fetch at a time; a value, once had, is only ever replaced by a newer one; after a failure the
//! provider is left alone for a while.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::oidc::error::FetchError;

/// When a value is fetched anew, by the call that notices.
const FRESH_FOR: Duration = Duration::from_secs(3600);
/// The pause after the first failure; doubled by each further one.
const BACK_OFF_MIN: Duration = Duration::from_secs(1);
/// The longest pause.
const BACK_OFF_MAX: Duration = Duration::from_secs(30);
/// The pause between two fetches that a stranger's token asks for (attacks D-18).
const REFETCH_INTERVAL: Duration = Duration::from_secs(60);

/// A remembered value.
#[derive(Debug)]
pub(crate) struct Remembered<T> {
    state: Mutex<State<T>>,
    /// Held while fetching, also across the call: that is what makes the others wait for its result instead of calling
    /// too. The call has a deadline, and a dropped future gives it back.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State<T> {
    value: Option<Arc<T>>,
    fetched_at: Option<Timestamp>,
    failed_at: Option<Timestamp>,
    failures: u32,
    refetched_at: Option<Timestamp>,
}

/// A value, and whether it was fetched for this very call.
#[derive(Debug)]
pub(crate) struct Found<T> {
    pub(crate) value: Arc<T>,
    pub(crate) is_new: bool,
}

enum Look<T> {
    Fresh(Arc<T>),
    /// Old, or too soon after a failure to be fetched anew.
    Old(Arc<T>, MayFetch),
    Absent(MayFetch),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum MayFetch {
    Yes,
    NotYet,
}

impl<T> Remembered<T> {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        let state = State { value: None, fetched_at: None, failed_at: None, failures: 0, refetched_at: None };
        Self { state: Mutex::new(state), flight: tokio::sync::Mutex::new(()) }
    }

    /// The value, fetched where there is none or where it is old. An old one is better than none.
    pub(crate) async fn get<F>(&self, clock: &Clock, fetch: impl FnOnce() -> F) -> Result<Found<T>, FetchError>
    where
        F: Future<Output = Result<T, FetchError>>,
    {
        match self.look(clock.now()) {
            Look::Fresh(value) | Look::Old(value, MayFetch::NotYet) => return Ok(Found { value, is_new: false }),
            Look::Absent(MayFetch::NotYet) => return Err(FetchError::BackingOff),
            Look::Old(old, MayFetch::Yes) => {
                // One caller fetches; the others go on with the old value.
                let Ok(_flight) = self.flight.try_lock() else { return Ok(Found { value: old, is_new: false }) };
                return Ok(match self.fetch(clock, fetch).await {
                    Ok(value) => Found { value, is_new: true },
                    Err(error) => {
                        let error: &dyn std::error::Error = &error;
                        tracing::warn!(error, "a provider's document could not be fetched anew, and the old one stays");
                        Found { value: old, is_new: false }
                    }
                });
            }
            Look::Absent(MayFetch::Yes) => {}
        }
        let _flight = self.flight.lock().await;
        // Whoever held the flight may have fetched, or failed, while this call waited.
        match self.look(clock.now()) {
            Look::Fresh(value) | Look::Old(value, _) => Ok(Found { value, is_new: false }),
            Look::Absent(MayFetch::NotYet) => Err(FetchError::BackingOff),
            Look::Absent(MayFetch::Yes) => Ok(Found { value: self.fetch(clock, fetch).await?, is_new: true }),
        }
    }

    /// A newer value than `seen`, because `seen` lacks something; `None` where it is too soon to ask again.
    pub(crate) async fn newer_than<F>(
        &self,
        seen: &Arc<T>,
        clock: &Clock,
        fetch: impl FnOnce() -> F,
    ) -> Result<Option<Arc<T>>, FetchError>
    where
        F: Future<Output = Result<T, FetchError>>,
    {
        let _flight = self.flight.lock().await;
        let now = clock.now();
        {
            let mut state = self.state();
            if let Some(value) = state.value.as_ref().filter(|value| !Arc::ptr_eq(value, seen)) {
                return Ok(Some(Arc::clone(value)));
            }
            if within(state.refetched_at, REFETCH_INTERVAL, now) {
                return Ok(None);
            }
            // Set before the outcome is known: a fetch that fails counts too (pitfalls 44).
            state.refetched_at = Some(now);
        }
        self.fetch(clock, fetch).await.map(Some)
    }

    async fn fetch<F>(&self, clock: &Clock, fetch: impl FnOnce() -> F) -> Result<Arc<T>, FetchError>
    where
        F: Future<Output = Result<T, FetchError>>,
    {
        let result = fetch().await;
        let mut state = self.state();
        match result {
            Ok(value) => {
                let value = Arc::new(value);
                *state = State {
                    value: Some(Arc::clone(&value)),
                    fetched_at: Some(clock.now()),
                    failed_at: None,
                    failures: 0,
                    refetched_at: state.refetched_at,
                };
                Ok(value)
            }
            Err(error) => {
                state.failed_at = Some(clock.now());
                state.failures = state.failures.saturating_add(1);
                Err(error)
            }
        }
    }

    fn look(&self, now: Timestamp) -> Look<T> {
        let state = self.state();
        let may_fetch =
            if within(state.failed_at, back_off(state.failures), now) { MayFetch::NotYet } else { MayFetch::Yes };
        match &state.value {
            None => Look::Absent(may_fetch),
            Some(value) if within(state.fetched_at, FRESH_FOR, now) => Look::Fresh(Arc::clone(value)),
            Some(value) => Look::Old(Arc::clone(value), may_fetch),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn back_off(failures: u32) -> Duration {
    BACK_OFF_MIN.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(BACK_OFF_MAX)
}

/// Whether `now` is less than `period` after `start`. A start in the future is a clock that was set back: it has passed.
fn within(start: Option<Timestamp>, period: Duration, now: Timestamp) -> bool {
    start.is_some_and(|start| now >= start && now.since(start) < period)
}

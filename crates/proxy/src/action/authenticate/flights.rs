//! Refreshes in progress and recent results: one refresh per session, even if many requests arrive (attacks V-01).
//!
//! The requests of one browser arrive in parallel on several workers, all with the same cookie. The first starts a flight; the others
//! join it. The result is kept, because more requests with the old cookie may follow, and a provider that rotates refresh tokens
//! treats a token that is used twice as stolen (pitfalls 37). The result is kept until some time after the browser has sent the new
//! cookie. If the browser never sends it, because the response was lost, the result is kept until the session ends.
//!
//! Refusals are not kept here, but in `session::revoked`.
//!
//! What is kept is limited per user and in total. At the limit no session ends: the refresh is not started, and the session continues with its
//! old tokens.
//!
//! Workers do not call this for each request, because [`SignedIn`](super::signed_in::SignedIn) caches the result.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;

use crate::clock::Timestamp;
use crate::flight;
use crate::session::record::{Session, SessionId};

/// How long new tokens are kept for requests with the old cookie, after the browser has sent the new one.
pub(super) const KEEP_AFTER_SEEN: Duration = Duration::from_secs(60);

/// How long new tokens are kept at least, even if memory is full.
const KEEP_AT_LEAST: Duration = Duration::from_secs(60);

/// The pause of one session before the next refresh, after the provider did not answer.
pub(super) const BACK_OFF: Duration = Duration::from_secs(10);

/// How long a flight is remembered whose task was cancelled. Longer than any flight takes.
const LOST_AFTER: Duration = Duration::from_secs(300);

/// Maximum number of sessions.
const SESSIONS_MAX: usize = 100_000;

/// Maximum number of sessions of one user.
const SESSIONS_OF_A_USER_MAX: usize = 256;

/// Maximum size of all renewed sessions, as counted by [`Renewal::bytes`].
const BYTES_MAX: usize = 128 * 1024 * 1024;

/// Maximum number of expired sessions that one call removes, so that no call takes long.
const SWEPT_AT_ONCE: usize = 64;

/// The result of a refresh.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// New tokens and their cookies. All requests with the old cookie get the same ones.
    Renewed(Arc<Renewal>),
    /// The provider refused permanently.
    Refused,
    /// The provider could not be reached or failed. The session is kept (attacks V-03).
    Failed,
}

/// A session with new tokens.
#[derive(Debug)]
pub(super) struct Renewal {
    pub(super) session: Session,
    pub(super) cookies: Vec<HeaderValue>,
    /// Whether the provider issued a new refresh token. Then the old one is used up and must not be sent again.
    pub(super) is_rotated: bool,
}

impl Renewal {
    /// Approximate size in memory. The session in memory is larger than its compressed form, because of its claims.
    fn bytes(&self) -> usize {
        self.session.weight() + self.cookies.iter().map(HeaderValue::len).sum::<usize>()
    }
}

/// A refresh in progress.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    landed: flight::Flight<Outcome>,
    pub(super) started_at: Timestamp,
}

impl Flight {
    /// Waits for the result, at most for `wait`. A flight that was cancelled or takes longer counts as failed for this request.
    pub(super) async fn outcome(self, wait: Duration) -> Outcome {
        // Dropping this future is safe: the flight continues.
        tokio::time::timeout(wait, self.landed.landed()).await.ok().flatten().unwrap_or(Outcome::Failed)
    }

    /// Whether its task still runs.
    pub(super) fn is_under_way(&self) -> bool {
        self.landed.is_under_way()
    }
}

/// Lets the task of a flight report the result. If it is dropped without a result, the flight counts as cancelled.
#[derive(Debug)]
pub(super) struct Landing {
    flights: Arc<Flights>,
    id: SessionId,
    generation: u32,
    landing: flight::Landing<Outcome>,
}

impl Landing {
    /// Reports the result to all waiting requests, and keeps new tokens for later ones.
    pub(super) fn land(self, outcome: Outcome, now: Timestamp) {
        self.flights.lock().land(self.id, self.generation, &outcome, now);
        self.landing.land(outcome);
    }
}

/// The state of a session whose refresh is due.
#[derive(Debug)]
pub(super) enum Known {
    /// There are newer tokens.
    Renewed(Arc<Renewal>),
    /// A refresh is in progress. Contains the newest tokens so far, if they are newer than those of the request.
    UnderWay(Flight, Option<Arc<Renewal>>),
    /// No refresh before this time, because of a pause or because memory is full. Contains the newest tokens.
    NotBefore(Timestamp, Option<Arc<Renewal>>),
    /// The refresh token of the request is used up, and the browser sent the cookie with the next one some time ago.
    Superseded,
}

/// The sessions with a refresh in progress or a recent result. One per process; never locked across an await.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    by_session: HashMap<SessionId, Entry>,
    /// The sessions by the time at which they are removed.
    by_end: BTreeSet<(Timestamp, SessionId)>,
    /// The sessions in order of insertion.
    by_user: HashMap<u64, Vec<SessionId>>,
    bytes: usize,
    /// Number of times the lock was taken.
    #[cfg(test)]
    looks: usize,
}

#[derive(Debug)]
struct Entry {
    user: u64,
    forget_at: Timestamp,
    /// The newest tokens, and when they arrived.
    newest: Option<(Arc<Renewal>, Timestamp)>,
    /// The generation of the refresh in progress, or of the last one.
    generation: u32,
    flight: Option<Flight>,
    /// The earliest time of the next refresh.
    not_before: Timestamp,
    /// Refresh tokens of lower generations are used up. Kept until the session ends.
    superseded: u32,
    ends_at: Timestamp,
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        #[cfg_attr(not(test), expect(unused_mut, reason = "tests count"))]
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(test)]
        {
            entries.looks += 1;
        }
        entries
    }

    /// Number of times the process-wide lock was taken.
    #[cfg(test)]
    pub(super) fn looks(&self) -> usize {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.looks
    }

    /// Returns the state of `session` of `user`, whose refresh is due. If there is none, or if the newer tokens are due as well, calls
    /// `start` with the session to refresh.
    pub(super) fn look(
        self: &Arc<Self>,
        session: &Session,
        user: u64,
        now: Timestamp,
        start: impl FnOnce(Session, Landing),
    ) -> Known {
        let mut entries = self.lock();
        entries.sweep(now);
        let entry = entries.by_session.get(&session.id);
        let newest = entry.and_then(|entry| entry.newest.as_ref()).map(|(renewal, _)| Arc::clone(renewal));
        // If the request has newer tokens, another replica has refreshed the session.
        let newest = newest.filter(|newest| newest.session.generation > session.generation);
        if let Some(newest) = &newest
            && !newest.session.is_refresh_due(now)
        {
            return Known::Renewed(Arc::clone(newest));
        }
        let session = newest.as_ref().map_or(session, |newest| &newest.session);
        if let Some(entry) = entry.filter(|entry| entry.generation >= session.generation) {
            if let Some(flight) = entry.flight.as_ref().filter(|flight| flight.is_under_way()) {
                return Known::UnderWay(flight.clone(), newest);
            }
            if session.generation < entry.superseded {
                return Known::Superseded;
            }
            if now < entry.not_before {
                return Known::NotBefore(entry.not_before, newest);
            }
        }
        if !entries.has_room_for(session, user, now) {
            return Known::NotBefore(now + BACK_OFF, newest);
        }
        let (landing, landed) = flight::new();
        let flight = Flight { landed, started_at: now };
        entries.begin(session, user, flight.clone(), now);
        let landing = Landing { flights: Arc::clone(self), id: session.id, generation: session.generation, landing };
        drop(entries);
        start(session.clone(), landing);
        Known::UnderWay(flight, newest)
    }

    /// The browser has sent the cookie of this generation. The results of older generations are not needed much longer.
    pub(super) fn seen(&self, id: &SessionId, generation: u32, now: Timestamp) {
        let mut entries = self.lock();
        let Some(entry) = entries.by_session.get(id) else { return };
        let is_newest = entry.newest.as_ref().is_some_and(|(newest, _)| newest.session.generation <= generation);
        if is_newest && entry.flight.is_none() {
            let forget_at = entry.forget_at.min(now + KEEP_AFTER_SEEN);
            entries.forget_at(id, forget_at);
        }
    }
}

impl Entries {
    fn begin(&mut self, session: &Session, user: u64, flight: Flight, now: Timestamp) {
        let forget_at = now + LOST_AFTER;
        let generation = session.generation;
        match self.by_session.get_mut(&session.id) {
            Some(entry) => {
                entry.generation = generation;
                entry.flight = Some(flight);
                // Another replica has refreshed the session. Tokens older than these are no longer returned.
                let older = entry.newest.take_if(|(newest, _)| newest.session.generation < generation);
                self.bytes -= older.map_or(0, |(older, _)| older.bytes());
                let forget_at = forget_at.max(entry.forget_at);
                self.forget_at(&session.id, forget_at);
            }
            None => {
                let entry = Entry {
                    user,
                    forget_at,
                    newest: None,
                    generation,
                    flight: Some(flight),
                    not_before: now,
                    superseded: 0,
                    ends_at: session.expires_at,
                };
                self.by_session.insert(session.id, entry);
                self.by_end.insert((forget_at, session.id));
                self.by_user.entry(user).or_default().push(session.id);
            }
        }
    }

    fn land(&mut self, id: SessionId, generation: u32, outcome: &Outcome, now: Timestamp) {
        let Some(entry) = self.by_session.get_mut(&id).filter(|entry| entry.generation == generation) else { return };
        entry.flight = None;
        match outcome {
            Outcome::Renewed(renewal) => {
                let bytes = renewal.bytes();
                entry.generation = renewal.session.generation;
                if renewal.is_rotated {
                    entry.superseded = renewal.session.generation;
                }
                let before = entry.newest.replace((Arc::clone(renewal), now));
                let until = renewal.session.expires_at.max(now + KEEP_AT_LEAST);
                self.bytes = self.bytes + bytes - before.map_or(0, |(before, _)| before.bytes());
                self.forget_at(&id, until);
                self.shrink(now);
            }
            // `session::revoked` has the refusal. The pause keeps requests that do not know it yet from refreshing again.
            Outcome::Refused | Outcome::Failed => {
                entry.not_before = now + BACK_OFF;
                let newest = entry.newest.as_ref();
                let until = newest.map_or(entry.not_before, |(newest, _)| newest.session.expires_at);
                let until = until.max(entry.not_before);
                self.forget_at(&id, until);
            }
        }
    }

    fn forget_at(&mut self, id: &SessionId, at: Timestamp) {
        if let Some(entry) = self.by_session.get_mut(id) {
            self.by_end.remove(&(entry.forget_at, *id));
            entry.forget_at = at;
            self.by_end.insert((at, *id));
        }
    }

    fn forget(&mut self, id: &SessionId) {
        let Some(entry) = self.by_session.remove(id) else { return };
        self.by_end.remove(&(entry.forget_at, *id));
        self.bytes -= entry.newest.map_or(0, |(newest, _)| newest.bytes());
        if let Some(own) = self.by_user.get_mut(&entry.user) {
            own.retain(|known| known != id);
            if own.is_empty() {
                self.by_user.remove(&entry.user);
            }
        }
    }

    /// Removes expired sessions.
    fn sweep(&mut self, now: Timestamp) {
        for _ in 0..SWEPT_AT_ONCE {
            match self.by_end.first() {
                Some((forget_at, id)) if *forget_at <= now => {
                    let id = *id;
                    self.time_is_over(&id, now);
                }
                _ => break,
            }
        }
    }

    /// Removes the kept tokens. Also removes the session, unless it is needed to remember which tokens are used up.
    fn time_is_over(&mut self, id: &SessionId, now: Timestamp) {
        let Some(entry) = self.by_session.get_mut(id) else { return };
        let ends_at = entry.ends_at;
        if entry.superseded == 0 || ends_at <= now {
            return self.forget(id);
        }
        entry.flight = None;
        self.bytes -= entry.newest.take().map_or(0, |(newest, _)| newest.bytes());
        self.forget_at(id, ends_at);
    }

    /// Whether there is room for a flight of `session`. Makes room by removing older sessions of the same user first, then sessions of
    /// others whose new tokens have been kept for long.
    fn has_room_for(&mut self, session: &Session, user: u64, now: Timestamp) -> bool {
        if self.by_session.contains_key(&session.id) {
            return true;
        }
        let own = self.by_user.get(&user).map_or(&[][..], Vec::as_slice);
        if own.len() >= SESSIONS_OF_A_USER_MAX {
            let oldest = own.iter().find(|id| self.is_dispensable(id, now)).copied();
            let Some(oldest) = oldest else { return false };
            self.forget(&oldest);
        }
        self.by_session.len() < SESSIONS_MAX || self.forget_one(now)
    }

    /// Removes sessions until the total size is within the limit.
    fn shrink(&mut self, now: Timestamp) {
        while self.bytes > BYTES_MAX && self.forget_one(now) {}
    }

    /// Removes the removable session that would expire first. `false` if there is none.
    fn forget_one(&mut self, now: Timestamp) -> bool {
        let found = self.by_end.iter().take(SWEPT_AT_ONCE).find(|(_, id)| self.is_dispensable(id, now));
        let Some((_, id)) = found.copied() else { return false };
        self.forget(&id);
        true
    }

    /// Whether the session has been kept longer than requests with its old cookie can be expected.
    fn is_dispensable(&self, id: &SessionId, now: Timestamp) -> bool {
        self.by_session.get(id).is_some_and(|entry| {
            let is_new = entry.newest.as_ref().is_some_and(|(_, since)| now.since(*since) < KEEP_AT_LEAST);
            entry.flight.is_none() && !is_new
        })
    }
}

#[cfg(test)]
mod tests;

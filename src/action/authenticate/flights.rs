//! Refreshes that are under way or have just been made: one for each session, whoever asks (attacks V-01).
//!
//! Requests of one browser come in parallel, on several workers, all with the same cookie. The first starts a flight; the others
//! join it. What came of it is kept, because requests with the old cookie may still be on their way, and a provider that rotates
//! refresh tokens takes one that comes twice for stolen (pitfalls 37). It is kept until the browser has shown the new cookie and a
//! while longer; where it never does (the answer was lost), until the session's end.
//!
//! Refusals are not kept here: `session::revoked` knows them.
//!
//! Memory is bounded, for each user and for all. A full memory ends no session: a refresh that has no room is not begun, and the
//! session goes on with the tokens that it has.
//!
//! Workers do not ask here for each request: [`SignedIn`](super::signed_in::SignedIn) remembers the answer.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use tokio::sync::watch;

use crate::clock::Timestamp;
use crate::session::record::{Session, SessionId};

/// How long new tokens are kept for requests with the old cookie, after the browser has shown the new one.
pub(super) const KEEP_AFTER_SEEN: Duration = Duration::from_secs(60);

/// How long new tokens are kept in any case, though memory is short.
const KEEP_AT_LEAST: Duration = Duration::from_secs(60);

/// How long a provider that did not answer is left alone, by one session.
pub(super) const BACK_OFF: Duration = Duration::from_secs(10);

/// How long a flight whose task is gone is remembered. Longer than any flight.
const LOST_AFTER: Duration = Duration::from_secs(300);

/// Most sessions that are remembered.
const SESSIONS_MAX: usize = 100_000;

/// Most sessions of one user that are remembered.
const SESSIONS_OF_A_USER_MAX: usize = 256;

/// Most bytes of renewed sessions that are kept, as [`Renewal::bytes`] counts them.
const BYTES_MAX: usize = 128 * 1024 * 1024;

/// Most sessions that one look forgets because their time is over, so that no look takes long.
const SWEPT_AT_ONCE: usize = 64;

/// What came of a refresh.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// New tokens, and the cookies that carry them: each request with the old cookie is given the same.
    Renewed(Arc<Renewal>),
    /// The provider has said no, for good.
    Refused,
    /// The provider did not say; the session is kept (attacks V-03).
    Failed,
}

/// A session with new tokens.
#[derive(Debug)]
pub(super) struct Renewal {
    pub(super) session: Session,
    pub(super) cookies: Vec<HeaderValue>,
    /// Whether the provider gave another refresh token: then the old one is spent, and must not be sent again.
    pub(super) is_rotated: bool,
}

impl Renewal {
    /// About the memory that it takes. The session in memory is larger than its compressed form, by its claims.
    fn bytes(&self) -> usize {
        self.session.weight() + self.cookies.iter().map(HeaderValue::len).sum::<usize>()
    }
}

/// A refresh that is under way.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    landed: watch::Receiver<Option<Outcome>>,
    pub(super) started_at: Timestamp,
}

impl Flight {
    /// Waits until it has landed, at most for `wait`. One that is lost or late has failed, for this request.
    pub(super) async fn outcome(mut self, wait: Duration) -> Outcome {
        // Dropping this future is safe: the flight goes on without us.
        match tokio::time::timeout(wait, self.landed.wait_for(Option::is_some)).await {
            Ok(Ok(landed)) => landed.clone().unwrap_or(Outcome::Failed),
            Ok(Err(_)) | Err(_) => Outcome::Failed,
        }
    }

    /// Whether somebody still works on it. A dropped sender means that the task panicked or was cancelled.
    pub(super) fn is_under_way(&self) -> bool {
        self.landed.borrow().is_none() && self.landed.has_changed().is_ok()
    }
}

/// The way for a flight's task to say what came of it. Dropped without, the flight is lost.
#[derive(Debug)]
pub(super) struct Landing {
    flights: Arc<Flights>,
    id: SessionId,
    generation: u32,
    lands: watch::Sender<Option<Outcome>>,
}

impl Landing {
    /// Tells everyone who waits, and keeps new tokens for those who come later.
    pub(super) fn land(self, outcome: Outcome, now: Timestamp) {
        self.flights.lock().land(self.id, self.generation, &outcome, now);
        self.lands.send_replace(Some(outcome));
    }
}

/// What is known of a session whose refresh is due.
#[derive(Debug)]
pub(super) enum Known {
    /// It has newer tokens.
    Renewed(Arc<Renewal>),
    /// New tokens are being asked for. Until then the newest are these, where there are newer ones than the request's.
    UnderWay(Flight, Option<Arc<Renewal>>),
    /// The provider is left alone until then, or there is no room; the newest tokens are these.
    NotBefore(Timestamp, Option<Arc<Renewal>>),
    /// Its refresh token is spent, and the browser has shown the cookie with the next one a while ago.
    Superseded,
}

/// Every session with a refresh that is under way or has been made. One for the process; never locked across an await.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    by_session: HashMap<SessionId, Entry>,
    /// When each is forgotten.
    by_end: BTreeSet<(Timestamp, SessionId)>,
    /// In the order in which they were first remembered.
    by_user: HashMap<u64, Vec<SessionId>>,
    bytes: usize,
    /// How often the lock was taken.
    #[cfg(test)]
    looks: usize,
}

#[derive(Debug)]
struct Entry {
    user: u64,
    forget_at: Timestamp,
    /// The newest tokens that came, and since when.
    newest: Option<(Arc<Renewal>, Timestamp)>,
    /// The generation that is being refreshed, or was refreshed last.
    generation: u32,
    flight: Option<Flight>,
    /// When the provider may be asked again.
    not_before: Timestamp,
    /// Refresh tokens of lower generations are spent. This is remembered until the session's end.
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

    /// How often the process-wide lock was taken.
    #[cfg(test)]
    pub(super) fn looks(&self) -> usize {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.looks
    }

    /// What is known of `session` of `user`, whose refresh is due. Where nothing is, or newer tokens are due themselves,
    /// `start` is given the session to refresh.
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
        // Another replica has been faster than this one where the request brings newer tokens.
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
        let (lands, landed) = watch::channel(None);
        let flight = Flight { landed, started_at: now };
        entries.begin(session, user, flight.clone(), now);
        let landing = Landing { flights: Arc::clone(self), id: session.id, generation: session.generation, lands };
        drop(entries);
        start(session.clone(), landing);
        Known::UnderWay(flight, newest)
    }

    /// The browser has shown the cookie of this generation: what was kept of older ones is not needed much longer.
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
                // Another replica has been faster: older tokens than these are given to nobody any more.
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
            // A refusal is known elsewhere; who looks before hearing of it does not ask again.
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

    /// Forgets sessions whose time is over.
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

    /// Forgets the tokens that were kept, and with them the session, unless it has to be remembered which are spent.
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

    /// Whether a flight of `session` may be remembered. Makes room at the cost of the same user's older sessions, and only then
    /// of others whose new tokens have been kept for long.
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

    /// Forgets until the bytes are within their bound.
    fn shrink(&mut self, now: Timestamp) {
        while self.bytes > BYTES_MAX && self.forget_one(now) {}
    }

    /// Forgets the session that would be forgotten first anyway of those that can be spared; `false` where there is none.
    fn forget_one(&mut self, now: Timestamp) -> bool {
        let found = self.by_end.iter().take(SWEPT_AT_ONCE).find(|(_, id)| self.is_dispensable(id, now));
        let Some((_, id)) = found.copied() else { return false };
        self.forget(&id);
        true
    }

    /// Whether the session has been kept for as long as requests with its old cookie can be expected.
    fn is_dispensable(&self, id: &SessionId, now: Timestamp) -> bool {
        self.by_session.get(id).is_some_and(|entry| {
            let is_new = entry.newest.as_ref().is_some_and(|(_, since)| now.since(*since) < KEEP_AT_LEAST);
            entry.flight.is_none() && !is_new
        })
    }
}

#[cfg(test)]
mod tests;

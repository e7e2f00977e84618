//! What an issuer of this process has ended before its time: the sign-ins of a user, and single sessions at the issuer.
//!
//! Who ends something publishes it here ([`Endings::publish`]); every session and token of the issuer has a [`Standing`] that asks. Readers take no
//! lock: they load a snapshot that writers replace. A standing that has asked asks again only when something was published since, so a request
//! costs one comparison of two numbers, however much has ended.
//!
//! **The order of sign-ins and endings** is that of `auth_time`, in whole seconds: "every sign-in of this user before second T". The issuer makes
//! sure that no sign-in of before has an `auth_time` of T or later, and that each one of after has (docs/decisions/0097).

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::clock::Timestamp;

/// Maximum size of the map that each publication copies. Beyond it, its entries move into the large map.
const RECENT_MAX: usize = 512;

/// What has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended<'e> {
    /// Every sign-in of every user.
    Everybody,
    /// Every sign-in of the user with this `sub`.
    User(&'e str),
    /// The session at the issuer with this `sid` (OpenID Connect Front-Channel Logout §3), whatever its `auth_time` is.
    Session(&'e str),
}

/// One publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending<'e> {
    pub ended: Ended<'e>,
    /// The first `auth_time` that counts again, in seconds. Not used for a session.
    pub before: u64,
    /// When no session or token of before can exist any more.
    pub until: Timestamp,
}

/// What one issuer has ended. Shared by all workers.
#[derive(Debug)]
pub struct Endings {
    current: ArcSwap<Snapshot>,
    /// The number of publications. Changed after `current`, so who has read it finds a snapshot that is at least as new.
    version: AtomicU64,
    /// A writer holds this lock from the load of `current` until the swap, so that no other writer's entries are lost.
    writing: Mutex<()>,
    /// Wakes exchanges that last.
    changed: watch::Sender<()>,
    random: RandomState,
}

impl Default for Endings {
    fn default() -> Self {
        Self {
            current: ArcSwap::default(),
            version: AtomicU64::default(),
            writing: Mutex::default(),
            changed: watch::Sender::new(()),
            random: RandomState::default(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    before: u64,
    until: Timestamp,
}

/// By the hash of what has ended, with a key of this process.
type Entries = HashMap<u64, Entry>;

#[derive(Clone, Debug, Default)]
struct Snapshot {
    /// Of everybody.
    before: u64,
    recent: Entries,
    settled: Arc<Entries>,
}

impl Endings {
    /// Ends something. What has ended stays so until its time is over, whatever is published later.
    pub fn publish<'e>(&self, endings: impl IntoIterator<Item = Ending<'e>>, now: Timestamp) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Snapshot::clone(&self.current.load());
        let mut is_changed = false;
        for ending in endings.into_iter().filter(|ending| ending.until > now) {
            is_changed = true;
            let (key, before) = match ending.ended {
                Ended::Everybody => {
                    next.before = next.before.max(ending.before);
                    continue;
                }
                Ended::User(subject) => (self.user(subject), ending.before),
                Ended::Session(id) => (self.session(id), u64::MAX),
            };
            let known = next.recent.get(&key).or_else(|| next.settled.get(&key)).copied();
            let known = known.unwrap_or(Entry { before, until: ending.until });
            let entry = Entry { before: known.before.max(before), until: known.until.max(ending.until) };
            next.recent.insert(key, entry);
        }
        if !is_changed {
            return;
        }
        if next.recent.len() > RECENT_MAX {
            next.settle(now);
        }
        self.current.store(Arc::new(next));
        self.version.fetch_add(1, Ordering::Release);
        self.changed.send_replace(());
    }

    /// The first `auth_time` of a user that counts, in seconds.
    pub fn first_auth_time(&self, subject: &str) -> u64 {
        let current = self.current.load();
        current.find(self.user(subject)).max(current.before)
    }

    /// Becomes ready at each publication after this call.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn user(&self, subject: &str) -> u64 {
        self.random.hash_one(("user", subject))
    }

    fn session(&self, id: &str) -> u64 {
        self.random.hash_one(("session", id))
    }
}

impl Snapshot {
    /// The first `auth_time` that counts for a key.
    fn find(&self, key: u64) -> u64 {
        self.recent.get(&key).or_else(|| self.settled.get(&key)).map_or(0, |entry| entry.before)
    }

    /// Moves what is recent into the large map, and drops what is over.
    fn settle(&mut self, now: Timestamp) {
        let mut all = Entries::clone(&self.settled);
        all.extend(std::mem::take(&mut self.recent));
        all.retain(|_, entry| entry.until > now);
        self.settled = Arc::new(all);
    }
}

/// The endings of every issuer of this process. Issuers elsewhere have none. Cheap to clone: a clone is the same.
#[derive(Clone, Debug, Default)]
pub struct EndingsByIssuer(Arc<Mutex<BTreeMap<String, Arc<Endings>>>>);

impl EndingsByIssuer {
    /// Those of an issuer. `None` if it ends nothing here.
    pub fn of(&self, issuer: &str) -> Option<Arc<Endings>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(issuer).cloned()
    }

    /// Adds an issuer. For gates that are made later.
    pub fn enter(&self, issuer: &str, endings: &Arc<Endings>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(issuer.to_owned(), Arc::clone(endings));
    }
}

/// Whether a session or a token of an issuer has ended. Each worker makes its own.
#[derive(Debug)]
pub struct Standing {
    endings: Arc<Endings>,
    user: u64,
    session: Option<u64>,
    auth_time: u64,
    /// The version of the endings that was looked at last.
    seen: Cell<u64>,
}

impl Standing {
    /// Of the user with this `sub`, whom the issuer of `endings` has signed in. `claims` are those of the ID token or access token, `began` is when the session
    /// began or the token was issued, for an issuer that gives no `auth_time`.
    pub fn new(endings: Arc<Endings>, subject: &str, claims: &Map<String, Value>, began: Timestamp) -> Self {
        let auth_time = claims.get("auth_time").and_then(Value::as_u64).unwrap_or_else(|| began.seconds());
        let session = claims.get("sid").and_then(Value::as_str).map(|id| endings.session(id));
        Self { user: endings.user(subject), session, auth_time, seen: Cell::new(u64::MAX), endings }
    }

    /// Whether the sign-in or its session has ended.
    pub fn has_ended(&self) -> bool {
        let version = self.endings.version.load(Ordering::Acquire);
        self.seen.get() != version && self.look(version)
    }

    #[cold]
    fn look(&self, version: u64) -> bool {
        let current = self.endings.current.load();
        let keys = std::iter::once(self.user).chain(self.session);
        let has_ended =
            self.auth_time < current.before || keys.into_iter().any(|key| self.auth_time < current.find(key));
        if !has_ended {
            self.seen.set(version);
        }
        has_ended
    }

    /// Becomes ready when something may have ended after this call.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.endings.changes()
    }
}

#[cfg(test)]
mod tests;

//! Revoked sessions: signed out, or refused by the provider at a refresh.
//!
//! **Known to this process only**: a copied cookie that was signed out here still opens at another replica, and here again
//! after a restart, until the session's own end. Short session timeouts bound that; a shared list would need a store.
//!
//! Every worker reads this on every request, without a lock: readers load a snapshot, a writer swaps in another.
//!
//! Memory is bounded, and no user can evict the sign-out of another user. Each user has a number of entries of their own;
//! beyond that their older entries become one: "every session of this user that began before T is over".

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::clock::Timestamp;
use crate::session::record::{Session, SessionId};

/// Most sessions that are remembered one by one.
const SESSIONS_MAX: usize = 100_000;

/// Most sessions of one user that are remembered one by one, when the recent ones have been merged.
const SESSIONS_OF_A_USER_MAX: usize = 256;

/// Most users of whom every session before some time is over.
const USERS_MAX: usize = 100_000;

/// How many are copied for each sign-out at most, before they are merged into the large map.
const RECENT_MAX: usize = 512;

/// The generation of a session that was signed out: all of them are over.
const EVERY_GENERATION: u32 = u32::MAX;

/// The key to look up a session: one generation of its tokens. Made once, when the session is decrypted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handle {
    id: SessionId,
    generation: u32,
    /// Issuer and subject, hashed with a key of this process.
    user: u64,
    authenticated_at: Timestamp,
}

impl Handle {
    /// The user's issuer and subject, hashed with a key of this process.
    pub(crate) fn user(&self) -> u64 {
        self.user
    }
}

/// The revoked sessions. Each entry is kept until the session would have expired anyway.
#[derive(Debug, Default)]
pub(crate) struct Revoked {
    current: ArcSwap<Snapshot>,
    /// Held by a writer from its reading of `current` to its swap.
    writing: Mutex<()>,
    random: RandomState,
}

#[derive(Clone, Copy, Debug)]
struct Ended {
    /// The highest that is over. A session whose refresh was refused may go on with newer tokens that another replica has.
    generation: u32,
    user: u64,
    authenticated_at: Timestamp,
    until: Timestamp,
}

/// Every session of a user that began before some time is over.
#[derive(Clone, Copy, Debug)]
struct Before {
    began_before: Timestamp,
    until: Timestamp,
}

type Sessions = HashMap<SessionId, Ended>;
type Users = HashMap<u64, Before>;

#[derive(Clone, Debug, Default)]
struct Snapshot {
    recent: Sessions,
    settled: Arc<Sessions>,
    users: Arc<Users>,
}

impl Revoked {
    /// The key for [`contains`](Self::contains).
    pub(crate) fn handle(&self, session: &Session) -> Handle {
        let (issuer, subject) = (session.identity.issuer(), session.identity.subject());
        Handle {
            id: session.id,
            generation: session.generation,
            user: self.random.hash_one((issuer, subject)),
            authenticated_at: session.authenticated_at,
        }
    }

    /// Whether the session was revoked.
    pub(crate) fn contains(&self, handle: &Handle) -> bool {
        let current = self.current.load();
        let is_over =
            |sessions: &Sessions| sessions.get(&handle.id).is_some_and(|ended| handle.generation <= ended.generation);
        is_over(&current.recent)
            || is_over(&current.settled)
            || current.users.get(&handle.user).is_some_and(|before| handle.authenticated_at < before.began_before)
    }

    /// Ends a session: it was signed out. Returns how many other entries were evicted for it.
    pub(crate) fn sign_out(&self, session: &Session, now: Timestamp) -> usize {
        self.add(session, EVERY_GENERATION, now)
    }

    /// Ends a session whose provider refuses its refresh token. The same session with newer tokens goes on. Returns how many
    /// others had to be forgotten for it.
    pub(crate) fn refuse(&self, session: &Session, now: Timestamp) -> usize {
        self.add(session, session.generation, now)
    }

    fn add(&self, session: &Session, generation: u32, now: Timestamp) -> usize {
        let Handle { id, user, authenticated_at, .. } = self.handle(session);
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current.load();
        let is_covered = |before: &Before| authenticated_at < before.began_before && session.expires_at <= before.until;
        if current.users.get(&user).is_some_and(is_covered) {
            return 0;
        }
        let mut next = Snapshot::clone(&current);
        let known = next.recent.get(&id).or_else(|| next.settled.get(&id));
        let generation = known.map_or(generation, |known| known.generation.max(generation));
        next.recent.insert(id, Ended { generation, user, authenticated_at, until: session.expires_at });
        let forgotten =
            if next.recent.len() > RECENT_MAX { next.settle(now, SESSIONS_MAX, SESSIONS_OF_A_USER_MAX) } else { 0 };
        self.current.store(Arc::new(next));
        forgotten
    }
}

impl Snapshot {
    /// Merges the recent into the settled, without those that are over. Where one user has more than `user_max`, or all
    /// together have more than `most`, older sessions of a user become one entry, those of the user with most first.
    /// Only where every user has one entry and there are still too many, those that end soonest are forgotten: returns how
    /// many.
    fn settle(&mut self, now: Timestamp, most: usize, user_max: usize) -> usize {
        let mut all = Sessions::clone(&self.settled);
        all.extend(std::mem::take(&mut self.recent));
        all.retain(|_, ended| ended.until > now);
        let mut users = Users::clone(&self.users);
        users.retain(|_, before| before.until > now);

        let mut by_user: HashMap<u64, Vec<SessionId>> = HashMap::new();
        for (id, ended) in &all {
            by_user.entry(ended.user).or_default().push(*id);
        }
        let mut by_count: Vec<(u64, Vec<SessionId>)> = by_user.into_iter().filter(|(_, ids)| ids.len() > 1).collect();
        by_count.sort_unstable_by_key(|(_, ids)| std::cmp::Reverse(ids.len()));
        for (user, mut ids) in by_count {
            let keep = if ids.len() > user_max { user_max / 2 } else { ids.len() };
            let keep = if all.len() > most { 0 } else { keep };
            ids.sort_unstable_by_key(|id| std::cmp::Reverse(all[id].authenticated_at));
            for id in &ids[keep..] {
                let Some(ended) = all.remove(id) else { continue };
                let new = users.entry(user).or_insert(Before { began_before: ended.authenticated_at, until: now });
                // "Before" leaves out a session that begins at the very moment.
                new.began_before = new.began_before.max(ended.authenticated_at + Duration::from_millis(1));
                new.until = new.until.max(ended.until);
            }
        }
        let forgotten = forget_soonest(&mut all, most, |ended| ended.until)
            + forget_soonest(&mut users, USERS_MAX, |before| before.until);
        (self.settled, self.users) = (Arc::new(all), Arc::new(users));
        forgotten
    }
}

/// Evicts the entries that expire soonest beyond `most`. Returns their number.
fn forget_soonest<K: Copy + Eq + std::hash::Hash, V>(
    map: &mut HashMap<K, V>,
    most: usize,
    until: impl Fn(&V) -> Timestamp,
) -> usize {
    let surplus = map.len().saturating_sub(most);
    if surplus > 0 {
        let mut ends: Vec<(Timestamp, K)> = map.iter().map(|(key, value)| (until(value), *key)).collect();
        ends.sort_unstable_by_key(|(until, _)| *until);
        for (_, key) in &ends[..surplus] {
            map.remove(key);
        }
    }
    surplus
}

#[cfg(test)]
mod tests;

//! Revoked sessions: the user signed out, or the provider refused the refresh token.
//!
//! **The list is in the memory of this process only.** Another replica still accepts a copied cookie after the sign-out
//! here. This process accepts it again after a restart. Both end when the session expires, so a short session timeout
//! limits them. A shared list would need a store.
//!
//! Every worker reads this on every request, without a lock: readers load a snapshot, a writer swaps in another.
//!
//! Memory is bounded, and no user can evict the sign-out of another user. Each user has a limited number of entries.
//! Beyond the limit, the older entries of the user are merged into one: "every session of this user that began before T
//! is revoked".

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::clock::Timestamp;
use crate::session::record::{Session, SessionId};

/// Maximum number of revoked sessions that have an entry of their own.
const SESSIONS_MAX: usize = 100_000;

/// Maximum number of revoked sessions of one user that have an entry of their own, after a merge.
const SESSIONS_OF_A_USER_MAX: usize = 256;

/// Maximum number of users whose revoked sessions have been merged into one entry.
const USERS_MAX: usize = 100_000;

/// Maximum size of the map `recent`, which each sign-out copies. Beyond it, the entries are merged into the large map.
const RECENT_MAX: usize = 512;

/// The generation in the entry of a session that was signed out: every generation is revoked.
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
    /// A writer holds this lock from the load of `current` until the swap, so that no other writer's entry is lost.
    writing: Mutex<()>,
    random: RandomState,
}

#[derive(Clone, Copy, Debug)]
struct Ended {
    /// The highest revoked generation. After a refused refresh, the same session stays valid with newer tokens, which another
    /// replica may have obtained.
    generation: u32,
    user: u64,
    authenticated_at: Timestamp,
    until: Timestamp,
}

/// Every session of a user that began before `began_before` is revoked.
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

    /// Revokes a session because the user signed out. Returns the number of other entries that were evicted to make room.
    pub(crate) fn sign_out(&self, session: &Session, now: Timestamp) -> usize {
        self.add(session, EVERY_GENERATION, now)
    }

    /// Revokes a session because the provider refused its refresh token. The same session with newer tokens stays valid.
    /// Returns the number of other entries that were evicted to make room.
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
    /// Merges `recent` into `settled` and drops expired entries. If one user has more than `user_max` entries, or all users
    /// together have more than `most`, older entries of a user are merged into one. The users with the most entries come
    /// first. If every user has one entry and there are still too many, the entries that expire soonest are evicted. Returns
    /// the number of evicted entries.
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
                // `began_before` is exclusive. One millisecond more includes a session that began at exactly this time.
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

/// Evicts the entries that expire soonest until at most `most` are left. Returns the number of evicted entries.
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

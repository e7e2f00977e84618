//! Sessions that were ended before their time, by signing out.
//!
//! **Known to this process only**: a copied cookie that was signed out here still opens at another replica, and here again
//! after a restart, until the session's own end. Short session timeouts bound that; a shared list would be a store.
//!
//! Read on every request, by every worker, without a lock: readers load a snapshot, a writer swaps in another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::clock::Timestamp;
use crate::session::record::SessionId;

/// Most sessions that are remembered; beyond, those that end soonest anyway are forgotten first.
const REVOKED_MAX: usize = 100_000;

/// How many are copied for each sign-out at most, before they are merged into the large map.
const RECENT_MAX: usize = 512;

type Ends = HashMap<SessionId, Timestamp>;

/// The ended sessions, each until its own end.
#[derive(Debug, Default)]
pub(crate) struct Revoked {
    current: ArcSwap<Snapshot>,
    /// Held by a writer from its reading of `current` to its swap.
    writing: Mutex<()>,
}

#[derive(Clone, Debug, Default)]
struct Snapshot {
    recent: Ends,
    settled: Arc<Ends>,
}

impl Revoked {
    /// Whether the session was ended.
    pub(crate) fn contains(&self, id: &SessionId) -> bool {
        let current = self.current.load();
        current.recent.contains_key(id) || current.settled.contains_key(id)
    }

    /// Ends a session that would have ended at `expires_at`.
    pub(crate) fn add(&self, id: SessionId, expires_at: Timestamp, now: Timestamp) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Snapshot::clone(&self.current.load());
        next.recent.insert(id, expires_at);
        if next.recent.len() > RECENT_MAX {
            next.settle(now, REVOKED_MAX);
        }
        self.current.store(Arc::new(next));
    }
}

impl Snapshot {
    /// Merges the recent into the settled, without those that are over, and without the soonest to end beyond `most`.
    fn settle(&mut self, now: Timestamp, most: usize) {
        let recent = std::mem::take(&mut self.recent);
        let mut all: Vec<(SessionId, Timestamp)> = self.settled.iter().map(|(id, end)| (*id, *end)).collect();
        all.extend(recent);
        all.retain(|(_, end)| *end > now);
        if all.len() > most {
            all.sort_unstable_by_key(|(_, end)| std::cmp::Reverse(*end));
            all.truncate(most);
        }
        self.settled = Arc::new(all.into_iter().collect());
    }
}

#[cfg(test)]
mod tests;

//! A bounded map whose entries have owners, so that one owner cannot evict the entries of another.
//!
//! - If an owner has reached its limit, its own oldest entry is evicted.
//! - If the map is full, the oldest entry of the owner with the most entries is evicted.
//!
//! An eviction raises the floor of the owner: the time of birth of the evicted entry. A key of this owner that was born at or
//! before the floor and is not in the map is [`Found::Forgotten`]. Callers refuse it, so an eviction never makes a revoked
//! value valid again.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::time::Duration;

use crate::clock::Timestamp;

/// The maximum number of entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Per owner.
    pub(crate) per_owner: usize,
    /// Of all owners together.
    pub(crate) total: usize,
}

/// Time between two sweeps of a full map for entries that have expired.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);

/// The map. Owners and keys are stored as keyed 64-bit hashes: they are small, and nobody can cause a collision on purpose.
#[derive(Debug)]
pub(crate) struct Shares<V> {
    bounds: Bounds,
    hasher: RandomState,
    entries: HashMap<u64, Entry<V>>,
    owners: HashMap<u64, Owner>,
    /// The owners in `owners` that have entries, by the number of entries.
    by_count: BTreeSet<(usize, u64)>,
    swept_at: Timestamp,
}

#[derive(Debug)]
struct Entry<V> {
    owner: u64,
    born: Timestamp,
    expires_at: Timestamp,
    value: V,
}

#[derive(Debug, Default)]
struct Owner {
    /// The entries from the oldest to the newest.
    keys: VecDeque<u64>,
    floor: Option<Floor>,
}

#[derive(Clone, Copy, Debug)]
struct Floor {
    born: Timestamp,
    expires_at: Timestamp,
}

/// The result of a lookup.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'s, V> {
    /// The key is in the map.
    Here(&'s mut V),
    /// The key may have been in the map and been evicted.
    Forgotten,
    /// The key was never in the map, or it has expired.
    Never,
}

impl<V> Shares<V> {
    /// Creates an empty map.
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            hasher: RandomState::new(),
            entries: HashMap::new(),
            owners: HashMap::new(),
            by_count: BTreeSet::new(),
            swept_at: Timestamp::from_millis(0),
        }
    }

    /// Looks up `key` of `owner`, which was born at `born`.
    pub(crate) fn find(&mut self, owner: &impl Hash, key: &impl Hash, born: Timestamp, now: Timestamp) -> Found<'_, V> {
        let (owner, key) = (self.hasher.hash_one(owner), self.hasher.hash_one(key));
        if let Some(entry) = self.entries.get_mut(&key).filter(|entry| entry.owner == owner && entry.expires_at > now) {
            return Found::Here(&mut entry.value);
        }
        let floor = self.owners.get(&owner).and_then(|owner| owner.floor);
        let is_below = floor.is_some_and(|floor| born <= floor.born && floor.expires_at > now);
        if is_below { Found::Forgotten } else { Found::Never }
    }

    /// Inserts an entry, or replaces the entry of this key. From `expires_at` the entry is no longer needed.
    pub(crate) fn put(
        &mut self,
        owner: &impl Hash,
        key: &impl Hash,
        (born, expires_at): (Timestamp, Timestamp),
        value: V,
        now: Timestamp,
    ) {
        let (owner, key) = (self.hasher.hash_one(owner), self.hasher.hash_one(key));
        self.take_out(key);
        self.drop_expired_of(owner, now);
        if self.held_by(owner) >= self.bounds.per_owner {
            self.evict_oldest_of(owner);
        }
        if self.entries.len() >= self.bounds.total {
            self.sweep(now);
        }
        if self.entries.len() >= self.bounds.total
            && let Some((_, largest)) = self.by_count.last().copied()
        {
            self.evict_oldest_of(largest);
        }
        self.entries.insert(key, Entry { owner, born, expires_at, value });
        self.change(owner, |keys| keys.push_back(key));
    }

    fn held_by(&self, owner: u64) -> usize {
        self.owners.get(&owner).map_or(0, |owner| owner.keys.len())
    }

    /// Changes the entries of an owner, and updates `by_count`.
    fn change<R>(&mut self, owner: u64, change: impl FnOnce(&mut VecDeque<u64>) -> R) -> R {
        let entry = self.owners.entry(owner).or_default();
        self.by_count.remove(&(entry.keys.len(), owner));
        let result = change(&mut entry.keys);
        if !entry.keys.is_empty() {
            self.by_count.insert((entry.keys.len(), owner));
        } else if entry.floor.is_none() {
            self.owners.remove(&owner);
        }
        result
    }

    fn take_out(&mut self, key: u64) {
        if let Some(entry) = self.entries.remove(&key) {
            self.change(entry.owner, |keys| keys.retain(|other| *other != key));
        }
    }

    fn drop_expired_of(&mut self, owner: u64, now: Timestamp) {
        while let Some(oldest) = self.owners.get(&owner).and_then(|owner| owner.keys.front()).copied() {
            if self.entries.get(&oldest).is_some_and(|entry| entry.expires_at > now) {
                break;
            }
            self.entries.remove(&oldest);
            self.change(owner, VecDeque::pop_front);
        }
    }

    fn evict_oldest_of(&mut self, owner: u64) {
        let Some(oldest) = self.owners.get(&owner).and_then(|owner| owner.keys.front()).copied() else { return };
        if let Some(Entry { born, expires_at, .. }) = self.entries.remove(&oldest) {
            let owner = self.owners.entry(owner).or_default();
            let floor = owner.floor.get_or_insert(Floor { born, expires_at });
            floor.born = floor.born.max(born);
            floor.expires_at = floor.expires_at.max(expires_at);
        }
        self.change(owner, VecDeque::pop_front);
    }

    /// Drops the expired entries of all owners.
    fn sweep(&mut self, now: Timestamp) {
        if now.since(self.swept_at) < SWEEP_INTERVAL {
            return;
        }
        self.swept_at = now;
        self.entries.retain(|_, entry| entry.expires_at > now);
        let entries = &self.entries;
        self.owners.retain(|_, owner| {
            owner.keys.retain(|key| entries.contains_key(key));
            owner.floor = owner.floor.filter(|floor| floor.expires_at > now);
            !owner.keys.is_empty() || owner.floor.is_some()
        });
        let counts = self.owners.iter().filter(|(_, owner)| !owner.keys.is_empty());
        self.by_count = counts.map(|(name, owner)| (owner.keys.len(), *name)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1000);

    fn at(seconds: u64) -> Timestamp {
        START + Duration::from_secs(seconds)
    }

    fn shares(per_owner: usize, total: usize) -> Shares<u32> {
        Shares::new(Bounds { per_owner, total })
    }

    fn put(shares: &mut Shares<u32>, owner: &str, key: u32, born: u64) {
        shares.put(&owner, &key, (at(born), at(born + 100)), key, at(born));
    }

    #[test]
    fn an_owner_over_its_share_loses_its_own_oldest_entry() {
        let mut shares = shares(3, 100);
        put(&mut shares, "innocent", 1000, 0);
        for key in 0..50 {
            put(&mut shares, "greedy", key, 1);
        }
        assert_eq!(shares.find(&"innocent", &1000, at(0), at(2)), Found::Here(&mut 1000));
        assert_eq!(shares.find(&"greedy", &49, at(1), at(2)), Found::Here(&mut 49));
        assert_eq!(shares.find(&"greedy", &3, at(1), at(2)), Found::Forgotten);
        assert_eq!(shares.find(&"greedy", &99, at(2), at(2)), Found::Never, "born after the floor");
        assert_eq!(shares.find(&"innocent", &3, at(1), at(2)), Found::Never, "another owner has another floor");
        assert_eq!(shares.entries.len(), 4);
    }

    #[test]
    fn a_full_map_evicts_from_the_owner_with_the_most_entries() {
        let mut shares = shares(100, 10);
        for key in 0..8 {
            put(&mut shares, "greedy", key, 0);
        }
        for key in 100..109 {
            put(&mut shares, &format!("one of many {key}"), key, 0);
            assert!(shares.entries.len() <= 10);
        }
        for key in 100..109_u32 {
            let owner = format!("one of many {key}");
            assert_eq!(shares.find(&owner.as_str(), &key, at(0), at(1)), Found::Here(&mut key.clone()));
        }
    }

    #[test]
    fn what_has_expired_is_dropped_first_and_its_floor_with_it() {
        let mut shares = shares(2, 4);
        for key in 0..3 {
            put(&mut shares, "a", key, 0);
        }
        put(&mut shares, "b", 10, 0);
        assert_eq!(shares.find(&"a", &0, at(0), at(99)), Found::Forgotten);
        assert_eq!(shares.find(&"a", &0, at(0), at(100)), Found::Never);
        for key in 20..24 {
            put(&mut shares, &format!("c{key}"), key, 200);
        }
        assert_eq!(shares.entries.len(), 4);
        assert_eq!(shares.owners.len(), 4, "{:?}", shares.owners);
    }

    #[test]
    fn a_key_that_is_put_again_is_one_entry() {
        let mut shares = shares(2, 4);
        for _ in 0..5 {
            put(&mut shares, "a", 1, 0);
        }
        put(&mut shares, "a", 2, 0);
        assert_eq!((shares.entries.len(), shares.by_count.last().map(|(count, _)| *count)), (2, Some(2)));
        assert_eq!(shares.find(&"a", &1, at(0), at(1)), Found::Here(&mut 1));
    }
}

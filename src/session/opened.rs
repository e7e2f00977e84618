//! This worker's cache of decrypted sessions, by the exact bytes of the cookie (DESIGN §2: "open a session once").
//!
//! Two generations: an entry that is used moves into the young one. When the young one is full it becomes the old one, and the old one is
//! dropped. So the memory is bounded, a hit costs one or two look-ups, and nothing is ever scanned. Not shared between
//! workers: no lock.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState};
use std::rc::Rc;

use crate::session::shards::Shards;

/// Sessions in one generation; there are two.
const GENERATION_MAX: usize = 2048;
/// Bytes in one generation: of the cookies, and of what was opened from them. Claims compress well, so that a session in memory
/// can be many times larger than its cookie.
const GENERATION_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How much of shard 0 is hashed. The nonce (96 random bits) lies within, and only what has opened is ever remembered, so
/// two entries do not share it; the rest is compared, not hashed.
const HASHED_BYTES: usize = 40;

/// Opened sessions.
#[derive(Debug)]
pub(crate) struct Opened<T> {
    random: RandomState,
    young: Generation<T>,
    old: Generation<T>,
    young_bytes: usize,
    capacity: usize,
}

type Generation<T> = HashMap<u64, Entry<T>, BuildHasherDefault<AsItIs>>;

#[derive(Debug)]
struct Entry<T> {
    scope: u64,
    host: Box<str>,
    cookie: Box<[u8]>,
    value: Rc<T>,
    weight: usize,
}

/// The key of a cache entry: the gate, the host, and the bytes of the cookie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'h> {
    /// Names the gate, and the generation of the configuration that it belongs to.
    pub(crate) scope: u64,
    pub(crate) host: &'h str,
    pub(crate) shards: &'h Shards<'h>,
}

impl<T> Default for Opened<T> {
    fn default() -> Self {
        Self::with_capacity(GENERATION_MAX)
    }
}

impl<T> Opened<T> {
    fn with_capacity(capacity: usize) -> Self {
        Self {
            random: RandomState::new(),
            young: HashMap::default(),
            old: HashMap::default(),
            young_bytes: 0,
            capacity,
        }
    }

    /// The cached session for `key`.
    pub(crate) fn find(&mut self, key: &Key<'_>) -> Option<Rc<T>> {
        let hash = self.hash(key);
        if let Some(entry) = self.young.get(&hash) {
            return entry.is(key).then(|| Rc::clone(&entry.value));
        }
        if !self.old.get(&hash)?.is(key) {
            return None;
        }
        let entry = self.old.remove(&hash)?;
        let value = Rc::clone(&entry.value);
        self.put(hash, entry);
        Some(value)
    }

    /// Adds the session for `key` to the cache. It takes about `value_bytes` of memory.
    pub(crate) fn remember(&mut self, key: &Key<'_>, value: Rc<T>, value_bytes: usize) {
        let cookie = key.shards.values().concat().into_boxed_slice();
        let weight = cookie.len() + key.host.len() + value_bytes;
        let entry = Entry { scope: key.scope, host: key.host.into(), cookie, value, weight };
        self.put(self.hash(key), entry);
    }

    /// The number of cached sessions.
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Evicts the session for `key`, because it has ended.
    pub(crate) fn forget(&mut self, key: &Key<'_>) {
        let hash = self.hash(key);
        if self.young.get(&hash).is_some_and(|entry| entry.is(key)) {
            self.young_bytes -= self.young.remove(&hash).map_or(0, |entry| entry.weight);
        }
        if self.old.get(&hash).is_some_and(|entry| entry.is(key)) {
            self.old.remove(&hash);
        }
    }

    fn put(&mut self, hash: u64, entry: Entry<T>) {
        if self.young.len() >= self.capacity || self.young_bytes + entry.weight > GENERATION_BYTES_MAX {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += entry.weight;
        if let Some(replaced) = self.young.insert(hash, entry) {
            self.young_bytes -= replaced.weight;
        }
    }

    fn hash(&self, key: &Key<'_>) -> u64 {
        let first = key.shards.values().first().copied().unwrap_or_default();
        self.random.hash_one((key.scope, &first[..first.len().min(HASHED_BYTES)]))
    }
}

impl<T> Entry<T> {
    /// Whether this was opened under `key`, byte for byte.
    fn is(&self, key: &Key<'_>) -> bool {
        let mut rest = &*self.cookie;
        self.scope == key.scope
            && *self.host == *key.host
            && key.shards.values().iter().all(|shard| match rest.strip_prefix(*shard) {
                Some(after) => {
                    rest = after;
                    true
                }
                None => false,
            })
            && rest.is_empty()
    }
}

/// The key is a hash already.
#[derive(Clone, Copy, Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only `u64` is hashed with this");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests;

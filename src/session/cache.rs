//! This worker's cache of decrypted sessions. The key is the exact bytes of the cookie (DESIGN §2: "open a session once").
//!
//! The cache has two generations. A used entry moves into the young generation. When the young generation is full, it
//! becomes the old generation, and the previous old generation is dropped. So memory is bounded, a hit costs one or two
//! look-ups, and the cache is never scanned. Workers do not share the cache, so it needs no lock.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState};
use std::rc::Rc;

use crate::session::shards::Shards;

/// Maximum number of sessions in one of the two generations.
const GENERATION_MAX: usize = 2048;
/// Maximum bytes in one generation: the cookies and the decrypted sessions. Claims compress well, so a session in memory can
/// be many times larger than its cookie.
const GENERATION_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How many bytes of shard 0 are hashed. They contain the nonce (96 random bits). Only cookies that were decrypted are
/// cached, so no two entries have the same nonce. The rest of the cookie is compared and not hashed.
const HASHED_BYTES: usize = 40;

/// The cache of decrypted sessions.
#[derive(Debug)]
pub(crate) struct SessionCache<T> {
    random: RandomState,
    young: Generation<T>,
    old: Generation<T>,
    young_bytes: usize,
    capacity: usize,
}

type Generation<T> = HashMap<u64, Entry<T>, BuildHasherDefault<PassThroughHasher>>;

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
    /// Identifies the gate and the generation of the configuration that the gate belongs to.
    pub(crate) scope: u64,
    pub(crate) host: &'h str,
    pub(crate) shards: Shards<'h>,
}

impl<T> Default for SessionCache<T> {
    fn default() -> Self {
        Self::with_capacity(GENERATION_MAX)
    }
}

impl<T> SessionCache<T> {
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
    /// Whether this entry has exactly this `key`, byte for byte.
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

/// A hasher that returns the key itself, because the key is a hash already.
#[derive(Clone, Copy, Debug, Default)]
struct PassThroughHasher(u64);

impl Hasher for PassThroughHasher {
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

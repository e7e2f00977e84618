//! This worker's cache of what it has verified: sessions, and bearer tokens. The key is the exact bytes of the cookie or of the token
//! (DESIGN §2: "open a session once").
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

/// How many bytes are hashed. The rest is compared and not hashed.
const HASHED_BYTES: usize = 40;

/// What a request carries as evidence for its user.
pub trait Evidence {
    /// All bytes of it, in order.
    fn pieces(&self) -> &[&[u8]];

    /// At most `most` of the bytes, which differ between any two pieces of evidence that were verified.
    fn distinct(&self, most: usize) -> &[u8];
}

impl Evidence for Shards<'_> {
    fn pieces(&self) -> &[&[u8]] {
        self.values()
    }

    /// The beginning of shard 0 has the nonce: 96 random bits.
    fn distinct(&self, most: usize) -> &[u8] {
        let first = self.values().first().copied().unwrap_or_default();
        &first[..first.len().min(most)]
    }
}

/// The cache of verified evidence.
#[derive(Debug)]
pub struct EvidenceCache<T> {
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
    bytes: Box<[u8]>,
    value: Rc<T>,
    weight: usize,
}

/// The key of a cache entry: the gate, the host, and the evidence.
#[derive(Clone, Copy, Debug)]
pub struct Key<'h, E> {
    /// Identifies the gate and the generation of the configuration that the gate belongs to.
    pub scope: u64,
    /// Empty for evidence that holds on every host of the gate.
    pub host: &'h str,
    pub evidence: E,
}

impl<T> Default for EvidenceCache<T> {
    fn default() -> Self {
        Self::with_capacity(GENERATION_MAX)
    }
}

impl<T> EvidenceCache<T> {
    fn with_capacity(capacity: usize) -> Self {
        Self {
            random: RandomState::new(),
            young: HashMap::default(),
            old: HashMap::default(),
            young_bytes: 0,
            capacity,
        }
    }

    /// What was verified for `key`.
    pub fn find(&mut self, key: &Key<'_, impl Evidence>) -> Option<Rc<T>> {
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

    /// Adds what was verified for `key`. It takes about `value_bytes` of memory.
    pub fn remember(&mut self, key: &Key<'_, impl Evidence>, value: Rc<T>, value_bytes: usize) {
        let bytes = key.evidence.pieces().concat().into_boxed_slice();
        let weight = bytes.len() + key.host.len() + value_bytes;
        let entry = Entry { scope: key.scope, host: key.host.into(), bytes, value, weight };
        self.put(self.hash(key), entry);
    }

    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Evicts what was verified for `key`, because it no longer holds.
    pub(crate) fn forget(&mut self, key: &Key<'_, impl Evidence>) {
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

    fn hash(&self, key: &Key<'_, impl Evidence>) -> u64 {
        self.random.hash_one((key.scope, key.evidence.distinct(HASHED_BYTES)))
    }
}

impl<T> Entry<T> {
    /// Whether this entry has exactly this `key`, byte for byte.
    fn is(&self, key: &Key<'_, impl Evidence>) -> bool {
        let mut rest = &*self.bytes;
        self.scope == key.scope
            && *self.host == *key.host
            && key.evidence.pieces().iter().all(|piece| match rest.strip_prefix(*piece) {
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

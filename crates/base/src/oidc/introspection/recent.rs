//! A map of bounded size that forgets what was not used for longest.

use std::collections::HashMap;
use std::hash::Hash;

/// Two generations: when the young one is full, it becomes the old one, and what was in that is dropped. An entry that is used becomes young. So
/// nothing is ever scanned.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    young_bytes: usize,
    limits: Limits,
}

/// Of one generation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) entries: usize,
    pub(super) bytes: usize,
}

impl<K: Copy + Eq + Hash, V> Recent<K, V> {
    pub(super) fn new(limits: Limits) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), young_bytes: 0, limits }
    }

    pub(super) fn get(&mut self, key: &K) -> Option<&V> {
        if let Some((value, bytes)) = self.old.remove(key) {
            self.put(*key, value, bytes);
        }
        self.young.get(key).map(|(value, _)| value)
    }

    /// Adds a value that takes about `bytes`, or replaces one.
    pub(super) fn put(&mut self, key: K, value: V, bytes: usize) {
        self.remove(&key);
        if self.young.len() >= self.limits.entries || self.young_bytes + bytes > self.limits.bytes {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
        self.young.insert(key, (value, bytes));
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.young_bytes -= self.young.remove(key).map_or(0, |(_, bytes)| bytes);
        self.old.remove(key);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let mut recent = Recent::new(Limits { entries: 10, bytes: 1000 });
        recent.put(0, 'a', 1);
        for key in 1..1000 {
            recent.put(key, 'b', 1);
            assert_eq!(recent.get(&0), Some(&'a'), "{key}");
            assert!(recent.len() <= 20);
        }
        assert_eq!(recent.get(&1), None);
        assert_eq!(recent.get(&999), Some(&'b'));
        recent.remove(&0);
        assert_eq!(recent.get(&0), None);
    }

    #[test]
    fn large_values_push_out_sooner() {
        let mut recent = Recent::new(Limits { entries: 1000, bytes: 100 });
        for key in 0..100 {
            recent.put(key, (), 40);
            assert!(recent.len() <= 4);
        }
        // One that is replaced counts once.
        for _ in 0..100 {
            recent.put(99, (), 40);
        }
        assert!(recent.get(&98).is_some());
    }
}

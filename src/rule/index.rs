//! Narrows all rules down to the few that can take a request, so that a thousand rules cost what ten do.
//!
//! The index never decides: whatever it names is asked in full, and the first by priority of those that say yes wins, as in
//! a scan. All that it must not do is leave one out. Hence each rule is filed under what its conditions make *necessary*:
//! how the host ends and how the path begins, up to the first wildcard. A rule that says nothing of either is filed under
//! the empty text, with which everything begins. Other conditions are not looked at here.
//!
//! A look-up is a binary search by host, one by path for each host key that fits, and a walk from the longest key that
//! fits to shorter ones: `O(log rules)`, with a few hundred bytes of memory for each rule. No hashing, no allocation, and no
//! key is longer than a pattern: what a stranger sends decides neither how long the search is nor, beyond 128 bytes, how long
//! a comparison. Rules that share both keys (as `/a/*/b` and `/a/*/c` do) are asked one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use crate::message::uri::CanonicalRequest;
use crate::rule::condition::Condition;
use crate::rule::pattern::Pattern;

/// The places of rules in their order, by host and then by path.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// Hosts are filed from their end to their beginning: `*.a.test` is what begins with `tset.a.`.
    by_host: Keys<Keys<Vec<usize>>>,
}

/// Longest host key. As long as a pattern can be; what is longer is filed under no host.
const HOST_KEY_BYTES_MAX: usize = 128;
/// Most pairs of host and path that one rule is filed under; with more, it is filed under the longer list only. The index
/// thereby grows with the configuration and not with the square of it.
const PAIRS_MAX: usize = 64;

impl Index {
    /// Files rules, given in the order in which they are looked at.
    pub(crate) fn new<'r>(rules: impl IntoIterator<Item = &'r [Condition]>) -> Self {
        let mut by_host: BTreeMap<Key, BTreeMap<Key, Vec<usize>>> = BTreeMap::new();
        for (place, conditions) in rules.into_iter().enumerate() {
            let mut hosts = keys(conditions, host_key);
            let mut paths = keys(conditions, path_key);
            if hosts.len() * paths.len() > PAIRS_MAX {
                let shorter = if hosts.len() < paths.len() { &mut hosts } else { &mut paths };
                *shorter = BTreeSet::from([Key::anything()]);
            }
            for host in hosts {
                let by_path = by_host.entry(host).or_default();
                for path in &paths {
                    by_path.entry(path.clone()).or_default().push(place);
                }
            }
        }
        Self { by_host: Keys::new(by_host.into_iter().map(|(host, by_path)| (host, Keys::new(by_path)))) }
    }

    /// The first place of which `holds` is true. It is asked of no rule whose host or path cannot match.
    pub(crate) fn first(&self, request: &CanonicalRequest, holds: impl Fn(usize) -> bool) -> Option<usize> {
        debug_assert!(!request.host().contains(|letter: char| letter.is_ascii_uppercase()), "hosts are folded");
        // Longer than any key, and so neither equal to one nor without an end that a key may have.
        let mut buffer = [0; HOST_KEY_BYTES_MAX + 1];
        let host = reversed(request.host(), &mut buffer);
        let mut first = usize::MAX;
        for by_path in self.by_host.fitting(host) {
            for places in by_path.fitting(request.path().as_bytes()) {
                // Each list is in order, and a rule behind the best so far need not be asked.
                let mut earlier = places.iter().copied().take_while(|place| *place < first);
                if let Some(found) = earlier.find(|place| holds(*place)) {
                    first = found;
                }
            }
        }
        (first != usize::MAX).then_some(first)
    }
}

/// What a rule's conditions make necessary. One condition is enough for that, and all of its alternatives are needed.
fn keys(conditions: &[Condition], key: fn(&Condition) -> Option<BTreeSet<Key>>) -> BTreeSet<Key> {
    conditions.iter().find_map(key).unwrap_or_else(|| BTreeSet::from([Key::anything()]))
}

fn host_key(condition: &Condition) -> Option<BTreeSet<Key>> {
    let Condition::HostHeader(patterns) = condition else { return None };
    let key = |pattern: &Pattern| match (pattern.literal(), pattern.tail()) {
        (_, tail) if tail.len() > HOST_KEY_BYTES_MAX => Key::anything(),
        (Some(whole), _) => Key { text: whole.bytes().rev().collect(), reach: Reach::Whole },
        (None, tail) => Key { text: tail.bytes().rev().collect(), reach: Reach::Start },
    };
    Some(patterns.iter().map(key).collect())
}

fn path_key(condition: &Condition) -> Option<BTreeSet<Key>> {
    let Condition::PathPattern(patterns) = condition else { return None };
    let key = |pattern: &Pattern| match pattern.literal() {
        Some(whole) => Key { text: whole.as_bytes().into(), reach: Reach::Whole },
        None => Key { text: pattern.head().as_bytes().into(), reach: Reach::Start },
    };
    Some(patterns.iter().map(key).collect())
}

/// The end of the host, last byte first, as far as `buffer` reaches.
fn reversed<'b>(host: &str, buffer: &'b mut [u8]) -> &'b [u8] {
    let length = host.len().min(buffer.len());
    buffer.iter_mut().zip(host.bytes().rev()).for_each(|(place, byte)| *place = byte);
    &buffer[..length]
}

/// What a text must be, or must begin with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    text: Box<[u8]>,
    reach: Reach,
}

/// Whether a key is the whole text. In this order, so that of two keys with one text the narrower is the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Start,
    Whole,
}

impl Key {
    fn anything() -> Self {
        Self { text: Box::default(), reach: Reach::Start }
    }

    fn fits(&self, text: &[u8]) -> bool {
        match self.reach {
            Reach::Start => text.starts_with(&self.text),
            Reach::Whole => *text == *self.text,
        }
    }
}

/// Values by key, to be found by a text that keys fit.
///
/// Sorted, and each key knows the next shorter one with which it begins. Of the keys that are not greater than a text, the
/// last begins with every key with which the text begins: what lies between a beginning and the text begins the same way. So
/// all keys that fit are the one that the search ends at and those that it leads to.
#[derive(Clone, Debug)]
struct Keys<T>(Vec<Entry<T>>);

#[derive(Clone, Debug)]
struct Entry<T> {
    key: Key,
    /// Where the longest other key is that is a [`Reach::Start`] of this one.
    shorter: Option<usize>,
    value: T,
}

impl<T> Keys<T> {
    /// Takes keys in ascending order, each once.
    fn new(sorted: impl IntoIterator<Item = (Key, T)>) -> Self {
        let mut entries: Vec<Entry<T>> = Vec::new();
        // The starts of the key at hand, each a start of the next.
        let mut starts: Vec<usize> = Vec::new();
        for (key, value) in sorted {
            while starts.last().is_some_and(|start| !entries[*start].key.fits(&key.text)) {
                starts.pop();
            }
            let shorter = starts.last().copied();
            if key.reach == Reach::Start {
                starts.push(entries.len());
            }
            entries.push(Entry { key, shorter, value });
        }
        Self(entries)
    }

    /// The values of all keys that fit, the longest key first.
    fn fitting(&self, text: &[u8]) -> impl Iterator<Item = &T> {
        let last = self.0.partition_point(|entry| *entry.key.text <= *text).checked_sub(1);
        iter::successors(last.map(|last| &self.0[last]), |entry| entry.shorter.map(|shorter| &self.0[shorter]))
            .filter(|entry| entry.key.fits(text))
            .map(|entry| &entry.value)
    }
}

#[cfg(test)]
mod tests;

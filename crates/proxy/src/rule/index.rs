//! Selects the few rules that can match a request, so that a thousand rules cost about as much as ten.
//!
//! The index does not decide. Every candidate is evaluated completely, and the first match by priority wins, as in a scan. The
//! index must only never omit a rule that matches. So each rule is stored under the text that its conditions make
//! *necessary*: the end of the host and the beginning of the path, up to the first wildcard. Of a regular expression, that is the
//! pattern that matches at least as much. A rule without such a condition is stored under the empty text, which matches everything.
//! Other conditions are ignored here.
//!
//! A lookup is a binary search by host, one binary search by path for each matching host key, and a walk from the longest matching
//! key to the shorter ones: `O(log rules)`, with a few hundred bytes of memory per rule. There is no hashing and no allocation. No
//! key is longer than a pattern, so a client cannot make the search longer, nor a comparison longer than 128 bytes. Rules with
//! the same keys (such as `/a/*/b` and `/a/*/c`) are evaluated one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use crate::message::uri::CanonicalRequest;
use crate::rule::condition::Condition;
use crate::rule::value::Value;

/// The positions of the rules, by host and then by path.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// Hosts are stored reversed: `*.a.test` is the beginning `tset.a.`.
    by_host: Keys<Keys<Vec<usize>>>,
}

/// Maximum length of a host key: that of a pattern. A longer host is stored without a host key.
const HOST_KEY_BYTES_MAX: usize = 128;
/// Maximum number of host and path pairs per rule. A rule with more pairs is stored only under the longer list. So the size of
/// the index is linear in the size of the configuration.
const PAIRS_MAX: usize = 64;

impl Index {
    /// Creates the index. `rules` are in the order of evaluation.
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

    /// The first position for which `holds` is true. `holds` is not called for rules whose host or path cannot match.
    pub(crate) fn first(&self, request: &CanonicalRequest, holds: impl Fn(usize) -> bool) -> Option<usize> {
        debug_assert!(!request.host().contains(|letter: char| letter.is_ascii_uppercase()), "hosts are folded");
        // Longer than any key, so only its end can match a key.
        let mut buffer = [0; HOST_KEY_BYTES_MAX + 1];
        let host = reversed(request.host(), &mut buffer);
        let mut first = usize::MAX;
        for by_path in self.by_host.fitting(host) {
            for places in by_path.fitting(request.path().as_bytes()) {
                // Each list is sorted, so a rule after the best match so far need not be evaluated.
                let mut earlier = places.iter().copied().take_while(|place| *place < first);
                if let Some(found) = earlier.find(|place| holds(*place)) {
                    first = found;
                }
            }
        }
        (first != usize::MAX).then_some(first)
    }
}

/// The necessary texts of a rule. One condition is enough, but all of its alternatives are needed.
fn keys(conditions: &[Condition], key: fn(&Condition) -> Option<BTreeSet<Key>>) -> BTreeSet<Key> {
    conditions.iter().find_map(key).unwrap_or_else(|| BTreeSet::from([Key::anything()]))
}

fn host_key(condition: &Condition) -> Option<BTreeSet<Key>> {
    let Condition::HostHeader(values) = condition else { return None };
    let key = |value: &Value| match (value.literal(), value.hull().tail()) {
        (_, tail) if tail.len() > HOST_KEY_BYTES_MAX => Key::anything(),
        (Some(whole), _) => Key { text: whole.bytes().rev().collect(), reach: Reach::Whole },
        (None, tail) => Key { text: tail.bytes().rev().collect(), reach: Reach::Start },
    };
    Some(values.iter().map(key).collect())
}

fn path_key(condition: &Condition) -> Option<BTreeSet<Key>> {
    let Condition::PathPattern(values) = condition else { return None };
    let key = |value: &Value| match value.literal() {
        Some(whole) => Key { text: whole.as_bytes().into(), reach: Reach::Whole },
        None => Key { text: value.hull().head().as_bytes().into(), reach: Reach::Start },
    };
    Some(values.iter().map(key).collect())
}

/// The end of the host in reverse order, as much as fits into `buffer`.
fn reversed<'b>(host: &str, buffer: &'b mut [u8]) -> &'b [u8] {
    let length = host.len().min(buffer.len());
    buffer.iter_mut().zip(host.bytes().rev()).for_each(|(place, byte)| *place = byte);
    &buffer[..length]
}

/// A text that must be equal, or that must be the beginning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    text: Box<[u8]>,
    reach: Reach,
}

/// Whether a key must be the whole text. The order matters: of two keys with the same text, the exact one is later.
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

/// Values by key. A lookup finds all keys that match a text.
///
/// The keys are sorted, and each refers to the next shorter key that it begins with. The last key that is not greater than a text
/// begins with every key that the text begins with, because everything between a prefix and the text has the same prefix. So
/// the matching keys are the key at which the search ends and the keys that it refers to.
#[derive(Clone, Debug)]
struct Keys<T>(Vec<Entry<T>>);

#[derive(Clone, Debug)]
struct Entry<T> {
    key: Key,
    /// The position of the longest other key that is a [`Reach::Start`] of this key.
    shorter: Option<usize>,
    value: T,
}

impl<T> Keys<T> {
    /// Creates the list from keys in ascending order without duplicates.
    fn new(sorted: impl IntoIterator<Item = (Key, T)>) -> Self {
        let mut entries: Vec<Entry<T>> = Vec::new();
        // The prefixes of the current key. Each is a prefix of the next.
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

    /// The values of all matching keys, longest key first.
    fn fitting(&self, text: &[u8]) -> impl Iterator<Item = &T> {
        let last = self.0.partition_point(|entry| *entry.key.text <= *text).checked_sub(1);
        iter::successors(last.map(|last| &self.0[last]), |entry| entry.shorter.map(|shorter| &self.0[shorter]))
            .filter(|entry| entry.key.fits(text))
            .map(|entry| &entry.value)
    }
}

#[cfg(test)]
mod tests;

//! Whether a key is still one of its issuer's, for those who remember what it has verified.
//!
//! A token is verified once and remembered. Its issuer may withdraw the key meanwhile, because somebody has stolen it. So what is remembered holds the
//! [`Standing`] of the key, which changes when the key set is fetched. A request does no more than compare a time.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Timestamp;

/// The standing of one key. Shared by the key, by the same key of newer key sets, and by everybody who remembers what it has verified.
///
/// The milliseconds of the time until which the key is good without another look at the key set, or [`WITHDRAWN`].
#[derive(Debug)]
pub struct Standing(AtomicU64);

/// What [`Standing::question`] finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Questioned {
    /// The newest key set does not have the key.
    Withdrawn,
    /// The key set is old. The caller should have it fetched again.
    IsOld,
    /// There is nothing to do: somebody else has seen the same.
    Seen,
}

/// The newest key set does not have the key. It never becomes good again: a key set that has it again gives it another standing.
const WITHDRAWN: u64 = 0;
/// A time that has always passed.
const LONG_AGO: u64 = 1;

impl Standing {
    /// The standing of a key that no key set in use has yet.
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(LONG_AGO))
    }

    /// Whether the key is good without another look.
    pub fn is_good(&self, now: Timestamp) -> bool {
        now.millis() < self.0.load(Ordering::Relaxed)
    }

    /// Asks about a key that is not good without another look. Only the first who asks is told that the key set is old, the next one at `next`.
    pub fn question(&self, now: Timestamp, next: Timestamp) -> Questioned {
        let seen = self.0.load(Ordering::Relaxed);
        if seen == WITHDRAWN {
            return Questioned::Withdrawn;
        }
        if now.millis() < seen {
            return Questioned::Seen;
        }
        // Never over the word of a newer key set.
        match self.0.compare_exchange(seen, next.millis(), Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Questioned::IsOld,
            Err(WITHDRAWN) => Questioned::Withdrawn,
            Err(_) => Questioned::Seen,
        }
    }

    /// A key set that is fresh until then has the key.
    pub(super) fn confirm(&self, fresh_until: Timestamp) {
        self.0.store(fresh_until.millis().max(LONG_AGO), Ordering::Relaxed);
    }

    /// The newest key set does not have the key.
    pub(super) fn withdraw(&self) {
        self.0.store(WITHDRAWN, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    #[test]
    fn one_of_all_who_ask_has_the_keys_fetched_and_a_key_that_was_withdrawn_stays_so() {
        let (standing, next) = (Standing::new(), NOW + Duration::from_secs(30));
        standing.confirm(NOW);
        assert!(standing.is_good(NOW - Duration::from_millis(1)) && !standing.is_good(NOW));
        assert_eq!(standing.question(NOW, next), Questioned::IsOld);
        assert_eq!(standing.question(NOW, next), Questioned::Seen);
        assert!(standing.is_good(NOW));
        assert_eq!(standing.question(next, next + Duration::from_secs(30)), Questioned::IsOld);
        standing.withdraw();
        assert!(!standing.is_good(Timestamp::from_millis(0)) && !standing.is_good(NOW));
        for _ in 0..2 {
            assert_eq!(standing.question(next, next + Duration::from_secs(30)), Questioned::Withdrawn);
        }
    }
}

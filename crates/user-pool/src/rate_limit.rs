//! Rate limits per key (token buckets) in bounded memory.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use crate::clock::Timestamp;

/// Allows `burst` at once, then one per `interval`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) burst: u32,
    pub(crate) interval: Duration,
}

/// One bucket per key, stored as in the generic cell rate algorithm (GCRA): the time at which the bucket is full again.
#[derive(Debug)]
pub(crate) struct Buckets {
    limit: Limit,
    entries_max: usize,
    hasher: RandomState,
    full_at: HashMap<u64, Timestamp>,
}

impl Buckets {
    /// Creates the limit. All buckets are full.
    pub(crate) fn new(limit: Limit, entries_max: usize) -> Self {
        Self { limit, entries_max, hasher: RandomState::new(), full_at: HashMap::new() }
    }

    /// The key of a bucket: a keyed hash, so that nobody can cause a collision with the bucket of someone else.
    pub(crate) fn key(&self, of: &impl Hash) -> u64 {
        self.hasher.hash_one(of)
    }

    /// Time until one can be taken; zero if one can be taken now.
    pub(crate) fn wait(&self, key: u64, now: Timestamp) -> Duration {
        self.wait_without(key, 0, now)
    }

    /// The same, as if `given_back` had been put back.
    pub(crate) fn wait_without(&self, key: u64, given_back: u32, now: Timestamp) -> Duration {
        let depth = self.limit.interval * (self.limit.burst - 1) + self.limit.interval * given_back;
        (self.full_at(key, now) - depth).since(now)
    }

    /// When a bucket will be full again. A time that no bucket can have by this clock was read while the clock was ahead: whoever
    /// took something then is not kept out for as long as it was.
    fn full_at(&self, key: u64, now: Timestamp) -> Timestamp {
        // Twice the depth, because requests that overlap do not come here in the order in which they read the clock.
        let latest = now + self.limit.interval * self.limit.burst * 2;
        self.full_at.get(&key).copied().filter(|full_at| *full_at <= latest).unwrap_or(now)
    }

    /// Takes one.
    pub(crate) fn take(&mut self, key: u64, now: Timestamp) {
        if self.full_at.len() >= self.entries_max && !self.full_at.contains_key(&key) {
            self.make_room(now);
        }
        let full_at = self.full_at(key, now).max(now) + self.limit.interval;
        self.full_at.insert(key, full_at);
    }

    /// Puts back what was taken.
    pub(crate) fn give_back(&mut self, key: u64) {
        if let Some(full_at) = self.full_at.get_mut(&key) {
            *full_at = *full_at - self.limit.interval;
        }
    }

    /// Fills the bucket.
    pub(crate) fn forget(&mut self, key: u64) {
        self.full_at.remove(&key);
    }

    /// Drops the buckets that are full. If that is not enough, drops the eighth of the buckets that would be full next. A sweep
    /// frees many places, so sweeps are rare.
    fn make_room(&mut self, now: Timestamp) {
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() < self.entries_max {
            return;
        }
        let mut times: Vec<Timestamp> = self.full_at.values().copied().collect();
        let eighth = times.len() / 8;
        let (_, limit, _) = times.select_nth_unstable(eighth);
        let limit = *limit;
        self.full_at.retain(|_, full_at| *full_at > limit);
    }
}

/// The addresses that one person probably controls: one IPv4 address, or one IPv6 /64 network (RFC 6177).
pub(crate) fn network(address: IpAddr) -> [u8; 8] {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [0, 0, 0, 0, a, b, c, d]
        }
        IpAddr::V6(address) => address.octets()[..8].try_into().expect("an IPv6 address has 16 bytes"),
    }
}

/// The site that a [`network`] belongs to: the first 48 bits of an IPv6 address, which is what one customer may be given
/// (RFC 6177 §2). `None` for an IPv4 address.
pub(crate) fn site(network: [u8; 8]) -> Option<[u8; 6]> {
    let [0, 0, 0, 0, ..] = network else { return network.first_chunk().copied() };
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_one_in_each_interval() {
        let mut buckets = Buckets::new(Limit { burst: 3, interval: Duration::from_secs(10) }, 8);
        let mut now = Timestamp::from_seconds(1000);
        for _ in 0..3 {
            assert_eq!(buckets.wait(1, now), Duration::ZERO);
            buckets.take(1, now);
        }
        assert_eq!(buckets.wait(1, now), Duration::from_secs(10));
        now = now + Duration::from_secs(10);
        assert_eq!(buckets.wait(1, now), Duration::ZERO);
        buckets.take(1, now);
        assert_eq!(buckets.wait(1, now), Duration::from_secs(10));
        buckets.give_back(1);
        assert_eq!(buckets.wait(1, now), Duration::ZERO);
        assert_eq!(buckets.wait(2, now), Duration::ZERO);
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_out() {
        let mut buckets = Buckets::new(Limit { burst: 3, interval: Duration::from_secs(10) }, 8);
        let right = Timestamp::from_seconds(1_000_000);
        let wrong = right + Duration::from_secs(2 * 3600);
        for _ in 0..3 {
            buckets.take(1, wrong);
        }
        assert_eq!(buckets.wait(1, right), Duration::ZERO);
        for _ in 0..3 {
            assert_eq!(buckets.wait(1, right), Duration::ZERO);
            buckets.take(1, right);
        }
        assert_eq!(buckets.wait(1, right), Duration::from_secs(10), "the limit holds by the right clock");
        // Requests that overlap do not read the clock in the order in which they come here.
        assert!(buckets.wait(1, right - Duration::from_secs(1)) > Duration::ZERO);
    }

    #[test]
    fn u_02_memory_stays_within_its_bound_and_keeps_the_worst() {
        let mut buckets = Buckets::new(Limit { burst: 2, interval: Duration::from_secs(10) }, 64);
        let now = Timestamp::from_seconds(1000);
        buckets.take(0, now);
        buckets.take(0, now);
        for key in 1..10_000 {
            buckets.take(key, now);
            assert!(buckets.full_at.len() <= 64);
        }
        assert_eq!(buckets.wait(0, now), Duration::from_secs(10));
    }
}

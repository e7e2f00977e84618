//! How many logins are under way for each client address.
//!
//! A login that has begun is kept in the browser's cookie and costs nothing here, but each one starts work at the
//! provider. `logins_per_address_max` limits the unfinished logins of one client address. A login that finishes
//! lowers the count. The count of unfinished logins also falls to zero evenly within [`WINDOW`].

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::message::forwarded;

/// Each unfinished login expires within this duration. It equals the time limit of a login.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Number of maps, each with its own lock, so that workers rarely wait for each other. Only requests that begin or finish a login use them.
const SHARDS: usize = 16;
/// Maximum number of addresses in one map. A new address evicts an address that has few unfinished logins.
const SHARD_ADDRESSES_MAX: usize = 4096;
/// How many addresses are compared when one must be evicted.
const LOOKS_MAX: usize = 32;

/// The logins under way of one listener.
#[derive(Debug)]
pub(crate) struct Logins {
    /// Maximum number of unfinished logins of one address. Zero: no limit.
    max: AtomicU32,
    shards: Vec<Mutex<HashMap<IpAddr, UnderWay>>>,
}

#[derive(Clone, Copy, Debug)]
struct UnderWay {
    count: f64,
    at: Timestamp,
}

impl UnderWay {
    /// The number of unfinished logins at `now`.
    fn count_at(self, now: Timestamp, max: u32) -> f64 {
        if self.at.since(now) > WINDOW {
            // The clock has been set back by more than `WINDOW` since this login was counted.
            return 0.0;
        }
        let passed = Duration::from_secs(now.seconds().saturating_sub(self.at.seconds()));
        (self.count - passed.as_secs_f64() / WINDOW.as_secs_f64() * f64::from(max)).max(0.0)
    }
}

impl Default for Logins {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Logins {
    /// Allows at most `max` unfinished logins for each address. Zero: no limit.
    pub(crate) fn new(max: u32) -> Self {
        Self { max: AtomicU32::new(max), shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// Allows at most `max` unfinished logins for each address from now on. Zero: no limit.
    pub(crate) fn limit(&self, max: u32) {
        self.max.store(max, Ordering::Relaxed);
    }

    fn max(&self) -> u32 {
        self.max.load(Ordering::Relaxed)
    }

    /// Begins a login of `client`. Returns whether the login may begin.
    pub(crate) fn begin(&self, client: IpAddr, now: Timestamp) -> bool {
        if self.max() == 0 {
            return true;
        }
        let client = forwarded::network(client);
        let mut shard = self.shard(client);
        if !shard.contains_key(&client) && shard.len() >= SHARD_ADDRESSES_MAX {
            make_room(&mut shard, now, self.max());
        }
        let entry = shard.entry(client).or_insert(UnderWay { count: 0.0, at: now });
        let count = entry.count_at(now, self.max());
        if count + 1.0 > f64::from(self.max()) {
            return false;
        }
        *entry = UnderWay { count: count + 1.0, at: now };
        true
    }

    /// Finishes a login of `client`.
    pub(crate) fn finish(&self, client: IpAddr, now: Timestamp) {
        if self.max() == 0 {
            return;
        }
        let client = forwarded::network(client);
        let mut shard = self.shard(client);
        if let Some(entry) = shard.get_mut(&client) {
            let count = entry.count_at(now, self.max()) - 1.0;
            if count > 0.0 {
                *entry = UnderWay { count, at: now };
            } else {
                shard.remove(&client);
            }
        }
    }

    fn shard(&self, client: IpAddr) -> std::sync::MutexGuard<'_, HashMap<IpAddr, UnderWay>> {
        let last = match client {
            IpAddr::V4(address) => address.octets()[3],
            IpAddr::V6(address) => address.octets()[7],
        };
        let shard = &self.shards[usize::from(last) % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compares at most [`LOOKS_MAX`] addresses and evicts the one with the fewest unfinished logins.
fn make_room(shard: &mut HashMap<IpAddr, UnderWay>, now: Timestamp, max: u32) {
    let counts = shard.iter().take(LOOKS_MAX).map(|(address, entry)| (*address, entry.count_at(now, max)));
    if let Some((address, _)) = counts.min_by(|one, other| one.1.total_cmp(&other.1)) {
        shard.remove(&address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_its_places_back_by_finishing_or_in_time() {
        let (logins, now) = (Logins::new(3), Timestamp::from_seconds(1_000_000));
        let [one, other]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().expect("an address"));
        for _ in 0..3 {
            assert!(logins.begin(one, now));
        }
        assert!(!logins.begin(one, now) && logins.begin(other, now));
        logins.finish(one, now);
        assert!(logins.begin(one, now) && !logins.begin(one, now));
        assert!(logins.begin(one, now + WINDOW / 3) && !logins.begin(one, now + WINDOW / 3));
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_out() {
        let (logins, right) = (Logins::new(3), Timestamp::from_seconds(1_000_000));
        let one: IpAddr = "192.0.2.1".parse().expect("an address");
        for _ in 0..3 {
            assert!(logins.begin(one, right + 8 * WINDOW));
        }
        for _ in 0..3 {
            assert!(logins.begin(one, right));
        }
        assert!(!logins.begin(one, right), "the limit holds by the right clock");
        assert!(!logins.begin(one, right - Duration::from_secs(1)), "requests that overlap come in any order");
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one() {
        let (logins, now) = (Logins::new(1), Timestamp::from_seconds(1_000_000));
        assert!(logins.begin("2001:db8::1".parse().expect("an address"), now));
        assert!(!logins.begin("2001:db8::2".parse().expect("an address"), now));
        assert!(logins.begin("2001:db8:0:1::1".parse().expect("an address"), now));
    }

    #[test]
    fn addresses_are_bounded_and_who_has_many_logins_is_not_forgotten_first() {
        let (logins, now) = (Logins::new(100), Timestamp::from_seconds(1_000_000));
        let busy: IpAddr = "10.0.0.0".parse().expect("an address");
        for _ in 0..100 {
            assert!(logins.begin(busy, now));
        }
        for number in 1..200_000_u32 {
            assert!(logins.begin(IpAddr::from((0x0b00_0000 + number).to_be_bytes()), now));
        }
        assert!(logins.shards.iter().all(|shard| shard.lock().expect("unpoisoned").len() <= SHARD_ADDRESSES_MAX));
        assert!(!logins.begin(busy, now));
    }
}

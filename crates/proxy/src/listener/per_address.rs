//! Counts the open connections of each client address.
//!
//! Used when a connection is accepted and when it ends, never for a request. There are never more entries than open
//! connections, so no entry has to expire.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::message::forwarded;

/// Number of separately locked maps, so that workers rarely wait for the same lock.
const SHARDS: usize = 16;

/// The open connections of one listener, by client address.
#[derive(Debug)]
pub(crate) struct ConnectionsPerAddress {
    max: AtomicUsize,
    shards: Vec<Mutex<HashMap<IpAddr, usize>>>,
}

/// Counts one connection until it is dropped.
#[derive(Debug)]
pub(crate) struct AddressPermit {
    taken: Option<(Arc<ConnectionsPerAddress>, IpAddr)>,
}

impl ConnectionsPerAddress {
    /// Allows at most `max` connections per address.
    pub(crate) fn new(max: usize) -> Self {
        Self { max: AtomicUsize::new(max), shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// Allows at most `max` connections per address from now on. Open connections stay open.
    pub(crate) fn limit(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
    }

    /// Counts a connection of `peer`. `None` if the address has reached its limit.
    pub(crate) fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<AddressPermit> {
        let peer = forwarded::network(peer.to_canonical());
        let mut shard = self.shard(peer);
        let count = shard.entry(peer).or_insert(0);
        if *count >= self.max.load(Ordering::Relaxed) {
            return None;
        }
        *count += 1;
        Some(AddressPermit { taken: Some((Arc::clone(self), peer)) })
    }

    fn leave(&self, peer: IpAddr) {
        let mut shard = self.shard(peer);
        if let Some(count) = shard.get_mut(&peer) {
            *count -= 1;
            if *count == 0 {
                shard.remove(&peer);
            }
        }
    }

    fn shard(&self, peer: IpAddr) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        let last = match peer {
            IpAddr::V4(address) => address.octets()[3],
            IpAddr::V6(address) => address.octets()[7],
        };
        self.shards[usize::from(last) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AddressPermit {
    /// A permit that does not count, for a trusted proxy: its connections carry the requests of many clients.
    pub(crate) fn exempt() -> Self {
        Self { taken: None }
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        if let Some((owner, peer)) = &self.taken {
            owner.leave(*peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_nothing_is_kept_of_it_afterwards() {
        let places = Arc::new(ConnectionsPerAddress::new(2));
        let [one, other]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.17"].map(|text| text.parse().expect("an address"));
        let first = places.enter(one).expect("a place");
        let second = places.enter(one).expect("a place");
        assert!(places.enter(one).is_none());
        let third = places.enter(other).expect("a place");
        drop(first);
        let fourth = places.enter(one).expect("a place again");
        assert!(places.enter("::ffff:192.0.2.1".parse().expect("an address")).is_none(), "the same address");
        drop((second, third, fourth));
        assert!(places.shards.iter().all(|shard| shard.lock().expect("unpoisoned").is_empty()));
    }
}

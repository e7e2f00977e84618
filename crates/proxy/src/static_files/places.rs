//! How many answers with files one worker may have under way, and how many of them for one client network (attacks D-30).
//!
//! An answer whose client takes nothing keeps the first part of its file in memory and the file open. Over HTTP/2, one client can have very many of them.

use std::net::IpAddr;
use std::rc::Rc;

use crate::budget::{Budget, Reserved};

/// The places of one worker. One client network may have a quarter of them.
#[derive(Clone, Debug)]
pub struct Places(Rc<Budget>);

/// A place for one answer. It is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _reserved: Reserved,
}

/// Of all workers together, as far as each has [`WORKER_MIN`]: so many files are open at most, and 64 KiB of each are in memory.
const PROCESS_MAX: usize = 16_384;
/// Maximum number of places of one worker.
const WORKER_MAX: usize = 2_048;
/// So that a quarter is enough for a network with many users.
const WORKER_MIN: usize = 256;

impl Places {
    /// The places of one of so many workers.
    pub(super) fn new(workers: usize) -> Self {
        Self(Budget::new((PROCESS_MAX / workers.max(1)).clamp(WORKER_MIN, WORKER_MAX)))
    }

    /// A place for an answer to a client of this network. `None` for a trusted proxy, whose requests are those of many clients.
    /// Returns `None` if the worker or the network has no place left.
    pub(crate) fn take(&self, network: Option<IpAddr>) -> Option<Place> {
        self.0.for_connection(network).take(1).map(|reserved| Place { _reserved: reserved })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(places: &Places, network: Option<&str>) -> Vec<Place> {
        let network = network.map(|text| text.parse().expect("an address"));
        std::iter::from_fn(|| places.take(network)).collect()
    }

    #[test]
    fn d_30_a_network_has_a_quarter_of_the_places_and_all_are_bounded() {
        for (workers, most) in [(1, 2048), (2, 2048), (8, 2048), (16, 1024), (64, 256), (1000, 256)] {
            let places = Places::new(workers);
            let first = taken(&places, Some("192.0.2.1"));
            let second = taken(&places, Some("192.0.2.2"));
            assert_eq!((first.len(), second.len()), (most / 4, most / 4), "{workers}");
            let proxy = taken(&places, None);
            assert_eq!(proxy.len(), most / 2, "{workers}");
            assert!(places.take(Some("192.0.2.3".parse().expect("an address"))).is_none());
            drop(first);
            assert_eq!(taken(&places, Some("192.0.2.3")).len(), most / 4);
        }
    }
}

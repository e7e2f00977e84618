//! Finished sign-ins. A second callback of the same sign-in makes no second token request.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use crate::clock::Timestamp;
use crate::session::pending::LOGIN_WINDOW;

/// Maximum number of states.
const STATES_MAX: usize = 20_000;

/// Maximum number of states of one client network.
const STATES_OF_A_CLIENT_MAX: usize = 1_000;

/// The `state` of each finished sign-in, kept as long as its cookie can live (attacks C-03, pitfalls 4). If an entry was evicted, or at
/// another replica, the provider refuses the code.
///
/// Only a browser with the cookie of a sign-in adds an entry. A client that finishes very many sign-ins evicts its own entries. Entries of
/// others are evicted only if many clients do that.
#[derive(Debug, Default)]
pub(super) struct Redeemed(Mutex<States>);

#[derive(Debug, Default)]
struct States {
    known: HashSet<String>,
    /// The entries by sequence number.
    taken: BTreeMap<u64, Taken>,
    by_client: HashMap<IpAddr, VecDeque<u64>>,
    next: u64,
}

#[derive(Debug)]
struct Taken {
    state: String,
    at: Timestamp,
    client: IpAddr,
}

impl Redeemed {
    /// Adds a state. `true` if it is new.
    pub(super) fn take(&self, state: &str, client: IpAddr, now: Timestamp) -> bool {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.forget_old(now);
        if !states.known.insert(state.to_owned()) {
            return false;
        }
        let (client, number) = (network(client), states.next);
        states.next += 1;
        states.taken.insert(number, Taken { state: state.to_owned(), at: now, client });
        let own = states.by_client.entry(client).or_default();
        own.push_back(number);
        if own.len() > STATES_OF_A_CLIENT_MAX
            && let Some(oldest) = own.front().copied()
        {
            states.forget(oldest);
        }
        true
    }
}

impl States {
    /// Makes room for one more: removes entries whose sign-in has expired, and the oldest if there are too many.
    fn forget_old(&mut self, now: Timestamp) {
        while let Some((&oldest, taken)) = self.taken.first_key_value() {
            if now.since(taken.at) <= LOGIN_WINDOW && self.taken.len() < STATES_MAX {
                break;
            }
            self.forget(oldest);
        }
    }

    fn forget(&mut self, number: u64) {
        let Some(Taken { state, client, .. }) = self.taken.remove(&number) else { return };
        self.known.remove(&state);
        if let Some(own) = self.by_client.get_mut(&client) {
            // The oldest entry of all is also the oldest of its client.
            debug_assert_eq!(own.front(), Some(&number));
            own.pop_front();
            if own.is_empty() {
                self.by_client.remove(&client);
            }
        }
    }
}

/// The network of a client: a /64 for IPv6, because a client can choose among its addresses (RFC 6177).
fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        IpAddr::V4(_) => client,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn client(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn c_03_a_state_is_taken_once() {
        let (redeemed, client) = (Redeemed::default(), client("192.0.2.1"));
        assert!(redeemed.take("a", client, NOW));
        assert!(!redeemed.take("a", client, NOW));
        assert!(redeemed.take("b", client, NOW));
        assert!(!redeemed.take("a", client, NOW + LOGIN_WINDOW), "as long as its cookie may live");
        assert!(redeemed.take("a", client, NOW + LOGIN_WINDOW + Duration::from_millis(1)));
    }

    #[test]
    fn b_9a_one_client_makes_nobody_elses_state_forgotten() {
        let redeemed = Redeemed::default();
        assert!(redeemed.take("victim", client("2001:db8:0:1::1"), NOW));
        // From any address of its network.
        for number in 0..3 * STATES_MAX {
            let own = client(&format!("2001:db8:0:2::{:x}", number % 0xffff));
            assert!(redeemed.take(&number.to_string(), own, NOW));
        }
        assert!(!redeemed.take("victim", client("192.0.2.9"), NOW));
        let states = redeemed.0.lock().expect("not poisoned");
        assert_eq!((states.taken.len(), states.known.len()), (1 + STATES_OF_A_CLIENT_MAX, 1 + STATES_OF_A_CLIENT_MAX));
    }

    #[test]
    fn memory_is_bounded() {
        let redeemed = Redeemed::default();
        for number in 0..2 * STATES_MAX {
            let own = IpAddr::from((0x0a00_0000_u32 + (number / 100) as u32).to_be_bytes());
            assert!(redeemed.take(&number.to_string(), own, NOW));
        }
        let states = redeemed.0.lock().expect("not poisoned");
        assert_eq!((states.taken.len(), states.known.len()), (STATES_MAX, STATES_MAX));
        assert_eq!(states.by_client.values().map(VecDeque::len).sum::<usize>(), STATES_MAX);
    }
}

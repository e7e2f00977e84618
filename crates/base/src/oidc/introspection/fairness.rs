//! Who may have the provider asked about a token that nothing is known of: each client network has a share.
//!
//! One network that sends made-up tokens without end uses up all calls that there are (attacks D-20, D-29). So a part of the calls is for networks that have had few
//! of them lately. A network with much to ask has the other part, whether its tokens are made up or not.

use std::net::IpAddr;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::message::forwarded;
use crate::oidc::introspection::recent::{Limits, Recent};

/// What is known of a token before it is asked about, and of who brings it. Each class has limits of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// It was active when the provider was asked last.
    Good,
    /// Nothing is known of it, and its network had few calls lately.
    Newcomer,
    /// Nothing is known of it.
    Unknown,
}

/// Who asks about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A request of this client.
    Client(IpAddr),
    /// An exchange that lasts, whose token was active when it began.
    Lasting,
}

/// Which calls may be made (GCRA).
#[derive(Debug)]
pub(super) struct Calls {
    unknown: Timestamp,
    newcomers: Timestamp,
    /// The calls of [`Class::Newcomer`] of each network.
    networks: Recent<IpAddr, Timestamp>,
}

/// So many calls in the long run, and so many at once. A time says when all of these can be used again.
#[derive(Clone, Copy, Debug)]
struct Rate {
    interval: Duration,
    burst: u32,
}

/// 71 calls per second. Time is counted in milliseconds.
const UNKNOWN: Rate = Rate { interval: Duration::from_millis(14), burst: 225 };
/// 25 calls per second, for all networks together.
const NEWCOMERS: Rate = Rate { interval: Duration::from_millis(40), burst: 75 };
/// Of one network. So 125 networks are needed to use up all calls for newcomers in the long run.
const NETWORK: Rate = Rate { interval: Duration::from_secs(5), burst: 10 };
/// A network that is forgotten has had no call lately.
const NETWORKS: Limits = Limits { entries: 4096, bytes: usize::MAX };

impl Class {
    /// How many classes there are.
    pub(super) const COUNT: usize = 3;

    /// Calls at a time.
    pub(super) const fn calls_max(self) -> usize {
        match self {
            Self::Good => 32,
            Self::Newcomer => 8,
            Self::Unknown => 24,
        }
    }

    /// Tokens that are asked about or wait for that.
    pub(super) const fn flights_max(self) -> usize {
        match self {
            Self::Good => 256,
            Self::Newcomer => 64,
            Self::Unknown => 192,
        }
    }
}

impl Calls {
    pub(super) fn new() -> Self {
        let never = Timestamp::from_millis(0);
        Self { unknown: never, newcomers: never, networks: Recent::new(NETWORKS) }
    }

    /// Takes a call about a token that nothing is known of. `has_place` says whether one more of a class may be under way. `None`: there is no call now.
    pub(super) fn take(&mut self, client: IpAddr, now: Timestamp, has_place: impl Fn(Class) -> bool) -> Option<Class> {
        if has_place(Class::Newcomer) && self.is_newcomer(client, now) && NEWCOMERS.take(&mut self.newcomers, now) {
            return Some(Class::Newcomer);
        }
        (has_place(Class::Unknown) && UNKNOWN.take(&mut self.unknown, now)).then_some(Class::Unknown)
    }

    /// Whether the network has had few calls lately. Counts one.
    fn is_newcomer(&mut self, client: IpAddr, now: Timestamp) -> bool {
        let network = forwarded::network(client.to_canonical());
        let mut full_at = self.networks.get(&network).copied().unwrap_or(Timestamp::from_millis(0));
        let is_newcomer = NETWORK.take(&mut full_at, now);
        if is_newcomer {
            self.networks.put(network, full_at, 0);
        }
        is_newcomer
    }
}

impl Rate {
    /// Takes one. False if there is none now.
    fn take(self, full_at: &mut Timestamp, now: Timestamp) -> bool {
        let depth = self.interval * self.burst;
        // A time that is later was read while the clock was ahead.
        let start = if *full_at > now + depth { now } else { (*full_at).max(now) };
        if start + self.interval > now + depth {
            return false;
        }
        *full_at = start + self.interval;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// How many calls of each class `client` gets when it asks so often at one moment.
    fn taken(calls: &mut Calls, client: &str, now: Timestamp, count: usize) -> (usize, usize) {
        let got: Vec<_> = (0..count).filter_map(|_| calls.take(address(client), now, |_| true)).collect();
        let newcomers = got.iter().filter(|class| **class == Class::Newcomer).count();
        (newcomers, got.len() - newcomers)
    }

    #[test]
    fn d_29_a_network_that_uses_up_its_calls_leaves_those_of_the_others() {
        let mut calls = Calls::new();
        assert_eq!(taken(&mut calls, "192.0.2.1", NOW, 1000), (10, 225));
        assert_eq!(taken(&mut calls, "192.0.2.1", NOW, 10), (0, 0));
        assert_eq!(taken(&mut calls, "192.0.2.2", NOW, 12), (10, 0));
        // One IPv6 network is one, and so are the two spellings of an IPv4 address.
        assert_eq!(taken(&mut calls, "2001:db8::1", NOW, 6), (6, 0));
        assert_eq!(taken(&mut calls, "2001:db8::2", NOW, 6), (4, 0));
        assert_eq!(taken(&mut calls, "::ffff:192.0.2.2", NOW, 1), (0, 0));
        // In the long run, too.
        let (mut flood, mut others) = (0, 0);
        for second in 1..=600 {
            let now = NOW + Duration::from_secs(second);
            flood += calls.take(address("192.0.2.1"), now, |_| true).map_or(0, |_| 1);
            let (few, many) = taken(&mut calls, "192.0.2.1", now, 200);
            flood += few + many;
            if second % 6 == 0 {
                assert_eq!(taken(&mut calls, "198.51.100.7", now, 1), (1, 0), "{second}");
                others += 1;
            }
        }
        assert_eq!(others, 100);
        assert!((42_900..=43_050).contains(&flood), "71 in each second, and one more in five: {flood}");
    }

    #[test]
    fn without_others_all_of_the_larger_part_is_for_one() {
        let mut calls = Calls::new();
        let now = NOW + Duration::from_secs(10);
        let few = |class| class == Class::Unknown;
        assert_eq!((0..1000).filter_map(|_| calls.take(address("192.0.2.1"), now, few)).count(), 225);
        let none = |_| false;
        assert_eq!(calls.take(address("192.0.2.9"), now, none), None, "no place");
        assert_eq!(taken(&mut calls, "192.0.2.9", now, 20), (10, 0), "and nothing was taken for it");
    }

    #[test]
    fn networks_are_bounded_and_together_have_no_more_calls() {
        let mut calls = Calls::new();
        let mut got = 0;
        for number in 0..100_000_u32 {
            let client = IpAddr::from((0x0b00_0000 + number).to_be_bytes());
            got += usize::from(calls.take(client, NOW, |_| true).is_some());
        }
        assert_eq!(got, 300);
        assert!(calls.networks.len() <= 2 * NETWORKS.entries);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_the_calls() {
        let mut calls = Calls::new();
        let ahead = NOW + Duration::from_secs(86_400);
        assert_eq!(taken(&mut calls, "192.0.2.1", ahead, 1000), (10, 225));
        assert_eq!(taken(&mut calls, "192.0.2.1", NOW, 1000), (10, 225));
    }
}

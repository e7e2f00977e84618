//! Slows down who guesses passwords, without ever locking out who knows theirs.
//!
//! Three limits, each a bucket that refills (attacks U-02):
//!
//! - user *and* address: the first to bite, so that someone who guesses elsewhere does not slow the user down;
//! - address (a /64 for IPv6): against one machine that tries many users;
//! - user, wherever from: against many machines that try one user. An address from which that user has signed in is exempt,
//!   or an attacker could keep the user out.
//!
//! An attempt is counted before the password is looked at and given back when it was right: parallel guesses cannot slip in
//! between. A refused attempt is not counted, so that waiting always helps.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::user_pool::directory::user::UserName;
use crate::user_pool::rate_limit::{Buckets, Limit};
use crate::user_pool::shares::{Bounds, Found, Shares};

const PER_USER_AND_ADDRESS: Limit = Limit { burst: 5, interval: Duration::from_secs(30) };
const PER_ADDRESS: Limit = Limit { burst: 30, interval: Duration::from_secs(5) };
const PER_USER: Limit = Limit { burst: 50, interval: Duration::from_secs(60) };
/// How long an address counts as the user's own after a sign-in from there.
const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// Addresses of users that are remembered, for each user and in all.
const KNOWN: Bounds = Bounds { per_owner: 64, total: 100_000 };

/// Entries that each limit remembers, of 16 bytes.
const ENTRIES_MAX: usize = 100_000;

/// What is remembered of attempts.
#[derive(Debug)]
pub(crate) struct Risk(Mutex<State>);

#[derive(Debug)]
struct State {
    per_user_and_address: Buckets,
    per_address: Buckets,
    per_user: Buckets,
    known: Shares<()>,
}

/// An attempt that may be made; say how it went.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(crate) struct Attempt {
    pair: u64,
    address: u64,
    user: u64,
    is_known: bool,
}

/// The attempt may be made after so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany(pub(crate) Duration);

impl Risk {
    /// Remembers nothing yet.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            per_user_and_address: Buckets::new(PER_USER_AND_ADDRESS, ENTRIES_MAX),
            per_address: Buckets::new(PER_ADDRESS, ENTRIES_MAX),
            per_user: Buckets::new(PER_USER, ENTRIES_MAX),
            known: Shares::new(KNOWN),
        }))
    }

    /// Counts an attempt, or says how long to wait.
    pub(crate) fn begin(&self, user: &UserName, address: IpAddr, now: Timestamp) -> Result<Attempt, TooMany> {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *guard;
        let network = network(address);
        let attempt = Attempt {
            pair: state.per_user_and_address.key(&(user, network)),
            address: state.per_address.key(&network),
            user: state.per_user.key(&user),
            is_known: matches!(state.known.find(&user, &(user, network), now, now), Found::Here(())),
        };
        let mut wait =
            state.per_user_and_address.wait(attempt.pair, now).max(state.per_address.wait(attempt.address, now));
        if !attempt.is_known {
            wait = wait.max(state.per_user.wait(attempt.user, now));
        }
        if !wait.is_zero() {
            return Err(TooMany(wait));
        }
        state.per_user_and_address.take(attempt.pair, now);
        state.per_address.take(attempt.address, now);
        if !attempt.is_known {
            state.per_user.take(attempt.user, now);
        }
        Ok(attempt)
    }

    /// The password was right.
    pub(crate) fn succeeded(&self, attempt: Attempt, user: &UserName, address: IpAddr, now: Timestamp) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.per_user_and_address.forget(attempt.pair);
        give_back(&mut state, attempt);
        state.known.put(&user, &(user, network(address)), (now, now + KNOWN_FOR), (), now);
    }

    /// Nobody looked at the password.
    pub(crate) fn not_made(&self, attempt: Attempt) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.per_user_and_address.give_back(attempt.pair);
        give_back(&mut state, attempt);
    }
}

fn give_back(state: &mut State, attempt: Attempt) {
    state.per_address.give_back(attempt.address);
    if !attempt.is_known {
        state.per_user.give_back(attempt.user);
    }
}

/// What one person is likely to hold: an IPv4 address, or the first 64 bits of an IPv6 one (RFC 6177).
fn network(address: IpAddr) -> [u8; 8] {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [0, 0, 0, 0, a, b, c, d]
        }
        IpAddr::V6(address) => address.octets()[..8].try_into().expect("an IPv6 address has 16 bytes"),
    }
}

#[cfg(test)]
mod tests;

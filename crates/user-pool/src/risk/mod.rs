//! Slows down password guessing without locking out users who know their password.
//!
//! There are four limits, each a token bucket (attacks U-02). "User" means the name that was typed, because the visitor is told of these limits: what is told
//! must not say that two names are one user (attacks U-01).
//!
//! - Per user *and* address. It is the strictest, so that guessing from another address does not slow the user down.
//! - Per address (a /64 for IPv6), against one machine that tries many users.
//! - Per site (a /48, only for IPv6), against one customer with thousands of such networks.
//! - Per user, against many machines that try one user. An address from which this user has signed in is exempt. Otherwise an
//!   attacker could lock the user out.
//!
//! By all names of a user together, wrong passwords have limits of their own, twice as large. Nobody is told of these: beyond them, each password is wrong
//! ([`Risk::may_be_right`]).
//!
//! A browser in which the user has signed in before has its own limit (`signin::known`), and none of the others applies to it. So
//! guessing from the same network, or from many networks, does not lock the user out of such a browser. All such browsers of one user
//! together have a limit, too, because a user can create any number of them.
//!
//! Codes of a second factor have limits of their own: whoever guesses one knows the password already, and a right password must not give new
//! guesses. There is one limit per user for all browsers in which the user has signed in before, another one for each of these, and one for all
//! other browsers together. Whoever knew the password before there was a second factor may have collected cookies of known browsers. They give no
//! more guesses than the limit for all of them. One such cookie does not keep the user's own browsers out; with two, somebody who goes on guessing
//! can. A new password ends that: it makes every known browser unknown, and the guesser cannot come to the question any more.
//!
//! An attempt is counted before the password is verified, and given back if the password is right. So parallel guesses cannot
//! exceed the limits. If only attempts in progress stand against an attempt, it waits for their outcome. A refused attempt is
//! not counted, so waiting always helps.

mod limits;

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{Clock, Timestamp};
use crate::directory::name::UserName;
use crate::rate_limit::network;

pub(crate) use limits::{Guess, Named, Origin};
use limits::{Keys, Limits};

/// Maximum waiting time for the outcome of other attempts.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Maximum number of attempts that wait for the outcome of others, per network and in total. Each holds a form of at most 16 KiB.
const WAITING_PER_NETWORK: u32 = 512;
const WAITING_MAX: u32 = 2048;

/// The limits and what is known of attempts.
#[derive(Debug)]
pub(crate) struct Risk {
    state: Mutex<State>,
    /// Notified when the outcome of an attempt is known.
    settled: Notify,
}

#[derive(Debug)]
struct State {
    limits: Limits,
    /// The number of attempts in progress, by the key of each bucket that they use.
    under_way: HashMap<u64, u32>,
    /// The number of waiting attempts, by network.
    waiting: HashMap<[u8; 8], u32>,
    waiting_in_all: u32,
}

/// An attempt that was permitted. Dropping it without [`succeeded`](Self::succeeded) counts it as failed.
#[derive(Debug)]
#[must_use]
pub(crate) struct Attempt<'r> {
    risk: &'r Risk,
    keys: Keys,
}

/// Why an attempt is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Too many attempts have failed. The next one is permitted after this time.
    TooMany(Duration),
    /// Too many attempts are in progress.
    Busy,
}

/// Whether an attempt is permitted.
enum Turn<'r> {
    Now(Attempt<'r>),
    /// It depends on the outcome of the attempts in progress.
    Later,
    Refused(Duration),
}

impl Risk {
    /// Creates the limits without any attempts.
    pub(crate) fn new() -> Self {
        let state =
            State { limits: Limits::new(), under_way: HashMap::new(), waiting: HashMap::new(), waiting_in_all: 0 };
        Self { state: Mutex::new(state), settled: Notify::new() }
    }

    /// Counts an attempt. If only attempts in progress stand against it, waits for their outcome. So a whole office can sign in at
    /// the same moment, and still nobody gets more guesses than the limits allow.
    ///
    /// # Errors
    ///
    /// See [`Refused`].
    pub(crate) async fn begin<'n>(
        &self,
        named: impl Into<Named<'n>>,
        from: Origin<'_>,
        guess: Guess,
        clock: &Clock,
    ) -> Result<Attempt<'_>, Refused> {
        let named = named.into();
        let network = network(from.address);
        match self.turn(named, from, guess, clock.now()) {
            Turn::Now(attempt) => return Ok(attempt),
            Turn::Refused(wait) => return Err(Refused::TooMany(wait)),
            Turn::Later => {}
        }
        let _place = Place::take(self, network).ok_or(Refused::Busy)?;
        let in_turn = async {
            loop {
                let mut settled = pin!(self.settled.notified());
                // Before the check, so that no notification between the check and the wait is missed.
                settled.as_mut().enable();
                match self.turn(named, from, guess, clock.now()) {
                    Turn::Now(attempt) => return Ok(attempt),
                    Turn::Refused(wait) => return Err(Refused::TooMany(wait)),
                    Turn::Later => settled.await,
                }
            }
        };
        tokio::time::timeout(WAIT_MAX, in_turn).await.unwrap_or(Err(Refused::Busy))
    }

    fn turn(&self, named: Named<'_>, from: Origin<'_>, guess: Guess, now: Timestamp) -> Turn<'_> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let keys = state.limits.keys(guess, named, from, now);
        if !state.limits.wait(keys, |_| 0, now).is_zero() {
            let under_way = |key| state.under_way.get(&key).copied().unwrap_or_default();
            let failed = state.limits.wait(keys, under_way, now);
            return if failed.is_zero() { Turn::Later } else { Turn::Refused(failed) };
        }
        state.limits.take(keys, now);
        for key in keys.numbers() {
            *state.under_way.entry(key).or_default() += 1;
        }
        Turn::Now(Attempt { risk: self, keys })
    }

    /// Whether a password of this user may be right, after it was compared. A wrong one is counted for all names of the user together. After too many of
    /// them, none is right for a while, and the visitor is not told why. Nothing is learnt of a guess before this, so guesses at the same moment are no more.
    pub(crate) fn may_be_right(&self, user: &UserName, from: Origin<'_>, is_right: bool, now: Timestamp) -> bool {
        let limits = &mut self.lock().limits;
        let keys = limits.keys_of_all_names(user, from, now);
        if !limits.wait(keys, |_| 0, now).is_zero() {
            return false;
        }
        if is_right {
            limits.forget(keys);
        } else {
            limits.take(keys, now);
        }
        is_right
    }

    /// The user has signed in from this address. It counts as known for a while.
    pub(crate) fn remember(&self, user: &UserName, address: IpAddr, now: Timestamp) {
        self.lock().limits.remember(user, address, now);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// The guess was right. The attempt is given back, and failures of this user from this address are forgotten.
    pub(crate) fn succeeded(self) {
        let mut state = self.risk.lock();
        state.limits.give_back(self.keys);
        state.limits.forget(self.keys);
    }

    /// The guess was not verified. The attempt is given back.
    pub(crate) fn not_made(self) {
        self.risk.lock().limits.give_back(self.keys);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut state = self.risk.lock();
        for key in self.keys.numbers() {
            count_down(&mut state.under_way, &key);
        }
        drop(state);
        self.risk.settled.notify_waiters();
    }
}

/// A place in the queue of waiting attempts.
struct Place<'r> {
    risk: &'r Risk,
    network: [u8; 8],
}

impl<'r> Place<'r> {
    fn take(risk: &'r Risk, network: [u8; 8]) -> Option<Self> {
        let mut state = risk.lock();
        let of_network = state.waiting.get(&network).copied().unwrap_or_default();
        if of_network >= WAITING_PER_NETWORK || state.waiting_in_all >= WAITING_MAX {
            return None;
        }
        state.waiting.insert(network, of_network + 1);
        state.waiting_in_all += 1;
        Some(Self { risk, network })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.risk.lock();
        count_down(&mut state.waiting, &self.network);
        state.waiting_in_all -= 1;
    }
}

fn count_down<K: Hash + Eq>(counts: &mut HashMap<K, u32>, key: &K) {
    let Some(count) = counts.get_mut(key) else { return };
    *count -= 1;
    if *count == 0 {
        counts.remove(key);
    }
}

#[cfg(test)]
mod tests;

//! Slows down who guesses passwords, without ever locking out who knows theirs.
//!
//! Four limits, each a bucket that refills (attacks U-02):
//!
//! - user *and* address: the first to bite, so that someone who guesses elsewhere does not slow the user down;
//! - address (a /64 for IPv6): against one machine that tries many users;
//! - site (a /48, for IPv6 only): against one customer who has thousands of such networks;
//! - user, wherever from: against many machines that try one user. An address from which that user has signed in is exempt,
//!   or an attacker could keep the user out.
//!
//! A browser in which the user has signed in before is counted by itself (`signin::known`), and none of the others applies: whoever
//! guesses from the same network, or from everywhere, keeps the user out of no browser of theirs. All such browsers of one user
//! together have a limit, too, because a user may make as many as they like.
//!
//! An attempt is counted before the password is looked at and given back when it was right: parallel guesses cannot slip in
//! between. Whoever could only be refused because of attempts that are under way waits for their outcome. A refused attempt is
//! not counted, so that waiting always helps.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{Clock, Timestamp};
use crate::user_pool::directory::user::UserName;
use crate::user_pool::rate_limit::{self, Buckets, Limit, network};
use crate::user_pool::shares::{Bounds, Found, Shares};

const PER_USER_AND_ADDRESS: Limit = Limit { burst: 5, interval: Duration::from_secs(30) };
const PER_ADDRESS: Limit = Limit { burst: 30, interval: Duration::from_secs(5) };
const PER_SITE: Limit = Limit { burst: 120, interval: Duration::from_secs(1) };
const PER_USER: Limit = Limit { burst: 50, interval: Duration::from_secs(60) };
/// How long an address counts as the user's own after a sign-in from there.
const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// Addresses of users that are remembered, for each user and in all.
const KNOWN: Bounds = Bounds { per_owner: 64, total: 100_000 };

/// Entries that each limit remembers, of 16 bytes.
const ENTRIES_MAX: usize = 100_000;

/// Longest wait for the outcome of other attempts.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Attempts that wait for the outcome of others: from one network, and in all. Each holds its form, of 16 KiB at most.
const WAITING_PER_NETWORK: u32 = 512;
const WAITING_MAX: u32 = 2048;

/// What is remembered of attempts.
#[derive(Debug)]
pub(crate) struct Risk {
    state: Mutex<State>,
    /// Told each time the outcome of an attempt is known.
    settled: Notify,
}

#[derive(Debug)]
struct State {
    per_user_and_address: Buckets,
    per_address: Buckets,
    per_site: Buckets,
    per_user: Buckets,
    known: Shares<()>,
    /// Attempts whose outcome is not known yet, by the key of each bucket that they were taken from.
    under_way: HashMap<u64, u32>,
    /// Attempts that wait, by network.
    waiting: HashMap<[u8; 8], u32>,
    waiting_in_all: u32,
}

/// Where an attempt comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) address: IpAddr,
    /// The browser, where this very user has signed in with it before.
    pub(crate) browser: Option<&'a str>,
}

/// An attempt that may be made. One that is dropped without a word has failed.
#[derive(Debug)]
#[must_use]
pub(crate) struct Attempt<'r> {
    risk: &'r Risk,
    keys: Keys,
}

/// The buckets that an attempt is taken from.
#[derive(Clone, Copy, Debug)]
struct Keys {
    pair: u64,
    address: u64,
    /// `None` from an IPv4 address.
    site: Option<u64>,
    /// `None` from an address that is the user's own.
    user: Option<u64>,
}

impl Keys {
    fn all(self) -> impl Iterator<Item = u64> {
        [Some(self.pair), Some(self.address), self.site, self.user].into_iter().flatten()
    }
}

/// Why an attempt may not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Too many have failed; the next may be made after so long.
    TooMany(Duration),
    /// Too many are under way.
    Busy,
}

/// What an attempt meets.
enum Turn<'r> {
    Now(Attempt<'r>),
    /// Whether there is a place depends on how the attempts that are under way end.
    Later,
    Refused(Duration),
}

impl Risk {
    /// Remembers nothing yet.
    pub(crate) fn new() -> Self {
        let state = State {
            per_user_and_address: Buckets::new(PER_USER_AND_ADDRESS, ENTRIES_MAX),
            per_address: Buckets::new(PER_ADDRESS, ENTRIES_MAX),
            per_site: Buckets::new(PER_SITE, ENTRIES_MAX),
            per_user: Buckets::new(PER_USER, ENTRIES_MAX),
            known: Shares::new(KNOWN),
            under_way: HashMap::new(),
            waiting: HashMap::new(),
            waiting_in_all: 0,
        };
        Self { state: Mutex::new(state), settled: Notify::new() }
    }

    /// Counts an attempt. Where only the attempts that are under way stand against it, waits for their outcome: a whole
    /// office may sign in at the same moment, and still nobody gets more guesses than the limits allow.
    ///
    /// # Errors
    ///
    /// See [`Refused`].
    pub(crate) async fn begin(&self, user: &UserName, from: Origin<'_>, clock: &Clock) -> Result<Attempt<'_>, Refused> {
        let network = network(from.address);
        match self.turn(user, from, clock.now()) {
            Turn::Now(attempt) => return Ok(attempt),
            Turn::Refused(wait) => return Err(Refused::TooMany(wait)),
            Turn::Later => {}
        }
        let _place = Place::take(self, network).ok_or(Refused::Busy)?;
        let in_turn = async {
            loop {
                let mut settled = pin!(self.settled.notified());
                // Before the look, so that nothing that happens in between is missed.
                settled.as_mut().enable();
                match self.turn(user, from, clock.now()) {
                    Turn::Now(attempt) => return Ok(attempt),
                    Turn::Refused(wait) => return Err(Refused::TooMany(wait)),
                    Turn::Later => settled.await,
                }
            }
        };
        tokio::time::timeout(WAIT_MAX, in_turn).await.unwrap_or(Err(Refused::Busy))
    }

    fn turn(&self, user: &UserName, from: Origin<'_>, now: Timestamp) -> Turn<'_> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let keys = state.keys(user, from, now);
        if !state.wait(keys, |_| 0, now).is_zero() {
            let failed = state.wait(keys, |key| state.under_way.get(&key).copied().unwrap_or_default(), now);
            return if failed.is_zero() { Turn::Later } else { Turn::Refused(failed) };
        }
        state.per_user_and_address.take(keys.pair, now);
        state.per_address.take(keys.address, now);
        if let Some(site) = keys.site {
            state.per_site.take(site, now);
        }
        if let Some(user) = keys.user {
            state.per_user.take(user, now);
        }
        for key in keys.all() {
            *state.under_way.entry(key).or_default() += 1;
        }
        Turn::Now(Attempt { risk: self, keys })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn keys(&mut self, user: &UserName, from: Origin<'_>, now: Timestamp) -> Keys {
        if let Some(browser) = from.browser {
            return Keys {
                pair: self.per_user_and_address.key(&("browser", browser)),
                address: self.per_address.key(&("browsers", user)),
                site: None,
                user: None,
            };
        }
        let network = network(from.address);
        let is_known = matches!(self.known.find(&user, &(user, network), now, now), Found::Here(()));
        Keys {
            pair: self.per_user_and_address.key(&(user, network)),
            address: self.per_address.key(&network),
            site: rate_limit::site(network).map(|site| self.per_site.key(&site)),
            user: (!is_known).then(|| self.per_user.key(&user)),
        }
    }

    /// How long until an attempt may be made, where so many of each bucket were given back.
    fn wait(&self, keys: Keys, given_back: impl Fn(u64) -> u32, now: Timestamp) -> Duration {
        let wait = |buckets: &Buckets, key| buckets.wait_without(key, given_back(key), now);
        let wait_for_site = keys.site.map(|key| wait(&self.per_site, key)).unwrap_or_default();
        let wait_for_user = keys.user.map(|key| wait(&self.per_user, key)).unwrap_or_default();
        let wait_for_address = wait(&self.per_user_and_address, keys.pair).max(wait(&self.per_address, keys.address));
        wait_for_address.max(wait_for_site).max(wait_for_user)
    }
}

impl Attempt<'_> {
    /// The password was right: the attempt is not counted, and failures of this user from there are forgotten.
    pub(crate) fn succeeded(self, user: &UserName, address: IpAddr, now: Timestamp) {
        let mut state = self.risk.lock();
        state.per_user_and_address.forget(self.keys.pair);
        self.give_back(&mut state);
        state.known.put(&user, &(user, network(address)), (now, now + KNOWN_FOR), (), now);
    }

    /// Nobody looked at the password: the attempt is not counted.
    pub(crate) fn not_made(self) {
        let mut state = self.risk.lock();
        state.per_user_and_address.give_back(self.keys.pair);
        self.give_back(&mut state);
    }

    fn give_back(&self, state: &mut State) {
        state.per_address.give_back(self.keys.address);
        if let Some(site) = self.keys.site {
            state.per_site.give_back(site);
        }
        if let Some(user) = self.keys.user {
            state.per_user.give_back(user);
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut state = self.risk.lock();
        for key in self.keys.all() {
            count_down(&mut state.under_way, &key);
        }
        drop(state);
        self.risk.settled.notify_waiters();
    }
}

/// A place among those who wait.
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

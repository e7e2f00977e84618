//! Slows down password guessing without locking out users who know their password.
//!
//! There are four limits, each a token bucket (attacks U-02):
//!
//! - Per user *and* address. It is the strictest, so that guessing from another address does not slow the user down.
//! - Per address (a /64 for IPv6), against one machine that tries many users.
//! - Per site (a /48, only for IPv6), against one customer with thousands of such networks.
//! - Per user, against many machines that try one user. An address from which this user has signed in is exempt. Otherwise an
//!   attacker could lock the user out.
//!
//! A browser in which the user has signed in before has its own limit (`signin::known`), and none of the others applies to it. So
//! guessing from the same network, or from many networks, does not lock the user out of such a browser. All such browsers of one user
//! together have a limit, too, because a user can create any number of them.
//!
//! Codes of a second factor have limits of their own: whoever guesses one knows the password already, and a right password must not give new
//! guesses. The limit per user is stricter, and is for each browser in which the user has signed in before, and for all others together.
//!
//! An attempt is counted before the password is verified, and given back if the password is right. So parallel guesses cannot
//! exceed the limits. If only attempts in progress stand against an attempt, it waits for their outcome. A refused attempt is
//! not counted, so waiting always helps.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{Clock, Timestamp};
use crate::user_pool::directory::name::UserName;
use crate::user_pool::rate_limit::{self, Buckets, Limit, network};
use crate::user_pool::shares::{Bounds, Found, Shares};

const PER_USER_AND_ADDRESS: Limit = Limit { burst: 5, interval: Duration::from_secs(30) };
const PER_ADDRESS: Limit = Limit { burst: 30, interval: Duration::from_secs(5) };
const PER_SITE: Limit = Limit { burst: 120, interval: Duration::from_secs(1) };
const PER_USER: Limit = Limit { burst: 50, interval: Duration::from_secs(60) };
/// A code has six digits, and up to three are good at a time: 288 guesses a day find one with a probability of 1 in 1,000.
const CODES_PER_USER: Limit = Limit { burst: 10, interval: Duration::from_secs(300) };
/// How long an address counts as known for a user after a sign-in from there.
const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// Maximum number of known addresses, per user and in total.
const KNOWN: Bounds = Bounds { per_owner: 64, total: 100_000 };

/// Maximum number of entries of each limit. An entry has 16 bytes.
const ENTRIES_MAX: usize = 100_000;

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
    per_user_and_address: Buckets,
    per_address: Buckets,
    per_site: Buckets,
    per_user: Buckets,
    codes_per_user: Buckets,
    known: Shares<()>,
    /// The number of attempts in progress, by the key of each bucket that they use.
    under_way: HashMap<u64, u32>,
    /// The number of waiting attempts, by network.
    waiting: HashMap<[u8; 8], u32>,
    waiting_in_all: u32,
}

/// What is guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guess {
    Password,
    /// A code of a second factor.
    Code,
}

/// The origin of an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) address: IpAddr,
    /// The browser, if it is known for this user.
    pub(crate) browser: Option<&'a str>,
}

/// An attempt that was permitted. Dropping it without [`succeeded`](Self::succeeded) counts it as failed.
#[derive(Debug)]
#[must_use]
pub(crate) struct Attempt<'r> {
    risk: &'r Risk,
    keys: Keys,
}

/// The buckets that an attempt uses.
#[derive(Clone, Copy, Debug)]
struct Keys {
    guess: Guess,
    pair: u64,
    address: u64,
    /// `None` for an IPv4 address.
    site: Option<u64>,
    /// `None` for a password, if the address is known for the user.
    user: Option<u64>,
}

impl Keys {
    fn all(self) -> impl Iterator<Item = u64> {
        [Some(self.pair), Some(self.address), self.site, self.user].into_iter().flatten()
    }
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
        let state = State {
            per_user_and_address: Buckets::new(PER_USER_AND_ADDRESS, ENTRIES_MAX),
            per_address: Buckets::new(PER_ADDRESS, ENTRIES_MAX),
            per_site: Buckets::new(PER_SITE, ENTRIES_MAX),
            per_user: Buckets::new(PER_USER, ENTRIES_MAX),
            codes_per_user: Buckets::new(CODES_PER_USER, ENTRIES_MAX),
            known: Shares::new(KNOWN),
            under_way: HashMap::new(),
            waiting: HashMap::new(),
            waiting_in_all: 0,
        };
        Self { state: Mutex::new(state), settled: Notify::new() }
    }

    /// Counts an attempt. If only attempts in progress stand against it, waits for their outcome. So a whole office can sign in at
    /// the same moment, and still nobody gets more guesses than the limits allow.
    ///
    /// # Errors
    ///
    /// See [`Refused`].
    pub(crate) async fn begin(
        &self,
        user: &UserName,
        from: Origin<'_>,
        guess: Guess,
        clock: &Clock,
    ) -> Result<Attempt<'_>, Refused> {
        let network = network(from.address);
        match self.turn(user, from, guess, clock.now()) {
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
                match self.turn(user, from, guess, clock.now()) {
                    Turn::Now(attempt) => return Ok(attempt),
                    Turn::Refused(wait) => return Err(Refused::TooMany(wait)),
                    Turn::Later => settled.await,
                }
            }
        };
        tokio::time::timeout(WAIT_MAX, in_turn).await.unwrap_or(Err(Refused::Busy))
    }

    fn turn(&self, user: &UserName, from: Origin<'_>, guess: Guess, now: Timestamp) -> Turn<'_> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let keys = match guess {
            Guess::Password => state.keys(user, from, now),
            Guess::Code => state.keys_of_code(user, from),
        };
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
            state.per_user(guess).take(user, now);
        }
        for key in keys.all() {
            *state.under_way.entry(key).or_default() += 1;
        }
        Turn::Now(Attempt { risk: self, keys })
    }

    /// The user has signed in from this address. It counts as known for a while.
    pub(crate) fn remember(&self, user: &UserName, address: IpAddr, now: Timestamp) {
        self.lock().known.put(&user, &(user, network(address)), (now, now + KNOWN_FOR), (), now);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn keys(&mut self, user: &UserName, from: Origin<'_>, now: Timestamp) -> Keys {
        if let Some(browser) = from.browser {
            return Keys {
                guess: Guess::Password,
                pair: self.per_user_and_address.key(&("browser", browser)),
                address: self.per_address.key(&("browsers", user)),
                site: None,
                user: None,
            };
        }
        let network = network(from.address);
        let is_known = matches!(self.known.find(&user, &(user, network), now, now), Found::Here(()));
        Keys {
            guess: Guess::Password,
            pair: self.per_user_and_address.key(&(user, network)),
            address: self.per_address.key(&network),
            site: rate_limit::site(network).map(|site| self.per_site.key(&site)),
            user: (!is_known).then(|| self.per_user.key(&user)),
        }
    }

    fn keys_of_code(&self, user: &UserName, from: Origin<'_>) -> Keys {
        let network = network(from.address);
        let own = from.browser.map(|browser| ("browser", browser));
        Keys {
            guess: Guess::Code,
            pair: match own {
                Some(own) => self.per_user_and_address.key(&("code", own)),
                None => self.per_user_and_address.key(&("code", user, network)),
            },
            address: self.per_address.key(&network),
            site: rate_limit::site(network).map(|site| self.per_site.key(&site)),
            user: Some(match own {
                Some(own) => self.codes_per_user.key(&own),
                None => self.codes_per_user.key(&user),
            }),
        }
    }

    fn per_user(&mut self, guess: Guess) -> &mut Buckets {
        match guess {
            Guess::Password => &mut self.per_user,
            Guess::Code => &mut self.codes_per_user,
        }
    }

    /// Time until an attempt is permitted, as if this number of attempts had been given back to each bucket.
    fn wait(&self, keys: Keys, given_back: impl Fn(u64) -> u32, now: Timestamp) -> Duration {
        let wait = |buckets: &Buckets, key| buckets.wait_without(key, given_back(key), now);
        let wait_for_site = keys.site.map(|key| wait(&self.per_site, key)).unwrap_or_default();
        let per_user = match keys.guess {
            Guess::Password => &self.per_user,
            Guess::Code => &self.codes_per_user,
        };
        let wait_for_user = keys.user.map(|key| wait(per_user, key)).unwrap_or_default();
        let wait_for_address = wait(&self.per_user_and_address, keys.pair).max(wait(&self.per_address, keys.address));
        wait_for_address.max(wait_for_site).max(wait_for_user)
    }
}

impl Attempt<'_> {
    /// The guess was right. The attempt is given back, and failures of this user from this address are forgotten.
    pub(crate) fn succeeded(self) {
        let mut state = self.risk.lock();
        state.per_user_and_address.forget(self.keys.pair);
        self.give_back(&mut state);
    }

    /// The guess was not verified. The attempt is given back.
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
            state.per_user(self.keys.guess).give_back(user);
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

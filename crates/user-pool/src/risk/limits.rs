//! The limits, each a token bucket, and which of them an attempt uses.

use std::net::IpAddr;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::directory::name::UserName;
use crate::rate_limit::{self, Buckets, Limit, network};
use crate::shares::{Bounds, Found, Shares};

const PER_USER_AND_ADDRESS: Limit = Limit { burst: 5, interval: Duration::from_secs(30) };
const PER_ADDRESS: Limit = Limit { burst: 30, interval: Duration::from_secs(5) };
const PER_SITE: Limit = Limit { burst: 120, interval: Duration::from_secs(1) };
const PER_USER: Limit = Limit { burst: 50, interval: Duration::from_secs(60) };
/// By all names of a user together, which is never told. More than for one name, so that a user who has typed one name is refused by what is told, or not at
/// all. After that, as slowly as with one name.
const OF_ALL_NAMES_AND_ADDRESS: Limit = Limit { burst: 2 * PER_USER_AND_ADDRESS.burst, ..PER_USER_AND_ADDRESS };
const OF_ALL_NAMES: Limit = Limit { burst: 2 * PER_USER.burst, ..PER_USER };
/// A code has six digits, and up to three are good at a time: 288 guesses a day find one with a probability of 1 in 1,000.
const CODES_PER_USER: Limit = Limit { burst: 10, interval: Duration::from_secs(300) };
/// For all browsers together in which a user has signed in before: as many guesses again, whoever has collected their cookies.
const CODES_OF_BROWSERS: Limit = Limit { burst: 20, interval: Duration::from_secs(300) };
/// For one of them: half of that, so that one stolen cookie does not keep the other browsers out.
const CODES_PER_BROWSER: Limit = Limit { burst: 10, interval: Duration::from_secs(600) };
/// How long an address counts as known for a user after a sign-in from there.
const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// Maximum number of known addresses, per user and in total.
const KNOWN: Bounds = Bounds { per_owner: 64, total: 100_000 };

/// Maximum number of entries of each limit. An entry has 16 bytes.
const ENTRIES_MAX: usize = 100_000;

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

/// Whose password or code is guessed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    /// The name that was typed, as it is looked up.
    pub(crate) typed: &'a UserName,
    /// The name of the user to whom it leads. The same one, if it leads to nobody.
    pub(crate) user: &'a UserName,
}

impl<'a> From<&'a UserName> for Named<'a> {
    /// Of a user whom nobody has to name any more.
    fn from(user: &'a UserName) -> Self {
        Self { typed: user, user }
    }
}

/// A limit, in the order of [`Limits::buckets`].
#[derive(Clone, Copy, Debug)]
enum Kind {
    UserAndAddress,
    Address,
    Site,
    User,
    CodesOfUser,
    CodesOfBrowsers,
    CodesOfBrowser,
    AllNamesAndAddress,
    AllNames,
}

/// The buckets that an attempt uses. The first is forgotten when the guess was right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys([Option<(Kind, u64)>; 5]);

impl Keys {
    fn all(self) -> impl Iterator<Item = (Kind, u64)> {
        self.0.into_iter().flatten()
    }

    /// Each of them as a number. Two limits never have the same.
    pub(super) fn numbers(self) -> impl Iterator<Item = u64> {
        self.all().map(|(_, key)| key)
    }
}

/// What is known of attempts.
#[derive(Debug)]
pub(super) struct Limits {
    buckets: [Buckets; 9],
    known: Shares<()>,
}

impl Limits {
    pub(super) fn new() -> Self {
        let limits = [
            PER_USER_AND_ADDRESS,
            PER_ADDRESS,
            PER_SITE,
            PER_USER,
            CODES_PER_USER,
            CODES_OF_BROWSERS,
            CODES_PER_BROWSER,
            OF_ALL_NAMES_AND_ADDRESS,
            OF_ALL_NAMES,
        ];
        Self { buckets: limits.map(|limit| Buckets::new(limit, ENTRIES_MAX)), known: Shares::new(KNOWN) }
    }

    /// The user has signed in from this address. It counts as known for a while.
    pub(super) fn remember(&mut self, user: &UserName, address: IpAddr, now: Timestamp) {
        self.known.put(&user, &(user, network(address)), (now, now + KNOWN_FOR), (), now);
    }

    /// The buckets of a guess at `named`. What the visitor is told comes from them.
    pub(super) fn keys(&mut self, guess: Guess, named: Named<'_>, from: Origin<'_>, now: Timestamp) -> Keys {
        let Named { typed, user } = named;
        let network = network(from.address);
        let site = rate_limit::site(network);
        Keys(match (guess, from.browser) {
            (Guess::Password, Some(browser)) => [
                self.key(Kind::UserAndAddress, &("browser", browser)),
                self.key(Kind::Address, &("browsers", user)),
                None,
                None,
                None,
            ],
            (Guess::Password, None) => {
                let is_known = self.is_known(user, network, now);
                [
                    self.key(Kind::UserAndAddress, &(typed, network)),
                    self.key(Kind::Address, &network),
                    site.and_then(|site| self.key(Kind::Site, &site)),
                    if is_known { None } else { self.key(Kind::User, &typed) },
                    None,
                ]
            }
            (Guess::Code, browser) => [
                match browser {
                    Some(browser) => self.key(Kind::UserAndAddress, &("code", "browser", browser)),
                    None => self.key(Kind::UserAndAddress, &("code", user, network)),
                },
                self.key(Kind::Address, &network),
                site.and_then(|site| self.key(Kind::Site, &site)),
                match browser {
                    Some(_) => self.key(Kind::CodesOfBrowsers, &user),
                    None => self.key(Kind::CodesOfUser, &user),
                },
                browser.and_then(|browser| self.key(Kind::CodesOfBrowser, &browser)),
            ],
        })
    }

    /// The buckets of a wrong password at this user, whichever name was typed. The visitor is not told of them. A known browser has told ones only.
    pub(super) fn keys_of_all_names(&mut self, user: &UserName, from: Origin<'_>, now: Timestamp) -> Keys {
        if from.browser.is_some() {
            return Keys([None; 5]);
        }
        let network = network(from.address);
        let is_known = self.is_known(user, network, now);
        Keys([
            self.key(Kind::AllNamesAndAddress, &(user, network)),
            if is_known { None } else { self.key(Kind::AllNames, &user) },
            None,
            None,
            None,
        ])
    }

    fn is_known(&mut self, user: &UserName, network: [u8; 8], now: Timestamp) -> bool {
        matches!(self.known.find(&user, &(user, network), now, now), Found::Here(()))
    }

    fn key(&self, kind: Kind, of: &impl std::hash::Hash) -> Option<(Kind, u64)> {
        Some((kind, self.buckets[kind as usize].key(of)))
    }

    /// Time until an attempt is permitted, as if this number of attempts had been given back to each bucket.
    pub(super) fn wait(&self, keys: Keys, given_back: impl Fn(u64) -> u32, now: Timestamp) -> Duration {
        let waits = keys.all().map(|(kind, key)| self.buckets[kind as usize].wait_without(key, given_back(key), now));
        waits.max().unwrap_or_default()
    }

    pub(super) fn take(&mut self, keys: Keys, now: Timestamp) {
        keys.all().for_each(|(kind, key)| self.buckets[kind as usize].take(key, now));
    }

    pub(super) fn give_back(&mut self, keys: Keys) {
        keys.all().for_each(|(kind, key)| self.buckets[kind as usize].give_back(key));
    }

    /// The guess was right: failures of this user from this address are forgotten.
    pub(super) fn forget(&mut self, keys: Keys) {
        if let [Some((kind, key)), ..] = keys.0 {
            self.buckets[kind as usize].forget(key);
        }
    }
}

//! Second factors: their settings and their store, and what becomes of an answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::credential::webauthn::RelyingParty;
use crate::database::{self, Database, Transaction};
use crate::directory::record::Records;
use crate::factors::{Factors, settings};
use crate::messages::message::Kind;
use crate::messages::outgoing::Outgoing;
use crate::secret::Secret;
use crate::signin::known::KnownBrowser;

/// The second factors of a pool with a database.
#[derive(Clone, Debug)]
pub(crate) struct Second {
    pub(crate) database: Arc<Database>,
    pub(crate) factors: Factors,
    pub(crate) settings: settings::Settings,
    /// Sends codes, and tells users of new factors.
    pub(crate) outgoing: Outgoing,
    /// The users whom it tells.
    pub(crate) records: Records,
    /// `None` if users have no passkeys.
    pub(crate) relying_party: Option<Arc<RelyingParty>>,
}

impl Second {
    /// Tells a user of the database that a factor was added or removed: the user may not have done it.
    pub(crate) fn tell(
        &self,
        on: &mut Transaction<'_>,
        kind: Kind,
        subject: &str,
        now: Timestamp,
    ) -> Result<(), database::Error> {
        match self.records.of_subject(on, subject)? {
            Some(user) => self.outgoing.notify(on, kind, &user, now),
            None => Ok(()),
        }
    }
}

/// What became of an answer to a challenge.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It is right, and used up.
    Right,
    /// It is wrong, was used before, or the user has no such factor.
    Wrong,
    /// The code was typed wrong too often. It takes another one.
    TooManyTries,
    /// There is no code: it has expired, was used, or was replaced.
    NoCode,
    /// Too many answers were wrong. The next one is permitted after this time.
    TooMany(Duration),
    /// Too many answers are being verified at the moment.
    Busy,
    /// The user has another password, is disabled, or does not exist any more.
    Over,
}

impl Answer {
    pub(super) const fn of(is_right: bool) -> Self {
        if is_right { Self::Right } else { Self::Wrong }
    }
}

/// What became of an attempt to set up one-time passwords.
#[derive(Debug)]
pub(crate) enum SetUp {
    /// They are set up, and these are the new recovery codes.
    Done(Vec<Secret<String>>),
    /// The code is wrong.
    Wrong,
    /// The user has another password, is disabled, does not exist any more, or has set up a factor meanwhile.
    Over,
}

/// Where an answer comes from.
pub(crate) type From<'a> = (IpAddr, Option<&'a KnownBrowser>);

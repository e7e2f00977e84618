//! Users of the configuration: who is taken out of it, or gets another password there, has signed out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::clock::Timestamp;
use crate::endings::rows::KEPT;
use crate::identity::endings::{Ended, Ending, Endings};

/// The users of the configuration in force: their fingerprints by `sub`.
#[derive(Debug, Default)]
pub(crate) struct Declared(Mutex<HashMap<String, String>>);

impl Declared {
    /// The users of a configuration that is in force from now on. Ends what was issued to those of before who are not there as they were.
    pub(crate) fn replace<'u>(
        &self,
        users: impl Iterator<Item = (&'u str, &'u str)>,
        endings: &Endings,
        now: Timestamp,
    ) {
        let users: HashMap<String, String> = users.map(|(sub, print)| (sub.to_owned(), print.to_owned())).collect();
        let mut declared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let former = std::mem::take(&mut *declared);
        let ended = former.iter().filter(|(sub, print)| users.get(*sub) != Some(print)).map(|(sub, _)| Ending {
            ended: Ended::User(sub),
            // As for users of a database: what comes after gets a later `auth_time`.
            before: endings.first_auth_time(sub).max(now.seconds()) + 1,
            until: now + KEPT,
        });
        endings.publish(ended, now);
        *declared = users;
    }
}

//! What the overview shows.

use crate::account::address;
use crate::account::gate::{Here, Visitor};
use crate::account::service::Account;
use crate::database::{Error, Transaction};
use crate::directory::record::Record;
use crate::self_service::settings::Address;

/// What there is of a user.
#[derive(Debug)]
pub(crate) struct Seen {
    /// `None`: a user of the configuration.
    pub(crate) record: Option<Record>,
    /// Addresses that a code was sent to and that are not in force yet.
    pub(crate) pending: Vec<(Address, String)>,
}

impl Seen {
    /// Whether the user has a password.
    pub(crate) fn has_password(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.password_hash.is_some())
    }
}

impl Account {
    /// What there is of a user. `None` if the session has ended.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn overview(&self, who: &Visitor) -> Result<Option<Seen>, Error> {
        let (codes, now) = (self.outgoing.codes.clone(), self.clock.now());
        let read = move |on: &mut Transaction<'_>, here: &Here| {
            let mut pending = Vec::new();
            for address in [Address::Email, Address::PhoneNumber] {
                let new = codes.pending(on, &address::of(here.subject(), address), now)?;
                pending.extend(new.map(|new| (address, new)));
            }
            Ok(Seen { record: here.record().cloned(), pending })
        };
        self.read(who, read).await
    }
}

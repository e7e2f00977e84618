//! What the overview shows.

use crate::database::Error;
use crate::user_pool::account::gate::Visitor;
use crate::user_pool::account::service::Account;
use crate::user_pool::directory::record::Record;

/// What there is of a user.
#[derive(Debug)]
pub(crate) struct Seen {
    /// `None`: a user of the configuration.
    pub(crate) record: Option<Record>,
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
        self.read(who, |_, here| Ok(Seen { record: here.record().cloned() })).await
    }
}

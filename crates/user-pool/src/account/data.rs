//! What the pool knows of a user, for this user (GDPR, Article 15), and its end (Article 17).

use std::net::IpAddr;

use serde_json::Value as Json;

use crate::account::gate::{Fresh, Visitor};
use crate::account::service::{Account, Change};
use crate::crypto::uuid;
use crate::database::{Error, Transaction};
use crate::directory::name::UserName;
use crate::directory::record::Record;
use crate::events::audit::{Actor, Done};
use crate::management::Management;
use crate::messages::limits::Operation;

impl Account {
    /// Everything that the pool knows of a user, apart from secrets. [`Change::Over`] also for a user of the configuration.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn export(&self, who: &Fresh, client: IpAddr) -> Result<Change<Json>, Error> {
        if let Err(wait) = self.admit(Operation::Export, who, client) {
            return Ok(Change::TooMany(wait));
        }
        let (account, users, now) = (self.clone(), self.management(), self.clock.now());
        let export = move |on: &mut Transaction<'_>, user: &Record| {
            account.audit(on, Done { operation: "user.export", subject: Some(&user.subject), detail: None }, now)?;
            Ok(users.everything(on, &user.subject)?.map(|everything| everything.to_json()))
        };
        Ok(self.change_user(who, export).await?.flatten().into())
    }

    /// Whether users may delete themselves.
    pub(crate) fn may_delete(&self) -> bool {
        self.settings.may_delete
    }

    /// Whether this is what the user has to type to be deleted: what pages call the user.
    pub(crate) fn is_name_of(who: &Visitor, typed: &str) -> bool {
        let name = UserName::parse(who.user().shown_name());
        name.is_some() && UserName::parse(typed) == name
    }

    /// Deletes a user, with everything that tells who it was, and ends everything that was issued. `None` if the session has ended, or if the user is of
    /// the configuration: then nothing was done.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn delete(&self, who: &Fresh) -> Result<Option<()>, Error> {
        let (account, users, now) = (self.clone(), self.management(), self.clock.now());
        let pseudonym = format!("erased-{}", uuid::random());
        let delete = move |on: &mut Transaction<'_>, user: &Record| {
            users.erase_now(on, &user.subject, &pseudonym, now)?;
            account.audit(on, Done { operation: "user.erase", subject: Some(&pseudonym), detail: None }, now)
        };
        if self.change_user(who, delete).await?.is_none() {
            return Ok(None);
        }
        let database = std::sync::Arc::clone(&self.stored.database);
        // If it does not work now, the file `-wal` has former contents for a while.
        let _emptied = tokio::task::spawn_blocking(move || database.empty_log()).await;
        Ok(Some(()))
    }

    fn management(&self) -> Management {
        Management::new(self.stored.clone()).with_rules(std::sync::Arc::clone(&self.rules)).by(Actor::User)
    }
}

//! The users and app clients of a pool: those of the configuration, and those of its database.

pub(crate) mod alias;
pub mod attribute;
pub(crate) mod client;
pub mod custom;
pub(crate) mod filter;
pub(crate) mod group;
pub(crate) mod name;
pub(crate) mod record;
pub(crate) mod search;
pub mod settings;
pub mod status;
pub(crate) mod user;

use std::collections::HashMap;
use std::sync::Arc;

use client::Client;
use name::UserName;
use record::{Record, Records};
use user::User;

use crate::database::{self, Database, Transaction};
use crate::secret::Secret;
use crate::settings::{ClientSettings, UserSettings};

/// How many different costs of hashes of other systems each sign-in does the work of.
const FOREIGN_COSTS_MAX: i64 = 4;

/// All users and app clients.
#[derive(Debug)]
pub(crate) struct Directory {
    by_name: HashMap<UserName, Arc<User>>,
    by_subject: HashMap<String, Arc<User>>,
    stored: Option<StoredUsers>,
    rules: Arc<settings::Settings>,
    clients: HashMap<String, Arc<Client>>,
}

/// The users of a database.
#[derive(Clone, Debug)]
pub struct StoredUsers {
    pub database: Arc<Database>,
    pub records: Records,
}

impl Directory {
    /// Indexes the configuration's users and clients. A user of the configuration is found before one of the database with the same name.
    pub(crate) fn new(users: Vec<UserSettings>, clients: Vec<ClientSettings>, stored: Option<StoredUsers>) -> Self {
        let users: Vec<Arc<User>> = users.into_iter().filter_map(User::new).map(Arc::new).collect();
        Self {
            by_name: users.iter().map(|user| (user.name().clone(), Arc::clone(user))).collect(),
            by_subject: users.iter().map(|user| (user.subject().to_owned(), Arc::clone(user))).collect(),
            stored,
            rules: Arc::default(),
            clients: clients
                .into_iter()
                .map(|client| (client.client_id.clone(), Arc::new(Client::new(client))))
                .collect(),
        }
    }

    /// The same directory, whose users have these attributes and aliases.
    pub(crate) fn with_rules(self, rules: Arc<settings::Settings>) -> Self {
        Self { rules, ..self }
    }

    /// Finds a user by user name, or by an alias that the pool has. Takes as long for a name that nobody has (attacks U-01).
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn user_named(&self, name: &UserName) -> Result<Option<Arc<User>>, database::Error> {
        let stored = match &self.stored {
            Some(stored) => {
                let name = self.rules.sign_in_name(name);
                stored.find(|records, on, name| records.signing_in(on, name), name).await?
            }
            None => None,
        };
        Ok(self.by_name.get(name).cloned().or(stored))
    }

    /// Finds a user by name who signs in, and what the hashes of other systems cost that users have: [`FOREIGN_COSTS_MAX`] of them. Takes as long for a
    /// name that nobody has (attacks U-01).
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn who_signs_in(
        &self,
        name: &UserName,
    ) -> Result<(Option<Arc<User>>, Vec<String>), database::Error> {
        let Some(stored) = &self.stored else { return Ok((self.by_name.get(name).cloned(), Vec::new())) };
        let (records, key) = (stored.records.clone(), self.rules.sign_in_name(name));
        let read = move |on: &mut Transaction<'_>| {
            let user = records.signing_in(on, &key)?;
            Ok((records.as_long(on, user)?, records.foreign_costs(on, FOREIGN_COSTS_MAX)?))
        };
        let (found, costs) = stored.database.read(read).await?;
        let found = found.and_then(User::stored).map(Arc::new);
        Ok((self.by_name.get(name).cloned().or(found), costs))
    }

    /// One spelling for all spellings of a name that lead to the same user, if they lead to one.
    pub(crate) fn canonical(&self, name: &UserName) -> UserName {
        self.rules.canonical(name)
    }

    /// Finds a user by `sub`. `None` if the password has changed since `fingerprint` was computed, if the user was disabled, or if the user
    /// has to do something first ([`Status::may_have_sessions`](status::Status::may_have_sessions)).
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn user(&self, subject: &str, fingerprint: &str) -> Result<Option<Arc<User>>, database::Error> {
        let user = match (self.by_subject.get(subject), &self.stored) {
            (Some(user), _) => Some(Arc::clone(user)),
            (None, Some(stored)) => {
                stored.find(|records, on, subject| records.of_subject(on, subject), subject.to_owned()).await?
            }
            (None, None) => None,
        };
        Ok(user.filter(|user| user.may_have_sessions() && user.fingerprint() == fingerprint))
    }

    /// The users of the configuration.
    pub(crate) fn declared(&self) -> impl Iterator<Item = &Arc<User>> {
        self.by_subject.values()
    }

    /// Finds a user by `sub`, who may be disabled, or have to do something first.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn user_of_subject(&self, subject: &str) -> Result<Option<Arc<User>>, database::Error> {
        match (self.by_subject.get(subject), &self.stored) {
            (Some(user), _) => Ok(Some(Arc::clone(user))),
            (None, Some(stored)) => {
                stored.find(|records, on, subject| records.of_subject(on, subject), subject.to_owned()).await
            }
            (None, None) => Ok(None),
        }
    }

    /// Finds a user of a sign-in by `sub`, and reads something else in the same transaction. `None` if the password has changed since
    /// `fingerprint` was computed, or if the user was disabled. The user may have to do something first.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn user_with<T: Default + Send + 'static>(
        &self,
        subject: &str,
        fingerprint: &str,
        with: impl FnOnce(&mut Transaction<'_>) -> Result<T, database::Error> + Send + 'static,
    ) -> Result<Option<(Arc<User>, T)>, database::Error> {
        let declared = self.by_subject.get(subject).cloned();
        let found = match &self.stored {
            None => declared.map(|user| (user, T::default())),
            Some(stored) => {
                let (records, key, is_declared) = (stored.records.clone(), subject.to_owned(), declared.is_some());
                let read = move |on: &mut Transaction<'_>| {
                    let record = if is_declared { None } else { records.of_subject(on, &key)? };
                    Ok((record, with(on)?))
                };
                let (record, value) = stored.database.read(read).await?;
                declared.or(record.and_then(User::stored).map(Arc::new)).map(|user| (user, value))
            }
        };
        Ok(found.filter(|(user, _)| user.is_enabled() && user.fingerprint() == fingerprint))
    }

    /// The password hashes of the configuration's users.
    pub(crate) fn declared_hashes(&self) -> impl Iterator<Item = &Secret<String>> {
        self.declared().filter_map(|user| user.password_hash())
    }

    /// Whether users can be added while the process runs.
    pub(crate) fn is_stored(&self) -> bool {
        self.stored.is_some()
    }

    /// Finds an app client by its client ID.
    pub(crate) fn client(&self, client_id: &str) -> Option<&Arc<Client>> {
        self.clients.get(client_id)
    }

    /// Every app client.
    pub(crate) fn clients(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.clients.values()
    }
}

impl StoredUsers {
    async fn find<K: Send + 'static>(
        &self,
        by: fn(&Records, &mut Transaction<'_>, &K) -> Result<Option<Record>, database::Error>,
        key: K,
    ) -> Result<Option<Arc<User>>, database::Error> {
        let records = self.records.clone();
        let found = self.database.read(move |on| by(&records, on, &key)).await?;
        Ok(found.and_then(User::stored).map(Arc::new))
    }
}

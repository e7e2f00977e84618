//! Who may sign in, and to what: the users and app clients of the configuration.

pub(crate) mod client;
pub(crate) mod user;

use std::collections::HashMap;
use std::sync::Arc;

use client::Client;
use user::{User, UserName};

use crate::user_pool::settings::{ClientSettings, UserSettings};

/// Every user and app client. Never changes.
#[derive(Debug)]
pub(crate) struct Directory {
    by_name: HashMap<UserName, Arc<User>>,
    by_subject: HashMap<String, Arc<User>>,
    clients: HashMap<String, Arc<Client>>,
}

impl Directory {
    /// Indexes the configuration's users and clients.
    pub(crate) fn new(users: Vec<UserSettings>, clients: Vec<ClientSettings>) -> Self {
        let users: Vec<Arc<User>> = users.into_iter().filter_map(User::new).map(Arc::new).collect();
        Self {
            by_name: users.iter().map(|user| (user.name().clone(), Arc::clone(user))).collect(),
            by_subject: users.iter().map(|user| (user.subject().to_owned(), Arc::clone(user))).collect(),
            clients: clients
                .into_iter()
                .map(|client| (client.client_id.clone(), Arc::new(Client::new(client))))
                .collect(),
        }
    }

    /// The user of that name.
    pub(crate) fn user_named(&self, name: &UserName) -> Option<&Arc<User>> {
        self.by_name.get(name)
    }

    /// The user with that `sub`, while the password is still the one that `fingerprint` was made of.
    pub(crate) fn user(&self, subject: &str, fingerprint: &str) -> Option<&Arc<User>> {
        self.by_subject.get(subject).filter(|user| user.fingerprint() == fingerprint)
    }

    /// Every user.
    pub(crate) fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.by_subject.values()
    }

    /// The app client with that id.
    pub(crate) fn client(&self, client_id: &str) -> Option<&Arc<Client>> {
        self.clients.get(client_id)
    }

    /// Every app client.
    pub(crate) fn clients(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.clients.values()
    }
}

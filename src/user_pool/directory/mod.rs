//! The users and app clients of the configuration.

pub(crate) mod client;
pub(crate) mod user;

use std::collections::HashMap;
use std::sync::Arc;

use client::Client;
use user::{User, UserName};

use crate::user_pool::settings::{ClientSettings, UserSettings};

/// All users and app clients. Immutable.
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

    /// Finds a user by name.
    pub(crate) fn user_named(&self, name: &UserName) -> Option<&Arc<User>> {
        self.by_name.get(name)
    }

    /// Finds a user by `sub`. `None` if the password has changed since `fingerprint` was computed.
    pub(crate) fn user(&self, subject: &str, fingerprint: &str) -> Option<&Arc<User>> {
        self.by_subject.get(subject).filter(|user| user.fingerprint() == fingerprint)
    }

    /// Every user.
    pub(crate) fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.by_subject.values()
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

//! Sign-in pages of the operator's own: their addresses, and which pages may send the password.

use std::collections::{BTreeMap, HashMap};

use crate::brand::settings::LoginPage;

/// The own sign-in pages of a pool.
#[derive(Debug)]
pub(crate) struct LoginPages {
    pool: Option<LoginPage>,
    /// By client ID.
    clients: HashMap<Box<str>, LoginPage>,
}

impl LoginPages {
    pub(super) fn new(pool: Option<LoginPage>, clients: BTreeMap<String, LoginPage>) -> Self {
        Self { pool, clients: clients.into_iter().map(|(client_id, page)| (client_id.into(), page)).collect() }
    }

    /// The page for users who sign in to this client. `None`: ours.
    pub(crate) fn of(&self, client_id: &str) -> Option<&LoginPage> {
        self.clients.get(client_id).or(self.pool.as_ref())
    }

    /// Whether a page of this origin may send passwords for at least one client. `origin` is the text of the header `Origin`.
    pub(crate) fn allows(&self, origin: &str) -> bool {
        self.clients.values().chain(&self.pool).any(|page| page.allows(origin))
    }
}

impl LoginPage {
    /// Whether this is one of the origins, compared as text: a browser sends the serialised form.
    pub(crate) fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|known| known == origin)
    }
}

//! The looks of the pages: that of the pool, and those of single app clients. All of them are made at load.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use crate::page::Pages;
use crate::page::settings::Settings;

/// Every look of a pool.
#[derive(Debug)]
pub(crate) struct Looks {
    pool: Arc<Pages>,
    /// By client ID: those that differ from the look of the pool.
    clients: HashMap<Box<str>, Pages>,
    /// The stylesheets, by path.
    stylesheets: HashMap<Box<str>, Bytes>,
}

impl Looks {
    /// Makes the looks. `usual` is the look of all pages of this configuration.
    pub(super) fn new(pool: Option<Settings>, clients: BTreeMap<String, Settings>, usual: Arc<Pages>) -> Self {
        let pool = pool.map_or(usual, |pages| Arc::new(Pages::new(pages)));
        let of_client = |(client_id, pages): (String, _)| (client_id.into_boxed_str(), Pages::new(pages));
        let clients: HashMap<_, _> = clients.into_iter().map(of_client).collect();
        let stylesheets = clients.values().chain([&*pool]).filter_map(Pages::stylesheet);
        let stylesheets = stylesheets.map(|sheet| (sheet.path().into(), sheet.text().clone())).collect();
        Self { pool, clients, stylesheets }
    }

    /// The look for users who sign in to this client. `None`: no client asks for a sign-in.
    pub(crate) fn of(&self, client_id: Option<&str>) -> &Pages {
        client_id.and_then(|client_id| self.clients.get(client_id)).unwrap_or(&self.pool)
    }

    /// The stylesheet at a path.
    pub(crate) fn stylesheet(&self, path: &str) -> Option<&Bytes> {
        self.stylesheets.get(path)
    }
}

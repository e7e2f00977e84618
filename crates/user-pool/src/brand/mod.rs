//! What the operator makes of the pages of a pool: their look, for the pool and for single app clients, the hosts they are on, and sign-in pages of
//! the operator's own.

mod login_pages;
mod looks;
mod settings;
mod used;

use std::sync::Arc;

pub(crate) use login_pages::LoginPages;
pub(crate) use looks::Looks;
pub use settings::{LoginPage, Settings};
pub(crate) use used::Used;

use crate::page::Pages;

/// What is made of the settings at load.
#[derive(Debug)]
pub(crate) struct Brand {
    pub(crate) looks: Looks,
    pub(crate) login_pages: LoginPages,
}

impl Brand {
    /// `usual` is the look of all pages of this configuration.
    pub(crate) fn new(settings: Settings, usual: Arc<Pages>) -> Self {
        let Settings { pages, clients, domains: _, login_page, client_login_pages } = settings;
        Self { looks: Looks::new(pages, clients, usual), login_pages: LoginPages::new(login_page, client_login_pages) }
    }
}

//! The settings.

use std::collections::BTreeMap;

use url::Url;

use crate::page;

/// A sign-in page of the operator's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginPage {
    /// Without a fragment.
    pub url: Url,
    /// Where pages may be that send passwords, as a browser writes it in `Origin`: `https://www.example.com`.
    pub origins: Vec<String>,
}

/// What is not set is as on all other pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The look of the pages of this pool. `None`: that of all pages.
    pub pages: Option<page::settings::Settings>,
    /// The look while users sign in to a client, by its client ID.
    pub clients: BTreeMap<String, page::settings::Settings>,
    /// Origins besides that of the issuer that the pool is served on. They have its scheme and its port.
    pub domains: Vec<Url>,
    /// Where users type their passwords. `None`: on our own page.
    pub login_page: Option<LoginPage>,
    /// The same for single clients, by client ID.
    pub client_login_pages: BTreeMap<String, LoginPage>,
}

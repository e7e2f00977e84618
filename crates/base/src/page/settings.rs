//! The theme of the pages, from a section `pages` of the configuration.

use std::sync::Arc;

use crate::page::color::{Colors, Schemes};
use crate::page::css::Stylesheet;
use crate::page::logo::Logo;
use crate::page::translation::{self, Translation};

/// Addresses that every page links to. Each is an `https` URL or that of an e-mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    pub terms: Option<Arc<str>>,
    pub privacy: Option<Arc<str>>,
    pub help: Option<Arc<str>>,
}

/// The theme. The default is the look and the languages that are compiled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The name of the organisation or site, on every page.
    pub title: Option<String>,
    pub logo: Option<Logo>,
    /// The logo for a dark colour scheme. `None` uses `logo`.
    pub logo_dark: Option<Logo>,
    pub colors: Colors,
    pub colors_dark: Colors,
    pub schemes: Schemes,
    pub links: Links,
    /// Only for pages on the host of a user pool, which serves the file.
    pub css: Option<Stylesheet>,
    /// At least one. The first is for visitors whose language is not there.
    /// Themes that say nothing else share them.
    pub translations: Arc<[Translation]>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            title: None,
            logo: None,
            logo_dark: None,
            colors: Colors::default(),
            colors_dark: Colors::default(),
            schemes: Schemes::default(),
            links: Links::default(),
            css: None,
            translations: translation::built_in().into(),
        }
    }
}

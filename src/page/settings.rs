//! The theme of the pages, from the section `pages` of the configuration.

use crate::page::color::Colors;
use crate::page::logo::Logo;
use crate::page::translation::{self, Translation};

/// The theme. The default is the look and the languages that are compiled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The name of the organisation or site, on every page.
    pub(crate) title: Option<String>,
    pub(crate) logo: Option<Logo>,
    /// The logo for a dark colour scheme. `None` uses `logo`.
    pub(crate) logo_dark: Option<Logo>,
    pub(crate) colors: Colors,
    pub(crate) colors_dark: Colors,
    /// At least one. The first is for visitors whose language is not there.
    pub(crate) translations: Vec<Translation>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            title: None,
            logo: None,
            logo_dark: None,
            colors: Colors::default(),
            colors_dark: Colors::default(),
            translations: translation::built_in().to_vec(),
        }
    }
}

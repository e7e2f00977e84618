//! The pages of the console, which all have the same parts.

use askama::Template;

use crate::page::site::View;

/// What a page of the console shows.
#[derive(Debug, Default)]
pub(crate) struct ConsolePage {
    pub(crate) title: String,
    pub(crate) search: Option<ConsoleSearch>,
    pub(crate) acts: Vec<ConsoleAct>,
    pub(crate) tables: Vec<ConsoleTable>,
    pub(crate) links: Vec<ConsoleCell>,
}

/// The field of a search.
#[derive(Clone, Debug)]
pub(crate) struct ConsoleSearch {
    pub(crate) action: &'static str,
    /// The name of the pool.
    pub(crate) pool: String,
    /// What was searched for.
    pub(crate) typed: String,
}

/// A button.
#[derive(Clone, Debug)]
pub(crate) struct ConsoleAct {
    pub(crate) action: String,
    pub(crate) label: &'static str,
}

/// Rows below names of columns.
#[derive(Clone, Debug)]
pub(crate) struct ConsoleTable {
    pub(crate) title: Option<String>,
    pub(crate) head: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<ConsoleCell>>,
}

/// A text, which may lead somewhere.
#[derive(Clone, Debug)]
pub(crate) struct ConsoleCell {
    text: String,
    href: Option<String>,
}

impl ConsoleCell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), href: None }
    }

    pub(crate) fn link(text: impl Into<String>, href: impl Into<String>) -> Self {
        Self { text: text.into(), href: Some(href.into()) }
    }
}

/// The page with its look.
#[derive(Debug, Template)]
#[template(path = "console.html")]
pub(crate) struct InView<'a> {
    view: View<'a>,
    page: ConsolePage,
}

impl ConsolePage {
    /// The page, ready to be shown.
    pub(crate) fn in_view(self, view: View<'_>) -> InView<'_> {
        InView { view, page: self }
    }
}

//! The pages of the console, which all have the same parts.

use askama::Template;

use crate::page::site::View;

/// What a page of the console shows.
#[derive(Debug, Default)]
pub struct ConsolePage {
    pub title: String,
    /// What will be done, before it is.
    pub question: Option<String>,
    pub search: Option<ConsoleSearch>,
    /// What can be done: each leads to a page that asks first.
    pub ways: Vec<ConsoleCell>,
    /// What is done at once.
    pub acts: Vec<ConsoleAct>,
    pub tables: Vec<ConsoleTable>,
    pub links: Vec<ConsoleCell>,
}

/// The field of a search.
#[derive(Clone, Debug)]
pub struct ConsoleSearch {
    pub action: &'static str,
    /// The name of the pool.
    pub pool: String,
    /// What was searched for.
    pub typed: String,
}

/// A button.
#[derive(Clone, Debug)]
pub struct ConsoleAct {
    pub action: String,
    pub label: &'static str,
}

/// Rows below names of columns. Without names, the first cell of each row is what the others are about.
#[derive(Clone, Debug)]
pub struct ConsoleTable {
    pub title: Option<String>,
    pub head: Vec<&'static str>,
    pub rows: Vec<Vec<ConsoleCell>>,
}

/// A text, which may lead somewhere.
#[derive(Clone, Debug)]
pub struct ConsoleCell {
    text: String,
    href: Option<String>,
}

impl ConsoleTable {
    /// The name of a column, for screens on which the columns are below each other.
    fn label(&self, column: usize) -> &'static str {
        self.head.get(column).copied().unwrap_or_default()
    }
}

impl ConsoleCell {
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), href: None }
    }

    pub fn link(text: impl Into<String>, href: impl Into<String>) -> Self {
        Self { text: text.into(), href: Some(href.into()) }
    }
}

/// The page with its look.
#[derive(Debug, Template)]
#[template(path = "console.html")]
pub struct InView<'a> {
    view: View<'a>,
    page: ConsolePage,
}

impl ConsolePage {
    /// The page, ready to be shown.
    pub fn in_view(self, view: View<'_>) -> InView<'_> {
        InView { view, page: self }
    }
}

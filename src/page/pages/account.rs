//! The pages of the account that are no form.

use askama::Template;

use crate::page::link::Link;
use crate::page::sentence::Sentence;
use crate::page::site::View;
use crate::page::text::Text;

/// What a user can see and change, part by part.
#[derive(Debug, Template)]
#[template(path = "account_overview.html")]
pub(crate) struct Overview<'a> {
    pub(crate) view: View<'a>,
    /// What was just done.
    pub(crate) done: Option<Sentence>,
    pub(crate) parts: Vec<Part>,
    pub(crate) links: Vec<Link>,
}

/// One part.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) title: Text,
    /// Names and values.
    pub(crate) facts: Vec<(Sentence, Sentence)>,
    pub(crate) notes: Vec<Sentence>,
    pub(crate) links: Vec<Link>,
}

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

/// A list of what there is, with buttons that end it.
#[derive(Debug, Template)]
#[template(path = "account_list.html")]
pub(crate) struct List<'a> {
    pub(crate) view: View<'a>,
    pub(crate) title: Text,
    /// What was just done.
    pub(crate) done: Option<Sentence>,
    pub(crate) lead: Vec<Sentence>,
    /// One without items is not shown.
    pub(crate) groups: Vec<(Text, Vec<Item>)>,
    /// The path that the form is sent to.
    pub(crate) action: &'a str,
    /// The hidden value.
    pub(crate) carried: &'a str,
    /// A button for all of it.
    pub(crate) press: Option<Press>,
    pub(crate) links: Vec<Link>,
}

/// One thing of a list.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) title: Sentence,
    /// What tells it from the others.
    pub(crate) mark: Option<Text>,
    pub(crate) facts: Vec<Sentence>,
    pub(crate) press: Option<Press>,
}

/// A button with a name and a value.
#[derive(Debug)]
pub(crate) struct Press {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) label: Text,
}

impl List<'_> {
    fn has_form(&self) -> bool {
        self.press.is_some() || self.groups.iter().any(|(_, items)| items.iter().any(|item| item.press.is_some()))
    }

    /// What a button of an item says to who does not see the item: `End this session: Firefox on Linux`.
    fn spoken(&self, press: &Press, item: &Item) -> String {
        format!("{}: {}", self.view.text(press.label), self.view.plain(&item.title))
    }

    fn mark(&self, item: &Item) -> Option<&str> {
        item.mark.map(|mark| self.view.text(mark))
    }
}

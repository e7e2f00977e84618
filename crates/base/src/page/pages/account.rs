//! The pages of the account that are no form.

use askama::Template;

use crate::page::link::Link;
use crate::page::sentence::Sentence;
use crate::page::site::View;
use crate::page::text::Text;

/// What a user can see and change, part by part.
#[derive(Debug, Template)]
#[template(path = "account_overview.html")]
pub struct Overview<'a> {
    pub view: View<'a>,
    /// What was just done.
    pub done: Option<Sentence>,
    pub parts: Vec<Part>,
    pub links: Vec<Link>,
}

/// One part.
#[derive(Debug)]
pub struct Part {
    pub title: Text,
    /// Names and values.
    pub facts: Vec<(Sentence, Sentence)>,
    pub notes: Vec<Sentence>,
    pub links: Vec<Link>,
}

/// A list of what there is, with buttons that end it.
#[derive(Debug, Template)]
#[template(path = "account_list.html")]
pub struct List<'a> {
    pub view: View<'a>,
    pub title: Text,
    /// What was just done.
    pub done: Option<Sentence>,
    pub lead: Vec<Sentence>,
    /// One without items is not shown.
    pub groups: Vec<(Text, Vec<Item>)>,
    /// The path that the form is sent to.
    pub action: &'a str,
    /// The hidden value.
    pub carried: &'a str,
    /// A button for all of it.
    pub press: Option<Press>,
    pub links: Vec<Link>,
}

/// One thing of a list.
#[derive(Debug)]
pub struct Item {
    pub title: Sentence,
    /// What tells it from the others.
    pub mark: Option<Text>,
    pub facts: Vec<Sentence>,
    pub press: Option<Press>,
}

/// A button with a name and a value.
#[derive(Debug)]
pub struct Press {
    pub name: &'static str,
    pub value: String,
    pub label: Text,
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

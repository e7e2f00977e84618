//! A page of the account with lists of things, each with buttons that do something about it.

use askama::Template;

use crate::page::link::Link;
use crate::page::sentence::Sentence;
use crate::page::site::View;
use crate::page::text::Text;

/// Lists of things.
#[derive(Debug, Template)]
#[template(path = "account_factors.html")]
pub struct FactorPage<'a> {
    pub view: View<'a>,
    /// The heading.
    pub title: Text,
    /// What was just done or not done.
    pub said: Option<FactorSaid>,
    /// The path that each form is sent to.
    pub action: &'a str,
    /// The hidden value.
    pub carried: &'a str,
    pub parts: Vec<FactorPart>,
    pub links: Vec<Link>,
}

/// What a page says first.
#[derive(Debug)]
pub struct FactorSaid {
    pub sentence: Sentence,
    /// Whether it was not done.
    pub is_refused: bool,
}

/// One list.
#[derive(Debug)]
pub struct FactorPart {
    pub title: Text,
    pub lead: Vec<Sentence>,
    pub items: Vec<FactorItem>,
    /// For all of them.
    pub buttons: Vec<ItemButton>,
    pub links: Vec<Link>,
}

/// One thing.
#[derive(Debug)]
pub struct FactorItem {
    pub title: Sentence,
    pub facts: Sentence,
    /// What it is called can be changed.
    pub field: Option<NameField>,
    /// Why there is no button.
    pub note: Option<Sentence>,
    pub buttons: Vec<ItemButton>,
}

/// A field `name`, with a button of its own.
#[derive(Debug)]
pub struct NameField {
    pub button: ItemButton,
    pub typed: String,
    pub length_max: usize,
}

/// What a button sends, and what it says.
#[derive(Debug)]
pub struct ItemButton {
    pub name: &'static str,
    pub value: String,
    pub label: Text,
}

impl FactorPage<'_> {
    /// The title of the tab. It says first that something is wrong: a screen reader reads it when the page has loaded.
    fn tab(&self) -> String {
        let heading = self.view.text(self.title);
        match &self.said {
            Some(FactorSaid { is_refused: true, .. }) => {
                self.view.plain(&Sentence::from(Text::FormNotTaken).named("title", heading))
            }
            _ => heading.to_owned(),
        }
    }

    /// What a screen reader says of a button: what it is about, too.
    fn spoken(&self, button: &ItemButton, item: &FactorItem) -> String {
        format!("{}: {}", self.view.text(button.label), self.view.plain(&item.title))
    }
}

//! A page of the account with lists of things, each with buttons that do something about it.

use askama::Template;

use crate::page::link::Link;
use crate::page::sentence::Sentence;
use crate::page::site::View;
use crate::page::text::Text;

/// Lists of things.
#[derive(Debug, Template)]
#[template(path = "account_factors.html")]
pub(crate) struct FactorPage<'a> {
    pub(crate) view: View<'a>,
    /// The heading.
    pub(crate) title: Text,
    /// What was just done or not done.
    pub(crate) said: Option<FactorSaid>,
    /// The path that each form is sent to.
    pub(crate) action: &'a str,
    /// The hidden value.
    pub(crate) carried: &'a str,
    pub(crate) parts: Vec<FactorPart>,
    pub(crate) links: Vec<Link>,
}

/// What a page says first.
#[derive(Debug)]
pub(crate) struct FactorSaid {
    pub(crate) sentence: Sentence,
    /// Whether it was not done.
    pub(crate) is_refused: bool,
}

/// One list.
#[derive(Debug)]
pub(crate) struct FactorPart {
    pub(crate) title: Text,
    pub(crate) lead: Vec<Sentence>,
    pub(crate) items: Vec<FactorItem>,
    /// For all of them.
    pub(crate) buttons: Vec<ItemButton>,
    pub(crate) links: Vec<Link>,
}

/// One thing.
#[derive(Debug)]
pub(crate) struct FactorItem {
    pub(crate) title: Sentence,
    pub(crate) facts: Sentence,
    /// What it is called can be changed.
    pub(crate) field: Option<NameField>,
    /// Why there is no button.
    pub(crate) note: Option<Sentence>,
    pub(crate) buttons: Vec<ItemButton>,
}

/// A field `name`, with a button of its own.
#[derive(Debug)]
pub(crate) struct NameField {
    pub(crate) button: ItemButton,
    pub(crate) typed: String,
    pub(crate) length_max: usize,
}

/// What a button sends, and what it says.
#[derive(Debug)]
pub(crate) struct ItemButton {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) label: Text,
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

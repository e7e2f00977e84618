//! A page with one form: sign-up, confirmation, a new password. What it asks is data, so that every such page looks and reads alike.

use askama::Template;

use crate::page::link::Link;
use crate::page::sentence::Sentence;
use crate::page::site::View;
use crate::page::text::Text;

/// Asks for something.
#[derive(Debug, Template)]
#[template(path = "form.html")]
pub struct Form<'a> {
    pub view: View<'a>,
    /// The heading.
    pub title: Text,
    /// Why the page is shown again.
    pub alert: Option<Sentence>,
    /// What it is about.
    pub lead: Vec<Sentence>,
    /// The path that the form is sent to.
    pub action: &'a str,
    /// The hidden value.
    pub carried: &'a str,
    pub fields: Vec<Field<'a>>,
    /// What the button says.
    pub submit: Text,
    /// Other things that can be done, each a form with the same hidden value.
    pub others: &'a [Other],
    pub links: &'a [Link],
}

/// One field.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    /// The name in the form that is sent.
    pub name: String,
    /// The name in the page.
    pub id: String,
    pub label: Label,
    pub input: Input,
    /// What was typed before.
    pub value: &'a str,
    pub is_required: bool,
    /// Whether it is below the other fields, and hidden until somebody opens the list.
    pub is_folded: bool,
    /// What to type, below the label.
    pub hint: Option<Sentence>,
}

/// What a field is called.
#[derive(Clone, Debug)]
pub enum Label {
    Text(Text),
    /// The name of an attribute that the configuration has declared.
    Verbatim(String),
}

/// What a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The digits that were sent.
    Code,
    CurrentPassword,
    Date,
    Email,
    NewPassword,
    Phone,
    Text,
    Username,
}

/// Another button of the page.
#[derive(Clone, Debug)]
pub struct Other {
    pub action: &'static str,
    pub label: Text,
}

impl Form<'_> {
    /// The title of the tab. It says first that something is wrong: a screen reader reads it when the page has loaded.
    fn tab(&self) -> String {
        let heading = self.view.text(self.title);
        match self.alert {
            Some(_) => self.view.plain(&Sentence::from(Text::FormNotTaken).named("title", heading)),
            None => heading.to_owned(),
        }
    }

    /// The parts of the page that describe a field.
    fn described(&self, field: &Field<'_>) -> Option<String> {
        let hint = field.hint.as_ref().map(|_| format!("{}-hint", field.id));
        let notice = self.alert.as_ref().map(|_| "notice".to_owned());
        let all: Vec<_> = notice.into_iter().chain(hint).collect();
        (!all.is_empty()).then(|| all.join(" "))
    }

    /// Whether there is a list of folded fields, and whether it is closed: not if there is nothing else, or if something is wrong, which may be there.
    fn folded(&self) -> Option<bool> {
        let (folded, others): (Vec<_>, Vec<_>) = self.fields.iter().partition(|field| field.is_folded);
        (!folded.is_empty()).then_some(!others.is_empty() && self.alert.is_none())
    }

    /// The cursor is in the first field that is empty and must not be.
    fn has_cursor(&self, field: &Field<'_>) -> bool {
        self.fields
            .iter()
            .find(|field| field.is_required && field.value.is_empty())
            .is_some_and(|first| first.id == field.id)
    }
}

impl<'a> Field<'a> {
    /// A field that must be filled in.
    pub fn required(name: &str, label: Label, input: Input, value: &'a str) -> Self {
        let id = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        Self { name: name.to_owned(), id, label, input, value, is_required: true, is_folded: false, hint: None }
    }

    fn label<'v>(&'v self, view: &'v View<'_>) -> &'v str {
        match &self.label {
            Label::Text(text) => view.text(*text),
            Label::Verbatim(name) => name,
        }
    }

    const fn kind(&self) -> &'static str {
        match self.input {
            Input::Code | Input::Text | Input::Username => "text",
            Input::Date => "date",
            Input::Email => "email",
            Input::CurrentPassword | Input::NewPassword => "password",
            Input::Phone => "tel",
        }
    }

    const fn length_max(&self) -> u16 {
        match self.input {
            Input::Code => 16,
            Input::Date => 10,
            Input::Phone => 32,
            Input::Email | Input::Username | Input::CurrentPassword | Input::NewPassword => 256,
            Input::Text => 2048,
        }
    }

    /// The attributes that help to type. Constants only.
    const fn typing(&self) -> &'static str {
        match self.input {
            // `one-time-code` offers the code of a message that has just come.
            Input::Code => r#" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9 ]*""#,
            Input::CurrentPassword => r#" autocomplete="current-password""#,
            Input::Date => r#" autocomplete="bday""#,
            Input::Email => r#" autocomplete="email""#,
            Input::NewPassword => r#" autocomplete="new-password""#,
            Input::Phone => r#" autocomplete="tel""#,
            Input::Text => "",
            Input::Username => r#" autocomplete="username" autocapitalize="none" autocorrect="off" spellcheck="false""#,
        }
    }
}

//! What pages have for passkeys.

use askama::Template;

use crate::page::sentence::{Part, Sentence};
use crate::page::site::View;
use crate::page::text::Text;

/// A form that the script of the page fills in.
#[derive(Clone, Copy, Debug)]
pub struct PasskeyForm<'a> {
    /// `get` or `create`: what the browser is asked for.
    pub what: &'static str,
    /// What the script passes to the browser, in JSON.
    pub options: &'a str,
    /// The path that the form is sent to.
    pub action: &'a str,
    /// The hidden value.
    pub carried: &'a str,
    /// The address of the script.
    pub script: &'a str,
}

/// Asks for a passkey, or adds one.
#[derive(Debug, Template)]
#[template(path = "passkey.html")]
pub struct Passkey<'a> {
    pub view: View<'a>,
    /// Whose passkey it is.
    pub user: &'a str,
    pub title: Text,
    /// Its placeholder is `user`.
    pub lead: Text,
    pub form: PasskeyForm<'a>,
    /// Other ways: what their buttons send, and what they say.
    pub others: &'a [(&'static str, Text)],
    /// Why the page is shown again.
    pub alert: Option<Sentence>,
}

impl Passkey<'_> {
    fn lead(&self) -> Vec<Part> {
        self.view.parts(&Sentence::from(self.lead).named("user", self.user))
    }

    fn submit(&self) -> &str {
        self.view.text(if self.form.what == "create" { Text::PasskeyAddSubmit } else { Text::PasskeySubmit })
    }

    /// The title of the tab. It says first that it failed: a screen reader reads it when the page has loaded.
    fn tab(&self) -> String {
        let title = self.view.text(self.title);
        match self.alert {
            Some(_) => self.view.plain(&Sentence::from(Text::SignInFailed).named("title", title)),
            None => title.to_owned(),
        }
    }
}

/// Asks which second factor to set up.
#[derive(Debug, Template)]
#[template(path = "choose_factor.html")]
pub struct ChooseFactor<'a> {
    pub view: View<'a>,
    /// What the buttons send, and what they say.
    pub choices: &'a [(&'static str, Text)],
    /// The path that the form is sent to.
    pub action: &'a str,
    /// The hidden value.
    pub carried: &'a str,
}

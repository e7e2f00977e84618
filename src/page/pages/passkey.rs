//! What pages have for passkeys.

use askama::Template;

use crate::page::sentence::{Part, Sentence};
use crate::page::site::View;
use crate::page::text::Text;

/// A form that the script of the page fills in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PasskeyForm<'a> {
    /// `get` or `create`: what the browser is asked for.
    pub(crate) what: &'static str,
    /// What the script passes to the browser, in JSON.
    pub(crate) options: &'a str,
    /// The path that the form is sent to.
    pub(crate) action: &'a str,
    /// The hidden value.
    pub(crate) carried: &'a str,
    /// The address of the script.
    pub(crate) script: &'a str,
}

/// Asks for a passkey, or adds one.
#[derive(Debug, Template)]
#[template(path = "passkey.html")]
pub(crate) struct Passkey<'a> {
    pub(crate) view: View<'a>,
    /// Whose passkey it is.
    pub(crate) user: &'a str,
    pub(crate) title: Text,
    /// Its placeholder is `user`.
    pub(crate) lead: Text,
    pub(crate) form: PasskeyForm<'a>,
    /// Other ways: what their buttons send, and what they say.
    pub(crate) others: &'a [(&'static str, Text)],
    /// Why the page is shown again.
    pub(crate) alert: Option<Sentence>,
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
pub(crate) struct ChooseFactor<'a> {
    pub(crate) view: View<'a>,
    /// What the buttons send, and what they say.
    pub(crate) choices: &'a [(&'static str, Text)],
    /// The path that the form is sent to.
    pub(crate) action: &'a str,
    /// The hidden value.
    pub(crate) carried: &'a str,
}

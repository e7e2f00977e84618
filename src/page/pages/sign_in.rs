//! The sign-in page of a user pool.

use askama::Template;

use crate::page::sentence::{Part, Sentence};
use crate::page::site::View;
use crate::page::text::Text;

/// Asks for user name and password.
#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignIn<'a> {
    pub(crate) view: View<'a>,
    /// The heading, in every language. `None` for the one of the texts.
    pub(crate) title: Option<&'a str>,
    /// The name of the relying party, if there is one.
    pub(crate) application: Option<&'a str>,
    /// The path that the form is sent to.
    pub(crate) action: &'a str,
    /// The hidden value.
    pub(crate) carried: &'a str,
    /// The user name that was typed before.
    pub(crate) username: &'a str,
    /// Why the page is shown again.
    pub(crate) alert: Option<Sentence>,
}

impl SignIn<'_> {
    fn heading(&self) -> &str {
        self.title.unwrap_or_else(|| self.view.text(Text::SignInTitle))
    }

    /// The title of the tab. It says first that the sign-in failed: a screen reader reads it when the page has loaded.
    fn tab(&self) -> String {
        match self.alert {
            Some(_) => self.view.plain(&Sentence::from(Text::SignInFailed).named("title", self.heading())),
            None => self.heading().to_owned(),
        }
    }

    fn continue_to(&self) -> Option<Vec<Part>> {
        let application = self.application?;
        Some(self.view.parts(&Sentence::from(Text::SignInContinue).named("application", application)))
    }
}

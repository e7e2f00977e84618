//! The page that asks whether to sign out of a user pool.

use askama::Template;

use crate::page::sentence::{Part, Sentence};
use crate::page::site::View;
use crate::page::text::Text;

/// Asks whether to sign out, because a relying party asked for it without proof.
#[derive(Debug, Template)]
#[template(path = "sign_out.html")]
pub(crate) struct SignOut<'a> {
    pub(crate) view: View<'a>,
    /// The name of the relying party, if it is known.
    pub(crate) application: Option<&'a str>,
    /// The path that the form is sent to.
    pub(crate) action: &'a str,
    /// The path of the page with the applications.
    pub(crate) home: &'a str,
    /// The hidden value.
    pub(crate) carried: &'a str,
}

impl SignOut<'_> {
    fn question(&self) -> Vec<Part> {
        let sentence = match self.application {
            Some(name) => Sentence::from(Text::SignOutAskedBy).named("application", name),
            None => Text::SignOutAsked.into(),
        };
        self.view.parts(&sentence)
    }
}

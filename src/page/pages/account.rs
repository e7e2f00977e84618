//! The sign-in page of a user pool, for a user who is signed in.

use askama::Template;

use crate::page::sentence::{Part, Sentence};
use crate::page::site::View;
use crate::page::text::Text;

/// Says who is signed in, and links to the applications.
#[derive(Debug, Template)]
#[template(path = "account.html")]
pub(crate) struct Account<'a> {
    pub(crate) view: View<'a>,
    pub(crate) user: &'a str,
    /// Names and addresses.
    pub(crate) applications: &'a [(String, String)],
    /// The path that the form is sent to.
    pub(crate) action: &'a str,
    /// The hidden value.
    pub(crate) carried: &'a str,
}

impl Account<'_> {
    fn who(&self) -> Vec<Part> {
        self.view.parts(&Sentence::from(Text::AccountUser).named("user", self.user))
    }
}

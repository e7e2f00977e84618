//! The page of the demo application of `vestibule dev`.

use askama::Template;

use crate::page::sentence::{Part, Sentence};
use crate::page::site::View;
use crate::page::text::Text;

/// Shows the request that the application received.
#[derive(Debug, Template)]
#[template(path = "demo.html")]
pub(crate) struct Demo<'a> {
    pub(crate) view: View<'a>,
    /// The name of the user. `None` if nobody is signed in.
    pub(crate) user: Option<&'a str>,
    pub(crate) sign_out: &'a str,
    /// Names and values.
    pub(crate) claims: &'a [(String, String)],
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    /// Names and values.
    pub(crate) headers: &'a [(String, String)],
}

impl Demo<'_> {
    fn who(&self) -> Vec<Part> {
        let sentence = match self.user {
            Some(user) => Sentence::from(Text::DemoSignedIn).named("user", user),
            None => Text::DemoNobody.into(),
        };
        self.view.parts(&sentence)
    }
}

//! Answers of the authorization endpoint that are sent by a form (OAuth 2.0 Form Post Response Mode).
//!
//! The endpoint redirects to a page of the pool. Its form has the answer and a button, because the pages of the pool run no script.

use serde::{Deserialize, Serialize};

use crate::oauth::provider::Provider;
use crate::routes;
use crate::seal::Purpose;

/// The parameter of the page.
const PARAMETER: &str = "answer";

/// An answer, and where it goes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PostedAnswer {
    pub(crate) redirect_uri: String,
    /// Names and values.
    pub(crate) fields: Vec<(String, String)>,
}

impl Provider {
    /// The page with the form. Its address is good for whoever has it, as that of a redirect is: the code in it is used once.
    pub(super) fn form_location(&self, redirect_uri: &str, fields: Vec<(String, String)>) -> String {
        let answer = PostedAnswer { redirect_uri: redirect_uri.to_owned(), fields };
        format!("{}?{PARAMETER}={}", routes::FORM_POST, self.seal.seal(Purpose::FormPost, &answer))
    }

    /// What the form has. `None` if the address of the page is not one of ours.
    pub(crate) fn posted_answer(&self, form: &crate::message::form::Form<'_>) -> Option<PostedAnswer> {
        self.seal.open(Purpose::FormPost, form.one(PARAMETER).ok()??)
    }
}

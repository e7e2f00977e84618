//! The pages of second factors.

use askama::Template;

use crate::page::sentence::{Part, Sentence};
use crate::page::site::View;
use crate::page::text::Text;

/// Asks for a code.
#[derive(Debug, Template)]
#[template(path = "code.html")]
pub struct Code<'a> {
    pub view: View<'a>,
    /// What to type.
    pub lead: Sentence,
    pub kind: CodeKind,
    /// The path that the form is sent to.
    pub action: &'a str,
    /// The hidden value.
    pub carried: &'a str,
    /// For how many days the user may trust the browser.
    pub trust_days: Option<u64>,
    /// Other ways: what their buttons send, and what they say.
    pub others: &'a [(&'static str, Text)],
    /// Why the page is shown again.
    pub alert: Option<Sentence>,
}

/// What a code looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeKind {
    /// Six digits, which phones may fill in.
    Digits,
    /// Letters and digits.
    Recovery,
}

impl Code<'_> {
    fn lead(&self) -> Vec<Part> {
        self.view.parts(&self.lead)
    }

    fn label(&self) -> &str {
        self.view.text(match self.kind {
            CodeKind::Digits => Text::MfaCode,
            CodeKind::Recovery => Text::MfaRecoveryCode,
        })
    }

    fn trust(&self, days: &u64) -> String {
        self.view.plain(&Sentence::from(Text::MfaTrust).number("days", *days))
    }

    fn is_digits(&self) -> bool {
        self.kind == CodeKind::Digits
    }

    /// The title of the tab. It says first that the sign-in failed: a screen reader reads it when the page has loaded.
    fn tab(&self) -> String {
        tab(self.view, Text::MfaTitle, self.alert.is_some())
    }
}

/// Sets up one-time passwords.
#[derive(Debug, Template)]
#[template(path = "set_up_totp.html")]
pub struct SetUpTotp<'a> {
    pub view: View<'a>,
    /// Why, and what to do.
    pub lead: Text,
    /// `None` if the text is too long for one.
    pub picture: Option<Picture>,
    /// The secret in groups of four.
    pub groups: &'a [&'a str],
    /// What an app on this device opens.
    pub uri: &'a str,
    /// The path that the form is sent to.
    pub action: &'a str,
    /// The hidden value.
    pub carried: &'a str,
    /// Why the page is shown again.
    pub alert: Option<Sentence>,
}

/// A QR code.
#[derive(Debug)]
pub struct Picture {
    /// In modules, without the quiet zone.
    pub width: usize,
    /// The path of an SVG.
    pub path: String,
}

impl SetUpTotp<'_> {
    fn tab(&self) -> String {
        tab(self.view, Text::MfaSetUpTitle, self.alert.is_some())
    }
}

/// Shows recovery codes.
#[derive(Debug, Template)]
#[template(path = "recovery_codes.html")]
pub struct RecoveryCodes<'a> {
    pub view: View<'a>,
    pub codes: &'a [String],
    /// The path that the form is sent to.
    pub action: &'a str,
    /// The hidden value.
    pub carried: &'a str,
}

fn tab(view: View<'_>, title: Text, has_failed: bool) -> String {
    let title = view.text(title);
    if has_failed { view.plain(&Sentence::from(Text::SignInFailed).named("title", title)) } else { title.to_owned() }
}

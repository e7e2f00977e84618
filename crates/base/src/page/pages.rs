//! Every page: a struct with what it shows, and a template in `templates/`.

mod console;
mod form;

use std::sync::Arc;

use crate::page::link::Link;
use crate::page::logo::Logo;
use crate::page::sentence::{Part, Sentence};
use crate::page::site::View;
use crate::page::text::Text;
use askama::Template;

pub use console::{ConsoleAct, ConsoleCell, ConsolePage, ConsoleSearch, ConsoleTable};
pub use form::{Field, Form, Input, Label, Other};

/// Says why a request is refused, and how to go on.
#[derive(Debug, Template)]
#[template(path = "refused.html")]
pub struct Refused<'a> {
    pub view: View<'a>,
    pub status: u16,
    /// The stable code of the reason, which also selects the texts.
    pub code: &'a str,
    /// Sentences below the advice.
    pub notes: &'a [Sentence],
    /// The first link is shown as a button.
    pub links: &'a [Link],
    /// The ID of the request. The operator finds it in the access log.
    pub request_id: Option<&'a str>,
}

/// "You are signed in", "You are signed out".
#[derive(Debug, Template)]
#[template(path = "notice.html")]
pub struct Notice<'a> {
    pub view: View<'a>,
    pub title: Text,
    pub text: Text,
    pub link: Link,
}

/// The end of a sign-in of a program in a terminal.
#[derive(Debug, Template)]
#[template(path = "terminal.html")]
pub struct Terminal<'a> {
    pub view: View<'a>,
    pub title: Text,
    pub text: Text,
}

/// Redirects at once, and has a link for browsers that do not follow.
#[derive(Debug, Template)]
#[template(path = "redirecting.html")]
pub struct Redirecting<'a> {
    pub view: View<'a>,
    pub location: &'a str,
}

/// Asks at which provider to sign in.
#[derive(Debug, Template)]
#[template(path = "choose.html")]
pub struct Choose<'a> {
    pub view: View<'a>,
    /// The first one is the one of the last sign-in, if that is known.
    pub providers: &'a [Offered],
    /// Takes an e-mail address, whose domain chooses.
    pub form: Option<EmailForm<'a>>,
}

/// A provider to choose.
#[derive(Debug)]
pub struct Offered {
    pub title: Arc<str>,
    pub logo: Option<Logo>,
    pub href: String,
    /// Whether the browser signed in there last.
    pub is_last: bool,
}

/// The form of [`Choose`], which is sent by GET.
#[derive(Debug)]
pub struct EmailForm<'a> {
    /// The path that the form is sent to.
    pub action: &'a str,
    /// The hidden values.
    pub ticket: &'a str,
    pub account: Option<&'a str>,
    /// What was typed before.
    pub typed: &'a str,
    /// Why the page is shown again.
    pub alert: Option<Text>,
}

impl Choose<'_> {
    /// The title of the tab. It says first that what was typed chose nothing: a screen reader reads it when the page has loaded.
    fn tab(&self) -> String {
        let heading = self.view.text(Text::ChooseTitle);
        match self.form.as_ref().and_then(|form| form.alert) {
            Some(_) => self.view.plain(&Sentence::from(Text::SignInFailed).named("title", heading)),
            None => heading.to_owned(),
        }
    }
}

/// Asks for user name and password.
#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub struct SignIn<'a> {
    pub view: View<'a>,
    /// The heading, in every language. `None` for the one of the texts.
    pub title: Option<&'a str>,
    /// The name of the relying party, if there is one.
    pub application: Option<&'a str>,
    /// What for, if not for a relying party.
    pub purpose: Option<Text>,
    /// The path that the form is sent to.
    pub action: &'a str,
    /// The hidden value.
    pub carried: &'a str,
    /// What users are named by.
    pub name_label: Text,
    /// The user name that was typed before.
    pub username: &'a str,
    /// Why the page is shown again.
    pub alert: Option<Sentence>,
    /// Other ways: to sign up, or to choose another password.
    pub links: &'a [Link],
    /// Where passkeys sign in without a password.
    pub passkey: Option<PasskeyForm<'a>>,
    /// The other providers at which the user may sign in.
    pub providers: Option<Providers<'a>>,
    /// Whether the page asks for the name only: a domain may choose a provider.
    pub is_name_only: bool,
}

/// The other providers on the sign-in page.
#[derive(Debug)]
pub struct Providers<'a> {
    /// The path that their form is sent to.
    pub action: &'a str,
    /// Names, titles and logos. Not empty.
    pub buttons: Vec<ProviderButton<'a>>,
}

/// The button of a provider.
#[derive(Debug)]
pub struct ProviderButton<'a> {
    pub name: &'a str,
    pub title: &'a str,
    pub logo: Option<&'a Logo>,
}

impl SignIn<'_> {
    fn submit(&self) -> Text {
        if self.is_name_only { Text::LinkContinue } else { Text::SignInSubmit }
    }

    fn with_provider(&self, title: &str) -> Vec<Part> {
        self.view.parts(&Sentence::from(Text::SignInWith).named("provider", title))
    }

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

    fn what_for(&self) -> Option<&str> {
        self.purpose.map(|purpose| self.view.text(purpose))
    }

    fn continue_to(&self) -> Option<Vec<Part>> {
        let application = self.application?;
        Some(self.view.parts(&Sentence::from(Text::SignInContinue).named("application", application)))
    }
}

/// Says who is signed in, and links to the applications.
#[derive(Debug, Template)]
#[template(path = "account.html")]
pub struct Account<'a> {
    pub view: View<'a>,
    pub user: &'a str,
    /// Names and addresses.
    pub applications: &'a [(String, String)],
    /// The path of the page that adds a passkey, where there are passkeys.
    pub add_passkey: Option<&'a str>,
    /// The path of the pages of the account, where there are such pages.
    pub account: Option<&'a str>,
    /// The path that the form is sent to.
    pub action: &'a str,
    /// The hidden value.
    pub carried: &'a str,
}

impl Account<'_> {
    fn who(&self) -> Vec<Part> {
        self.view.parts(&Sentence::from(Text::AccountUser).named("user", self.user))
    }
}

/// Asks whether to sign out, because a relying party asked for it without proof.
#[derive(Debug, Template)]
#[template(path = "sign_out.html")]
pub struct SignOut<'a> {
    pub view: View<'a>,
    /// The name of the relying party, if it is known.
    pub application: Option<&'a str>,
    /// The path that the form is sent to.
    pub action: &'a str,
    /// The path of the page with the applications.
    pub home: &'a str,
    /// The hidden value.
    pub carried: &'a str,
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

/// Asks whether a program of the user's device may act as the user.
#[derive(Debug, Template)]
#[template(path = "confirm.html")]
pub struct Confirm<'a> {
    pub view: View<'a>,
    /// What the program says that it is.
    pub application: &'a str,
    pub user: &'a str,
    /// What the program gets.
    pub scopes: &'a [Text],
    /// The application that it may use as the user, and the scopes of resource servers.
    pub resources: &'a [String],
    /// The path that the form is sent to.
    pub action: &'a str,
    /// The hidden value.
    pub carried: &'a str,
}

impl Confirm<'_> {
    fn question(&self) -> Vec<Part> {
        let sentence =
            Sentence::from(Text::ConfirmAsked).named("application", self.application).named("user", self.user);
        self.view.parts(&sentence)
    }

    fn access_to(&self, resource: &str) -> Vec<Part> {
        self.view.parts(&Sentence::from(Text::ConfirmResource).named("resource", resource))
    }
}

/// Sends an answer to the relying party, by a form and its button.
#[derive(Debug, Template)]
#[template(path = "post_back.html")]
pub struct PostBack<'a> {
    pub view: View<'a>,
    /// Where the form goes.
    pub action: &'a str,
    /// Names and values.
    pub fields: &'a [(String, String)],
}

/// A message that `vestibule dev` has not sent to anybody.
#[derive(Clone, Debug)]
pub struct Letter {
    pub to: String,
    /// When it was written, for people.
    pub at: String,
    /// `None`: it is an SMS.
    pub subject: Option<String>,
    pub text: String,
}

impl Letter {
    /// Its lines, in words. Addresses are links.
    fn lines(&self) -> Vec<Vec<Part>> {
        self.text.lines().map(|line| line.split(' ').map(Part::address).collect()).collect()
    }
}

/// Shows the messages that a pool of `vestibule dev` has sent.
#[derive(Debug, Template)]
#[template(path = "letters.html")]
pub struct Letters<'a> {
    pub view: View<'a>,
    /// The newest first.
    pub letters: &'a [Letter],
}

/// Shows the request that the application received.
#[derive(Debug, Template)]
#[template(path = "demo.html")]
pub struct Demo<'a> {
    pub view: View<'a>,
    /// The name of the user. `None` if nobody is signed in.
    pub user: Option<&'a str>,
    pub sign_out: &'a str,
    /// Names and values.
    pub claims: &'a [(String, String)],
    pub method: &'a str,
    pub target: &'a str,
    /// Names and values.
    pub headers: &'a [(String, String)],
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

mod account;
mod account_factors;
mod mfa;
mod passkey;

pub use account::{Item as AccountItem, List as AccountList, Overview, Part as AccountPart, Press};
pub use account_factors::{FactorItem, FactorPage, FactorPart, FactorSaid, ItemButton, NameField};
pub use mfa::{Code, CodeKind, Picture, RecoveryCodes, SetUpTotp};
pub use passkey::{ChooseFactor, Passkey, PasskeyForm};

#[cfg(test)]
mod tests;

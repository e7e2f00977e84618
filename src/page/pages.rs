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

pub(crate) use console::{ConsoleAct, ConsoleCell, ConsolePage, ConsoleSearch, ConsoleTable};
pub(crate) use form::{Field, Form, Input, Label, Other};

/// Says why a request is refused, and how to go on.
#[derive(Debug, Template)]
#[template(path = "refused.html")]
pub(crate) struct Refused<'a> {
    pub(crate) view: View<'a>,
    pub(crate) status: u16,
    /// The stable code of the reason, which also selects the texts.
    pub(crate) code: &'a str,
    /// Sentences below the advice.
    pub(crate) notes: &'a [Sentence],
    /// The first link is shown as a button.
    pub(crate) links: &'a [Link],
    /// The ID of the request. The operator finds it in the access log.
    pub(crate) request_id: Option<&'a str>,
}

/// "You are signed in", "You are signed out".
#[derive(Debug, Template)]
#[template(path = "notice.html")]
pub(crate) struct Notice<'a> {
    pub(crate) view: View<'a>,
    pub(crate) title: Text,
    pub(crate) text: Text,
    pub(crate) link: Link,
}

/// The end of a sign-in of a program in a terminal.
#[derive(Debug, Template)]
#[template(path = "terminal.html")]
pub(crate) struct Terminal<'a> {
    pub(crate) view: View<'a>,
    pub(crate) title: Text,
    pub(crate) text: Text,
}

/// Redirects at once, and has a link for browsers that do not follow.
#[derive(Debug, Template)]
#[template(path = "redirecting.html")]
pub(crate) struct Redirecting<'a> {
    pub(crate) view: View<'a>,
    pub(crate) location: &'a str,
}

/// Asks at which provider to sign in.
#[derive(Debug, Template)]
#[template(path = "choose.html")]
pub(crate) struct Choose<'a> {
    pub(crate) view: View<'a>,
    /// The first one is the one of the last sign-in, if that is known.
    pub(crate) providers: &'a [Offered],
    /// Takes an e-mail address, whose domain chooses.
    pub(crate) form: Option<EmailForm<'a>>,
}

/// A provider to choose.
#[derive(Debug)]
pub(crate) struct Offered {
    pub(crate) title: Arc<str>,
    pub(crate) logo: Option<Logo>,
    pub(crate) href: String,
    /// Whether the browser signed in there last.
    pub(crate) is_last: bool,
}

/// The form of [`Choose`], which is sent by GET.
#[derive(Debug)]
pub(crate) struct EmailForm<'a> {
    /// The path that the form is sent to.
    pub(crate) action: &'a str,
    /// The hidden values.
    pub(crate) ticket: &'a str,
    pub(crate) account: Option<&'a str>,
    /// What was typed before.
    pub(crate) typed: &'a str,
    /// Why the page is shown again.
    pub(crate) alert: Option<Text>,
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
pub(crate) struct SignIn<'a> {
    pub(crate) view: View<'a>,
    /// The heading, in every language. `None` for the one of the texts.
    pub(crate) title: Option<&'a str>,
    /// The name of the relying party, if there is one.
    pub(crate) application: Option<&'a str>,
    /// What for, if not for a relying party.
    pub(crate) purpose: Option<Text>,
    /// The path that the form is sent to.
    pub(crate) action: &'a str,
    /// The hidden value.
    pub(crate) carried: &'a str,
    /// The user name that was typed before.
    pub(crate) username: &'a str,
    /// Why the page is shown again.
    pub(crate) alert: Option<Sentence>,
    /// Other ways: to sign up, or to choose another password.
    pub(crate) links: &'a [Link],
    /// Where passkeys sign in without a password.
    pub(crate) passkey: Option<PasskeyForm<'a>>,
    /// The other providers at which the user may sign in.
    pub(crate) providers: Option<Providers<'a>>,
    /// Whether the page asks for the name only: a domain may choose a provider.
    pub(crate) is_name_only: bool,
}

/// The other providers on the sign-in page.
#[derive(Debug)]
pub(crate) struct Providers<'a> {
    /// The path that their form is sent to.
    pub(crate) action: &'a str,
    /// Names, titles and logos. Not empty.
    pub(crate) buttons: Vec<ProviderButton<'a>>,
}

/// The button of a provider.
#[derive(Debug)]
pub(crate) struct ProviderButton<'a> {
    pub(crate) name: &'a str,
    pub(crate) title: &'a str,
    pub(crate) logo: Option<&'a Logo>,
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
pub(crate) struct Account<'a> {
    pub(crate) view: View<'a>,
    pub(crate) user: &'a str,
    /// Names and addresses.
    pub(crate) applications: &'a [(String, String)],
    /// The path of the page that adds a passkey, where there are passkeys.
    pub(crate) add_passkey: Option<&'a str>,
    /// The path of the pages of the account, where there are such pages.
    pub(crate) account: Option<&'a str>,
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

/// Asks whether a program of the user's device may act as the user.
#[derive(Debug, Template)]
#[template(path = "confirm.html")]
pub(crate) struct Confirm<'a> {
    pub(crate) view: View<'a>,
    /// What the program says that it is.
    pub(crate) application: &'a str,
    pub(crate) user: &'a str,
    /// What the program gets.
    pub(crate) scopes: &'a [Text],
    /// The application that it may use as the user, and the scopes of resource servers.
    pub(crate) resources: &'a [String],
    /// The path that the form is sent to.
    pub(crate) action: &'a str,
    /// The hidden value.
    pub(crate) carried: &'a str,
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
pub(crate) struct PostBack<'a> {
    pub(crate) view: View<'a>,
    /// Where the form goes.
    pub(crate) action: &'a str,
    /// Names and values.
    pub(crate) fields: &'a [(String, String)],
}

/// A message that `vestibule dev` has not sent to anybody.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) to: String,
    /// When it was written, for people.
    pub(crate) at: String,
    /// `None`: it is an SMS.
    pub(crate) subject: Option<String>,
    pub(crate) text: String,
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
pub(crate) struct Letters<'a> {
    pub(crate) view: View<'a>,
    /// The newest first.
    pub(crate) letters: &'a [Letter],
}

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

mod account;
mod account_factors;
mod mfa;
mod passkey;

pub(crate) use account::{Item as AccountItem, List as AccountList, Overview, Part as AccountPart, Press};
pub(crate) use account_factors::{FactorItem, FactorPage, FactorPart, FactorSaid, ItemButton, NameField};
pub(crate) use mfa::{Code, CodeKind, Picture, RecoveryCodes, SetUpTotp};
pub(crate) use passkey::{ChooseFactor, Passkey, PasskeyForm};

#[cfg(test)]
mod tests;

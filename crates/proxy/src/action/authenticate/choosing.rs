//! The page on which users choose a provider, at the sign-in path. It needs no script.
//!
//! Each choice is a link to the same address with the name of the provider. If a provider has `email_domains`, a form takes an e-mail
//! address instead: its domain chooses, and the provider gets the address as `login_hint`. Nothing is stored or logged of it.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use crate::action::authenticate::choice::HINT;
use crate::action::authenticate::gate::{Authenticate, Choice};
use crate::action::authenticate::ticket::OTHER_ACCOUNT;
use crate::identity::email;
use crate::message::form::{self, Form};
use crate::message::{Response, streamed};
use crate::page::Text;
use crate::page::headers::Frames;
use crate::page::pages::{Choose, EmailForm, Offered};
use crate::page::site::NO_FORM;

/// The field with the e-mail address.
const EMAIL: &str = "email";

/// What a request to the page chooses.
pub(super) enum Chosen<'c> {
    /// A provider, and the address that the user typed to choose it.
    Provider(&'c Arc<Authenticate>, Option<String>),
    /// None yet. The text says why what was typed chooses none.
    Nothing(Option<Text>),
}

impl Choice {
    /// What the query of a request to the page chooses.
    pub(super) fn chosen(&self, form: &Form<'_>) -> Chosen<'_> {
        let one = |name| form.one(name).ok().flatten();
        if let Some(gate) = one(HINT).and_then(|name| self.named(name)) {
            return Chosen::Provider(gate, None);
        }
        let Some(typed) = one(EMAIL).filter(|_| self.knows_domains()) else { return Chosen::Nothing(None) };
        let Some((address, domain)) = email::parse(typed) else {
            return Chosen::Nothing(Some(Text::ChooseEmailInvalid));
        };
        match self.of_domain(&domain) {
            Some(gate) => Chosen::Provider(gate, Some(address)),
            None => Chosen::Nothing(Some(Text::ChooseEmailUnknown)),
        }
    }
}

impl Authenticate {
    /// The page.
    pub(super) fn choosing_page(
        &self,
        choice: &Choice,
        form: &Form<'_>,
        headers: &HeaderMap,
        alert: Option<Text>,
    ) -> Response {
        let one = |name| form.one(name).ok().flatten().unwrap_or_default();
        let ticket = one("state");
        let (account, other) = OTHER_ACCOUNT.split_once('=').unwrap_or_default();
        let wants_other = one(account) == other;
        let last = choice.last_of(headers);
        let is_last = |gate: &Arc<Authenticate>| last.is_some_and(|last| Arc::ptr_eq(gate, last));
        let offered = |gate: &Arc<Authenticate>| {
            let more = wants_other.then_some((account, other));
            let query = [("state", ticket)].into_iter().chain(more).chain([(HINT, &**gate.factory.client.name())]);
            Offered {
                title: Arc::clone(&gate.shown().title),
                logo: gate.shown().logo.clone(),
                href: format!("{}?{}", self.paths.sign_in, form::encode(query)),
                is_last: is_last(gate),
            }
        };
        // The last one first, the others in the order of the configuration.
        let others = choice.gates.iter().filter(|gate| !is_last(gate));
        let providers: Vec<_> = last.into_iter().chain(others).map(offered).collect();
        let form = choice.knows_domains().then(|| EmailForm {
            action: &self.paths.sign_in,
            ticket,
            account: wants_other.then_some(other),
            typed: one(EMAIL),
            alert,
        });
        let view = self.pages.view_for(headers);
        let form_action = if form.is_some() { "'self'" } else { NO_FORM };
        let page = Choose { view, providers: &providers, form };
        streamed(view.respond_with_logos(StatusCode::OK, &page, form_action, Frames::Nobody))
    }
}

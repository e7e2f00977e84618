//! The page on which users choose a provider, at the sign-in path. It needs no script.
//!
//! Each choice is a link to the same address with the name of the provider. If a provider has `email_domains`, a form takes an e-mail
//! address instead: its domain chooses, and the provider gets the address as `login_hint`. Nothing is stored or logged of it.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use crate::action::authenticate::choice::HINT;
use crate::action::authenticate::gate::{Authenticate, Choice};
use crate::action::authenticate::ticket::OTHER_ACCOUNT;
use crate::message::form::{self, Form};
use crate::message::{Response, streamed};
use crate::page::Text;
use crate::page::headers::Frames;
use crate::page::pages::{Choose, EmailForm, Offered};
use crate::page::site::NO_FORM;

/// The field with the e-mail address.
const EMAIL: &str = "email";

/// RFC 5321 §4.5.3.1.3: a path has at most 256 octets, with its angle brackets.
const EMAIL_BYTES_MAX: usize = 254;

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
        let Some((address, domain)) = address(typed) else { return Chosen::Nothing(Some(Text::ChooseEmailInvalid)) };
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

/// What was typed as an address with an ASCII domain, and that domain in lower case. `None` if it is no e-mail address.
fn address(typed: &str) -> Option<(String, String)> {
    let typed = typed.trim();
    let (local, domain) = typed.split_once('@')?;
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\\' | ',' | ';' | ':');
    if typed.len() > EMAIL_BYTES_MAX || local.is_empty() || local.chars().any(is_odd) {
        return None;
    }
    let url::Host::Domain(domain) = url::Host::parse(domain).ok()? else { return None };
    // RFC 5321 §4.5.3.1.2. The ASCII form can be longer than what was typed.
    let is_whole = domain.len() <= 255 && !domain.contains('*') && domain.split('.').all(|label| !label.is_empty());
    is_whole.then(|| (format!("{local}@{domain}"), domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_an_address_or_nothing() {
        let check = |typed: &str, expected: Option<(&str, &str)>| {
            let found = address(typed);
            let found = found.as_ref().map(|(address, domain)| (address.as_str(), domain.as_str()));
            assert_eq!(found, expected, "{typed}");
        };
        check(" ada@Corp.Example ", Some(("ada@corp.example", "corp.example")));
        check("Ada.L+x@corp.example", Some(("Ada.L+x@corp.example", "corp.example")));
        check("ada@bücher.example", Some(("ada@xn--bcher-kva.example", "xn--bcher-kva.example")));
        for other in [
            "",
            "ada",
            "@corp.example",
            "ada@",
            "ada@corp.example@partner.example",
            "ada@corp.example/x",
            "ada@corp.example:80",
            "ada@127.0.0.1",
            "ada@[::1]",
            "ada@corp..example",
            "ada@*.example",
            "a b@corp.example",
            "a\r\nb@corp.example",
            "<ada@corp.example",
            "ada@corp.example\u{0}",
        ] {
            check(other, None);
        }
        assert_eq!(address(&format!("{}@corp.example", "a".repeat(250))), None);
    }
}

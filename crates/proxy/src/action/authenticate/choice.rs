//! Several providers in one action: which of them a user signs in at, and how the user comes to the page on which one is chosen.
//!
//! The name of a provider in the address, the domain of an e-mail address and the cookie with the last choice only select one of the
//! providers of the action. They prove nothing, and anybody may write them. What counts is the sign-in that begins: it is bound to its
//! provider by [`PendingLogin::gate`](super::login::PendingLogin) and by its callback path.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use crate::action::authenticate::answer;
use crate::action::authenticate::gate::{Authenticate, Choice};
use crate::action::authenticate::login::LoginStart;
use crate::action::authenticate::ticket::Destination;
use crate::action::settings::ProviderChoice;
use crate::action::supposed_user::Supposed;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::identity::Claims;
use crate::message::uri::CanonicalRequest;
use crate::message::{Response, cookie};
use crate::session::rounds::ROUNDS_MAX;

/// The parameter with the name of a provider: in the address of a page that needs a sign-in, and in the links of the page on which users
/// choose.
pub(super) const HINT: &str = "idp";

/// The cookie with the name of the provider that was chosen last. It is not encrypted: a user who changes it sees another provider first.
const CHOSEN: &str = "__Host-vestibule-provider";

/// How long the browser keeps it: half a year.
const CHOSEN_SECONDS: u64 = 180 * 86_400;

/// Maximum length of the address of the page on which users choose. Browsers and proxies in front accept 8 KB for the whole request line.
const LOCATION_BYTES_MAX: usize = 7 * 1024;

/// The `Set-Cookie` line that remembers the provider of a sign-in that has finished.
pub(super) fn remember(provider: &str) -> HeaderValue {
    cookie::set(CHOSEN, provider, CHOSEN_SECONDS)
}

impl Choice {
    /// The provider with this name, if it is one of the action.
    pub(super) fn named(&self, name: &str) -> Option<&Arc<Authenticate>> {
        self.gates.iter().find(|gate| **gate.factory.client.name() == *name)
    }

    /// The provider for the users with e-mail addresses of this domain, which is in lower case and ASCII.
    pub(super) fn of_domain(&self, domain: &str) -> Option<&Arc<Authenticate>> {
        self.gates.iter().find(|gate| gate.shown().email_domains.iter().any(|known| known == domain))
    }

    /// Whether the domain of an e-mail address can choose.
    pub(super) fn knows_domains(&self) -> bool {
        self.gates.iter().any(|gate| !gate.shown().email_domains.is_empty())
    }

    /// The provider that this browser signed in at last.
    pub(super) fn last_of(&self, headers: &HeaderMap) -> Option<&Arc<Authenticate>> {
        let (_, name) = cookie::pairs(headers).find(|(name, _)| *name == CHOSEN)?;
        self.named(name)
    }

    /// The provider that the query of an address names, and the address without that parameter: the application does not know it.
    /// Parameters of the same name with another value are the application's own. `None` if two providers are named.
    fn hinted(&self, address: &str) -> Option<(&Arc<Authenticate>, String)> {
        let (path, query) = address.split_once('?')?;
        let named = |pair: &str| self.named(pair.strip_prefix(HINT)?.strip_prefix('=')?);
        let mut hints = query.split('&').filter_map(named);
        let hinted = hints.next()?;
        if hints.any(|other| !Arc::ptr_eq(other, hinted)) {
            return None;
        }
        let kept: Vec<&str> = query.split('&').filter(|pair| named(pair).is_none()).collect();
        let address = if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
        Some((hinted, address))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.gates.iter().map(|gate| &**gate.factory.client.name())
    }
}

impl Authenticate {
    /// How the provider of this gate is shown.
    pub(super) fn shown(&self) -> &ProviderChoice {
        &self.settings.providers[0]
    }

    /// Leads a navigation to the page on which the user chooses a provider, or to the provider that its address names.
    ///
    /// # Errors
    ///
    /// As [`begin_login`](Self::begin_login).
    pub(super) async fn begin_choice(
        &self,
        choice: &Choice,
        exchange: &mut Exchange,
        request: &CanonicalRequest,
        headers: &HeaderMap,
        mut start: LoginStart,
    ) -> Result<Response, Rejection> {
        if let Destination::Address(address) = &mut start.to
            && let Some((gate, without_hint)) = choice.hinted(address)
        {
            *address = without_hint;
            return gate.begin_login(exchange, request, headers, start).await;
        }
        if self.rounds.read(headers) >= ROUNDS_MAX {
            // No sign-in begins: it says why none helps.
            let gate = choice.last_of(headers).unwrap_or(&choice.gates[0]);
            return gate.begin_login(exchange, request, headers, start).await;
        }
        let location = self.choice_location(request.host(), start.to, start.demand);
        if location.len() > LOCATION_BYTES_MAX {
            // The address bar still has it.
            let link = self.sign_in_link(request.host(), &Destination::Landing, None).in_a_new_tab();
            return Err(Rejection::from(Reason::AuthAddressTooLong).offer(link));
        }
        answer::go(&self.pages, &location, headers)
    }

    /// The user whom a sign-in with these claims would give. Of several providers, the one whose issuer the claims name counts, else the
    /// first. Nothing is verified: for `check` only. `None` without a `sub`.
    pub fn supposed(&self, payload: Claims) -> Option<Supposed> {
        let gate = self.choice.as_ref().map_or(self, |choice| {
            let named = payload.get("iss").and_then(Value::as_str);
            choice.gates.iter().find(|gate| Some(gate.factory.client.issuer()) == named).unwrap_or(&choice.gates[0])
        });
        let identity = gate.factory.client.supposed(payload)?;
        let claims = (Arc::clone(&gate.claims), gate.factory.client.client_id().to_owned());
        Some(Supposed { identity, claims: Some(claims) })
    }

    /// The name of the provider that the user of a request signs in at. `a or b` if the user chooses. For `check` only.
    pub fn provider_for(&self, request: &CanonicalRequest) -> String {
        let Some(choice) = &self.choice else { return self.factory.client.name().to_string() };
        match choice.hinted(request.target.as_str()) {
            Some((gate, _)) => gate.factory.client.name().to_string(),
            None => choice.names().collect::<Vec<_>>().join(" or "),
        }
    }
}

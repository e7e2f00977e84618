//! Tickets: encrypted return addresses. They are the `state` of authorization requests, and part of the sign-in links on our pages.
//!
//! A return address is only read from an encrypted value: a ticket, or the cookie of a pending sign-in (attacks R). A ticket grants no
//! rights. A ticket of another browser only starts a sign-in that returns to an address of this host.

use serde::{Deserialize, Serialize};

use crate::action::authenticate::gate::Authenticate;
use crate::action::demand::Demand;
use crate::message::form;
use crate::message::uri::CanonicalRequest;
use crate::page::Text;
use crate::page::link::Link;
use crate::session::pending;

/// Maximum length of an address in a ticket, in bytes. A longer address is stored in the cookie of the sign-in, because `state` is part
/// of URLs of the provider, and not every server accepts URLs of more than 2,000 bytes.
const ADDRESS_BYTES_MAX: usize = 512;

/// Makes the provider ask for the account. Appended to the ticket of a sign-in link.
pub(super) const OTHER_ACCOUNT: &str = "account=other";

/// Asks the provider without showing anything to the user (OIDC Core §3.1.2.1). Appended like [`OTHER_ACCOUNT`].
pub(super) const SILENT: &str = "prompt=none";

/// The destination after the sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Destination {
    /// Path and query on this host, in canonical form.
    #[serde(rename = "a")]
    Address(String),
    /// The address is too long for a ticket. It is in the cookie of the sign-in.
    #[serde(rename = "c")]
    InCookie,
    /// The page "You are signed in", for users who come from another tab and return to it.
    #[serde(rename = "l")]
    Landing,
}

/// The contents of a ticket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ticket {
    /// A short identifier of the action.
    gate: String,
    /// [`Authenticate::shape`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shape: Option<String>,
    pub(super) to: Destination,
    /// How many times the sign-in was restarted automatically.
    pub(super) attempt: u8,
    /// What the sign-in of a link has to meet.
    #[serde(default, skip_serializing_if = "Demand::is_empty")]
    pub(super) demand: Demand,
}

impl Destination {
    /// The destination of a sign-in for a request: the requested address, with GET (ALB §2.6).
    pub(super) fn of(request: &CanonicalRequest, is_reserved: impl Fn(&str) -> bool) -> Self {
        let target = if is_reserved(request.path()) { "/" } else { on_this_origin(request.target.as_str()) };
        Self::Address(target.to_owned())
    }

    /// The same, if it is short enough for a ticket.
    fn in_short(&self) -> Self {
        match self {
            Self::Address(address) if address.len() > ADDRESS_BYTES_MAX => Self::InCookie,
            other => other.clone(),
        }
    }
}

impl Authenticate {
    /// Creates a ticket for a sign-in with the destination `to`.
    pub(super) fn seal_ticket(&self, host: &str, to: &Destination, attempt: u8) -> String {
        self.seal(host, to, attempt, Demand::default())
    }

    fn seal(&self, host: &str, to: &Destination, attempt: u8, demand: Demand) -> String {
        self.pending.seal_ticket(host, &self.ticket(&self.key, to.in_short(), attempt, demand))
    }

    /// The address of the page on which users choose a provider. It contains the whole destination: it is an address of ours, and no
    /// cookie has been set yet.
    pub(super) fn choice_location(&self, host: &str, to: Destination, demand: Demand) -> String {
        let ticket = self.ticket(&self.key, to, 0, demand);
        self.sign_in_location(&self.pending.seal_ticket(host, &ticket))
    }

    /// A ticket that leads to this provider, or to the page on which users choose one, if there are others.
    fn seal_entrance(&self, host: &str, to: Destination) -> String {
        let key = self.chosen_from.as_deref().unwrap_or(&self.key);
        self.pending.seal_ticket(host, &self.ticket(key, to, 0, Demand::default()))
    }

    fn ticket(&self, key: &str, to: Destination, attempt: u8, demand: Demand) -> Ticket {
        Ticket { gate: pending::tag(key), shape: self.shape.clone(), to, attempt, demand }
    }

    /// Decrypts a ticket of this action.
    pub(super) fn open_ticket(&self, host: &str, text: &str) -> Option<Ticket> {
        let ticket: Ticket = self.pending.open_ticket(host, text).ok()?;
        (ticket.gate == pending::tag(&self.key)).then_some(ticket)
    }

    /// The sign-in link of a page. If the action has several providers, the user chooses again. `state` is that of a sign-in whose cookie
    /// has an address that is too long for a ticket.
    pub(super) fn sign_in_link(&self, host: &str, to: &Destination, state: Option<&str>) -> Link {
        let ticket = match (to.in_short(), state) {
            (Destination::InCookie, Some(state)) => state.to_owned(),
            (Destination::InCookie, None) => self.seal_entrance(host, Destination::Landing),
            (to, _) => self.seal_entrance(host, to),
        };
        self.link(Text::LinkSignIn, &ticket)
    }

    /// The link to sign in again as a rule demands it. A long address is not kept.
    pub(super) fn step_up_link(&self, host: &str, to: &Destination, demand: &Demand) -> Link {
        let to = match to.in_short() {
            Destination::InCookie => Destination::Landing,
            to => to,
        };
        self.link(Text::LinkSignInAgain, &self.seal(host, &to, 0, demand.clone()))
    }

    fn link(&self, label: Text, ticket: &str) -> Link {
        Link::here(label, self.sign_in_location(ticket))
    }

    fn sign_in_location(&self, ticket: &str) -> String {
        format!("{}?{}", self.paths.sign_in, form::encode([("state", ticket)]))
    }

    /// The same link, with which the provider asks for the account.
    pub(super) fn other_account_link(link: &Link, label: Text) -> Link {
        Link::here(label, format!("{}&{OTHER_ACCOUNT}", link.href))
    }

    /// The link with which this provider is asked for the claims of the user again and shows nothing. `None` if this action may not ask in
    /// this way.
    pub(super) fn silent_link(&self, host: &str, to: &Destination, label: Text) -> Option<Link> {
        let to = match to.in_short() {
            Destination::InCookie => Destination::Landing,
            to => to,
        };
        let link = || self.link(label, &self.seal_ticket(host, &to, 0));
        self.may_ask_silently().then(link).map(|link| Link { href: format!("{}&{SILENT}", link.href), ..link })
    }

    /// Whether a sign-in may use `prompt=none`. An operator who configures another `prompt` wants each sign-in to ask the user.
    pub(super) fn may_ask_silently(&self) -> bool {
        self.settings.extra_params.get("prompt").is_none_or(|configured| configured == "none")
    }
}

/// `target` where a browser reads it as a path of this origin, else the front page. A canonical path is one; this is the
/// second lock on the door (attacks R-01…R-12).
pub(super) fn on_this_origin(target: &str) -> &str {
    let bytes = target.as_bytes();
    let is_path = bytes.first() == Some(&b'/') && !matches!(bytes.get(1), Some(b'/' | b'\\'));
    // Browsers drop tabs and line breaks from a URL before they read it (WHATWG URL §4.4).
    if is_path && !bytes.iter().any(u8::is_ascii_control) { target } else { "/" }
}

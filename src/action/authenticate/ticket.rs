//! Where a login goes, sealed: the `state` of an authorization request, and the links to sign in that our pages have.
//!
//! A return address is only ever read from a seal of ours: a ticket, or the cookie of a pending login (attacks R). A ticket
//! gives no right. Whoever has one that was made for another browser gets a login of their own, to an address of this host.

use serde::{Deserialize, Serialize};

use crate::action::authenticate::Authenticate;
use crate::exchange::rejection::WayOn;
use crate::message::form;
use crate::message::uri::CanonicalRequest;
use crate::session::pending;

/// Longest address that travels in a ticket, in bytes. A longer one stays in the cookie of the login, because `state` goes
/// through the provider's addresses, for which 2,000 bytes is what every server takes.
const ADDRESS_BYTES_MAX: usize = 512;

/// Where the browser goes after the login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Destination {
    /// Path and query on this host, as the one reading of the request has them.
    #[serde(rename = "a")]
    Address(String),
    /// Too long for a ticket: the cookie of this login knows it.
    #[serde(rename = "c")]
    InCookie,
    /// A page that says "you are signed in": the user comes from another tab, and goes back there.
    #[serde(rename = "l")]
    Landing,
}

/// What is sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ticket {
    /// The action that the login belongs to, in short.
    gate: String,
    pub(super) to: Destination,
    /// How many times the login began anew by itself.
    pub(super) attempt: u8,
}

impl Destination {
    /// Where the login of a request goes: what was asked for, by GET (ALB §2.6).
    pub(super) fn of(request: &CanonicalRequest, is_reserved: impl Fn(&str) -> bool) -> Self {
        let target = if is_reserved(request.path()) { "/" } else { on_this_origin(request.target.as_str()) };
        Self::Address(target.to_owned())
    }

    /// The same, as far as it may stand in a ticket.
    fn in_short(&self) -> Self {
        match self {
            Self::Address(address) if address.len() > ADDRESS_BYTES_MAX => Self::InCookie,
            other => other.clone(),
        }
    }
}

impl Authenticate {
    /// A ticket for a login to `to`.
    pub(super) fn seal_ticket(&self, host: &str, to: &Destination, attempt: u8) -> String {
        let ticket = Ticket { gate: pending::tag(&self.key), to: to.in_short(), attempt };
        self.pending.seal_ticket(host, &ticket)
    }

    /// Opens a ticket of this action.
    pub(super) fn open_ticket(&self, host: &str, text: &str) -> Option<Ticket> {
        let ticket: Ticket = self.pending.open_ticket(host, text).ok()?;
        (ticket.gate == pending::tag(&self.key)).then_some(ticket)
    }

    /// The link to sign in that a page has. `state` is that of a login whose cookie knows an address that is too long.
    pub(super) fn sign_in_link(&self, host: &str, to: &Destination, state: Option<&str>) -> WayOn {
        let ticket = match (to.in_short(), state) {
            (Destination::InCookie, Some(state)) => state.to_owned(),
            (Destination::InCookie, None) => self.seal_ticket(host, &Destination::Landing, 0),
            (to, _) => self.seal_ticket(host, &to, 0),
        };
        let href = format!("{}?{}", self.paths.sign_in, form::encode([("state", &*ticket)]));
        WayOn::here("Sign in", href)
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

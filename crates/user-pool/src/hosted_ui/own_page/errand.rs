//! What an own sign-in page is given and gives back: a *handle* of the OAuth request, and after the password a *ticket* (decision 100).
//!
//! Both are sealed, short-lived, good once, and bound to the browser that began: they name the cookie of that browser, and the session begins only
//! where the browser brings this cookie. So neither helps anybody else:
//!
//! - Whoever makes a user open the address with their own ticket does not sign the user in as themselves (login CSRF).
//! - Whoever reads a ticket of a user cannot use it in another browser.
//! - The page gets no cookie and no token, and cannot choose where the user goes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::crypto::octets;
use crate::oauth::request::AuthorizationRequest;
use crate::seal::{Purpose, Seal};
use crate::signin::state::FORM_LIFETIME;
use crate::signin::step::UnderWay;

/// How long a handle is good: as long as our own form.
pub(crate) const HANDLE_LIFETIME: Duration = FORM_LIFETIME;
/// How long a ticket is good: the page goes on at once.
pub(crate) const TICKET_LIFETIME: Duration = Duration::from_secs(2 * 60);

/// The OAuth request, for an own sign-in page.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Handle {
    pub(crate) id: String,
    /// The host of the pool that the browser was on, as an origin. Its cookie is there and nowhere else.
    pub(crate) origin: String,
    pub(crate) request: AuthorizationRequest,
    /// The value of the cookie of the browser that began.
    pub(crate) browser: String,
    made_at: u64,
}

/// A user who has typed the right password on an own sign-in page.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ticket {
    pub(crate) id: String,
    pub(crate) request: AuthorizationRequest,
    pub(crate) browser: String,
    /// The sign-in goes on as after the form of our own page.
    pub(crate) under_way: UnderWay,
    made_at: u64,
}

impl Handle {
    /// A handle of a request, for the browser that has this cookie of this host of the pool.
    pub(crate) fn new(request: AuthorizationRequest, (origin, browser): (&str, String), now: Timestamp) -> Self {
        Self { id: octets::token(), origin: origin.to_owned(), request, browser, made_at: now.seconds() }
    }

    pub(crate) fn made_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.made_at)
    }

    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now.since(self.made_at()) > HANDLE_LIFETIME
    }

    pub(crate) fn seal(&self, seal: &Seal) -> String {
        seal.seal(Purpose::LoginHandle, self)
    }

    /// `None` for what is not ours.
    pub(crate) fn open(seal: &Seal, text: &str) -> Option<Self> {
        seal.open(Purpose::LoginHandle, text)
    }
}

impl Ticket {
    /// A ticket for the user who signs in.
    pub(crate) fn new(handle: Handle, under_way: UnderWay, now: Timestamp) -> Self {
        let Handle { request, browser, .. } = handle;
        Self { id: octets::token(), request, browser, under_way, made_at: now.seconds() }
    }

    pub(crate) fn made_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.made_at)
    }

    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now.since(self.made_at()) > TICKET_LIFETIME
    }

    pub(crate) fn seal(&self, seal: &Seal) -> String {
        seal.seal(Purpose::LoginTicket, self)
    }

    /// `None` for what is not ours.
    pub(crate) fn open(seal: &Seal, text: &str) -> Option<Self> {
        seal.open(Purpose::LoginTicket, text)
    }
}

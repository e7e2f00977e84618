//! The way on from an own sign-in page. The browser opens an address of ours, so our cookies are those of the site in the address bar.

use std::net::IpAddr;

use http::HeaderMap;

use crate::crypto::octets;
use crate::database;
use crate::hosted_ui::own_page::errand::{Handle, TICKET_LIFETIME, Ticket};
use crate::hosted_ui::page;
use crate::hosted_ui::ui::HostedUi;
use crate::message::form::Form;
use crate::message::{WholeResponse, form};
use crate::oauth::error::PageError;
use crate::oauth::request::AuthorizationRequest;
use crate::{reply, routes};

/// The address that goes on, on a host of the pool.
pub(super) fn location(origin: &str, name: &'static str, value: &str) -> String {
    format!("{origin}{}?{}", routes::PROCEED, form::encode([(name, value)]))
}

impl HostedUi {
    /// With `ticket`, goes on with the sign-in of the user who has typed the password: to the next step of it, or to the session. With `handle`, shows our own page in the place of the operator's, for
    /// what that page cannot do.
    pub(crate) async fn proceed(
        &self,
        headers: &HeaderMap,
        parameters: &Form<'_>,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let one = |name| parameters.one(name).ok().flatten();
        match (one("ticket"), one("handle")) {
            (Some(ticket), None) => self.with_ticket(headers, ticket, client).await,
            (None, Some(handle)) => Ok(self.with_handle(headers, handle)),
            _ => Ok(self.page_error(headers, PageError::Malformed)),
        }
    }

    async fn with_ticket(
        &self,
        headers: &HeaderMap,
        text: &str,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let now = self.clock.now();
        let Some(ticket) = Ticket::open(&self.seal, text) else {
            return Ok(self.cannot_proceed(headers, page::Refused::Foreign, None));
        };
        if !self.is_of_this_browser(headers, &ticket.browser) {
            return Ok(self.cannot_proceed(headers, page::Refused::Foreign, Some(&ticket.request)));
        }
        if let Err(error) = self.provider.check_again(&ticket.request) {
            return Ok(self.page_error(headers, error));
        }
        if ticket.is_over(now) || !self.used.take(&ticket.id, ticket.made_at(), TICKET_LIFETIME, now) {
            return Ok(self.cannot_proceed(headers, page::Refused::Expired, Some(&ticket.request)));
        }
        self.go_on(headers, ticket.under_way, Some(ticket.request), client).await
    }

    fn with_handle(&self, headers: &HeaderMap, text: &str) -> WholeResponse {
        let Some(handle) = Handle::open(&self.seal, text) else {
            return self.cannot_proceed(headers, page::Refused::Foreign, None);
        };
        if handle.origin != *self.origin {
            // The page has opened another host of the pool than the one with the cookie of this browser.
            return reply::see_other(&location(&handle.origin, "handle", text));
        }
        if !self.is_of_this_browser(headers, &handle.browser) {
            return self.cannot_proceed(headers, page::Refused::Foreign, Some(&handle.request));
        }
        if let Err(error) = self.provider.check_again(&handle.request) {
            return self.page_error(headers, error);
        }
        if handle.is_over(self.clock.now()) {
            return self.cannot_proceed(headers, page::Refused::Expired, Some(&handle.request));
        }
        self.ask(headers, Some(&handle.request), None)
    }

    fn is_of_this_browser(&self, headers: &HeaderMap, browser: &str) -> bool {
        self.browser(headers).is_some_and(|own| octets::equal(own.as_bytes(), browser.as_bytes()))
    }

    fn cannot_proceed(
        &self,
        headers: &HeaderMap,
        why: page::Refused,
        request: Option<&AuthorizationRequest>,
    ) -> WholeResponse {
        let request = request.filter(|request| self.provider.check_again(request).is_ok());
        let again = request.map(|request| self.provider.begin_again_location(request));
        self.refused_page(headers, why, again.as_deref().unwrap_or(routes::SIGN_IN))
    }
}

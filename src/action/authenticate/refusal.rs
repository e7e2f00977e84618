//! The links on the 401 page of a request without a session.

use http::HeaderMap;

use crate::action::authenticate::Authenticate;
use crate::action::authenticate::ticket::Destination;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection, WayOn};
use crate::message::media::{Intent, Preferred};
use crate::message::uri::CanonicalRequest;

impl Authenticate {
    /// The name of the provider.
    pub(crate) fn provider(&self) -> &str {
        self.issuing.client.name()
    }

    /// A link to sign in with another account and to come back to this page.
    pub(crate) fn other_account(&self, request: &CanonicalRequest) -> WayOn {
        let to = Destination::of(request, |path| self.paths.is_reserved(path));
        let link = self.sign_in_link(request.host(), &to, None);
        Self::other_account_link(&link, "Sign in again, or with another account")
    }

    /// Creates the rejection. Adds links if the client can follow them.
    pub(super) fn refusal(
        &self,
        reason: Reason,
        intent: Intent,
        exchange: &Exchange,
        request: &CanonicalRequest,
        headers: &HeaderMap,
    ) -> Rejection {
        let rejection = Rejection::from(reason);
        // Programs read the code, and nobody sees the response to a prefetch.
        if exchange.preferred(headers) == Preferred::Json || intent == Intent::Prefetch {
            return rejection;
        }
        let link = |to: &Destination| self.sign_in_link(request.host(), to, None);
        // After the sign-in in a new tab, the user returns to the page with the frame or the form.
        let elsewhere = || link(&Destination::Landing).in_a_new_tab();
        match (reason, intent) {
            (Reason::AuthFormForeign, _) => rejection.offer(WayOn::same_address("Open the page")),
            (Reason::AuthFormNotSent, _) => {
                rejection.offer(elsewhere()).offer(WayOn::same_address("Open the page without sending the form"))
            }
            (_, Intent::Frame) => rejection.offer(elsewhere()),
            _ => rejection.offer(link(&Destination::of(request, |path| self.paths.is_reserved(path)))),
        }
    }
}

//! The 401 of a request without a session: how a person who sees it gets on.

use http::HeaderMap;

use crate::action::authenticate::Authenticate;
use crate::action::authenticate::ticket::Destination;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection, WayOn};
use crate::message::media::{Intent, Preferred};
use crate::message::uri::CanonicalRequest;

impl Authenticate {
    /// Refuses with links for whoever can follow one.
    pub(super) fn refusal(
        &self,
        reason: Reason,
        intent: Intent,
        exchange: &Exchange,
        request: &CanonicalRequest,
        headers: &HeaderMap,
    ) -> Rejection {
        let rejection = Rejection::from(reason);
        // A program reads the code, and nobody looks at what was asked ahead of time.
        if exchange.preferred(headers) == Preferred::Json || intent == Intent::Prefetch {
            return rejection;
        }
        let link = |to: &Destination| self.sign_in_link(request.host(), to, None);
        // What is left in the other tab, or around the frame, goes on when the user comes back to it.
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

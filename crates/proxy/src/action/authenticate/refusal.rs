//! The links on the 401 page of a request without a session, and on the 403 page of a user whom `authorize` refuses.

use std::pin::Pin;

use http::HeaderMap;

use crate::action::authenticate::gate::Authenticate;
use crate::action::authenticate::ticket::Destination;
use crate::action::demand::Demand;
use crate::action::visitor::Reidentify;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::Response;
use crate::message::media::Intent;
use crate::message::uri::CanonicalRequest;
use crate::page::Text;
use crate::page::link::Link;

impl Reidentify for Authenticate {
    fn provider(&self) -> &str {
        self.factory.client.name()
    }

    fn offer(&self, rejection: Rejection, request: &CanonicalRequest) -> Rejection {
        let to = Destination::of(request, |path| self.paths.is_reserved(path));
        let link = self.sign_in_link(request.host(), &to, None);
        // Without another source of groups, the provider would leave them out again.
        let helps = rejection.reason != Reason::AuthGroupsOverage || self.factory.client.has_graph();
        let silent = self.silent_link(request.host(), &to, Text::LinkAskAgain).filter(|_| helps);
        let rejection = silent.into_iter().fold(rejection, Rejection::offer);
        rejection.offer(Self::other_account_link(&link, Text::LinkSignInOrSwitch))
    }

    fn step_up<'a>(
        &'a self,
        demand: &'a Demand,
        exchange: &'a mut Exchange,
        request: &'a CanonicalRequest,
        headers: &'a HeaderMap,
    ) -> Pin<Box<dyn Future<Output = Result<Response, Rejection>> + 'a>> {
        Box::pin(self.begin_step_up(demand, exchange, request, headers))
    }
}

impl Authenticate {
    /// Creates the rejection. Adds links if the client can follow them.
    pub(super) fn refusal(&self, reason: Reason, intent: Intent, request: &CanonicalRequest) -> Rejection {
        let rejection = Rejection::from(reason);
        // Nobody sees the response to a prefetch.
        if intent == Intent::Prefetch {
            return rejection;
        }
        let link = |to: &Destination| self.sign_in_link(request.host(), to, None);
        // After the sign-in in a new tab, the user returns to the page with the frame or the form.
        let elsewhere = || link(&Destination::Landing).in_a_new_tab();
        match (reason, intent) {
            (Reason::AuthFormForeign, _) => rejection.offer(Link::same_address(Text::LinkOpenPage)),
            (Reason::AuthFormNotSent, _) => {
                rejection.offer(elsewhere()).offer(Link::same_address(Text::LinkOpenWithoutForm))
            }
            (_, Intent::Frame) => rejection.offer(elsewhere()),
            _ => rejection.offer(link(&Destination::of(request, |path| self.paths.is_reserved(path)))),
        }
    }
}

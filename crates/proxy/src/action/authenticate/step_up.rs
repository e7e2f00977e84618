//! Step-up: a user who is signed in signs in again, because a rule demands a newer or a stronger sign-in ([`Demand`]).
//!
//! The sign-in asks the provider with `max_age` and `acr_values` (OIDC Core §3.1.2.1). A provider may ignore both, so its answer is
//! checked when it arrives. If the answer falls short, the sign-in ends with a page: nothing redirects again, so there is no loop.

use http::HeaderMap;

use crate::action::authenticate::decision::{Absence, Sends, may_sign_in};
use crate::action::authenticate::gate::Authenticate;
use crate::action::authenticate::login::{Cause, LoginStart, Prompt};
use crate::action::authenticate::ticket::Destination;
use crate::action::demand::{Demand, Shortfall};
use crate::action::told;
use crate::clock::Timestamp;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::identity::Identity;
use crate::message::media::{self, Intent};
use crate::message::uri::CanonicalRequest;
use crate::message::{BoxError, Response};
use crate::oidc::error::Error;
use crate::page::Text;

impl Authenticate {
    /// Redirects a navigation to the provider, and back to the same address.
    ///
    /// # Errors
    ///
    /// [`Reason::AuthStepUpRequired`] for a request that cannot be redirected, and the errors of a sign-in.
    pub(super) async fn begin_step_up(
        &self,
        demand: &Demand,
        exchange: &mut Exchange,
        request: &CanonicalRequest,
        headers: &HeaderMap,
    ) -> Result<Response, Rejection> {
        let intent = media::intent(&request.method, headers);
        let sends = Sends::of(&request.method, headers);
        let to = Destination::of(request, |path| self.paths.is_reserved(path));
        let is_redirected = intent == Intent::Navigation && sends == Sends::Nothing;
        // The session of the user is as good as expired: the settings say what follows.
        if is_redirected && may_sign_in(Absence::Expired, &self.settings) {
            let demand = demand.clone();
            let start = LoginStart { cause: Cause::StepUp, prompt: Prompt::NotNone, ..LoginStart::request(to, demand) };
            return self.begin_login(exchange, request, headers, start).await;
        }
        let mut rejection = Rejection::from(Reason::AuthStepUpRequired);
        // Nobody sees the response to a prefetch.
        if intent == Intent::Prefetch {
            return Err(rejection);
        }
        if sends == Sends::Form {
            rejection = rejection.note(Text::StepUpFormNotSent.into());
        }
        Err(rejection.offer(if is_redirected {
            self.step_up_link(request.host(), &to, demand)
        } else {
            // After the sign-in in a new tab, the user returns to the page with the frame or the form.
            self.step_up_link(request.host(), &Destination::Landing, demand).in_a_new_tab()
        }))
    }
}

/// Checks that a finished sign-in at `provider` meets what it was begun for.
///
/// # Errors
///
/// [`Reason::AuthStepUpFailed`], with what is missing.
pub(super) fn check(demand: &Demand, identity: &Identity, provider: &str, now: Timestamp) -> Result<(), Rejection> {
    demand.check(identity.claims(), now).map_err(|shortfall| {
        let rejection = failed(demand, shortfall, demand.told(shortfall, identity.claims(), now));
        told::who(rejection, identity, provider)
    })
}

/// The shortfall behind an error of a sign-in with a `max_age`, which `oidc` checks as well.
pub(super) fn shortfall(demand: &Demand, error: &Error) -> Option<Shortfall> {
    demand.max_age?;
    match error {
        Error::IdToken(fault) if fault.is_auth_time_missing() => Some(Shortfall::NoAuthTime),
        Error::IdToken(fault) if fault.is_auth_time_too_old() => Some(Shortfall::TooOld),
        _ => None,
    }
}

/// The rejection of a sign-in that falls short. `source` is for the log.
pub(super) fn failed(demand: &Demand, shortfall: Shortfall, source: impl Into<BoxError>) -> Rejection {
    let claim = shortfall.claim().to_owned();
    let rejection = Rejection::new(Reason::AuthStepUpFailed, source).note(shortfall.explanation().into());
    told::contact(rejection.fact("claim", claim), demand.contact.as_deref())
}

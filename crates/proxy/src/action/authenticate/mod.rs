//! `authenticate-oidc` and `authenticate-user-pool`: depending on the session, the request continues, or a refresh or sign-in is
//! started, or the request continues without a user, or it is refused (ALB §2.1).
//!
//! There is one [`Authenticate`] per action, shared by the workers. [`worker_state::WorkerState`] is the state of each worker, [`ProcessState`]
//! the state of the process. This module does not depend on targets and rules. Start at [`Authenticate::run`]. A sign-in starts in
//! [`login`] and returns through [`endpoints`] and [`callback`].

pub mod endpoints;
pub mod paths;
pub mod worker_state;

mod answer;
mod callback;
mod choice;
mod choosing;
mod decision;
mod dispatch;
mod failure;
mod finish;
mod finishing;
mod flights;
mod gate;
mod login;
mod metrics;
mod opening;
mod redeemed;
mod refresh;
mod refusal;
mod renewer;
mod services;
mod session_factory;
mod session_lease;
mod sign_in;
mod sign_out;
mod signed_in;
mod step_up;
mod ticket;
mod userinfo;

use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method};

use crate::action::demand::Demand;
use crate::action::visitor::Visitor;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::cookie::SameSite;
use crate::message::uri::CanonicalRequest;
use crate::message::{Response, media};
use crate::telemetry::traces::scope;
use decision::{Absence, Sends, Verdict, Wish, decide};
pub use gate::Authenticate;
use login::LoginStart;
pub use services::{GenerationServices, ProcessState};
use ticket::Destination;
use worker_state::WorkerState;

/// The result of the gate. An error never becomes one of the first two variants.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The user is signed in.
    Identified(Rc<Visitor>),
    /// There is no user, and the rule says `allow`.
    Anonymous(Anonymous),
    /// The gate has answered the request.
    Answered(Box<Response>),
}

/// Proof that the rule says `allow`. Nothing else creates one.
#[derive(Debug)]
pub(crate) struct Anonymous(());

/// What becomes of a request without a session, if it is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupposedAbsence {
    Anonymous,
    SignIn,
}

#[cfg(test)]
impl Anonymous {
    pub(in crate::action) fn in_a_test() -> Self {
        Self(())
    }
}

impl Authenticate {
    /// Runs the gate. `demand` is what a later gate of the chain will demand of the sign-in, so that a new sign-in meets it at once.
    ///
    /// # Errors
    ///
    /// 401 for a request that may not continue and cannot be redirected, or the error of the sign-in.
    pub(crate) async fn run(
        self: &Arc<Self>,
        worker: &WorkerState,
        exchange: &mut Exchange,
        request: &CanonicalRequest,
        headers: &HeaderMap,
        demand: &Demand,
    ) -> Result<Outcome, Rejection> {
        let mut opened = self.open(worker, request.host(), headers, exchange.started_at).await;
        if let Ok(signed_in) = &opened
            && signed_in.lease.is_refresh_due(exchange.started_at)
        {
            // Boxed, because most requests need no refresh. Otherwise every request would reserve the memory for it.
            let came = (request.host(), headers);
            let scope = exchange.scope();
            let refresh = self.refresh(worker, came, signed_in, exchange.started_at);
            opened = Box::pin(scope::within(scope, refresh)).await;
        }
        match opened {
            Ok(signed_in) => {
                exchange.subject = Some(Rc::clone(signed_in.visitor.subject()));
                exchange.cookies.extend_from_slice(signed_in.new_cookies());
                exchange.is_private = self.settings.private_responses;
                Ok(Outcome::Identified(Rc::clone(&signed_in.visitor)))
            }
            Err(absence) => {
                let scope = exchange.scope();
                let answering = self.without_session(absence, exchange, request, headers, demand);
                Box::pin(scope::within(scope, answering)).await
            }
        }
    }

    /// What becomes of a request without a session. For `check` only: no sign-in is begun.
    ///
    /// # Errors
    ///
    /// The reason why it is refused.
    pub fn supposed_absence(&self, method: &Method, headers: &HeaderMap) -> Result<SupposedAbsence, Reason> {
        let wish = Wish { intent: media::intent(method, headers), sends: Sends::of(method, headers) };
        match decide(Absence::Nothing, &self.settings, wish) {
            Verdict::Anonymous => Ok(SupposedAbsence::Anonymous),
            Verdict::Login => Ok(SupposedAbsence::SignIn),
            Verdict::Refuse(reason) => Err(reason),
        }
    }

    async fn without_session(
        &self,
        absence: Absence,
        exchange: &mut Exchange,
        request: &CanonicalRequest,
        headers: &HeaderMap,
        demand: &Demand,
    ) -> Result<Outcome, Rejection> {
        let intent = media::intent(&request.method, headers);
        let wish = Wish { intent, sends: Sends::of(&request.method, headers) };
        let verdict = decide(absence, &self.settings, wish);
        // A cookie that cannot be decrypted is deleted. An expired session is kept, because it shows that it has expired, except with `allow`.
        let is_over = matches!(absence, Absence::Expired | Absence::Ended);
        if absence == Absence::Invalid || (is_over && matches!(verdict, Verdict::Anonymous)) {
            exchange.cookies.extend(self.factory.sessions.clear(headers));
        }
        if self.settings.same_site == SameSite::Strict && absence == Absence::Nothing && verdict == Verdict::Login {
            // Browsers do not send `SameSite=Strict` cookies if another site links here, but they do if our own page links.
            let is_led_here = |site: &HeaderValue| !matches!(site.as_bytes(), b"same-origin" | b"none");
            if headers.get(login::SEC_FETCH_SITE).is_some_and(is_led_here) {
                let page = answer::page_that_goes_to(self.pages.view_for(headers), request.target.as_str());
                return Ok(Outcome::Answered(Box::new(page)));
            }
        }
        if absence == Absence::Ended && !matches!(verdict, Verdict::Refuse(_)) {
            // A redirect has no reason of its own. The log shall still show who lost a session.
            exchange.page_code = Some(Reason::AuthSessionEnded.code());
        }
        match verdict {
            Verdict::Anonymous => Ok(Outcome::Anonymous(Anonymous(()))),
            Verdict::Login => {
                let to = Destination::of(request, |path| self.paths.is_reserved(path));
                let start = LoginStart::request(to, demand.clone());
                let answer = match &self.choice {
                    None => self.begin_login(exchange, request, headers, start).await?,
                    Some(choice) => self.begin_choice(choice, exchange, request, headers, start).await?,
                };
                Ok(Outcome::Answered(Box::new(answer)))
            }
            Verdict::Refuse(reason) => Err(self.refusal(reason, intent, request)),
        }
    }
}

#[cfg(test)]
mod tests;

//! The actions of a rule: gates that may stop the request, then exactly one terminal.
//!
//! What the gates know of the sender is a [`Passage`]; a verified user is a [`visitor::Visitor`]. This room does not depend on rules.
//! Start at [`ActionChain::run`].

pub mod allow;
pub mod authenticate;
pub mod authorize;
pub mod bearer;
pub mod certificate_test;
pub mod decisions;
pub mod demand;
pub mod extras;
pub mod fixed_response;
pub mod forward;
pub(crate) mod lease_end;
pub(crate) mod passage;
pub mod redirect;
pub mod replacement;
pub mod requirement;
mod session_or_bearer;
pub mod settings;
pub mod static_files;
pub mod supposed_user;
mod told;
pub mod transform;
pub(crate) mod visitor;
mod web_socket_origin;
pub mod worker;

use std::sync::Arc;

use crate::exchange::Exchange;
use crate::exchange::rejection::Rejection;
use crate::message::uri::CanonicalRequest;
use crate::message::{Request, Response};
use allow::Allow;
use authenticate::{Authenticate, Outcome};
use authorize::{Authorize, Granted};
use bearer::Bearer;
use demand::Demand;
use fixed_response::FixedResponse;
use forward::Forward;
use passage::Passage;
use redirect::Redirect;
pub use session_or_bearer::SessionOrBearer;
use static_files::StaticFiles;
use worker::Worker;

/// Gates in order, then one terminal (ALB §1.3). The type makes a chain without a terminal impossible.
#[derive(Debug)]
pub struct ActionChain {
    pub gates: Box<[Gate]>,
    pub terminal: Terminal,
    /// What a sign-in that begins here has to meet, so that the gates behind it let the user in.
    pub demand: Demand,
}

/// A gate.
#[derive(Debug)]
pub enum Gate {
    /// `authenticate-oidc`, `authenticate-user-pool`.
    Authenticate(Arc<Authenticate>),
    /// `jwt-validation`.
    Bearer(Arc<Bearer>),
    /// `session-or-bearer`.
    SessionOrBearer(SessionOrBearer),
    /// `authorize`.
    Authorize(Arc<Authorize>),
    #[cfg(test)]
    Scripted(tests::Scripted),
}

/// The action that answers the request.
#[derive(Debug)]
pub enum Terminal {
    Forward(Forward),
    Redirect(Redirect),
    FixedResponse(FixedResponse),
    Static(StaticFiles),
    Allow(Allow),
}

impl ActionChain {
    /// Whether a login can begin here.
    pub(crate) fn authenticates(&self) -> bool {
        self.gates.iter().any(|gate| gate.authenticate().is_some())
    }

    /// Runs the gates in order, then the terminal, which takes the request's body.
    pub(crate) async fn run(
        &self,
        worker: &Worker,
        exchange: &mut Exchange,
        canonical: &CanonicalRequest,
        request: &mut Request,
    ) -> Result<Box<Response>, Rejection> {
        let mut passage = Passage::ungated();
        for gate in &self.gates {
            passage = match gate.admit(worker, exchange, canonical, request, (passage, &self.demand)).await? {
                Admitted::On(passage) => passage,
                Admitted::Answered(response) => return Ok(response),
            };
        }
        exchange.actions.push(self.terminal.name());
        match &self.terminal {
            Terminal::Forward(forward) => forward.run(worker, exchange, canonical, &passage, request).await,
            Terminal::Redirect(redirect) => redirect.run(exchange, canonical).map(Box::new),
            Terminal::FixedResponse(fixed) => Ok(Box::new(fixed.run())),
            // Boxed, so that the future of a request for a target does not include the size of this one.
            Terminal::Static(files) => Box::pin(files.run(worker, exchange, canonical, request)).await,
            Terminal::Allow(allow) => allow.run(exchange, canonical, &passage, request.headers()),
        }
    }
}

/// What a gate does with a request. An error never becomes one of these.
enum Admitted {
    /// The request goes on to the next gate, or to the terminal.
    On(Passage),
    /// The gate has answered the request.
    Answered(Box<Response>),
}

impl Gate {
    /// What signs users in, if the action does.
    pub const fn authenticate(&self) -> Option<&Arc<Authenticate>> {
        match self {
            Self::Authenticate(authenticate) => Some(authenticate),
            Self::SessionOrBearer(either) => Some(&either.session),
            _ => None,
        }
    }

    /// What takes bearer tokens, if the action does.
    pub const fn bearer(&self) -> Option<&Arc<Bearer>> {
        match self {
            Self::Bearer(bearer) => Some(bearer),
            Self::SessionOrBearer(either) => Some(&either.bearer),
            _ => None,
        }
    }

    const fn session_or_bearer(&self) -> Option<&SessionOrBearer> {
        if let Self::SessionOrBearer(either) = self { Some(either) } else { None }
    }

    /// The action, if it is an `authorize`.
    pub const fn authorize(&self) -> Option<&Arc<Authorize>> {
        if let Self::Authorize(authorize) = self { Some(authorize) } else { None }
    }

    /// Decides whether a request goes on. `passage` is what the gates before this one know of its sender,
    /// and `demand` what a sign-in has to meet.
    async fn admit(
        &self,
        worker: &Worker,
        exchange: &mut Exchange,
        canonical: &CanonicalRequest,
        request: &Request,
        (passage, demand): (Passage, &Demand),
    ) -> Result<Admitted, Rejection> {
        match self {
            // One arm, so that the future of the session is inlined: it is that of most requests.
            Self::Authenticate(session) | Self::SessionOrBearer(SessionOrBearer { session, .. }) => {
                let either = self.session_or_bearer();
                exchange.actions.push(if either.is_some() { "session-or-bearer" } else { "authenticate" });
                // A session travels over HTTPS only: on our own TLS connection, or if a trusted proxy says so.
                exchange.require_https()?;
                let headers = request.headers();
                if let Some(either) = either
                    && let Some(visitor) = either.by_token(worker, exchange, canonical, headers).await?
                {
                    return Ok(Admitted::On(Passage::Identified(visitor)));
                }
                match (session.run(&worker.authenticate, exchange, canonical, headers, demand).await, either) {
                    (Err(rejection), Some(either)) => Err(either.without_either(canonical, rejection)),
                    (outcome, _) => outcome.map(Admitted::from),
                }
            }
            Self::Bearer(bearer) => {
                exchange.actions.push("jwt-validation");
                // Whoever sees a token on the way can use it.
                exchange.require_https()?;
                let visitor = bearer.run(&worker.bearer, exchange, (canonical, request.headers())).await?;
                Ok(Admitted::On(Passage::Identified(visitor)))
            }
            Self::Authorize(authorize) => {
                exchange.actions.push("authorize");
                match authorize.admit(&worker.reported, exchange, canonical, &passage)? {
                    Granted::Now => Ok(Admitted::On(passage)),
                    Granted::AfterStepUp(visitor, demand) => {
                        let answered =
                            visitor.reidentify().step_up(demand, exchange, canonical, request.headers()).await;
                        answered.map(|response| Admitted::Answered(Box::new(response)))
                    }
                }
            }
            #[cfg(test)]
            Self::Scripted(scripted) => scripted.admit(passage),
        }
    }
}

impl From<Outcome> for Admitted {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Identified(visitor) => Self::On(Passage::Identified(visitor)),
            Outcome::Anonymous(anonymous) => Self::On(Passage::Anonymous(anonymous)),
            Outcome::Answered(response) => Self::Answered(response),
        }
    }
}

impl Terminal {
    /// The name in the access log (ALB §6.3).
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Forward(_) => "forward",
            Self::Redirect(_) => "redirect",
            Self::FixedResponse(_) => "fixed-response",
            Self::Static(_) => "static",
            Self::Allow(_) => "allow",
        }
    }
}

#[cfg(test)]
mod tests;

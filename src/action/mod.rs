//! The actions of a rule: a gate that may stop the request, then exactly one terminal.
//!
//! This room does not depend on rules. Start at [`ActionChain::run`].

pub(crate) mod authenticate;
pub(crate) mod fixed_response;
pub(crate) mod forward;
pub(crate) mod redirect;
pub(crate) mod settings;

use std::rc::Rc;
use std::sync::Arc;

use crate::clock::Clock;
use crate::drain::Spawner;
use crate::exchange::Exchange;
use crate::exchange::rejection::Rejection;
use crate::message::{Request, Response};
use crate::upstream::client::Client;
use authenticate::local::Local;
use authenticate::signed_in::SignedIn;
use authenticate::{Anonymous, Authenticate, Outcome};
use fixed_response::FixedResponse;
use forward::Forward;
use redirect::Redirect;

/// At most one gate (ALB §1.3), then one terminal. The type makes a chain without a terminal impossible.
#[derive(Debug)]
pub(crate) struct ActionChain {
    pub(crate) gate: Option<Gate>,
    pub(crate) terminal: Terminal,
}

/// A gate.
#[derive(Clone, Debug)]
pub(crate) enum Gate {
    /// `authenticate-oidc`, `authenticate-user-pool`.
    Authenticate(Arc<Authenticate>),
}

/// The action that answers the request.
#[derive(Debug)]
pub(crate) enum Terminal {
    Forward(Forward),
    Redirect(Redirect),
    FixedResponse(FixedResponse),
}

/// The state of one worker. Nothing in it is shared with other workers.
#[derive(Debug)]
pub(crate) struct Worker {
    /// The sessions that this worker has decrypted.
    pub(crate) authenticate: Local,
    /// The client of each target group, by the index in [`Forward`].
    pub(crate) groups: Vec<Client>,
    pub(crate) clock: Clock,
    pub(crate) spawner: Spawner,
}

/// Permission to reach a target. Only a gate, or a chain without a gate, creates one. An error cannot become one (attacks §4.2).
#[derive(Debug)]
pub(crate) enum Passage {
    /// A gate has verified the user.
    SignedIn(Rc<SignedIn>),
    /// A gate with `allow` lets the request pass without a user.
    Anonymous(Anonymous),
    /// The rule has no gate.
    Ungated(Ungated),
}

/// Created only by a chain without gates.
#[derive(Debug)]
pub(crate) struct Ungated(());

impl ActionChain {
    /// Runs the gate, then the terminal, which takes the request's body.
    pub(crate) async fn run(
        &self,
        worker: &Worker,
        exchange: &mut Exchange,
        request: &mut Request,
    ) -> Result<Box<Response>, Rejection> {
        let passage = match self.pass(worker, exchange, request).await? {
            Passed::On(passage) => passage,
            Passed::Answered(response) => return Ok(response),
        };
        exchange.actions.push(self.terminal.name());
        match &self.terminal {
            Terminal::Forward(forward) => forward.run(worker, exchange, &passage, request).await,
            Terminal::Redirect(redirect) => redirect.run(exchange).map(Box::new),
            Terminal::FixedResponse(fixed) => Ok(Box::new(fixed.run())),
        }
    }

    async fn pass(&self, worker: &Worker, exchange: &mut Exchange, request: &Request) -> Result<Passed, Rejection> {
        let Some(Gate::Authenticate(authenticate)) = &self.gate else {
            return Ok(Passed::On(Passage::Ungated(Ungated(()))));
        };
        exchange.actions.push("authenticate");
        // Sessions are used only over HTTPS: with our own TLS, or if a trusted proxy says so.
        exchange.require_https()?;
        match authenticate.run(&worker.authenticate, exchange, request.headers()).await? {
            Outcome::Identified(user) => Ok(Passed::On(Passage::SignedIn(user))),
            Outcome::Anonymous(anonymous) => Ok(Passed::On(Passage::Anonymous(anonymous))),
            Outcome::Answered(response) => Ok(Passed::Answered(response)),
        }
    }
}

enum Passed {
    On(Passage),
    Answered(Box<Response>),
}

impl Terminal {
    /// The name in the access log (ALB §6.3).
    const fn name(&self) -> &'static str {
        match self {
            Self::Forward(_) => "forward",
            Self::Redirect(_) => "redirect",
            Self::FixedResponse(_) => "fixed-response",
        }
    }
}

//! A verified user, as a chain of actions knows one: the same for every kind of evidence.
//!
//! A gate makes a [`Visitor`] from what it has verified. `authorize`, `forward` and the identity headers ask the visitor, and do not
//! know whether a session or something else identified the user. Each kind of evidence implements [`Lease`] and [`Reidentify`].

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderMap;
use tokio::sync::watch;

use crate::action::decisions::Decisions;
use crate::action::demand::Demand;
use crate::claims::{self, ClaimsHeaders, Prepared};
use crate::clock::Timestamp;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::identity::Identity;
use crate::message::Response;
use crate::message::own_fields::OwnFields;
use crate::message::uri::CanonicalRequest;

/// How long the evidence for a user holds.
pub(crate) trait Lease: fmt::Debug {
    /// When the evidence expires.
    fn expires_at(&self) -> Timestamp;

    /// Whether the evidence was withdrawn before it expires. Exchanges that last ask this at intervals.
    fn has_ended(&self, now: Timestamp) -> bool;

    /// Changes when [`has_ended`](Self::has_ended) may say something else at once. `None`: ask at intervals only.
    fn changes(&self) -> Option<watch::Receiver<()>> {
        None
    }

    /// What renewals have brought since the visitor was made. As new as the last call of [`has_ended`](Self::has_ended).
    fn renewed(&self) -> Renewed;

    /// Whether it is a bearer token. Who comes with one is refused for the reasons [`of_token`](Reason::of_token).
    fn is_token(&self) -> bool;

    /// When the user asked for the claims again, if the evidence comes from that.
    fn asked_again_at(&self) -> Option<Timestamp>;
}

/// What is known of the renewals of the evidence for a user.
#[derive(Clone, Debug)]
pub(crate) enum Renewed {
    /// There was none.
    No,
    /// The user with the claims of the last renewal.
    Known(Arc<Identity>),
    /// There was one whose claims are not known here any more.
    Missed,
}

/// How a user who is refused can be identified anew.
pub(crate) trait Reidentify: fmt::Debug {
    /// The name of the provider that vouches for the user.
    fn provider(&self) -> &str;

    /// Adds to a refusal how the user can come back with another account or other claims: links, or who issues tokens.
    fn offer(&self, rejection: Rejection, request: &CanonicalRequest) -> Rejection;

    /// Answers a request whose evidence is too old or too weak for `demand`: leads the user to newer or stronger evidence, or says how
    /// to get it. Never lets the request pass.
    fn step_up<'a>(
        &'a self,
        demand: &'a Demand,
        exchange: &'a mut Exchange,
        request: &'a CanonicalRequest,
        headers: &'a HeaderMap,
    ) -> Pin<Box<dyn Future<Output = Result<Response, Rejection>> + 'a>>;
}

/// A verified user, with what requests need of one. Made once for each piece of evidence and shared by its requests.
#[derive(Debug)]
pub(crate) struct Visitor {
    identity: Arc<Identity>,
    subject: Rc<str>,
    claimed: Option<Claimed>,
    origins: Origins,
    lease: Rc<dyn Lease>,
    reidentify: Arc<dyn Reidentify>,
    decisions: Decisions,
}

/// The identity headers of a user.
#[derive(Debug)]
pub(in crate::action) struct Claimed {
    pub(in crate::action) headers: Arc<ClaimsHeaders>,
    /// The values for this user.
    pub(in crate::action) prepared: Prepared,
}

/// The pages that may open WebSockets as a user.
#[derive(Clone, Debug)]
pub(in crate::action) enum Origins {
    /// Pages of the same host, and of these other origins. Browsers send cookies with the requests of all pages.
    SameHostAnd(Arc<[String]>),
    /// All: browsers do not send the evidence by themselves.
    Any,
}

/// The input of a [`Visitor`].
#[derive(Debug)]
pub(in crate::action) struct VisitorParts {
    /// Shared with the evidence.
    pub(in crate::action) identity: Arc<Identity>,
    /// `None` if targets get no identity headers.
    pub(in crate::action) claimed: Option<Claimed>,
    pub(in crate::action) origins: Origins,
    pub(in crate::action) lease: Rc<dyn Lease>,
    pub(in crate::action) reidentify: Arc<dyn Reidentify>,
}

impl Visitor {
    /// Only a gate that has verified the evidence calls this.
    pub(in crate::action) fn new(parts: VisitorParts) -> Self {
        let VisitorParts { identity, claimed, origins, lease, reidentify } = parts;
        Self {
            subject: identity.subject().into(),
            identity,
            claimed,
            origins,
            lease,
            reidentify,
            decisions: Decisions::default(),
        }
    }

    /// The verified user.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// `sub`, for the access log.
    pub(crate) fn subject(&self) -> &Rc<str> {
        &self.subject
    }

    /// How long the evidence holds. An exchange that lasts must end with it (attacks W-03).
    pub(crate) fn lease(&self) -> &Rc<dyn Lease> {
        &self.lease
    }

    /// How the user can be identified anew.
    pub(crate) fn reidentify(&self) -> &dyn Reidentify {
        &*self.reidentify
    }

    /// What `authorize` actions have decided about the user.
    pub(crate) fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// Whether pages of this origin, which need not be the host of the request, may open WebSockets as the user.
    pub(crate) fn allows_origin(&self, origin: &str) -> bool {
        match &self.origins {
            Origins::SameHostAnd(others) => others.iter().any(|allowed| allowed == origin),
            Origins::Any => true,
        }
    }

    /// Adds the identity headers, if there are any, to a request for the target group `audience`.
    ///
    /// # Errors
    ///
    /// [`Reason::Internal`] if signing failed, [`Reason::AuthHeaderTooLarge`].
    pub(crate) fn apply(&self, audience: &Arc<str>, now: Timestamp, fields: &mut OwnFields) -> Result<(), Rejection> {
        let Some(Claimed { headers, prepared }) = &self.claimed else { return Ok(()) };
        headers.apply(prepared, audience, now, fields).map_err(without_headers)
    }

    /// Approximate size in memory, without the identity, in bytes.
    pub(in crate::action) fn weight(&self) -> usize {
        self.claimed.as_ref().map_or(0, |claimed| claimed.prepared.weight())
    }
}

/// The refusal of a request whose identity headers cannot be made.
pub(in crate::action) fn without_headers(error: claims::Error) -> Rejection {
    match error {
        claims::Error::Signing(error) => Rejection::new(Reason::Internal, error),
        claims::Error::TooLarge { .. } => Rejection::new(Reason::AuthHeaderTooLarge, error),
    }
}

impl dyn Lease {
    /// Whether the evidence no longer holds.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.expires_at() || self.has_ended(now)
    }
}

#[cfg(test)]
pub(in crate::action) mod tests;

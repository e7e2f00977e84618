//! One request and its response, and the facts that are known about them so far.
//!
//! This room knows no rule, action or provider. Start at [`Exchange`]. [`rejection::Reason`] lists every reason for a
//! refusal.

mod alb_reason;
pub mod client;
pub mod connection;
pub(crate) mod error_page;
pub(crate) mod logins;
pub(crate) mod reason_counters;
pub mod rejection;
pub(crate) mod request_id;
pub(crate) mod trace;

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::clock::Timestamp;
use crate::exchange::connection::Connection;
use crate::exchange::error_page::About;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::cors;
use crate::message::desync::Finding;
use crate::message::media::{self, Preferred};
use crate::message::uri::{CanonicalRequest, Scheme};
use crate::message::watch::WatchSlot;
use crate::page::Language;
use crate::telemetry::traces::scope::Scope;
use crate::telemetry::traces::span::Base;

/// The facts about one request and its response. Created when the head of the request has been read. The access record is
/// written when the last byte of the response has been sent, when a tunnel has ended, or when either side has closed early.
#[derive(Debug)]
pub struct Exchange {
    /// The connection that the request arrived on.
    pub connection: Rc<Connection>,
    /// The id of the exchange in the log, on Vestibule's pages and for the target (`x-amzn-trace-id`).
    pub(crate) id: request_id::RequestId,
    /// When the head had been read.
    pub(crate) started: Instant,
    /// The same moment as calendar time.
    pub started_at: Timestamp,
    /// The client's address: the peer's, or the address that a trusted peer names (attacks F-06).
    pub client: IpAddr,
    /// The scheme that the client used, as seen on our own connection or as a trusted proxy says.
    pub scheme: Scheme,
    /// The port that a trusted proxy says the client used.
    pub(crate) forwarded_port: Option<u16>,
    /// The parsed request target, for the access record and the error page. `None` if it was refused. Code that runs after
    /// the rule was found gets it as an argument.
    pub request: Option<Rc<CanonicalRequest>>,
    /// The form of answers that the client prefers, if it is known without the headers. See [`Exchange::preferred`].
    pub(crate) preferred: Option<Preferred>,
    /// The language that the client likes best, if it is known without the headers. Most requests never need it.
    pub(crate) language: Option<Language>,
    /// The rule that matched the request.
    pub(crate) rule: Option<Matched>,
    /// For the log: the provider of a sign-in, and the rule that began the sign-in.
    pub(crate) login: Option<LoginNames>,
    /// The actions that ran, in order: `authenticate`, `forward`, … (ALB §6.3).
    pub(crate) actions: Vec<&'static str>,
    /// The `sub` of the signed-in user, for the access log only.
    pub(crate) subject: Option<Rc<str>>,
    /// The target that was chosen.
    pub(crate) target: Option<Rc<str>>,
    /// The target group that was chosen for the request. `None` if the rule has only one.
    pub(crate) target_group: Option<Arc<str>>,
    /// The answer of the target, if it has answered.
    pub(crate) answered: Option<TargetAnswer>,
    /// What transforms of the rule have made of the request. `None` if the rule has none.
    pub(crate) transformed: Option<Box<Transformed>>,
    /// The reason of a refusal.
    pub(crate) reason: Option<Reason>,
    /// The code of a refusal by a page of the user pool. The user pool has its own codes.
    pub(crate) page_code: Option<&'static str>,
    /// `Set-Cookie` lines that are added to the answer, whichever answer it is (pitfalls 7). An answer with such a line is made
    /// private, so that no shared cache stores it, whatever the target says.
    pub(crate) cookies: Vec<HeaderValue>,
    /// If the answer switches protocols: where what watches the tunnel is put.
    pub(crate) tunnel: Option<WatchSlot>,
    /// Why the request does not conform to the standard (ALB §10.6). `None` for most.
    pub(crate) finding: Option<Finding>,
    /// What the request asks of the CORS policy of its rule. `None` if the rule has none, or there is no rule.
    pub(crate) cors: Option<Box<cors::Asked>>,
    /// What is recorded of the exchange as a trace. `None` if it is not sampled.
    pub(crate) trace: Option<Box<trace::Trace>>,
    /// Whether the answer is made private even without such a line, because the rule requires it and a user is signed in.
    pub(crate) is_private: bool,
}

/// What the target receives in place of what the client has sent. `None` where no expression matched.
#[derive(Debug)]
pub(crate) struct Transformed {
    pub host: Option<HeaderValue>,
    pub target: Option<PathAndQuery>,
    /// Whether an expression matched, and the result could not be sent.
    pub(crate) has_failed: bool,
}

impl Transformed {
    /// The status in the access log.
    pub(crate) fn status(&self) -> &'static str {
        match self {
            Self { has_failed: true, .. } => "failed",
            Self { host: None, target: None, .. } => "unchanged",
            _ => "transformed",
        }
    }
}

/// The rule that matched a request.
#[derive(Clone, Debug)]
pub(crate) struct Matched {
    pub(crate) name: Rc<str>,
    /// The rule's index in evaluation order. The default actions have the last index.
    pub(crate) index: usize,
}

/// The head of a target's answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TargetAnswer {
    /// The index of the target group in the configuration.
    pub(crate) group: usize,
    /// When the request was offered to the target that answered.
    pub(crate) sent: Instant,
    pub(crate) status: StatusCode,
}

/// The provider and the rule of the sign-in that an exchange is part of.
#[derive(Clone, Debug)]
pub(crate) struct LoginNames {
    pub(crate) provider: Arc<str>,
    /// `None` if the rule is not known, or no longer known.
    pub(crate) rule: Option<Rc<str>>,
}

/// A session needs HTTPS, and neither the connection nor a trusted proxy shows that the client used HTTPS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotHttps {
    #[error("the peer {0} is not in `trusted_proxies` of the listener, and the connection is plain HTTP")]
    NotTrusted(IpAddr),
    #[error("the proxy {0} does not say `X-Forwarded-Proto: https`")]
    NotSaid(IpAddr),
}

impl Exchange {
    /// The name of the rule that matched the request.
    pub(crate) fn rule_name(&self) -> Option<&Rc<str>> {
        self.rule.as_ref().map(|rule| &rule.name)
    }

    /// Refuses a request that must not carry a session: the client did not use HTTPS, or no trusted proxy says so.
    ///
    /// # Errors
    ///
    /// [`Reason::RequestNotHttps`].
    pub fn require_https(&self) -> Result<(), Rejection> {
        if self.scheme == Scheme::Https {
            return Ok(());
        }
        let peer = self.connection.peer;
        let is_trusted = self.connection.forwarded.is_trusted(peer);
        let cause = if is_trusted { NotHttps::NotSaid(peer) } else { NotHttps::NotTrusted(peer) };
        Err(Rejection::new(Reason::RequestNotHttps, cause))
    }

    /// What work for this exchange is recorded below. `None` if the exchange is not sampled.
    pub(crate) fn scope(&self) -> Option<Scope> {
        let trace = self.trace.as_deref()?;
        let base = Base { at: self.started_at, instant: self.started };
        Some(Scope { tracer: Arc::clone(&trace.tracer), context: trace.context(), base })
    }

    /// The form of answers that the client prefers. `headers` are the request's headers. Most requests never need this.
    pub(crate) fn preferred(&self, headers: &HeaderMap) -> Preferred {
        self.preferred.unwrap_or_else(|| media::preferred(headers))
    }

    /// What a page about a refusal tells of the request.
    pub(crate) fn about(&self) -> About<'_> {
        About { id: &self.id, authority: self.request.as_ref().map(|request| request.authority.as_str()) }
    }

    /// Creates an exchange, before any header of the request is trusted.
    pub fn begin(connection: Rc<Connection>, started: Instant, started_at: Timestamp) -> Self {
        Self {
            id: request_id::RequestId::new(started_at),
            client: connection.peer,
            scheme: connection.scheme(),
            forwarded_port: None,
            connection,
            started,
            started_at,
            request: None,
            preferred: None,
            language: None,
            rule: None,
            login: None,
            actions: Vec::new(),
            subject: None,
            target: None,
            target_group: None,
            answered: None,
            transformed: None,
            reason: None,
            page_code: None,
            cookies: Vec::new(),
            tunnel: None,
            finding: None,
            cors: None,
            trace: None,
            is_private: false,
        }
    }

    /// The path and the query that a target receives, after transforms.
    #[inline]
    pub fn target_of<'r>(&'r self, canonical: &'r CanonicalRequest) -> &'r PathAndQuery {
        self.transformed.as_ref().and_then(|made| made.target.as_ref()).unwrap_or(&canonical.target)
    }
}

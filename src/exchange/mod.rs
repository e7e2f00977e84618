//! One request and its response, and what we know so far.
//!
//! Knows no rule, action or provider. Start at [`Exchange`]; [`rejection::Reason`] lists everything we refuse.

pub(crate) mod connection;
pub(crate) mod error_page;
pub(crate) mod logins;
pub(crate) mod rejection;
pub(crate) mod request_id;

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, HeaderValue};

use crate::clock::Timestamp;
use crate::exchange::connection::Connection;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::media::{self, Preferred};
use crate::message::uri::{CanonicalRequest, Scheme};

/// What is known of one request and its response. Made when the head has been read; its record is written when the
/// response's last byte has gone, or when either side gave up.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Where the request came in.
    pub(crate) connection: Rc<Connection>,
    /// Names the exchange in our log, on our pages and to the target (`x-amzn-trace-id`).
    pub(crate) id: request_id::RequestId,
    /// When the head had been read.
    pub(crate) started: Instant,
    /// The same on the calendar.
    pub(crate) started_at: Timestamp,
    /// Who sent the request: the peer, or whom a trusted peer names (attacks F-06).
    pub(crate) client: IpAddr,
    /// How the client came: by our own end of the connection, or by the word of a trusted proxy.
    pub(crate) scheme: Scheme,
    /// The port that a trusted proxy says the client used.
    pub(crate) forwarded_port: Option<u16>,
    /// The one reading of the target, for the record and the error page; `None` where it was refused. Code that runs after
    /// the rule was found is given it as an argument.
    pub(crate) request: Option<Rc<CanonicalRequest>>,
    /// How to tell the client something, where that is known without the headers: see [`Exchange::preferred`].
    pub(crate) preferred: Option<Preferred>,
    /// The rule that took the request.
    pub(crate) rule: Option<Matched>,
    /// The provider that a sign-in is made with, and the rule that began it: for the log.
    pub(crate) login: Option<LoginNames>,
    /// What the chain did, in order: `authenticate`, `forward`, … (ALB §6.3).
    pub(crate) actions: Vec<&'static str>,
    /// The `sub` of the signed-in user, for the access log only.
    pub(crate) subject: Option<Rc<str>>,
    /// The target that was chosen.
    pub(crate) target: Option<Rc<str>>,
    /// Why we refused.
    pub(crate) reason: Option<Reason>,
    /// Why a page of the user pool refused: a code of its own.
    pub(crate) page_code: Option<&'static str>,
    /// `Set-Cookie` lines that go out with whatever the answer is (pitfalls 7). An answer with one is kept out of shared
    /// caches, whatever the target says.
    pub(crate) cookies: Vec<HeaderValue>,
    /// Whether the answer is kept out of shared caches also without a cookie: the rule says so, and a user is signed in.
    pub(crate) is_private: bool,
}

/// The rule that takes a request.
#[derive(Clone, Debug)]
pub(crate) struct Matched {
    pub(crate) name: Rc<str>,
    /// Its index in evaluation order. The default actions have the last.
    pub(crate) index: usize,
}

/// Whose sign-in an exchange is a part of.
#[derive(Clone, Debug)]
pub(crate) struct LoginNames {
    pub(crate) provider: Arc<str>,
    /// `None` where it is not known, or no longer.
    pub(crate) rule: Option<Rc<str>>,
}

/// A session needs HTTPS, and nobody who is believed says that the client came by it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotHttps {
    #[error("the peer {0} is not in `trusted_proxies` of the listener, and the connection is plain HTTP")]
    NotTrusted(IpAddr),
    #[error("the proxy {0} does not say `X-Forwarded-Proto: https`")]
    NotSaid(IpAddr),
}

impl Exchange {
    /// The name of the rule that took the request.
    pub(crate) fn rule_name(&self) -> Option<&Rc<str>> {
        self.rule.as_ref().map(|rule| &rule.name)
    }

    /// Refuses a request by which no session may travel: the client did not come over HTTPS, or no trusted proxy says so.
    ///
    /// # Errors
    ///
    /// [`Reason::RequestNotHttps`].
    pub(crate) fn require_https(&self) -> Result<(), Rejection> {
        if self.scheme == Scheme::Https {
            return Ok(());
        }
        let peer = self.connection.peer;
        let is_trusted = self.connection.forwarded.is_trusted(peer);
        let cause = if is_trusted { NotHttps::NotSaid(peer) } else { NotHttps::NotTrusted(peer) };
        Err(Rejection::new(Reason::RequestNotHttps, cause))
    }

    /// How to tell the client something. `headers` are the request's; most requests never ask.
    pub(crate) fn preferred(&self, headers: &HeaderMap) -> Preferred {
        self.preferred.unwrap_or_else(|| media::preferred(headers))
    }

    /// Begins an exchange, before anything of the request is believed.
    pub(crate) fn begin(connection: Rc<Connection>, started: Instant, started_at: Timestamp) -> Self {
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
            rule: None,
            login: None,
            actions: Vec::new(),
            subject: None,
            target: None,
            reason: None,
            page_code: None,
            cookies: Vec::new(),
            is_private: false,
        }
    }
}

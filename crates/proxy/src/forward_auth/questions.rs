//! The questions that a listener answers: who may ask, and at which paths.

use std::net::IpAddr;

use http::Uri;

use crate::forward_auth::settings::{AskedBy, Refusals, Settings};

/// The settings of one listener, as used for requests.
#[derive(Debug)]
pub struct Questions {
    settings: Settings,
}

/// A request that is a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question<'q> {
    pub(crate) asked_by: AskedBy,
    pub(crate) refusals: Refusals,
    /// The path and the query after the path of the endpoint. Empty except for Envoy.
    pub(crate) below: &'q str,
}

impl Questions {
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Whether a peer may ask.
    pub(crate) fn may_ask(&self, peer: IpAddr) -> bool {
        self.settings.peers.iter().any(|network| network.contains(&peer))
    }

    /// The question at an address of this listener. `None` if the request is no question.
    ///
    /// The path is compared as written: it is the operator's own, and no client chooses it. Caddy adds the query of the request.
    pub(crate) fn find<'q>(&self, uri: &'q Uri) -> Option<Question<'q>> {
        let asked_by = self.settings.asked_by;
        let target = uri.path_and_query()?;
        self.settings.endpoints.iter().find_map(|(path, refusals)| {
            let below = match asked_by {
                AskedBy::Envoy => target.as_str().strip_prefix(&**path).filter(|below| below.starts_with('/'))?,
                AskedBy::Nginx | AskedBy::Traefik | AskedBy::Caddy | AskedBy::EnvoyGrpc => {
                    (target.path() == &**path).then_some("")?
                }
            };
            Some(Question { asked_by, refusals: *refusals, below })
        })
    }
}

impl Question<'_> {
    /// Whether the answer goes to the client whatever it is. nginx never asks so: it hands over a request that it has asked about before.
    pub(crate) fn is_handed_over(&self) -> bool {
        self.asked_by == AskedBy::Nginx && self.refusals == Refusals::Answer
    }
}

//! Validated settings of a listener that answers questions.

use ipnet::IpNet;

/// Who asks, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub asked_by: AskedBy,
    /// The only peers whose questions are answered. Never empty (attacks F-03, F-11).
    pub peers: Vec<IpNet>,
    /// The paths of questions, and how each is answered.
    pub endpoints: Vec<(Box<str>, Refusals)>,
}

/// The proxy that asks. It decides how a question describes a request, and how an answer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedBy {
    /// `auth_request` of nginx, also as in ingress-nginx: `X-Original-URL` and `X-Original-Method`.
    Nginx,
    /// `forwardAuth` of Traefik: `X-Forwarded-Method`, `-Proto`, `-Host` and `-Uri`.
    Traefik,
    /// `forward_auth` of Caddy: the same as of Traefik.
    Caddy,
    /// `ext_authz` of Envoy over HTTP: the method and the host of the request itself, its path after the path of the endpoint, and
    /// `X-Forwarded-Proto`.
    Envoy,
    /// `ext_authz` of Envoy over gRPC: the attributes of the call.
    EnvoyGrpc,
}

/// How a request that may not pass is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusals {
    /// With the whole answer for the client: a redirect to the provider, a page.
    Answer,
    /// 401 or 403 without a body, for a proxy that passes on nothing else.
    Status,
}

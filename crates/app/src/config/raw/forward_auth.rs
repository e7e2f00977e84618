//! `listeners[].forward_auth`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::value::List;

/// Questions of another proxy. See `docs/FORWARD_AUTH.md` for a whole file of each proxy.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForwardAuth {
    /// The proxy that asks. It decides which headers describe the request, and which answer lets it pass.
    pub(crate) asked_by: AskedBy,
    /// Networks of the proxies that may ask, in CIDR form: `10.0.0.7/32`. Nobody else is answered: who may ask learns the identity
    /// headers of any session that it has a cookie of. They are trusted as `trusted_proxies` are. `0.0.0.0/0` is not allowed.
    pub(crate) peers: List<String>,
    /// The paths of questions, and what a request that may not pass is answered with there. Envoy asks below the path, so there no
    /// path may be below another one.
    #[serde(default)]
    #[schemars(extend("x-default" = "`{ /auth: answer, /auth/status: status }`; with `envoy`: `{ /auth: answer }`; with `envoy_grpc`: none"))]
    pub(crate) endpoints: BTreeMap<String, Refusals>,
}

/// The proxy that asks.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AskedBy {
    /// `auth_request` of nginx, with `X-Original-URL` and `X-Original-Method`. ingress-nginx sends these, too.
    Nginx,
    /// `forwardAuth` of Traefik.
    Traefik,
    /// `forward_auth` of Caddy.
    Caddy,
    /// `ext_authz` of Envoy with `http_service`.
    Envoy,
    /// `ext_authz` of Envoy with `grpc_service`. Needs an `https` listener, because gRPC needs HTTP/2. There are no `endpoints`.
    EnvoyGrpc,
}

/// What a request that may not pass is answered with.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Refusals {
    /// The whole answer for the client: a redirect to the provider, a page, JSON. With `nginx`, the request is handed over to this path
    /// after it was refused at a path with `status`; if it may pass by then, the client is told to send it again.
    Answer,
    /// 401 if a sign-in can help, otherwise 403. No body, no redirect, and no sign-in begins.
    Status,
}

//! `listeners`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::action::Action;
use crate::config::raw::rule::{EncodedSlash, Rule};
use crate::config::raw::value::{List, Period};

/// A socket to accept requests on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listener {
    /// Names the listener in logs and metrics. Unique.
    pub(crate) name: String,
    /// Address and port, as `0.0.0.0:8443` or `[::]:8443`. Port 0 takes a free one.
    pub(crate) address: String,
    /// What is spoken on it. Actions that authenticate need `https`, or `http` behind `trusted_proxies` that end TLS.
    pub(crate) protocol: Protocol,
    /// Certificates of an `https` listener. The first is the default, the others are chosen by server name (SNI).
    #[serde(default)]
    pub(crate) certificates: List<Certificate>,
    /// Rules, looked at by ascending `priority`. The first whose conditions all hold takes the request.
    #[serde(default)]
    pub(crate) rules: List<Rule>,
    /// What is done with a request that no rule takes.
    pub(crate) default_actions: List<Action>,
    /// Networks whose `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Port` and `X-Forwarded-Prefix` are believed, as
    /// `10.0.0.0/8`: put the proxies and load balancers in front of this listener here. On an `http` listener they say with
    /// `X-Forwarded-Proto: https` that the client came over HTTPS, which actions that authenticate need. Never everyone
    /// (`0.0.0.0/0`). Default: none; the client is the peer.
    #[serde(default)]
    pub(crate) trusted_proxies: List<String>,
    /// What targets get as `X-Forwarded-For`. Default: `append`.
    #[serde(default)]
    pub(crate) x_forwarded_for: ForwardedFor,
    /// Which header of a trusted proxy names the host that the client asked for. Default: `host`.
    #[serde(default)]
    pub(crate) host_from: HostFrom,
    /// What becomes of a request with `X-HTTP-Method-Override`, `X-HTTP-Method` or `X-Method-Override`, where the header
    /// names another method than the request has. Default: `refuse`.
    #[serde(default)]
    pub(crate) method_override: MethodOverride,
    /// What becomes of a request with `%2F` in its path, for rules that do not say it themselves and for
    /// `default_actions`. Default: `refuse`.
    #[serde(default)]
    pub(crate) encoded_slash: EncodedSlash,
    /// Bounds on every connection.
    #[serde(default)]
    pub(crate) limits: Limits,
}

/// Which header of a trusted proxy names the host.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HostFrom {
    /// `Host`, for proxies that pass it on.
    #[default]
    Host,
    /// `X-Forwarded-Host`, for proxies that change `Host`. Where a trusted proxy sends none, `Host` counts.
    XForwardedHost,
}

/// What becomes of `X-HTTP-Method-Override` and its like.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MethodOverride {
    /// The request is answered 400.
    #[default]
    Refuse,
    /// The target sees the header. Conditions on the method match the request's own.
    Pass,
}

/// What a listener speaks.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    /// Plain HTTP/1.1. For redirects to `https`, for requests that need no sign-in, and behind a proxy that ends TLS.
    Http,
    /// HTTP/1.1 and HTTP/2 over TLS 1.3 or 1.2.
    Https,
}

/// A certificate chain and its key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Certificate {
    /// The chain in PEM form, the server's own certificate first.
    pub(crate) certificate_file: String,
    /// The private key in PEM form.
    pub(crate) private_key_file: String,
}

/// What becomes of the client's `X-Forwarded-For`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ForwardedFor {
    /// The peer's address is added at the end.
    #[default]
    Append,
    /// It passes untouched.
    Preserve,
    /// It is taken out.
    Remove,
}

/// Bounds on every connection of a listener.
///
/// What clients can make the process hold has bounds that follow from these. An HTTP/1.1 connection holds one request's head
/// (`head_bytes_max`, twice while a target is asked), and up to 64 KiB and one piece (at most 64 KiB) in each direction.
/// An HTTP/2 connection holds 64 KiB of uploads that have not been read, one request's head, and 128 KiB of answers that the
/// client has not read. TLS and the protocol keep up to 128 KiB for each connection. Beyond that the connections of one worker thread share 32 MiB for uploads, 32 MiB for answers, and
/// 256 MiB for requests under way, so the process has that times `workers`. With two workers and the default of 20000
/// connections the worst case is 640 MiB, and 0.5 MiB for each connection that is open: lower `connections_max` where that is
/// too much.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// From accept to the end of the TLS handshake. Default: `10s`.
    pub(crate) handshake_timeout: Option<Period>,
    /// From the first byte of a request's head to its last. Default: `10s`.
    pub(crate) head_timeout: Option<Period>,
    /// The longest time in which nothing moves on a connection. Default: `60s`, at most `4000s`.
    pub(crate) idle_timeout: Option<Period>,
    /// The life of a connection. Default: `1h`.
    pub(crate) keep_alive: Option<Period>,
    /// All headers of a request together, in bytes. Default: 65536.
    #[schemars(range(min = 1024, max = 1_048_576))]
    pub(crate) head_bytes_max: Option<usize>,
    /// Header fields of a request. Default: 200.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) headers_max: Option<usize>,
    /// Concurrent streams of one HTTP/2 connection. Default: 128.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) streams_max: Option<u32>,
    /// Open connections of this listener. Default: 20000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub(crate) connections_max: Option<usize>,
    /// Open connections of one client address (of IPv6: of one /64 network). One more is closed at once and counted in
    /// `vestibule_connections_refused_total`. Peers in `trusted_proxies` are exempt. Default: a quarter of `connections_max`,
    /// but at least 1000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub(crate) connections_per_address_max: Option<usize>,
    /// Sign-ins that one client address may have begun and not finished. One more is answered 429 (`auth.too_many_logins`).
    /// The places of sign-ins that are never finished come back within 15 minutes. Behind a trusted proxy the address is the
    /// client's, from `X-Forwarded-For`. 0: any number. Default: 1000.
    #[schemars(range(min = 0, max = 10_000_000))]
    pub(crate) logins_per_address_max: Option<u32>,
    /// The least rate, in bytes a second, at which the body of a request has to come, after the first ten seconds of waiting
    /// for it. A slower request is answered 408 (`request.body_too_slow`). It counts until the target begins to answer, and not
    /// for WebSockets. 0: any rate. Default: 240.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub(crate) body_rate_min: Option<u64>,
}

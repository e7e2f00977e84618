//! `listeners`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::period_text;
use crate::config::raw::action::Action;
use crate::config::raw::cors::Cors;
use crate::config::raw::forward_auth::ForwardAuth;
use crate::config::raw::mutual_authentication::MutualAuthentication;
use crate::config::raw::response_headers::ResponseHeaders;
use crate::config::raw::rule::{EncodedSlash, Rule};
use crate::config::raw::value::{List, Period};
use crate::listener::settings;

/// A socket that accepts requests.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listener {
    /// Name of the listener in logs and metrics. Must be unique.
    pub(crate) name: String,
    /// Address and port to listen on: `0.0.0.0:8443` or `[::]:8443`. Port 0 selects a free port.
    pub(crate) address: String,
    /// The protocol. Actions that authenticate need `https`, or `http` with `trusted_proxies` that end TLS.
    pub(crate) protocol: Protocol,
    /// Certificates of an `https` listener. The server name that the client asks for (SNI) selects the certificate: an exact name
    /// before a wildcard, then ECDSA before RSA as far as the client supports it, then the longest key, then the latest expiry,
    /// then the order of this list. A client that asks for no name, or for one that no certificate covers, gets the first one.
    #[serde(default)]
    pub(crate) certificates: List<Certificate>,
    /// Where the certificates of an `https` listener come from.
    #[serde(default)]
    pub(crate) tls: TlsSource,
    /// Versions of TLS on an `https` listener. `TLS13-1-2-Res`: TLS 1.3, and TLS 1.2 with forward secrecy and authenticated
    /// encryption (ECDHE with AES-GCM or ChaCha20-Poly1305). `TLS13-1-3`: TLS 1.3 only. The names of the AWS load balancer for these
    /// are accepted, too: `ELBSecurityPolicy-TLS13-1-2-Res-2021-06`, `ELBSecurityPolicy-TLS13-1-3-2021-06`. Its other
    /// policies have older versions, CBC or RSA key exchange, which Vestibule does not serve.
    #[serde(default)]
    #[schemars(extend("x-default" = "`TLS13-1-2-Res`"))]
    pub(crate) tls_policy: Option<String>,
    /// Files with keys for session tickets of an `https` listener, made by `vestibule keys ticket`. With the same files, replicas
    /// and restarted processes resume the TLS sessions of each other. The first key encrypts; all keys decrypt. To rotate, put a new key first
    /// and remove the last. Replace keys daily: who gets hold of a key can decrypt recorded
    /// connections with TLS 1.2. Without files, each process uses keys of its own, which it replaces every six hours. A ticket is valid for 12 hours.
    #[serde(default)]
    pub(crate) ticket_key_files: List<String>,
    /// Certificates of clients (mutual TLS) on an `https` listener.
    #[serde(default)]
    pub(crate) mutual_authentication: MutualAuthentication,
    /// Rules, evaluated in ascending order of `priority`. The first rule whose conditions all match handles the
    /// request.
    #[serde(default)]
    pub(crate) rules: List<Rule>,
    /// Actions used when no rule matches.
    pub(crate) default_actions: List<Action>,
    /// Networks of the proxies and load balancers in front of this listener, in CIDR form: `10.0.0.0/8`. `X-Forwarded-For`,
    /// `X-Forwarded-Proto`, `X-Forwarded-Port` and `X-Forwarded-Prefix` are used only if the peer is in one of these networks. On
    /// an `http` listener, actions that authenticate need such a proxy to send `X-Forwarded-Proto: https`. `0.0.0.0/0` is not
    /// allowed. `check` warns about public networks larger than `/8` (IPv6: `/16`). If empty, the address of the peer is the
    /// client address.
    #[serde(default)]
    pub(crate) trusted_proxies: List<String>,
    /// Set if a load balancer that passes on TCP is in front of this listener and tells the address of the client by the PROXY protocol.
    /// Then every connection must come from `trusted_proxies`, or from `proxy_protocol_from` if that is set, and begin with a header of this
    /// version. Other connections are closed. The address in the header is the address of the client everywhere: in rules, limits, logs and
    /// `X-Forwarded-For`. `X-Forwarded-*` headers are not believed, unless `proxy_protocol_from` is set.
    pub(crate) proxy_protocol: Option<ProxyProtocol>,
    /// Networks of the load balancers that send the header of `proxy_protocol`, if other proxies are in front of them. Then
    /// `trusted_proxies` are only those other proxies: their `X-Forwarded-*` headers are believed if the address in the header of
    /// `proxy_protocol` is one of theirs, and they may not send such a header.
    #[serde(default)]
    pub(crate) proxy_protocol_from: List<String>,
    /// How `X-Forwarded-For` is sent to targets.
    #[serde(default)]
    pub(crate) x_forwarded_for: ForwardedFor,
    /// Whether `X-Forwarded-For` gets the port of the peer, too: `192.0.2.1:8080`, `[2001:db8::1]:8080`. Only with
    /// `x_forwarded_for: append`.
    #[serde(default)]
    pub(crate) xff_client_port: bool,
    /// Headers that tell targets the version and the cipher suite of the client's TLS connection. Without it, they are not sent. Clients can
    /// never set them.
    pub(crate) tls_headers: Option<TlsHeaders>,
    /// What to do with a request without a valid `traceparent` (W3C Trace Context).
    #[serde(default)]
    pub(crate) trace_context: TraceContext,
    /// Which header of a trusted proxy contains the host that the client requested.
    #[serde(default)]
    pub(crate) host_from: HostFrom,
    /// What to do with a request whose `X-HTTP-Method-Override`, `X-HTTP-Method` or `X-Method-Override` header differs from its
    /// method.
    #[serde(default)]
    pub(crate) method_override: MethodOverride,
    /// What to do with HTTP/1.1 requests that do not conform to the standard, and have one reading here. What could be read in two ways is
    /// refused in each mode. The access log and `vestibule_desync_requests_total` tell of them in each mode.
    #[serde(default)]
    pub(crate) desync_mitigation: DesyncMitigation,
    /// What to do with a request whose path contains `%2F`. Used for `default_actions` and for rules without `encoded_slash`.
    #[serde(default)]
    pub(crate) encoded_slash: EncodedSlash,
    /// Headers that are set in the responses of this listener.
    #[serde(default)]
    pub(crate) response_headers: ResponseHeaders,
    /// Which other origins may read responses. Used for `default_actions` and for rules without `cors`. Without it, targets
    /// answer for themselves.
    pub(crate) cors: Option<Cors>,
    /// Makes this a listener that answers questions of nginx, Traefik, Caddy or Envoy about their requests. The rules then decide about
    /// the request that is described, and end with `allow` in place of `forward`. The reserved paths and the user pools are
    /// served here, too.
    pub(crate) forward_auth: Option<ForwardAuth>,
    /// Limits of each connection.
    #[serde(default)]
    pub(crate) limits: Limits,
}

/// Which header of a trusted proxy contains the host.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HostFrom {
    /// `Host`, for proxies that keep it.
    #[default]
    Host,
    /// `X-Forwarded-Host`, for proxies that change `Host`. If a trusted proxy does not send it, `Host` is used.
    XForwardedHost,
}

/// What to do with requests that do not conform to the standard.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DesyncMitigation {
    /// As `defensive`: Vestibule passes on nothing that the load balancer would pass on here only.
    Monitor,
    /// They pass. After a GET or HEAD with a body, the connections to the client and to the target are closed.
    #[default]
    Defensive,
    /// They are answered 400 (`request.not_compliant`). Each head is read twice, which costs time.
    Strictest,
}

/// The version of the PROXY protocol.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProxyProtocol {
    /// Version 1: a line of text.
    V1,
    /// Version 2: binary.
    V2,
    /// Either version.
    Any,
}

/// What to do with a request without a valid `traceparent`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TraceContext {
    /// `traceparent` and `tracestate` are forwarded as they came.
    #[default]
    Pass,
    /// The target gets a new `traceparent` with the flag `sampled` and the ID of the request as trace ID. A valid `traceparent` of the
    /// client is forwarded unchanged.
    Create,
}

/// The names of the headers that tell targets about TLS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TlsHeaders {
    /// The header with the version: `TLSv1.3`, `TLSv1.2`.
    pub(crate) version: String,
    /// The header with the cipher suite, by its name in OpenSSL: `TLS_AES_128_GCM_SHA256`, `ECDHE-RSA-AES128-GCM-SHA256`.
    pub(crate) cipher_suite: String,
}

impl Default for TlsHeaders {
    fn default() -> Self {
        Self { version: "x-amzn-tls-version".to_owned(), cipher_suite: "x-amzn-tls-cipher-suite".to_owned() }
    }
}

/// What to do with `X-HTTP-Method-Override` and similar headers.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MethodOverride {
    /// The request is answered 400.
    #[default]
    Refuse,
    /// The header is forwarded to the target. Rule conditions match the real method.
    Pass,
}

/// The protocol of a listener.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    /// Plain HTTP/1.1: for redirects to `https`, for requests that need no sign-in, and behind a proxy that ends TLS.
    Http,
    /// HTTP/1.1 and HTTP/2 over TLS 1.3 or 1.2.
    Https,
}

/// Where certificates come from.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TlsSource {
    /// From the files in `certificates`.
    #[default]
    Files,
    /// From the authority in `acme`, for the host names without wildcard in `host_header` conditions of the listener, the hosts of user pools,
    /// and `acme.names`. `certificates` may be set, too: a file with exactly the name is used instead.
    Auto,
}

/// A certificate chain and its private key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Certificate {
    /// PEM file with the certificate chain, server certificate first.
    pub(crate) certificate_file: String,
    /// PEM file with the private key.
    pub(crate) private_key_file: String,
    /// DER file with an OCSP response for the certificate, as `openssl ocsp -respout` writes it. Clients receive it in the handshake
    /// (stapling), until the time of its next update. `check` warns if the response is out of date, is for another certificate, or
    /// does not say that the certificate is good; such a response is not sent.
    #[serde(default)]
    pub(crate) ocsp_file: Option<String>,
}

/// How `X-Forwarded-For` is sent to targets.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ForwardedFor {
    /// The address of the peer is appended.
    #[default]
    Append,
    /// The header is forwarded unchanged.
    Preserve,
    /// The header is removed.
    Remove,
}

/// Limits of the connections of one listener.
///
/// These limits bound the memory that clients can use. An HTTP/1.1 connection holds the head of one request
/// (`head_bytes_max`, twice while the request is forwarded), and in each direction up to 64 KiB plus one chunk of at
/// most 64 KiB. An HTTP/2 connection holds up to 64 KiB of unread uploads, the head of one request (twice
/// `head_bytes_max` until it is refused), and 128 KiB of responses that the client has not read. TLS and the protocol use up to 128 KiB per connection. In addition, the
/// connections of one worker thread share 32 MiB for uploads, 32 MiB for responses, and 256 MiB for requests in
/// progress. The process therefore uses up to that amount times `workers`. With two workers and the default of 20000
/// connections, the worst case is 640 MiB plus 0.5 MiB for each open connection. Lower `connections_max` if that is
/// too much.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Timeout from accepting the connection to the end of the TLS handshake.
    pub(crate) handshake_timeout: Period,
    /// Timeout from the first to the last byte of a request head. After it, the answer is 408.
    pub(crate) head_timeout: Period,
    /// Timeout without any data in either direction. On HTTP/2 also the timeout of a response of which the client takes
    /// nothing.
    #[schemars(extend("x-bound" = format!("At most `{}`.", period_text(TIMEOUT_MAX))))]
    pub(crate) idle_timeout: Period,
    /// Maximum age of a connection.
    pub(crate) keep_alive: Period,
    /// Maximum size of all headers of a request together, in bytes.
    #[schemars(range(min = 1024, max = 1_048_576))]
    pub(crate) head_bytes_max: usize,
    /// Maximum number of header fields of a request.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) headers_max: usize,
    /// Maximum number of concurrent streams of an HTTP/2 connection.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) streams_max: u32,
    /// Maximum number of open connections of this listener.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub(crate) connections_max: usize,
    /// Maximum number of open connections from one client address (IPv6: one /64 network). Further connections are closed at once
    /// and counted in `vestibule_connections_refused_total`. Peers in `trusted_proxies` are exempt.
    #[schemars(range(min = 1, max = 10_000_000))]
    #[schemars(extend("x-default" = format!(
        "a quarter of `connections_max`, but at least {CONNECTIONS_PER_ADDRESS_DEFAULT_MIN}"
    )))]
    pub(crate) connections_per_address_max: Option<usize>,
    /// Maximum number of unfinished sign-ins from one client address. Further sign-ins are answered 429 (`auth.too_many_logins`).
    /// An unfinished sign-in expires after at most 15 minutes. Behind a trusted proxy, the client address is taken from
    /// `X-Forwarded-For`. 0 means no limit.
    #[schemars(range(min = 0, max = 10_000_000))]
    pub(crate) logins_per_address_max: u32,
    /// Minimum rate of a request body, in bytes per second, measured after the first ten seconds of waiting. A slower request is
    /// answered 408 (`request.body_too_slow`). The limit applies until the target starts its response. It does not apply to
    /// WebSockets. 0 means no minimum.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub(crate) body_rate_min: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let default = settings::Limits::default();
        Self {
            handshake_timeout: default.handshake_timeout.into(),
            head_timeout: default.head_timeout.into(),
            idle_timeout: default.idle_timeout.into(),
            keep_alive: default.keep_alive.into(),
            head_bytes_max: default.head_bytes_max,
            headers_max: default.headers_max,
            streams_max: default.streams_max,
            connections_max: default.connections_max,
            connections_per_address_max: None,
            logins_per_address_max: default.logins_per_address_max,
            body_rate_min: default.body_rate_min,
        }
    }
}

/// The longest timeout of a connection to a client: what the AWS load balancer allows for its idle timeout.
pub(crate) const TIMEOUT_MAX: Duration = Duration::from_secs(4000);
/// On a listener with few connections, one address may use all of them.
pub(crate) const CONNECTIONS_PER_ADDRESS_DEFAULT_MIN: usize = 1000;

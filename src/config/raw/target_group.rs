//! `target_groups`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::value::{List, Period};

/// Targets that serve the same application. Requests are distributed in turn.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetGroup {
    /// The protocol of the targets. Default: `http`.
    #[serde(default)]
    pub(crate) protocol: Protocol,
    /// The HTTP version of the targets. Default: `http1`, the only one in this version.
    #[serde(default)]
    pub(crate) protocol_version: ProtocolVersion,
    /// Targets: `app.internal:3000`, `10.0.0.7:3000` or `[::1]:3000`. If the list is empty, requests are answered
    /// 503.
    pub(crate) targets: List<String>,
    /// PEM file with the certificate authorities for `https` targets. It replaces those of the system.
    pub(crate) ca_file: Option<String>,
    /// Whether the certificates of `https` targets are verified. The AWS load balancer never verifies them. Default:
    /// true.
    pub(crate) verify: Option<bool>,
    /// Timeout for connecting to a target. Default: `10s`.
    pub(crate) connect_timeout: Option<Period>,
    /// Timeout from the end of the request to the first byte of the response, and between two chunks of a body.
    /// Default: `60s`.
    pub(crate) response_timeout: Option<Period>,
    /// How long an idle connection is kept. Must be shorter than the idle timeout of the target. Default: `4s`.
    pub(crate) idle_timeout: Option<Period>,
    /// Maximum number of idle connections per target and worker. Default: 1024.
    #[schemars(range(min = 0, max = 100_000))]
    pub(crate) idle_max: Option<usize>,
    /// Maximum number of header fields of a response. A response with more is answered 502. All fields together are
    /// limited to 64 KB. Default: 1000.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) response_headers_max: Option<usize>,
    /// How long a target is skipped after it refused a connection. Default: `10s`.
    pub(crate) skip_for: Option<Period>,
}

/// The protocol of the targets.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "TargetProtocol")]
pub(crate) enum Protocol {
    /// Plain HTTP.
    #[default]
    Http,
    /// HTTP over TLS.
    Https,
}

/// The HTTP version of the targets.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProtocolVersion {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2. Not available in this version.
    Http2,
    /// gRPC. Not available in this version.
    Grpc,
}

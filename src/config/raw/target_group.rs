//! `target_groups`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::raw::value::{List, Period};
use crate::upstream::settings::Settings;

/// Targets that serve the same application. Requests are distributed in turn.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetGroup {
    /// The protocol of the targets.
    #[serde(default)]
    pub(crate) protocol: Protocol,
    /// The HTTP version of the targets. Only `http1` is available in this version.
    #[serde(default)]
    pub(crate) protocol_version: ProtocolVersion,
    /// Targets: `app.internal:3000`, `10.0.0.7:3000` or `[::1]:3000`. If the list is empty, requests are answered
    /// 503.
    pub(crate) targets: List<String>,
    /// PEM file with the certificate authorities for `https` targets. It replaces those of the system.
    pub(crate) ca_file: Option<String>,
    /// Whether the certificates of `https` targets are verified. The AWS load balancer never verifies them.
    #[schemars(extend("default" = VERIFY))]
    pub(crate) verify: Option<bool>,
    /// Timeout for connecting to a target.
    #[serde(default = "connect_timeout")]
    pub(crate) connect_timeout: Period,
    /// Timeout from the end of the request to the first byte of the response, and between two chunks of a body.
    #[serde(default = "response_timeout")]
    pub(crate) response_timeout: Period,
    /// How long an idle connection is kept. Must be shorter than the idle timeout of the target.
    #[serde(default = "idle_timeout")]
    pub(crate) idle_timeout: Period,
    /// Maximum number of idle connections per target and worker.
    #[serde(default = "idle_max")]
    #[schemars(range(min = 0, max = 100_000))]
    pub(crate) idle_max: usize,
    /// Maximum number of header fields of a response. A response with more is answered 502. All fields together are limited to 64
    /// KB.
    #[serde(default = "response_headers_max")]
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) response_headers_max: usize,
    /// How long a target is skipped after it refused a connection.
    #[serde(default = "skip_for")]
    pub(crate) skip_for: Period,
}

/// Whether certificates are verified, if the file does not say.
pub(crate) const VERIFY: bool = true;

defaults! {
    connect_timeout: Period = Settings::CONNECT_TIMEOUT;
    response_timeout: Period = Settings::RESPONSE_TIMEOUT;
    idle_timeout: Period = Settings::IDLE_TIMEOUT;
    idle_max: usize = Settings::IDLE_MAX;
    response_headers_max: usize = Settings::RESPONSE_HEADERS_MAX;
    skip_for: Period = Settings::SKIP_FOR;
}

/// The protocol of the targets.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
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

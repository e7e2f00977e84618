//! `target_groups`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::value::{List, Period};

/// Targets that serve the same thing; each request goes to the next.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetGroup {
    /// What targets speak. Default: `http`.
    #[serde(default)]
    pub(crate) protocol: Protocol,
    /// Default: `http1`, the only one in this version.
    #[serde(default)]
    pub(crate) protocol_version: ProtocolVersion,
    /// Targets, as `app.internal:3000`, `10.0.0.7:3000` or `[::1]:3000`. May be empty: requests are then answered 503.
    pub(crate) targets: List<String>,
    /// Certificates in PEM form of the authorities that `https` targets' certificates are from, in place of the
    /// system's.
    pub(crate) ca_file: Option<String>,
    /// Whether certificates of `https` targets are verified. The load balancer never does. Default: true.
    pub(crate) verify: Option<bool>,
    /// To make a connection. Default: `10s`.
    pub(crate) connect_timeout: Option<Period>,
    /// From the end of a request to the first byte of the answer, and between two pieces of a body. Default: `60s`.
    pub(crate) response_timeout: Option<Period>,
    /// How long an idle connection is kept. Must be shorter than the target keeps it. Default: `4s`.
    pub(crate) idle_timeout: Option<Period>,
    /// Idle connections kept for each target, by each worker. Default: 1024.
    #[schemars(range(min = 0, max = 100_000))]
    pub(crate) idle_max: Option<usize>,
    /// Header fields that one answer may have. An answer with more is refused with 502. All fields together may take 64 KB.
    /// Default: 1000.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) response_headers_max: Option<usize>,
    /// How long a target that refused a connection is passed over. Default: `10s`.
    pub(crate) skip_for: Option<Period>,
}

/// What targets speak.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "TargetProtocol")]
pub(crate) enum Protocol {
    /// Plain.
    #[default]
    Http,
    /// Over TLS.
    Https,
}

/// The version of HTTP that targets speak.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProtocolVersion {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2. Not in this version.
    Http2,
    /// gRPC. Not in this version.
    Grpc,
}

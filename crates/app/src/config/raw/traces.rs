//! `traces`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::raw::value::{Period, SecretText};
use crate::otlp::settings::{DEFAULT_RATIO, DEFAULT_TIMEOUT};

/// Traces for a collector of OpenTelemetry. `docs/TRACES.md` lists the spans and their attributes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Traces {
    /// Where spans are sent.
    pub(crate) otlp: Otlp,
    /// Which requests are recorded.
    #[serde(default)]
    pub(crate) sampling: Sampling,
    /// The name of this service in the traces (`service.name`).
    #[serde(default = "service_name")]
    pub(crate) service_name: String,
    /// More attributes of this process: `{ deployment.environment.name: production }`.
    #[serde(default)]
    pub(crate) resource: BTreeMap<String, String>,
    /// Whether spans have the address of the client (`client.address`). A collector is often operated by somebody else.
    #[serde(default)]
    pub(crate) client_address: bool,
}

/// A collector that speaks OTLP.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Otlp {
    /// URL of the collector: `https://collector:4317` for `grpc`, `https://collector:4318` for `http/protobuf`. A URL without a path gets
    /// `/v1/traces` with `http/protobuf`. With `http`, spans are not encrypted on the way.
    pub(crate) endpoint: String,
    /// How spans are sent.
    #[serde(default)]
    pub(crate) protocol: OtlpProtocol,
    /// Headers of each call, for example of a tenant. Prefer `header_files` or `${NAME}` for secrets.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, SecretText>,
    /// Files with the values of further headers: `{ authorization: keys/otlp }`. A trailing newline is ignored.
    #[serde(default)]
    pub(crate) header_files: BTreeMap<String, String>,
    /// PEM file with certificate authorities that are trusted for the collector in addition to those of the system.
    pub(crate) ca_file: Option<String>,
    /// Timeout of each attempt to send spans.
    #[serde(default = "timeout")]
    pub(crate) timeout: Period,
    /// Whether calls are compressed.
    #[serde(default)]
    pub(crate) compression: OtlpCompression,
}

/// How spans are sent.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
pub(crate) enum OtlpProtocol {
    /// OTLP over gRPC.
    #[default]
    #[serde(rename = "grpc")]
    Grpc,
    /// OTLP over HTTP, in the format of protobuf.
    #[serde(rename = "http/protobuf")]
    Http,
}

/// Whether calls are compressed.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OtlpCompression {
    /// They are not.
    #[default]
    None,
    /// By gzip.
    Gzip,
}

/// Which requests are recorded.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Sampling {
    /// The share of the requests that are recorded, of those that begin a trace here: `1` for all, `0.01` for one in a hundred.
    #[schemars(range(min = 0, max = 1))]
    pub(crate) ratio: f64,
    /// Whose `traceparent` is continued. Such a request is recorded if its `traceparent` says `sampled`. Another request begins a trace, and
    /// what it says of one becomes a link.
    pub(crate) parent: SamplingParent,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { ratio: DEFAULT_RATIO, parent: SamplingParent::default() }
    }
}

/// Whose `traceparent` is continued.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SamplingParent {
    /// That of `trusted_proxies` of the listener. They must not pass on what strangers send.
    #[default]
    TrustedProxies,
    /// That of every client. Any client can then have its requests recorded. Use it where only your own programs come.
    Any,
    /// Nobody's.
    Ignore,
}

defaults! {
    service_name: String = "vestibule";
    timeout: Period = DEFAULT_TIMEOUT;
}

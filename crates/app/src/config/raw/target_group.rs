//! `target_groups`.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::clock::period_text;
use crate::config::raw::health_check::HealthCheck;
use crate::config::raw::stickiness::Stickiness;
use crate::config::raw::value::{List, Period};
use crate::upstream::settings::Settings;

/// Targets that serve the same application.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetGroup {
    /// The protocol of the targets.
    #[serde(default)]
    pub(crate) protocol: Protocol,
    /// The protocol of the targets. `http2` and `grpc` are HTTP/2, without TLS with prior knowledge. They need clients that use HTTP/2, so
    /// listeners with `protocol: https`.
    #[serde(default)]
    pub(crate) protocol_version: ProtocolVersion,
    /// Targets: `app.internal:3000`, `10.0.0.7:3000`, `[::1]:3000`, `unix:/run/app.sock`, or `{ address: app.internal:3000,
    /// weight: 2 }`. Each address of a name is a target of its own. If the list is empty, requests are answered 503.
    pub(crate) targets: List<Target>,
    /// How often the names of targets are looked up. The resolver of the system does not say for how long an answer is valid. A
    /// name that cannot be resolved keeps its last addresses.
    #[serde(default = "resolve_every")]
    pub(crate) resolve_every: Period,
    /// PEM file with the certificate authorities for `https` targets. It replaces those of the system.
    pub(crate) ca_file: Option<String>,
    /// The name that the certificates of `https` targets must have, and that is sent to them (SNI). `https` targets at Unix sockets need
    /// it.
    #[schemars(extend("x-default" = "the name or address of the target"))]
    pub(crate) server_name: Option<String>,
    /// PEM file with the certificate chain by which Vestibule identifies itself to `https` targets that ask for it.
    pub(crate) client_certificate_file: Option<String>,
    /// PEM file with the private key of `client_certificate_file`.
    pub(crate) client_key_file: Option<String>,
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
    /// How a target is chosen for a request.
    #[serde(default)]
    pub(crate) algorithm: Algorithm,
    /// Whether targets that fail more often than the others get fewer requests. Only with `weighted_random`. Failures are answers with
    /// a status of 500 or more, and no answer at all. Needs at least three targets.
    #[serde(default)]
    pub(crate) anomaly_mitigation: bool,
    /// How long a new target gets fewer requests than the others. Its share grows linearly. A target starts slowly only if there is
    /// another that does not. Not with `least_outstanding_requests`.
    #[serde(default = "slow_start")]
    #[schemars(extend("x-bound" = format!("At least `{}` if set, at most `{}`.", period_text(SLOW_START_MIN), period_text(SLOW_START_MAX))))]
    pub(crate) slow_start: Period,
    /// How long the requests under way at a target go on after the target was removed from the group, by another configuration or because
    /// its name has other addresses. Those that are left then are answered 502. The target gets no new requests.
    #[serde(default = "deregistration_delay")]
    #[schemars(extend("x-bound" = format!("At most `{}`.", period_text(DEREGISTRATION_DELAY_MAX))))]
    pub(crate) deregistration_delay: Period,
    /// How long a target is skipped after it refused connections or answered with errors. If all targets are skipped, all are used.
    #[serde(default = "skip_for")]
    pub(crate) skip_for: Period,
    /// After how many failures to connect, one after the other, a target is skipped.
    #[serde(default = "skip_after_failures")]
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) skip_after_failures: u32,
    /// After how many answers with a status of 500 or more, one after the other, a target is skipped. No more than half of the targets
    /// are skipped for this.
    #[schemars(range(min = 1, max = 1000), extend("x-default" = "never"))]
    pub(crate) skip_after_server_errors: Option<u32>,
    /// How many requests may be sent again, to the next target, in percent of all requests of the group and worker. Only requests are
    /// sent again of which no target has received anything, or that are idempotent and have no body; to at most three targets.
    #[serde(default = "retry_budget_percent")]
    #[schemars(range(min = 0, max = 100))]
    pub(crate) retry_budget_percent: u32,
    /// How many requests of each worker may be sent again in each second, whatever `retry_budget_percent` says.
    #[serde(default = "retries_per_second_min")]
    #[schemars(range(min = 0, max = 1000))]
    pub(crate) retries_per_second_min: u32,
    /// How the targets are checked. Without it they are not, and all get requests.
    pub(crate) health_check: Option<HealthCheck>,
    /// Keeps the requests of one browser at one target. Without it, each request goes to the target that `algorithm` chooses.
    pub(crate) stickiness: Option<Stickiness>,
}

/// A target: an address, or an address and a weight.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Target {
    Short(String),
    Long {
        address: String,
        #[serde(default = "weight")]
        weight: u32,
    },
}

impl Target {
    /// The address as written.
    pub(crate) fn address(&self) -> &str {
        match self {
            Self::Short(address) | Self::Long { address, .. } => address,
        }
    }

    /// The weight.
    pub(crate) const fn weight(&self) -> u32 {
        match self {
            Self::Short(_) => WEIGHT,
            Self::Long { weight, .. } => *weight,
        }
    }
}

/// The weight of a target, if the file does not say.
const WEIGHT: u32 = 1;
const WEIGHT_MAX: u32 = 1000;

const fn weight() -> u32 {
    WEIGHT
}

impl JsonSchema for Target {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Target")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A target: `app.internal:3000`, or a mapping with `address` and `weight`.",
            "type": ["string", "object"],
            "properties": {
                "address": {
                    "description": "`app.internal:3000`, `10.0.0.7:3000`, `[::1]:3000` or `unix:/run/app.sock`.",
                    "type": "string",
                },
                "weight": {
                    "description": "The share of the requests that the target gets, relative to the other targets of the group.",
                    "type": "integer",
                    "minimum": 1,
                    "maximum": WEIGHT_MAX,
                    "default": WEIGHT,
                },
            },
            "required": ["address"],
            "additionalProperties": false,
        })
    }
}

/// How a target is chosen for a request.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Algorithm")]
pub(crate) enum Algorithm {
    /// In turn, as often as the weights say.
    #[default]
    RoundRobin,
    /// The target with the fewest requests under way, in relation to its weight.
    LeastOutstandingRequests,
    /// By chance, as likely as the weights say.
    WeightedRandom,
}

/// ALB §9.4.
pub(crate) const SLOW_START_MIN: Duration = Duration::from_secs(30);
pub(crate) const SLOW_START_MAX: Duration = Duration::from_secs(900);
pub(crate) const DEREGISTRATION_DELAY_MAX: Duration = Duration::from_secs(3600);

/// Whether certificates are verified, if the file does not say.
pub(crate) const VERIFY: bool = true;

defaults! {
    connect_timeout: Period = Settings::CONNECT_TIMEOUT;
    response_timeout: Period = Settings::RESPONSE_TIMEOUT;
    idle_timeout: Period = Settings::IDLE_TIMEOUT;
    idle_max: usize = Settings::IDLE_MAX;
    response_headers_max: usize = Settings::RESPONSE_HEADERS_MAX;
    resolve_every: Period = Settings::RESOLVE_EVERY;
    slow_start: Period = Duration::ZERO;
    deregistration_delay: Period = Settings::DEREGISTRATION_DELAY;
    skip_for: Period = Settings::SKIP_FOR;
    skip_after_failures: u32 = Settings::SKIP_AFTER_FAILURES;
    retry_budget_percent: u32 = Settings::RETRY_BUDGET_PERCENT;
    retries_per_second_min: u32 = Settings::RETRIES_PER_SECOND_MIN;
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
    /// HTTP/2. Requests over HTTP/1.1 are answered 464, and so are WebSockets.
    Http2,
    /// gRPC, which is POST over HTTP/2. Other requests are answered 464.
    Grpc,
}

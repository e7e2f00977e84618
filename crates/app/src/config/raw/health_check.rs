//! `health_check` of a target group.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::period_text;
use crate::config::raw::value::{Period, TextOrNumber};
use crate::upstream::health::settings::Settings;

/// How the targets of a group are checked. A check is a `GET` with `User-Agent: Vestibule-HealthChecker/1.0` over a connection of its
/// own, with the `protocol_version` of the group. Targets of `grpc` are called without a message. Only healthy targets get requests. A
/// new target is healthy after one success.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealthCheck {
    /// The protocol of checks. `https` uses `ca_file`, `verify`, `server_name` and the client certificate of the group.
    #[schemars(extend("x-default" = "`protocol` of the group"))]
    pub(crate) protocol: Option<CheckProtocol>,
    /// The port that is asked: a number, or `traffic-port` for the port of the target.
    #[serde(default = "port")]
    pub(crate) port: TextOrNumber,
    /// The path that is asked, with a query if there is one; for `grpc`, the method that is called. With
    /// `/grpc.health.v1.Health/Check`, the target must also answer that it is serving.
    #[schemars(extend(
        "x-bound" = format!("At most {PATH_LENGTH_MAX} characters."),
        "x-default" = "`/`; for `grpc`, `/AWS.ALB/healthcheck`"
    ))]
    pub(crate) path: Option<String>,
    /// The time from the begin of a check to the begin of the next. By chance up to a tenth shorter or longer, so that the checks of
    /// many targets do not stay together.
    #[serde(default = "interval")]
    #[schemars(extend("x-bound" = bound(INTERVAL_BOUNDS)))]
    pub(crate) interval: Period,
    /// Timeout for a check: connecting, TLS and the head of the answer. Must be shorter than `interval`.
    #[serde(default = "timeout")]
    #[schemars(extend("x-bound" = bound(TIMEOUT_BOUNDS)))]
    pub(crate) timeout: Period,
    /// After how many successes, one after the other, an unhealthy target is healthy again.
    #[serde(default = "healthy_threshold")]
    #[schemars(range(min = 2, max = 10))]
    pub(crate) healthy_threshold: u32,
    /// After how many failures, one after the other, a target is unhealthy.
    #[serde(default = "unhealthy_threshold")]
    #[schemars(range(min = 2, max = 10))]
    pub(crate) unhealthy_threshold: u32,
    /// The statuses of a healthy target, from 200 to 499: `200`, `200,202` or `200-299`. For `grpc`, statuses of gRPC from 0 to 99.
    #[schemars(extend("x-default" = "`200`; for `grpc`, `12` (the method does not exist), and `0` for `/grpc.health.v1.Health/Check`"))]
    pub(crate) matcher: Option<TextOrNumber>,
    /// If fewer targets than this are healthy, requests go to all targets of the group.
    #[serde(default = "minimum_healthy_count")]
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) minimum_healthy_count: u32,
    /// The same in percent of the targets of the group. Requests go to all targets if one of the two is not reached.
    #[schemars(range(min = 1, max = 100), extend("x-default" = "off"))]
    pub(crate) minimum_healthy_percentage: Option<u32>,
}

/// The protocol of health checks.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckProtocol {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

/// `port` for the port of the target.
pub(crate) const TRAFFIC_PORT: &str = "traffic-port";

/// ALB §9.3.
pub(crate) const PATH_LENGTH_MAX: usize = 1024;
pub(crate) const INTERVAL_BOUNDS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
pub(crate) const TIMEOUT_BOUNDS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(120));

fn bound((least, most): (Duration, Duration)) -> String {
    format!("From `{}` to `{}`.", period_text(least), period_text(most))
}

defaults! {
    port: TextOrNumber = TextOrNumber(TRAFFIC_PORT.to_owned());
    interval: Period = Settings::INTERVAL;
    timeout: Period = Settings::TIMEOUT;
    healthy_threshold: u32 = Settings::HEALTHY_THRESHOLD;
    unhealthy_threshold: u32 = Settings::UNHEALTHY_THRESHOLD;
    minimum_healthy_count: u32 = Settings::MINIMUM_COUNT;
}

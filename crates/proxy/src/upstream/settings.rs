//! Validated target groups.

use std::sync::Arc;
use std::time::Duration;

use crate::upstream::health;
use crate::upstream::place::Place;
use crate::upstream::protocol_version::ProtocolVersion;
use crate::upstream::stickiness;
use crate::upstream::tls::Tls;

/// One target group.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names the group in rules, logs, metrics, and as `aud` of the signed claims.
    pub name: Arc<str>,
    /// In the order of the file. May be empty: 503 (ALB §6.1).
    pub targets: Vec<TargetSettings>,
    /// `Some` if connections to targets use TLS.
    pub tls: Option<Tls>,
    pub protocol: ProtocolVersion,
    /// Maximum time to open a connection (ALB §6.1).
    pub connect_timeout: Duration,
    /// Maximum time from the end of the request to the first byte of the response, and between two parts of a body
    /// (ALB §10.1).
    pub response_timeout: Duration,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// Idle connections kept for each target, by each worker.
    pub idle_max: usize,
    /// Maximum number of header fields in one response. All of them together may take 64 KB.
    pub response_headers_max: usize,
    /// When a target is skipped for its failures.
    pub ejection: Ejection,
    /// How requests are distributed.
    pub algorithm: Algorithm,
    /// How long a new target gets fewer requests than the others. Zero: not at all.
    pub slow_start: Duration,
    /// How often the names of targets are looked up.
    pub resolve_every: Duration,
    pub retries: Retries,
    /// How long the requests under way at a target go on after the target has left the group.
    pub deregistration_delay: Duration,
    /// How targets are checked. `None`: not at all, and all targets get requests.
    pub health: Option<health::settings::Settings>,
    /// Whether a rule forwards to the group. The targets of other groups are not checked.
    pub is_used: bool,
    /// Whether a cookie keeps the requests of a browser at one target.
    pub stickiness: Option<stickiness::settings::Settings>,
}

/// A target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetSettings {
    pub place: Place,
    /// Its share of the requests, relative to the others. At least one.
    pub weight: u32,
}

/// How a target is chosen (ALB §9.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    RoundRobin,
    LeastOutstandingRequests,
    WeightedRandom {
        /// Whether targets that fail more often than the others get fewer requests.
        anomaly_mitigation: bool,
    },
}

/// When a target is skipped for its failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    pub skip_for: Duration,
    /// After so many failures to connect, one after the other. At least one.
    pub after_failures: u32,
    /// After so many answers of the class 5xx, one after the other. `None`: never.
    pub after_server_errors: Option<u32>,
}

/// How many requests of a group one worker may send again to the next target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Percent of the requests.
    pub percent: u32,
    /// Retries that are allowed in each second besides.
    pub per_second_min: u32,
}

impl Settings {
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
    pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
    /// Shorter than what targets commonly keep (Node: 5 s), so that a request rarely uses a connection that is being closed
    /// (pitfalls 65).
    pub const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
    /// Unneeded connections end by `idle_timeout`, and closing a connection that the next request would have used costs more than
    /// keeping it.
    pub const IDLE_MAX: usize = 1024;
    pub const RESPONSE_HEADERS_MAX: usize = 1000;
    pub const SKIP_FOR: Duration = Duration::from_secs(10);
    pub const SKIP_AFTER_FAILURES: u32 = 1;
    /// The resolver of the system does not tell for how long an answer is valid. Most names of services have 30 to 60 seconds.
    pub const RESOLVE_EVERY: Duration = Duration::from_secs(30);
    /// ALB §9.4.
    pub const DEREGISTRATION_DELAY: Duration = Duration::from_secs(300);
    pub const RETRY_BUDGET_PERCENT: u32 = 20;
    pub const RETRIES_PER_SECOND_MIN: u32 = 10;

    /// A group with every default.
    #[cfg(test)]
    pub(crate) fn new(name: Arc<str>, targets: Vec<TargetSettings>) -> Self {
        Self {
            name,
            targets,
            tls: None,
            protocol: ProtocolVersion::Http1,
            connect_timeout: Self::CONNECT_TIMEOUT,
            response_timeout: Self::RESPONSE_TIMEOUT,
            idle_timeout: Self::IDLE_TIMEOUT,
            idle_max: Self::IDLE_MAX,
            response_headers_max: Self::RESPONSE_HEADERS_MAX,
            ejection: Ejection {
                skip_for: Self::SKIP_FOR,
                after_failures: Self::SKIP_AFTER_FAILURES,
                after_server_errors: None,
            },
            algorithm: Algorithm::RoundRobin,
            slow_start: Duration::ZERO,
            resolve_every: Self::RESOLVE_EVERY,
            retries: Retries { percent: Self::RETRY_BUDGET_PERCENT, per_second_min: Self::RETRIES_PER_SECOND_MIN },
            deregistration_delay: Self::DEREGISTRATION_DELAY,
            health: None,
            is_used: true,
            stickiness: None,
        }
    }
}

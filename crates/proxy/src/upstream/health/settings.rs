//! Validated health checks.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::uri::PathAndQuery;

use crate::upstream::protocol_version::ProtocolVersion;
use crate::upstream::tls::Tls;

/// How the targets of a group are checked, and what follows from it.
#[derive(Clone, Debug)]
pub struct Settings {
    pub check: HealthCheck,
    pub minimum: Minimum,
}

/// What is asked of a target, and what its answers mean (ALB §9.3). Another check begins anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    pub protocol: ProtocolVersion,
    /// `Some` if checks use HTTPS.
    pub tls: Option<Tls>,
    /// `None`: the port of the target.
    pub port: Option<u16>,
    pub path: PathAndQuery,
    /// From the begin of a check to the begin of the next.
    pub interval: Duration,
    /// For a whole check: connecting, TLS and the head of the answer. Shorter than `interval`.
    pub timeout: Duration,
    pub thresholds: Thresholds,
    pub matcher: Matcher,
}

/// How many outcomes one after the other change the state of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    pub healthy: u32,
    pub unhealthy: u32,
}

/// The healthy targets that a group needs. With fewer, requests go to all of its targets (ALB §9.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minimum {
    /// At least one.
    pub count: u32,
    /// Of all targets of the group. `None`: only the count matters.
    pub percentage: Option<u32>,
}

/// The statuses that a healthy target answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher(Box<[RangeInclusive<u16>]>);

impl Matcher {
    /// `200`, `200,202` or `200-299`, or any list of these. `None` if the text is something else, or a status is none that the protocol
    /// may have ([`ProtocolVersion::statuses`]).
    pub fn parse(text: &str, protocol: ProtocolVersion) -> Option<Self> {
        let status = |text: &str| {
            let text = text.trim();
            let is_number =
                text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
            text.parse().ok().filter(|status| is_number && protocol.statuses().contains(status))
        };
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (status(first)?, status(last)?);
            (first <= last).then_some(first..=last)
        };
        text.split(',').map(range).collect::<Option<_>>().map(Self)
    }

    /// Whether a healthy target answers so.
    pub(super) fn matches(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

/// What checks of targets are by default, and may be.
impl ProtocolVersion {
    /// The statuses that a matcher may have (ALB §9.3).
    pub const fn statuses(self) -> RangeInclusive<u16> {
        match self {
            Self::Http1 | Self::Http2 => 200..=499,
            Self::Grpc => 0..=99,
        }
    }

    /// The path that is asked by default (ALB §9.3).
    pub const fn path(self) -> &'static str {
        match self {
            Self::Http1 | Self::Http2 => "/",
            Self::Grpc => "/AWS.ALB/healthcheck",
        }
    }

    /// The matcher by default (ALB §9.3): a server of gRPC does not know the method of [`path`](Self::path), and says so. If the health
    /// service is asked, that it does not exist is no success.
    pub fn matcher(self, path: &str) -> &'static str {
        match self {
            Self::Http1 | Self::Http2 => "200",
            Self::Grpc if path == GRPC_HEALTH_PATH => "0",
            Self::Grpc => "12",
        }
    }
}

/// The method of the health service of gRPC. If it is asked, its message counts, too.
pub(crate) const GRPC_HEALTH_PATH: &str = "/grpc.health.v1.Health/Check";

/// By this, applications tell checks from requests in their logs. The load balancer sends `ELB-HealthChecker/2.0`.
pub(super) const USER_AGENT: &str = "Vestibule-HealthChecker/1.0";
/// Maximum size of the head of an answer. hyper needs at least this.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How much of the body is read, and for how long, so that the target does not see its connection reset.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;
pub(super) const BODY_MAX: Duration = Duration::from_secs(1);

impl Minimum {
    /// Whether a group with `total` targets has enough healthy ones.
    pub(super) fn is_reached(self, healthy: usize, total: usize) -> bool {
        healthy >= self.count as usize
            && self.percentage.is_none_or(|percentage| healthy * 100 >= percentage as usize * total)
    }
}

impl Settings {
    pub const INTERVAL: Duration = Duration::from_secs(30);
    /// DOC23 says 5 s and API26 6 or 10 s (ALB §9.3). The shorter one finds a target that hangs earlier.
    pub const TIMEOUT: Duration = Duration::from_secs(5);
    pub const HEALTHY_THRESHOLD: u32 = 5;
    pub const UNHEALTHY_THRESHOLD: u32 = 2;
    pub const MINIMUM_COUNT: u32 = 1;

    /// Checks of `/` every 10 seconds, for tests.
    #[cfg(test)]
    pub(crate) fn played() -> Self {
        let check = HealthCheck {
            protocol: ProtocolVersion::Http1,
            tls: None,
            port: None,
            path: "/".parse().expect("a path"),
            interval: Duration::from_secs(10),
            timeout: Self::TIMEOUT,
            thresholds: Thresholds { healthy: 3, unhealthy: 2 },
            matcher: Matcher::parse("200", ProtocolVersion::Http1).expect("a matcher"),
        };
        Self { check, minimum: Minimum { count: 1, percentage: None } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, healthy: &[u16], others: &[u16]) {
        let matcher = Matcher::parse(text, ProtocolVersion::Http1).expect(text);
        healthy.iter().for_each(|status| assert!(matcher.matches(*status), "{text}: {status}"));
        others.iter().for_each(|status| assert!(!matcher.matches(*status), "{text}: {status}"));
    }

    #[test]
    fn a_matcher_has_statuses_lists_and_ranges() {
        check("200", &[200], &[199, 201, 500]);
        check("200,202", &[200, 202], &[201]);
        check("200-299", &[200, 250, 299], &[199, 300]);
        check("200-204, 301, 400-499", &[200, 204, 301, 499], &[205, 302, 399, 500]);
        for text in ["", "ok", "199", "500", "200-500", "299-200", "200,", "200-", "2xx", "0200", "+200", "200-250-299"]
        {
            assert_eq!(Matcher::parse(text, ProtocolVersion::Http2), None, "{text}");
        }
    }

    #[test]
    fn a_matcher_of_grpc_has_its_statuses() {
        let matcher = Matcher::parse("0,12,20-99", ProtocolVersion::Grpc).expect("statuses");
        assert_eq!(
            [0, 1, 12, 19, 20, 99].map(|status| matcher.matches(status)),
            [true, false, true, false, true, true]
        );
        for text in ["200", "100", "00", "012", "-1", "", "0-100"] {
            assert_eq!(Matcher::parse(text, ProtocolVersion::Grpc), None, "{text}");
        }
    }

    #[test]
    fn a_minimum_has_a_count_and_a_share() {
        let minimum = |count, percentage| Minimum { count, percentage };
        for (minimum, healthy, total, expected) in [
            (minimum(1, None), 0, 0, false),
            (minimum(1, None), 0, 3, false),
            (minimum(1, None), 1, 3, true),
            (minimum(2, None), 1, 3, false),
            (minimum(1, Some(50)), 1, 3, false),
            (minimum(1, Some(50)), 2, 4, true),
            (minimum(1, Some(100)), 3, 4, false),
            (minimum(1, Some(100)), 4, 4, true),
            (minimum(3, Some(50)), 2, 4, false),
        ] {
            assert_eq!(minimum.is_reached(healthy, total), expected, "{minimum:?}: {healthy} of {total}");
        }
    }
}

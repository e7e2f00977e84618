//! Validated health checks.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::uri::PathAndQuery;

use crate::upstream::tls::Tls;

/// How the targets of a group are checked, and what follows from it.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) check: HealthCheck,
    pub(crate) minimum: Minimum,
}

/// What is asked of a target, and what its answers mean (ALB §9.3). Another check begins anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HealthCheck {
    /// `Some` if checks use HTTPS.
    pub(crate) tls: Option<Tls>,
    /// `None`: the port of the target.
    pub(crate) port: Option<u16>,
    pub(crate) path: PathAndQuery,
    /// From the begin of a check to the begin of the next.
    pub(crate) interval: Duration,
    /// For a whole check: connecting, TLS and the head of the answer. Shorter than `interval`.
    pub(crate) timeout: Duration,
    pub(crate) thresholds: Thresholds,
    pub(crate) matcher: Matcher,
}

/// How many outcomes one after the other change the state of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Thresholds {
    pub(crate) healthy: u32,
    pub(crate) unhealthy: u32,
}

/// The healthy targets that a group needs. With fewer, requests go to all of its targets (ALB §9.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Minimum {
    /// At least one.
    pub(crate) count: u32,
    /// Of all targets of the group. `None`: only the count matters.
    pub(crate) percentage: Option<u32>,
}

/// The statuses that a healthy target answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matcher(Box<[RangeInclusive<u16>]>);

impl Matcher {
    /// `200`, `200,202` or `200-299`, or any list of these. `None` if the text is something else, or a status is not between 200 and
    /// 499 (ALB §9.3).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let status = |text: &str| {
            let text = text.trim();
            let is_status = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|status| is_status && STATUSES.contains(status))
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

/// The statuses that a matcher may have.
const STATUSES: RangeInclusive<u16> = 200..=499;

impl Minimum {
    /// Whether a group with `total` targets has enough healthy ones.
    pub(super) fn is_reached(self, healthy: usize, total: usize) -> bool {
        healthy >= self.count as usize
            && self.percentage.is_none_or(|percentage| healthy * 100 >= percentage as usize * total)
    }
}

impl Settings {
    pub(crate) const PATH: &str = "/";
    pub(crate) const INTERVAL: Duration = Duration::from_secs(30);
    /// DOC23 says 5 s and API26 6 or 10 s (ALB §9.3). The shorter one finds a target that hangs earlier.
    pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);
    pub(crate) const HEALTHY_THRESHOLD: u32 = 5;
    pub(crate) const UNHEALTHY_THRESHOLD: u32 = 2;
    pub(crate) const MATCHER: &str = "200";
    pub(crate) const MINIMUM_COUNT: u32 = 1;

    /// Checks of `/` every 10 seconds, for tests.
    #[cfg(test)]
    pub(crate) fn played() -> Self {
        let check = HealthCheck {
            tls: None,
            port: None,
            path: "/".parse().expect("a path"),
            interval: Duration::from_secs(10),
            timeout: Self::TIMEOUT,
            thresholds: Thresholds { healthy: 3, unhealthy: 2 },
            matcher: Matcher::parse(Self::MATCHER).expect("a matcher"),
        };
        Self { check, minimum: Minimum { count: 1, percentage: None } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, healthy: &[u16], others: &[u16]) {
        let matcher = Matcher::parse(text).expect(text);
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
            assert_eq!(Matcher::parse(text), None, "{text}");
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

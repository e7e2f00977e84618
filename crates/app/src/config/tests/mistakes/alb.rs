//! Defaults and bounds of the load balancer that no other file shows.

use std::time::Duration;

use super::{report, warnings};
use crate::config::Config;
use crate::config::tests::{SOUND, files, load_in};
use crate::message::desync::Mode;
use crate::upstream::health::settings::{Matcher, Settings};
use crate::upstream::protocol_version::ProtocolVersion;

/// The sound file, with these keys of its target group.
fn group(name: &str, keys: &str) -> Config {
    let text = SOUND.replace("    targets:", &format!("{keys}    targets:"));
    load_in(&files(name), &text).unwrap_or_else(|report| panic!("{report}"))
}

#[test]
fn alb_9_3_defaults_of_health_checks() {
    for (keys, path, matcher) in [
        ("    health_check: {}\n", "/", "200"),
        ("    protocol_version: grpc\n    health_check: {}\n", "/AWS.ALB/healthcheck", "12"),
    ] {
        let config = group("alb-health", keys);
        let target_group = &config.target_groups[0];
        let Settings { check, minimum } = target_group.health.as_ref().expect("checks");
        assert_eq!((check.path.as_str(), check.port), (path, None), "{keys}");
        assert_eq!((check.interval, check.timeout), (Duration::from_secs(30), Duration::from_secs(5)));
        assert_eq!((check.thresholds.healthy, check.thresholds.unhealthy), (5, 2));
        assert_eq!(Some(&check.matcher), Matcher::parse(matcher, target_group.protocol).as_ref());
        assert_eq!((minimum.count, minimum.percentage), (1, None));
    }
}

#[test]
fn alb_9_4_bounds_of_the_deregistration_delay() {
    let delay = |keys: &str| group("alb-delay", keys).target_groups[0].deregistration_delay;
    assert_eq!(delay(""), Duration::from_secs(300));
    for (text, seconds) in [("0s", 0), ("1h", 3600)] {
        assert_eq!(delay(&format!("    deregistration_delay: {text}\n")), Duration::from_secs(seconds));
    }
    let long = report("alb-delay-long", &[("    targets:", "    deregistration_delay: 3601s\n    targets:")]);
    assert!(long.starts_with("error: 3601s is out of range: 0s to 1h\n"), "{long}");
}

#[test]
fn alb_10_1_defaults_of_a_listener() {
    let config = group("alb-listener", "");
    let listener = &config.listeners[0].settings;
    assert_eq!(listener.desync, Mode::Defensive);
    assert_eq!(
        (listener.limits.idle_timeout, listener.limits.keep_alive),
        (Duration::from_secs(60), Duration::from_secs(3600))
    );
    assert_eq!(listener.limits.streams_max, 128);
    assert_eq!(config.target_groups[0].protocol, ProtocolVersion::Http1);
    let most = "protocol: https\n    limits: { idle_timeout: 4000s, keep_alive: 7d }\n";
    assert_eq!(warnings("alb-limits", &[("protocol: https\n", most)]), "");
}

#[test]
fn alb_8_3_tokens_are_taken_over_https_only() {
    let plain = "  - name: plain
    address: 0.0.0.0:8080
    protocol: http
    default_actions:
      - { type: jwt-validation, provider: corp, audience: [a] }
      - { type: forward, target_group: app }
identity_providers:";
    let text = report("alb-plain-tokens", &[("identity_providers:", plain)]);
    assert!(text.starts_with("error: `jwt-validation` on an `http` listener\n"), "{text}");
}

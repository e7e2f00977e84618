//! `health_check` of a target group.

use http::uri::PathAndQuery;
use rustls_pki_types::ServerName;

use crate::clock::period_text;
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::health_check::{
    CheckProtocol, HealthCheck, INTERVAL_BOUNDS, PATH_LENGTH_MAX, TIMEOUT_BOUNDS, TRAFFIC_PORT,
};
use crate::config::raw::target_group::{Protocol, TargetGroup};
use crate::config::validate::context::Context;
use crate::config::validate::value;
use crate::upstream::health::settings::{HealthCheck as Check, Matcher, Minimum, Settings, Thresholds};
use crate::upstream::place::Place;
use crate::upstream::protocol_version::ProtocolVersion;
use crate::upstream::settings::TargetSettings;
use crate::upstream::tls::Tls;

/// Whether checks use TLS, so that the group needs settings for it.
pub(super) fn uses_tls(group: &TargetGroup) -> bool {
    let Some(raw) = &group.health_check else { return false };
    match raw.protocol {
        None => group.protocol == Protocol::Https,
        Some(protocol) => protocol == CheckProtocol::Https,
    }
}

/// `tls` are the settings of the group for TLS, `targets` its targets and `protocol` theirs.
pub(super) fn health_check(
    group: &TargetGroup,
    protocol: ProtocolVersion,
    targets: &[TargetSettings],
    tls: Option<&Tls>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Option<Settings>, Reported> {
    let Some(raw) = &group.health_check else { return Ok(None) };
    let at = &at.key("health_check");
    let names = names(group, targets, at, context);
    let port = port(raw, targets, at, context);
    let path = path(raw, protocol, at, context);
    let times = times(raw, at, context);
    let matcher = matcher(raw, protocol, at, context);
    let minimum = minimum(raw, targets, at, context);
    names?;
    let (interval, timeout) = times?;
    let check = Check {
        protocol,
        tls: tls.filter(|_| uses_tls(group)).cloned(),
        port: port?,
        path: path?,
        interval,
        timeout,
        thresholds: Thresholds { healthy: raw.healthy_threshold, unhealthy: raw.unhealthy_threshold },
        matcher: matcher?,
    };
    Ok(Some(Settings { check, minimum: minimum? }))
}

/// An `https` group has checked this already.
fn names(
    group: &TargetGroup,
    targets: &[TargetSettings],
    at: &Path,
    context: &mut Context<'_>,
) -> Result<(), Reported> {
    if !uses_tls(group) || group.protocol == Protocol::Https || group.server_name.is_some() {
        return Ok(());
    }
    let has_name = |place: &Place| place.host().is_some_and(|host| ServerName::try_from(host).is_ok());
    let Some(target) = targets.iter().find(|target| !has_name(&target.place)) else { return Ok(()) };
    let message = format!("checks of `{}` by `https` need `server_name`", target.place);
    let problem = context.found.problem(&at.key("protocol"), message);
    problem.hint("set `server_name` of the target group to the name in the certificate of the target").fail()
}

fn port(
    raw: &HealthCheck,
    targets: &[TargetSettings],
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Option<u16>, Reported> {
    let (at, text) = (at.key("port"), raw.port.0.as_str());
    if text == TRAFFIC_PORT {
        return Ok(None);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(port) = text.parse().ok().filter(|port| is_number && *port != 0) else {
        let problem = context.found.problem(&at, format!("`{text}` is not a port"));
        return problem.hint(format!("write a number from 1 to 65535, or `{TRAFFIC_PORT}`")).fail();
    };
    if targets.iter().any(|target| matches!(target.place, Place::Unix(_))) {
        let problem = context.found.problem(&at, "a target at a Unix socket has no port");
        return problem.hint(format!("remove it, or write `{TRAFFIC_PORT}`")).fail();
    }
    Ok(Some(port))
}

fn path(
    raw: &HealthCheck,
    protocol: ProtocolVersion,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<PathAndQuery, Reported> {
    let at = at.key("path");
    let path = raw.path.as_deref().unwrap_or_else(|| protocol.path());
    if path.len() > PATH_LENGTH_MAX {
        return context.found.problem(&at, format!("the path has at most {PATH_LENGTH_MAX} characters")).fail();
    }
    // `PathAndQuery` drops a fragment in silence.
    match path.parse() {
        Ok(parsed) if path.starts_with('/') && !path.contains('#') => Ok(parsed),
        _ => {
            let problem = context.found.problem(&at, format!("`{path}` is not a path"));
            problem.hint("write `/health`; encode other characters in percent form").fail()
        }
    }
}

fn times(
    raw: &HealthCheck,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<(std::time::Duration, std::time::Duration), Reported> {
    let (of_interval, of_timeout) = (at.key("interval"), at.key("timeout"));
    let interval = value::period(&raw.interval, INTERVAL_BOUNDS, &of_interval, &mut context.found);
    let timeout = value::period(&raw.timeout, TIMEOUT_BOUNDS, &of_timeout, &mut context.found);
    let (interval, timeout) = (interval?, timeout?);
    if timeout < interval {
        return Ok((interval, timeout));
    }
    let (interval, timeout) = (period_text(interval), period_text(timeout));
    // One of the two may be the default, which is nowhere in the file.
    let message = format!("`timeout` ({timeout}) must be shorter than `interval` ({interval})");
    context.found.problem(at, message).hint("set a shorter `timeout` or a longer `interval`").fail()
}

fn matcher(
    raw: &HealthCheck,
    protocol: ProtocolVersion,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Matcher, Reported> {
    let path = raw.path.as_deref().unwrap_or_else(|| protocol.path());
    let text = raw.matcher.as_ref().map_or_else(|| protocol.matcher(path), |written| written.0.as_str());
    match Matcher::parse(text, protocol) {
        Some(matcher) => Ok(matcher),
        None => {
            let statuses = protocol.statuses();
            let message = format!("`{text}` does not name statuses from {} to {}", statuses.start(), statuses.end());
            let problem = context.found.problem(&at.key("matcher"), message);
            let example = if protocol == ProtocolVersion::Grpc {
                "`0`, `0,12` or `0-99`"
            } else {
                "`200`, `200,202` or `200-299`"
            };
            problem.hint(format!("write {example}")).fail()
        }
    }
}

fn minimum(
    raw: &HealthCheck,
    targets: &[TargetSettings],
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Minimum, Reported> {
    let count = raw.minimum_healthy_count;
    // A name may have any number of addresses, each of which is a target.
    let has_names = targets.iter().any(|target| matches!(target.place, Place::Name { .. }));
    if !has_names && !targets.is_empty() && count as usize > targets.len() {
        let message = format!("the target group has only {} targets", targets.len());
        let problem = context.found.problem(&at.key("minimum_healthy_count"), message);
        return problem.hint("with a larger number, requests always go to all targets").fail();
    }
    Ok(Minimum { count, percentage: raw.minimum_healthy_percentage })
}

//! `target_groups`.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::ServerName;

use crate::clock::period_text;
use crate::config::document::findings::{Findings, Reported};
use crate::config::document::path::Path;
use crate::config::raw::target_group::{
    self as written, DEREGISTRATION_DELAY_MAX, Protocol, SLOW_START_MAX, SLOW_START_MIN, TargetGroup, VERIFY,
};
use crate::config::validate::context::Context;
use crate::config::validate::{health_check, keys, stickiness, value};
use crate::crypto::aead::Key;
use crate::crypto::certified_key;
use crate::crypto::provider;
use crate::upstream::place::Place;
use crate::upstream::protocol_version::ProtocolVersion;
use crate::upstream::settings::{Algorithm, Ejection, Retries, Settings, TargetSettings};
use crate::upstream::tls::{self, Identity, Tls, Trust};

const TIMEOUT_BOUNDS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(4000));
const SKIP_BOUNDS: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(3600));
const RESOLVE_BOUNDS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(86_400));
/// unix(7): the system has room for 108 bytes with the zero at the end, macOS for 104.
const SOCKET_PATH_MAX: usize = 103;

/// `keys` are those of sessions. They are asked for only if the group needs them.
pub(super) fn target_group(
    name: &str,
    raw: &TargetGroup,
    at: &Path,
    keys: impl FnOnce(&mut Context<'_>) -> Result<Arc<[Key]>, Reported>,
    context: &mut Context<'_>,
) -> Result<Settings, Reported> {
    let targets = targets(raw, &at.key("targets"), context);
    let tls = tls(raw, at, context);
    let mut time = |written, bounds, key| value::period(written, bounds, &at.key(key), &mut context.found);
    let connect_timeout = time(&raw.connect_timeout, TIMEOUT_BOUNDS, "connect_timeout");
    let response_timeout = time(&raw.response_timeout, TIMEOUT_BOUNDS, "response_timeout");
    let idle_timeout = time(&raw.idle_timeout, TIMEOUT_BOUNDS, "idle_timeout");
    let skip_for = time(&raw.skip_for, SKIP_BOUNDS, "skip_for");
    let resolve_every = time(&raw.resolve_every, RESOLVE_BOUNDS, "resolve_every");
    let delay_bounds = (Duration::ZERO, DEREGISTRATION_DELAY_MAX);
    let deregistration_delay = time(&raw.deregistration_delay, delay_bounds, "deregistration_delay");
    let slow_start = slow_start(raw, at, context);
    let algorithm = algorithm(raw, at, context);
    let sticky = raw.stickiness.as_ref().map(|raw| {
        let keys = keys(context);
        stickiness::stickiness(raw, keys, &at.key("stickiness"), context)
    });
    let (targets, tls) = (targets?, tls?);
    let health = health_check::health_check(raw, protocol(raw), &targets, tls.as_ref(), at, context);
    Ok(Settings {
        name: Arc::from(name),
        targets,
        tls: tls.filter(|_| raw.protocol == Protocol::Https),
        protocol: protocol(raw),
        connect_timeout: connect_timeout?,
        response_timeout: response_timeout?,
        idle_timeout: idle_timeout?,
        idle_max: raw.idle_max,
        response_headers_max: raw.response_headers_max,
        ejection: Ejection {
            skip_for: skip_for?,
            after_failures: raw.skip_after_failures,
            after_server_errors: raw.skip_after_server_errors,
        },
        algorithm: algorithm?,
        slow_start: slow_start?,
        resolve_every: resolve_every?,
        deregistration_delay: deregistration_delay?,
        retries: Retries { percent: raw.retry_budget_percent, per_second_min: raw.retries_per_second_min },
        health: health?,
        // The rules are read elsewhere.
        is_used: true,
        stickiness: sticky.transpose()?,
    })
}

fn algorithm(raw: &TargetGroup, at: &Path, context: &mut Context<'_>) -> Result<Algorithm, Reported> {
    let algorithm = match raw.algorithm {
        written::Algorithm::RoundRobin => Algorithm::RoundRobin,
        written::Algorithm::LeastOutstandingRequests => Algorithm::LeastOutstandingRequests,
        written::Algorithm::WeightedRandom => {
            return Ok(Algorithm::WeightedRandom { anomaly_mitigation: raw.anomaly_mitigation });
        }
    };
    if !raw.anomaly_mitigation {
        return Ok(algorithm);
    }
    let message = "`anomaly_mitigation` needs `algorithm: weighted_random`";
    let problem = context.found.problem(&at.key("anomaly_mitigation"), message);
    problem.lacks(&at.key("algorithm")).hint("add `algorithm: weighted_random`, or remove it").fail()
}

/// ALB §9.4: not with `least_outstanding_requests`. Not with `anomaly_mitigation`, which has shares of its own.
fn slow_start(raw: &TargetGroup, at: &Path, context: &mut Context<'_>) -> Result<Duration, Reported> {
    let at_key = at.key("slow_start");
    let duration = value::period(&raw.slow_start, (Duration::ZERO, SLOW_START_MAX), &at_key, &mut context.found)?;
    if duration.is_zero() {
        return Ok(duration);
    }
    if duration < SLOW_START_MIN {
        let message = format!("`{}` is too short", period_text(duration));
        let problem = context.found.problem(&at_key, message);
        return problem.hint(format!("expected 0s, or at least {}", period_text(SLOW_START_MIN))).fail();
    }
    let other = match raw.algorithm {
        written::Algorithm::LeastOutstandingRequests => "algorithm",
        written::Algorithm::WeightedRandom if raw.anomaly_mitigation => "anomaly_mitigation",
        written::Algorithm::RoundRobin | written::Algorithm::WeightedRandom => return Ok(duration),
    };
    let value = if other == "algorithm" { "least_outstanding_requests" } else { "true" };
    let message = format!("`slow_start` is not allowed with `{other}: {value}`");
    let problem = context.found.problem(&at_key, message);
    problem.label(&at.key(other), "set here").hint("remove one of the two").fail()
}

const fn protocol(raw: &TargetGroup) -> ProtocolVersion {
    match raw.protocol_version {
        written::ProtocolVersion::Http1 => ProtocolVersion::Http1,
        written::ProtocolVersion::Http2 => ProtocolVersion::Http2,
        written::ProtocolVersion::Grpc => ProtocolVersion::Grpc,
    }
}

fn targets(raw: &TargetGroup, at: &Path, context: &mut Context<'_>) -> Result<Vec<TargetSettings>, Reported> {
    value::each(&raw.targets, at, &mut context.found, |target, at, found| {
        let at = if matches!(target, written::Target::Long { .. }) { at.key("address") } else { at.clone() };
        let place = place(target.address(), raw, &at, found)?;
        Ok(TargetSettings { place, weight: target.weight() })
    })
}

fn place(text: &str, raw: &TargetGroup, at: &Path, found: &mut Findings) -> Result<Place, Reported> {
    if let Some(path) = text.strip_prefix("unix:") {
        return socket(path, raw, at, found);
    }
    match value::host_and_port(text) {
        Some((host, _))
            if raw.protocol == Protocol::Https
                && raw.server_name.is_none()
                && ServerName::try_from(host.as_str()).is_err() =>
        {
            let problem = found.problem(at, format!("`{host}` is not a valid name for a certificate"));
            problem.hint("set `server_name`").fail()
        }
        Some((host, port)) => Ok(Place::new(&host, port)),
        None => {
            let hint = match text.split_once("://") {
                Some((scheme, rest)) => {
                    format!("write `{}`; set `protocol` for `{scheme}`", rest.trim_end_matches('/'))
                }
                None => "write a host and a port: `app.internal:3000`, `[::1]:3000`".to_owned(),
            };
            found.problem(at, format!("`{text}` is not a target")).hint(hint).fail()
        }
    }
}

/// The place of a Unix socket. Its path is absolute: a socket of another program has nothing to do with the folder of the file.
fn socket(path: &str, raw: &TargetGroup, at: &Path, found: &mut Findings) -> Result<Place, Reported> {
    if !path.starts_with('/') {
        let problem = found.problem(at, format!("`{path}` is not an absolute path"));
        return problem.hint("write `unix:/run/app.sock`").fail();
    }
    if path.len() > SOCKET_PATH_MAX {
        return found.problem(at, format!("the path of a socket has at most {SOCKET_PATH_MAX} bytes")).fail();
    }
    if raw.protocol == Protocol::Https && raw.server_name.is_none() {
        let problem = found.problem(at, "an `https` target at a Unix socket needs `server_name`");
        return problem.hint("set `server_name` to the name in the certificate of the target").fail();
    }
    Ok(Place::Unix(FilePath::new(path).into()))
}

fn tls(raw: &TargetGroup, at: &Path, context: &mut Context<'_>) -> Result<Option<Tls>, Reported> {
    if raw.protocol == Protocol::Http && !health_check::uses_tls(raw) {
        return without_tls(raw, at, context).map(|()| None);
    }
    let trust = trust(raw, at, context);
    let server_name = server_name(raw, &at.key("server_name"), context);
    let identity = identity(raw, at, context);
    Ok(Some(tls::config(trust?, server_name?, identity?, protocol(raw))))
}

/// Reports settings that mean nothing without TLS.
fn without_tls(raw: &TargetGroup, at: &Path, context: &mut Context<'_>) -> Result<(), Reported> {
    let mut result = Ok(());
    for (key, given) in [
        ("ca_file", raw.ca_file.is_some()),
        ("verify", raw.verify.is_some()),
        ("server_name", raw.server_name.is_some()),
        ("client_certificate_file", raw.client_certificate_file.is_some()),
        ("client_key_file", raw.client_key_file.is_some()),
    ] {
        if given && context.found.concern(&at.key("protocol")).is_none() {
            let message = format!("`{key}` is not allowed for `http` targets");
            let problem = context.found.problem(&at.key(key), message);
            result = problem.lacks(&at.key("protocol")).hint("add `protocol: https`, or remove it").fail();
        }
    }
    result
}

fn trust(raw: &TargetGroup, at: &Path, context: &mut Context<'_>) -> Result<Trust, Reported> {
    match (&raw.ca_file, raw.verify.unwrap_or(VERIFY)) {
        (None, false) => Ok(Trust::Any),
        (Some(_), false) => {
            let problem = context.found.problem(&at.key("ca_file"), "`ca_file` is not allowed with `verify: false`");
            problem.label(&at.key("verify"), "set here").hint("remove one of the two").fail()
        }
        (Some(file), true) => Ok(Trust::Roots(keys::roots(file, &at.key("ca_file"), context)?)),
        (None, true) => {
            let roots = provider::system_roots();
            if roots.is_empty() {
                let problem = context.found.problem(at, "the system has no root certificates to verify targets with");
                return problem.hint("set `ca_file`").fail();
            }
            Ok(Trust::Roots(roots.to_vec()))
        }
    }
}

fn server_name(
    raw: &TargetGroup,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Option<ServerName<'static>>, Reported> {
    let Some(name) = &raw.server_name else { return Ok(None) };
    match ServerName::try_from(name.clone()) {
        Ok(name) => Ok(Some(name)),
        Err(_) => context.found.problem(at, format!("`{name}` is not a valid name for a certificate")).fail(),
    }
}

fn identity(raw: &TargetGroup, at: &Path, context: &mut Context<'_>) -> Result<Option<Identity>, Reported> {
    let (chain_at, key_at) = (at.key("client_certificate_file"), at.key("client_key_file"));
    let (chain_file, key_file) = match (&raw.client_certificate_file, &raw.client_key_file) {
        (None, None) => return Ok(None),
        (Some(chain), Some(key)) => (chain, key),
        (Some(_), None) => {
            let problem = context.found.problem(&chain_at, "`client_certificate_file` needs `client_key_file`");
            return problem.lacks(&key_at).hint("set `client_key_file` to the private key of the certificate").fail();
        }
        (None, Some(_)) => {
            let problem = context.found.problem(&key_at, "`client_key_file` needs `client_certificate_file`");
            return problem.lacks(&chain_at).hint("set `client_certificate_file` to the certificate of the key").fail();
        }
    };
    let chain = keys::text(chain_file, &chain_at, context);
    let key = keys::secret_text(key_file, &key_at, context);
    let error = match Identity::from_pem(chain?.expose(), &key?) {
        Ok(identity) => return Ok(Some(identity)),
        Err(error) => error,
    };
    let (at, file) = match error {
        certified_key::Error::NoCertificate => (&chain_at, chain_file),
        certified_key::Error::NoKey | certified_key::Error::Mismatch | certified_key::Error::Unusable(_) => {
            (&key_at, key_file)
        }
    };
    context.found.problem(at, format!("`{}`: {error}", context.source.resolve_secret(file).display())).fail()
}

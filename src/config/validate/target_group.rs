//! `target_groups`.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::ServerName;

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::target_group::{Protocol, ProtocolVersion, TargetGroup, VERIFY};
use crate::config::validate::context::Context;
use crate::config::validate::{keys, value};
use crate::crypto::provider;
use crate::upstream::settings::{Settings, TargetSettings};
use crate::upstream::tls::{self, Tls};

const TIMEOUT_BOUNDS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(4000));
const SKIP_BOUNDS: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(3600));

pub(super) fn target_group(
    name: &str,
    raw: &TargetGroup,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Settings, Reported> {
    let supported = supported(raw, at, context);
    let targets = targets(raw, &at.key("targets"), context);
    let tls = tls(raw, at, context);
    let mut time = |written, bounds, key| value::period(written, bounds, &at.key(key), &mut context.found);
    let connect_timeout = time(&raw.connect_timeout, TIMEOUT_BOUNDS, "connect_timeout");
    let response_timeout = time(&raw.response_timeout, TIMEOUT_BOUNDS, "response_timeout");
    let idle_timeout = time(&raw.idle_timeout, TIMEOUT_BOUNDS, "idle_timeout");
    let skip_for = time(&raw.skip_for, SKIP_BOUNDS, "skip_for");
    supported?;
    Ok(Settings {
        name: Arc::from(name),
        targets: targets?,
        tls: tls?,
        connect_timeout: connect_timeout?,
        response_timeout: response_timeout?,
        idle_timeout: idle_timeout?,
        idle_max: raw.idle_max,
        response_headers_max: raw.response_headers_max,
        skip_for: skip_for?,
    })
}

/// Whether this version can speak to the targets.
fn supported(raw: &TargetGroup, at: &Path, context: &mut Context<'_>) -> Result<(), Reported> {
    let version = match raw.protocol_version {
        ProtocolVersion::Http1 => return Ok(()),
        ProtocolVersion::Http2 => "http2",
        ProtocolVersion::Grpc => "grpc",
    };
    let message = format!("`{version}` targets are not available in this version");
    context.found.problem(&at.key("protocol_version"), message).hint("use `http1`; clients can still use HTTP/2").fail()
}

fn targets(raw: &TargetGroup, at: &Path, context: &mut Context<'_>) -> Result<Vec<TargetSettings>, Reported> {
    value::each(&raw.targets, at, &mut context.found, |text, at, found| match value::host_and_port(text) {
        Some((host, _)) if raw.protocol == Protocol::Https && ServerName::try_from(host.as_str()).is_err() => {
            found.problem(at, format!("`{host}` is not a valid name for a certificate")).fail()
        }
        Some((host, port)) => Ok(TargetSettings { host, port }),
        None => {
            let hint = match text.split_once("://") {
                Some((scheme, rest)) => {
                    format!("write `{}`; set `protocol` for `{scheme}`", rest.trim_end_matches('/'))
                }
                None => "write a host and a port: `app.internal:3000`, `[::1]:3000`".to_owned(),
            };
            found.problem(at, format!("`{text}` is not a target")).hint(hint).fail()
        }
    })
}

fn tls(raw: &TargetGroup, at: &Path, context: &mut Context<'_>) -> Result<Option<Tls>, Reported> {
    if raw.protocol == Protocol::Http {
        let mut result = Ok(None);
        for (key, given) in [("ca_file", raw.ca_file.is_some()), ("verify", raw.verify.is_some())] {
            if given && context.found.concern(&at.key("protocol")).is_none() {
                let message = format!("`{key}` is not allowed for `http` targets");
                let problem = context.found.problem(&at.key(key), message);
                result = problem.hint("add `protocol: https`, or remove it").fail();
            }
        }
        return result;
    }
    match (&raw.ca_file, raw.verify.unwrap_or(VERIFY)) {
        (None, false) => Ok(Some(tls::trusting())),
        (Some(_), false) => {
            let problem = context.found.problem(&at.key("ca_file"), "`ca_file` is not allowed with `verify: false`");
            problem.label(&at.key("verify"), "set here").hint("remove one of the two").fail()
        }
        (Some(file), true) => Ok(Some(tls::verifying(keys::roots(file, &at.key("ca_file"), context)?))),
        (None, true) => {
            let roots = provider::system_roots();
            if roots.is_empty() {
                let problem = context.found.problem(at, "the system has no root certificates to verify targets with");
                return problem.hint("set `ca_file`").fail();
            }
            Ok(Some(tls::verifying(roots.iter().cloned())))
        }
    }
}

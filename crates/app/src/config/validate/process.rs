//! `admin`, `access_log`, `log`, `shutdown`, `workers`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::admin::Settings as Admin;
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::process as written;
use crate::config::raw::value::List;
use crate::config::settled::{ListenerConfig, ShutdownConfig};
use crate::config::validate::context::Context;
use crate::config::validate::{keys, value};
use crate::console::Password;
use crate::telemetry::access_log::{Destination, alb, syslog};
use crate::telemetry::logging;

const DELAY_BOUNDS: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(600));
const DRAIN_TIMEOUT_BOUNDS: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(3600));

pub(super) fn admin(raw: &written::Admin, at: &Path, context: &mut Context<'_>) -> Result<Admin, Reported> {
    let hosts = admin_hosts(&raw.hosts, &at.key("hosts"), context);
    let address = value::address(&raw.address, &at.key("address"), &mut context.found);
    let console = raw.console.as_ref().map(|raw| console(raw, &at.key("console"), context)).transpose();
    let (address, console) = (address?, console?);
    if console.is_some() && !address.ip().is_loopback() {
        let problem =
            context.found.problem(&at.key("console"), "the console would be on a network, without encryption");
        let hint = "set `admin.address` to a loopback address, for example `127.0.0.1:9440`; from elsewhere, use `ssh -L` or `kubectl port-forward`";
        return problem.label(&at.key("address"), "this is no loopback address").hint(hint).fail();
    }
    Ok(Admin { address, hosts: hosts?, console })
}

fn console(raw: &written::Console, at: &Path, context: &mut Context<'_>) -> Result<Password, Reported> {
    let keys = ("password", "password_file");
    let password = keys::secret(raw.password.as_ref(), raw.password_file.as_ref(), keys, at, context)?;
    let hint = "`vestibule keys store --out console-password` writes a file for `password_file`";
    match password {
        None => context.found.problem(at, "the console needs a password").hint(hint).fail(),
        Some(password) if password.expose().chars().count() < Password::LENGTH_MIN => {
            let message = format!("the password has fewer than {} characters", Password::LENGTH_MIN);
            context.found.problem(at, message).hint(hint).fail()
        }
        Some(password) => Ok(Password::new(&password)),
    }
}

fn admin_hosts(raw: &List<String>, at: &Path, context: &mut Context<'_>) -> Result<Arc<[Box<str>]>, Reported> {
    let hosts = value::each(raw, at, &mut context.found, |host, at, found| {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if host.is_empty() || !host.bytes().all(is_name) {
            let problem = found.problem(at, format!("`{host}` is not a host name"));
            let hint = "write only the name, without scheme and port; IP addresses are always allowed";
            return problem.hint(hint).fail();
        }
        Ok(host.to_ascii_lowercase().into_boxed_str())
    });
    Ok(hosts?.into())
}

/// The admin endpoint must not share the port of a listener.
pub(super) fn admin_apart(admin: Option<&Admin>, listeners: &[ListenerConfig], context: &mut Context<'_>) {
    let Some(admin) = admin else { return };
    if let Some(listener) = listeners.iter().find(|listener| collide(listener.settings.address, admin.address)) {
        let at = Path::default().key("admin").key("address");
        let message = format!("the admin endpoint and the listener `{}` use the same port", listener.settings.name);
        let hint = if context.root.get("admin").is_some() {
            "choose another port"
        } else {
            "set `admin.address` to another port"
        };
        context.found.problem(&at, message).hint(hint);
    }
}

/// Whether two sockets cannot both listen. Port 0 selects a free port.
pub(super) fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let overlap = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && overlap
}

pub(super) fn access_log(
    raw: &written::AccessLog,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Destination, Reported> {
    let default = written::Syslog::default();
    let syslog = syslog(raw.syslog.as_ref().unwrap_or(&default), &at.key("syslog"), context);
    if raw.syslog.is_some() && raw.destination != written::SYSLOG {
        context.found.warning(&at.key("syslog"), "this is used with `destination: syslog` only");
    }
    match raw.destination.as_str() {
        written::SYSLOG => syslog.map(Destination::Syslog),
        written::STDOUT => Ok(Destination::Stdout),
        path => {
            let file = context.source.resolve(path);
            let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty());
            if file.is_dir() || directory.is_some_and(|directory| !directory.is_dir()) {
                let message = format!("the file `{}` cannot be written: its directory does not exist", file.display());
                return context.found.problem(&at.key("destination"), message).fail();
            }
            Ok(Destination::File(file))
        }
    }
}

fn syslog(raw: &written::Syslog, at: &Path, context: &mut Context<'_>) -> Result<syslog::Settings, Reported> {
    let address = syslog_address(&raw.address).ok_or_else(|| {
        let problem =
            context.found.problem(&at.key("address"), format!("`{}` is not the address of syslog", raw.address));
        problem.hint("write `unix:///dev/log`, `udp://HOST:PORT` or `tcp://HOST:PORT`").reported()
    });
    let is_name = |name: &str| matches!(name.len(), 1..=48) && name.bytes().all(|byte| byte.is_ascii_graphic());
    let app_name = if is_name(&raw.app_name) {
        Ok(raw.app_name.as_str().into())
    } else {
        let problem =
            context.found.problem(&at.key("app_name"), format!("`{}` is not a name for syslog", raw.app_name));
        problem.hint("write at most 48 visible ASCII characters without blanks").fail()
    };
    Ok(syslog::Settings { address: address?, facility: syslog::Facility(raw.facility as u8), app_name: app_name? })
}

fn syslog_address(text: &str) -> Option<syslog::Address> {
    let (scheme, rest) = text.split_once("://")?;
    let host = || value::host_and_port(rest).map(|(host, port)| (host.into_boxed_str(), port));
    match scheme {
        "unix" => rest.starts_with('/').then(|| syslog::Address::Unix(rest.into())),
        "udp" => host().map(|(host, port)| syslog::Address::Udp(host, port)),
        "tcp" => host().map(|(host, port)| syslog::Address::Tcp(host, port)),
        _ => None,
    }
}

/// The names in the lines of the ALB's format. `None` with another format.
pub(super) fn alb(
    raw: &written::AccessLog,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Option<alb::Settings>, Reported> {
    let at = at.key("alb");
    if raw.format != written::AccessLogFormat::Alb {
        return match &raw.alb {
            None => Ok(None),
            Some(_) => {
                let problem = context.found.problem(&at, "these names are for `format: alb`, and the format is `json`");
                problem.hint("set `format: alb`, or remove `alb`").fail()
            }
        };
    }
    let default = written::AlbNames::default();
    let raw = raw.alb.as_ref().unwrap_or(&default);
    let load_balancer = one_word(&raw.load_balancer, &at.key("load_balancer"), context);
    let at = at.key("target_group_arns");
    let arns: Vec<_> = raw
        .target_group_arns
        .iter()
        .map(|(group, arn)| {
            let known = context.refer(group, "target_groups", "target group", &at.key(group));
            let arn = one_word(arn, &at.key(group), context)?;
            known.map(|()| (group.as_str().into(), arn))
        })
        .collect();
    let target_group_arns = arns.into_iter().collect::<Result<_, _>>()?;
    Ok(Some(alb::Settings { load_balancer: load_balancer?, target_group_arns }))
}

/// A value that is a field of its own in a line.
fn one_word(text: &str, at: &Path, context: &mut Context<'_>) -> Result<Box<str>, Reported> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\') {
        let problem = context.found.problem(at, format!("`{text}` cannot be a field of the access log"));
        return problem.hint("write visible ASCII characters without blanks, quotes and backslashes").fail();
    }
    Ok(text.into())
}

pub(super) fn log(raw: &written::Log) -> logging::Settings {
    let filter = match raw.level {
        written::Level::Error => "error",
        written::Level::Warn => "warn",
        written::Level::Info => "info",
        written::Level::Debug => "debug",
        written::Level::Trace => "trace",
    };
    let format = match raw.format {
        written::LogFormat::Json => logging::Format::Json,
        written::LogFormat::Text => logging::Format::Text,
    };
    logging::Settings { filter, format }
}

pub(super) fn shutdown(
    raw: &written::Shutdown,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<ShutdownConfig, Reported> {
    let delay = value::period(&raw.delay, DELAY_BOUNDS, &at.key("delay"), &mut context.found);
    let at = at.key("drain_timeout");
    let timeout = value::period(&raw.drain_timeout, DRAIN_TIMEOUT_BOUNDS, &at, &mut context.found);
    Ok(ShutdownConfig { delay: delay?, drain_timeout: timeout? })
}

/// The number of workers. Default: one per core.
pub(super) fn workers(raw: Option<u32>) -> usize {
    raw.and_then(|workers| usize::try_from(workers).ok()).unwrap_or_else(cores)
}

/// The number of cores that the process may use.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

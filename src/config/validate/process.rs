//! `admin`, `access_log`, `log`, `shutdown`, `workers`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::admin;
use crate::admin::Settings as Admin;
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw;
use crate::config::raw::process as written;
use crate::config::raw::value::List;
use crate::config::settled::{ListenerConfig, ShutdownConfig};
use crate::config::validate::context::Context;
use crate::config::validate::value;
use crate::telemetry::access_log::Destination;
use crate::telemetry::logging;

const DELAY: Duration = Duration::from_secs(5);
const DELAY_BOUNDS: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(600));
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
const DRAIN_TIMEOUT_BOUNDS: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(3600));

pub(super) fn admin(raw: Option<&written::Admin>, at: &Path, context: &mut Context<'_>) -> Result<Admin, Reported> {
    let hosts = raw.map(|raw| admin_hosts(&raw.hosts, &at.key("hosts"), context)).unwrap_or_default();
    let address = match raw.and_then(|raw| raw.address.as_deref()) {
        Some(address) => value::address(address, &at.key("address"), &mut context.found)?,
        None => admin::DEFAULT_ADDRESS,
    };
    Ok(Admin { address, hosts })
}

fn admin_hosts(raw: &List<String>, at: &Path, context: &mut Context<'_>) -> Arc<[Box<str>]> {
    for (index, host) in raw.iter() {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if host.is_empty() || !host.bytes().all(is_name) {
            let problem = context.found.problem(&at.index(index), format!("`{host}` is not a host name"));
            problem.hint("write only the name, without scheme and port; IP addresses are always allowed");
        }
    }
    raw.iter().map(|(_, host)| host.to_ascii_lowercase().into_boxed_str()).collect()
}

/// The admin endpoint must not share the port of a listener.
pub(super) fn admin_apart(
    admin: Option<&Admin>,
    raw: &raw::File,
    listeners: &[ListenerConfig],
    context: &mut Context<'_>,
) {
    let Some(admin) = admin else { return };
    if let Some(listener) = listeners.iter().find(|listener| collide(listener.settings.address, admin.address)) {
        let at = Path::default().key("admin").key("address");
        let message = format!("the admin endpoint and the listener `{}` use the same port", listener.settings.name);
        let hint = if raw.admin.is_some() { "choose another port" } else { "set `admin.address` to another port" };
        context.found.problem(&at, message).hint(hint);
    }
}

/// Whether two sockets cannot both listen. Port 0 selects a free port.
pub(super) fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let overlap = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && overlap
}

pub(super) fn access_log(
    raw: Option<&written::AccessLog>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Destination, Reported> {
    match raw.and_then(|raw| raw.destination.as_deref()) {
        None | Some("stdout") => Ok(Destination::Stdout),
        Some(path) => {
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

pub(super) fn log(raw: Option<&written::Log>) -> logging::Settings {
    let filter = match raw.map(|raw| raw.level).unwrap_or_default() {
        written::Level::Error => "error",
        written::Level::Warn => "warn",
        written::Level::Info => "info",
        written::Level::Debug => "debug",
        written::Level::Trace => "trace",
    };
    let format = match raw.map(|raw| raw.format).unwrap_or_default() {
        written::LogFormat::Json => logging::Format::Json,
        written::LogFormat::Text => logging::Format::Text,
    };
    logging::Settings { filter, format }
}

pub(super) fn shutdown(
    raw: Option<&written::Shutdown>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<ShutdownConfig, Reported> {
    let delay = raw.and_then(|raw| raw.delay.as_ref());
    let delay = value::period(delay, DELAY, DELAY_BOUNDS, &at.key("delay"), &mut context.found);
    let timeout = raw.and_then(|raw| raw.drain_timeout.as_ref());
    let at = at.key("drain_timeout");
    let timeout = value::period(timeout, DRAIN_TIMEOUT, DRAIN_TIMEOUT_BOUNDS, &at, &mut context.found);
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

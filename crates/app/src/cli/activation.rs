//! Socket activation: the listening sockets that the service manager has bound and passes (sd_listen_fds(3)).

use anyhow::{Context as _, bail};
use listenfd::ListenFd;

use crate::socket::foreign::Passed;

/// More than any configuration has listeners.
const SOCKETS_MAX: usize = 1024;

/// The number of the first descriptor (`SD_LISTEN_FDS_START`).
const FIRST: usize = 3;

/// Takes the sockets. Must be called before anything else is started: it takes the variables that name them out of the environment.
///
/// From here on, programs that this process might start do not get the descriptors (`FD_CLOEXEC`).
pub(super) fn receive() -> anyhow::Result<Vec<Passed>> {
    let variable = |name: &str| std::env::var_os(name).and_then(|value| value.into_string().ok());
    let Some(count) = variable("LISTEN_FDS").filter(|count| !count.is_empty()) else { return Ok(Vec::new()) };
    // A process in between keeps the sockets, and its own child gets the variables.
    if variable("LISTEN_PID") != Some(std::process::id().to_string()) {
        eprintln!(
            "warning: $LISTEN_FDS is for another process ($LISTEN_PID); start vestibule without a program in between, or by `exec`"
        );
        return Ok(Vec::new());
    }
    let count: usize = count.parse().context("$LISTEN_FDS is not a number")?;
    if count > SOCKETS_MAX {
        bail!("the service manager passes {count} sockets; {SOCKETS_MAX} are the maximum");
    }
    let names = variable("LISTEN_FDNAMES").unwrap_or_default();
    let names: Vec<&str> = names.split(':').collect();
    let mut listening = ListenFd::from_env();
    let mut passed = Vec::with_capacity(count);
    for index in 0..count {
        let number = FIRST + index;
        let name = if names.len() == count { names[index] } else { "unknown" };
        let refused = || format!("socket {number} of the service manager (`{name}`) is not a TCP socket that listens");
        let socket = listening.take_tcp_listener(index).with_context(refused)?.with_context(refused)?;
        passed.push(Passed::new(number, name.to_owned(), socket).with_context(refused)?);
    }
    Ok(passed)
}

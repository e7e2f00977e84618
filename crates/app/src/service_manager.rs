//! Tells the service manager what the process does: the protocol of sd_notify(3), which systemd speaks.
//!
//! A thread of its own sends the messages, so that a manager that does not read its socket holds up nothing, and no message is lost
//! because the manager is busy for a while. A manager that is gone is logged, and changes nothing else.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Maximum number of messages that wait for a manager that does not read. Further ones are dropped.
const WAITING_MAX: usize = 32;

/// Maximum time to wait until a message is sent that must be sent before something else happens.
const SENT_MAX: Duration = Duration::from_secs(1);

/// Maximum length of `STATUS=`. The text of a refused reload can be long.
const STATUS_BYTES_MAX: usize = 512;

/// The way to the service manager that has started this process.
pub(crate) struct ServiceManager {
    messages: SyncSender<Message>,
    waiting: Arc<AtomicUsize>,
    phase: Mutex<Phase>,
    is_successor: bool,
    /// The manager restarts a process that is silent for this long (`WatchdogSec=`).
    pub(crate) watchdog: Option<Duration>,
}

/// What the manager was told last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Serving,
    Reloading,
    Stopping,
    /// Another process is the main one now. This one says nothing any more.
    Succeeded,
}

struct Message {
    text: String,
    /// Gets a value when the message is sent.
    sent: Option<SyncSender<()>>,
}

/// The variables with which a manager starts a process.
#[derive(Debug, Default)]
pub(crate) struct Variables<'v> {
    /// `WATCHDOG_USEC`.
    pub(crate) watchdog: Option<&'v str>,
    /// `WATCHDOG_PID`.
    pub(crate) watchdog_process: Option<&'v str>,
    /// Whether this process takes the place of another one of its service, which the watchdog was for.
    pub(crate) is_successor: bool,
}

impl fmt::Debug for ServiceManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceManager").finish_non_exhaustive()
    }
}

impl ServiceManager {
    /// The manager at `address`, the value of `NOTIFY_SOCKET`.
    ///
    /// # Errors
    ///
    /// Returns an error if the address is neither a path nor, on Linux, an abstract name.
    pub(crate) fn at(address: &OsStr, variables: &Variables<'_>) -> io::Result<Self> {
        let (address, socket) = (parse(address)?, UnixDatagram::unbound()?);
        let (messages, to_send) = sync_channel(WAITING_MAX);
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&waiting);
        std::thread::Builder::new()
            .name("service-manager".into())
            .spawn(move || send_all(&to_send, &left, &socket, &address))?;
        let (phase, watchdog) = (Mutex::new(Phase::Starting), variables.watchdog());
        Ok(Self { messages, waiting, phase, is_successor: variables.is_successor, watchdog })
    }

    /// The process serves.
    pub(crate) fn ready(&self, status: &str) {
        self.enter(Phase::Serving);
        // The process before has said so, too, if it knew that it was of the same service.
        let main = if self.is_successor { format!("MAINPID={}\n", std::process::id()) } else { String::new() };
        self.say(format!("{main}READY=1\n{}", of_status(status)));
    }

    /// The process reloads its configuration. `Type=notify-reload` wants to know when that began. Nothing is said by a process that was
    /// not ready yet, or that stops.
    pub(crate) fn reloading(&self) {
        if !self.turn(Phase::Serving, Phase::Reloading) {
            return;
        }
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.say(format!("RELOADING=1\nMONOTONIC_USEC={micros}\n{}", of_status("reloading the configuration")));
    }

    /// Ends a [`reloading`](Self::reloading), whatever came of it.
    pub(crate) fn reloaded(&self, status: &str) {
        if self.turn(Phase::Reloading, Phase::Serving) {
            self.say(format!("READY=1\n{}", of_status(status)));
        }
    }

    /// The process begins to stop, and needs at most `time`. The manager waits for so long if its own timeout (`TimeoutStopSec=`) is shorter.
    pub(crate) fn stopping(&self, time: Duration, status: &str) {
        let was = self.enter(Phase::Stopping);
        if was != Phase::Succeeded {
            self.say(format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}\n{}", time.as_micros(), of_status(status)));
        }
    }

    /// What a process that stops does now.
    pub(crate) fn stops(&self, status: &str) {
        if self.phase() == Phase::Stopping {
            self.say(of_status(status));
        }
    }

    /// The process is alive. Not said while other messages wait: a manager must not hear later that a process was alive which is stuck now.
    /// Returns whether it was said.
    pub(crate) fn lives(&self) -> bool {
        let may_say = self.phase() != Phase::Succeeded && self.waiting.load(Ordering::Relaxed) == 0;
        if may_say {
            self.say("WATCHDOG=1\n".to_owned());
        }
        may_say
    }

    /// Another process of the same service takes the place of this one. Returns when the manager was told: it may listen only to the main
    /// process, so the other one must not speak before.
    pub(crate) fn succeeded_by(&self, process: u32) {
        self.enter(Phase::Succeeded);
        let (sent, is_sent) = sync_channel(1);
        self.send(Message { text: format!("MAINPID={process}\n"), sent: Some(sent) });
        // A manager that does not read does not hold up the other process.
        let _ = is_sent.recv_timeout(SENT_MAX);
    }

    fn phase(&self) -> Phase {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the phase before. [`Phase::Succeeded`] is the last one.
    fn enter(&self, next: Phase) -> Phase {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *phase;
        if before != Phase::Succeeded {
            *phase = next;
        }
        before
    }

    /// Whether the phase was `from`, and is `to` now.
    fn turn(&self, from: Phase, to: Phase) -> bool {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let is_from = *phase == from;
        if is_from {
            *phase = to;
        }
        is_from
    }

    fn say(&self, text: String) {
        self.send(Message { text, sent: None });
    }

    fn send(&self, message: Message) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if self.messages.try_send(message).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!("the service manager does not read what this process says");
        }
    }
}

impl Variables<'_> {
    /// `None` if the manager expects nothing of this process (sd_watchdog_enabled(3)).
    fn watchdog(&self) -> Option<Duration> {
        let is_ours =
            self.is_successor || self.watchdog_process.is_none_or(|process| process == std::process::id().to_string());
        let micros = self.watchdog.filter(|_| is_ours).and_then(|micros| micros.parse().ok());
        micros.filter(|micros| *micros > 0).map(Duration::from_micros)
    }
}

/// Sends what is said, until nobody is left who says something.
fn send_all(messages: &Receiver<Message>, waiting: &AtomicUsize, socket: &UnixDatagram, address: &SocketAddr) {
    let mut is_heard = true;
    for Message { text, sent } in messages {
        let result = send(socket, address, &text);
        waiting.fetch_sub(1, Ordering::Relaxed);
        if let Err(error) = &result
            && is_heard
        {
            tracing::warn!(error = %error, "the service manager cannot be told what this process does");
        }
        is_heard = result.is_ok();
        // Nobody waits for long.
        let _ = sent.map(|sent| sent.try_send(()));
    }
}

/// Waits until the manager has room for the message.
fn send(socket: &UnixDatagram, address: &SocketAddr, text: &str) -> io::Result<()> {
    loop {
        match socket.send_to_addr(text.as_bytes(), address) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map(drop),
        }
    }
}

fn parse(address: &OsStr) -> io::Result<SocketAddr> {
    let bytes = address.as_encoded_bytes();
    match bytes.first() {
        Some(b'/') => SocketAddr::from_pathname(address),
        #[cfg(target_os = "linux")]
        Some(b'@') => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(&bytes[1..]),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path nor an abstract name")),
    }
}

/// One line.
fn of_status(status: &str) -> String {
    let mut line = status.lines().next().unwrap_or_default().to_owned();
    line.truncate(line.floor_char_boundary(STATUS_BYTES_MAX));
    format!("STATUS={line}\n")
}

#[cfg(test)]
mod tests;

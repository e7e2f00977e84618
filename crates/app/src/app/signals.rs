//! Handles signals. SIGTERM and SIGINT: drain and stop; a second one: stop at once. SIGHUP: reload. SIGUSR1:
//! reopen the access log.
//!
//! A separate thread receives the signals. It ends the process [`END_MAX`] after the last deadline, even if other
//! threads hang.

use std::io;
use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};

use crate::config::Config;
use crate::telemetry::access_log::Handle;
use crate::telemetry::logging;

/// Time from the end of the drain to the forced end of the process.
pub(super) const END_MAX: Duration = Duration::from_secs(1);

/// Time from a second signal to the forced end of the process: enough to write the access records of aborted
/// exchanges.
const AT_ONCE: Duration = Duration::from_millis(250);

/// Maximum time for the last log lines if the process is ended by force.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// Receives the signals of the process.
///
/// Signals are received from the creation of this value, and none is lost. Create it before the first socket is
/// bound: otherwise a stop signal that arrives right after the start would kill the process together with its
/// requests.
pub struct Signals {
    told: watch::Receiver<Told>,
    acts: Arc<Mutex<Option<Acts>>>,
    leave: Arc<Notify>,
}

/// Does what the first stop signal does.
#[derive(Clone, Debug)]
pub(super) struct Leaver(Arc<Notify>);

impl Leaver {
    pub(super) fn leave(&self) {
        self.0.notify_one();
    }
}

/// The state that follows from the signals so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Serve,
    Stop,
    Now,
}

/// What signals do to a process that serves.
pub(super) struct Acts {
    /// SIGUSR1 reopens it, and a forced end reports what it loses.
    pub(super) access_log: Handle,
    /// SIGHUP. Must not block.
    pub(super) reload: Box<dyn Fn() + Send>,
    /// The time that the process has to stop after the first signal.
    pub(super) drain_max: Box<dyn Fn() -> Duration + Send>,
}

struct Heard {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user: Signal,
    acts: Arc<Mutex<Option<Acts>>>,
    leave: Arc<Notify>,
}

impl Signals {
    /// Starts receiving signals, for a process that serves with `config`. Must not be called on the thread of an
    /// async runtime.
    ///
    /// # Errors
    ///
    /// Returns an error if the system cannot provide signal handlers or a thread.
    pub fn hear(config: &Config) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (acts, leave) = (Arc::default(), Arc::new(Notify::new()));
        let heard = runtime.block_on(async {
            Ok::<_, io::Error>(Heard {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hang_up: signal(SignalKind::hangup())?,
                user: signal(SignalKind::user_defined1())?,
                acts: Arc::clone(&acts),
                leave: Arc::clone(&leave),
            })
        })?;
        let (tell, told) = watch::channel(Told::Serve);
        let drain_max = config.shutdown.delay + config.shutdown.drain_timeout;
        std::thread::Builder::new().name("signals".into()).spawn(move || attend(&runtime, heard, &tell, drain_max))?;
        Ok(Self { told, acts, leave })
    }

    /// Stops the process without a signal.
    pub(super) fn leaver(&self) -> Leaver {
        Leaver(Arc::clone(&self.leave))
    }

    /// From now on, signals do this.
    pub(super) fn serve(&self, acts: Acts) {
        *self.acts.lock().unwrap_or_else(PoisonError::into_inner) = Some(acts);
    }

    /// Waits for the first stop signal.
    pub(super) async fn stop(&mut self) {
        self.told(Told::Stop).await;
    }

    /// Waits for the second stop signal.
    pub(super) async fn now(&mut self) {
        self.told(Told::Now).await;
    }

    async fn told(&mut self, least: Told) {
        // The sending thread lives as long as the process.
        let _ = self.told.wait_for(|told| *told >= least).await;
    }
}

/// Receives signals until the process ends. In an orderly shutdown, the process ends before this function returns.
/// `drain_max` is the time to stop of a process that does not serve yet.
fn attend(runtime: &Runtime, mut heard: Heard, tell: &watch::Sender<Told>, drain_max: Duration) {
    runtime.block_on(async {
        heard.stop().await;
        tell.send_replace(Told::Stop);
        let patience = heard.drain_max().unwrap_or(drain_max) + END_MAX;
        if tokio::time::timeout(patience, heard.stop()).await.is_ok() {
            tell.send_replace(Told::Now);
            tokio::time::sleep(AT_ONCE).await;
        }
    });
    tracing::warn!("the shutdown did not finish in time: ending the process by force");
    let acts = heard.acts.lock().unwrap_or_else(PoisonError::into_inner);
    acts.iter().for_each(|acts| acts.access_log.report_loss());
    logging::flush(LAST_WORDS);
    process::exit(1);
}

impl Heard {
    /// Waits for a stop signal. SIGHUP is not a stop signal: a terminal that closes must not disconnect all users.
    async fn stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                () = self.leave.notified() => return,
                _ = self.hang_up.recv() => self.act(|acts| (acts.reload)()),
                _ = self.user.recv() => self.act(|acts| acts.access_log.reopen()),
            }
        }
    }

    fn drain_max(&self) -> Option<Duration> {
        let acts = self.acts.lock().unwrap_or_else(PoisonError::into_inner);
        acts.as_ref().map(|acts| (acts.drain_max)())
    }

    fn act(&self, act: impl Fn(&Acts)) {
        self.acts.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(act);
    }
}

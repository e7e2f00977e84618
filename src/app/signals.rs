//! Handles signals. SIGTERM and SIGINT: drain and stop; a second one: stop at once. SIGUSR1: reopen the access log.
//!
//! A separate thread receives the signals. It ends the process [`END_MAX`] after the last deadline, even if other
//! threads hang.

use std::io;
use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

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
#[derive(Debug)]
pub struct Signals {
    told: watch::Receiver<Told>,
    access_log: Arc<Mutex<Option<Handle>>>,
}

/// The state that follows from the signals so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Serve,
    Stop,
    Now,
}

struct Heard {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user: Signal,
    access_log: Arc<Mutex<Option<Handle>>>,
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
        let access_log = Arc::default();
        let heard = runtime.block_on(async {
            Ok::<_, io::Error>(Heard {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hang_up: signal(SignalKind::hangup())?,
                user: signal(SignalKind::user_defined1())?,
                access_log: Arc::clone(&access_log),
            })
        })?;
        let (tell, told) = watch::channel(Told::Serve);
        let patience = config.shutdown.delay + config.shutdown.drain_timeout + END_MAX;
        std::thread::Builder::new().name("signals".into()).spawn(move || attend(&runtime, heard, &tell, patience))?;
        Ok(Self { told, access_log })
    }

    /// Makes SIGUSR1 reopen this access log, and a forced end report what it loses.
    pub(super) fn access_log(&self, access_log: Handle) {
        *self.access_log.lock().unwrap_or_else(PoisonError::into_inner) = Some(access_log);
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
fn attend(runtime: &Runtime, mut heard: Heard, tell: &watch::Sender<Told>, patience: Duration) {
    runtime.block_on(async {
        heard.stop().await;
        tell.send_replace(Told::Stop);
        if tokio::time::timeout(patience, heard.stop()).await.is_ok() {
            tell.send_replace(Told::Now);
            tokio::time::sleep(AT_ONCE).await;
        }
    });
    tracing::warn!("the shutdown did not finish in time: ending the process by force");
    let access_log = heard.access_log.lock().unwrap_or_else(PoisonError::into_inner);
    access_log.iter().for_each(Handle::report_loss);
    logging::flush(LAST_WORDS);
    process::exit(1);
}

impl Heard {
    /// Waits for a stop signal. SIGHUP is not a stop signal: a terminal that closes, or an operator who expects a
    /// reload, must not disconnect all users.
    async fn stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {
                    tracing::warn!("SIGHUP is ignored: this version does not reload; start a new process instead");
                }
                _ = self.user.recv() => {
                    let access_log = self.access_log.lock().unwrap_or_else(PoisonError::into_inner);
                    access_log.iter().for_each(Handle::reopen);
                }
            }
        }
    }
}

//! SIGTERM and SIGINT mean: drain and stop. A second one means: now. SIGUSR1 means: open the access log again.
//!
//! A thread of its own hears them, and ends the process itself where nothing else does: whatever hangs, the process has ended
//! [`END_MAX`] after its last deadline.

use std::io;
use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::config::Config;
use crate::telemetry::access_log::Reopen;
use crate::telemetry::logging;

/// From the end of the drain to the end of the process.
pub(super) const END_MAX: Duration = Duration::from_secs(1);

/// From a second signal to the end of the process: long enough to write the access records of what is cut.
const AT_ONCE: Duration = Duration::from_millis(250);

/// For the last log lines, where the process is ended by force.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// The signals that the process hears.
///
/// They are heard from the moment that this exists, and none is lost until somebody waits: make it before the first socket
/// is bound, or a process that is told to stop as soon as it answers would die of it, with the requests that it has.
#[derive(Debug)]
pub struct Signals {
    told: watch::Receiver<Told>,
    access_log: Arc<Mutex<Option<Reopen>>>,
}

/// What the signals so far say.
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
    access_log: Arc<Mutex<Option<Reopen>>>,
}

impl Signals {
    /// Begins to hear, for a process that serves with `config`. Not to be called on an async runtime's thread.
    ///
    /// # Errors
    ///
    /// Where the system has no signals or threads left to give.
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

    /// From now on SIGUSR1 opens this access log again.
    pub(super) fn reopens(&self, access_log: Reopen) {
        *self.access_log.lock().unwrap_or_else(PoisonError::into_inner) = Some(access_log);
    }

    /// Waits until the process is told to stop.
    pub(super) async fn stop(&mut self) {
        self.told(Told::Stop).await;
    }

    /// Waits until the process is told to stop at once.
    pub(super) async fn now(&mut self) {
        self.told(Told::Now).await;
    }

    async fn told(&mut self, least: Told) {
        // The thread that tells does not end before the process.
        let _ = self.told.wait_for(|told| *told >= least).await;
    }
}

/// Hears signals until the process ends. The process that stops in order is gone before this function returns.
fn attend(runtime: &Runtime, mut heard: Heard, tell: &watch::Sender<Told>, patience: Duration) {
    runtime.block_on(async {
        heard.stop().await;
        tell.send_replace(Told::Stop);
        if tokio::time::timeout(patience, heard.stop()).await.is_ok() {
            tell.send_replace(Told::Now);
            tokio::time::sleep(AT_ONCE).await;
        }
    });
    tracing::warn!("something does not end: the process is ended by force");
    logging::flush(LAST_WORDS);
    process::exit(1);
}

impl Heard {
    /// Waits for a word to stop. SIGHUP is not one: a terminal that closes, or an operator who expects it to reload, must
    /// not cut everyone off.
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
                    access_log.iter().for_each(Reopen::ask);
                }
            }
        }
    }
}

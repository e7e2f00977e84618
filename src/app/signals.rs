//! SIGTERM and SIGINT mean: drain and stop. A second one means: now.

use std::future::Future;
use std::io;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that the process hears.
///
/// They are heard from the moment that this exists, and none is lost until somebody waits: make it before the first socket
/// is bound, or a process that is told to stop as soon as it answers would die of it, with the requests that it has.
#[derive(Debug)]
pub struct Signals {
    runtime: Runtime,
    heard: Heard,
}

#[derive(Debug)]
struct Heard {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Begins to hear. Not to be called on an async runtime's thread.
    ///
    /// # Errors
    ///
    /// Where the system has no signals left to give.
    pub fn hear() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let heard = runtime.block_on(async {
            Ok::<_, io::Error>(Heard {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hang_up: signal(SignalKind::hangup())?,
            })
        })?;
        Ok(Self { runtime, heard })
    }

    /// Waits until the process is told to stop.
    pub(super) fn wait(&mut self) {
        self.runtime.block_on(self.heard.stop());
    }

    /// What comes of `future`, unless the process is told to stop before.
    pub(super) fn unless_stopped<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        self.runtime.block_on(async {
            tokio::select! {
                value = future => Some(value),
                () = self.heard.stop() => None,
            }
        })
    }
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
            }
        }
    }
}

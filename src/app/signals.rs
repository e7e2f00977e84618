//! SIGTERM and SIGINT mean: drain and stop. A second one means: now.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that the process hears.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Begins to hear. Call it on a runtime.
    ///
    /// # Errors
    ///
    /// Where the system has no signals left to give.
    pub(crate) fn hear() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until the process is told to stop. SIGHUP is not such a word: a terminal that closes, or an operator who
    /// expects it to reload, must not cut everyone off.
    pub(crate) async fn stop(&mut self) {
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

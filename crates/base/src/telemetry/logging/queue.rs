//! A bounded queue of log lines, and the thread that writes them to standard error.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use crate::clock::Clock;
use crate::telemetry::logging::limit;

/// Maximum number of queued lines. Further lines are dropped and counted.
const LINES_MAX: usize = 1024;

/// Polling interval while the queue is full.
const LOOK: Duration = Duration::from_millis(5);

static QUEUE: OnceLock<SyncSender<Message>> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);

enum Message {
    Line(Vec<u8>),
    /// Dropped when every line before it is written.
    Flush(SyncSender<()>),
}

/// Log lines that were dropped because standard error was not read.
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// The writing end.
#[derive(Clone)]
pub(super) struct Queue(SyncSender<Message>);

impl Queue {
    /// Starts the thread. `None` if it already runs, or if it cannot be started.
    pub(super) fn start() -> Option<Self> {
        // A file without buffer and lock: the handle of the standard library stays locked while a write blocks.
        let errors = File::from(io::stderr().as_fd().try_clone_to_owned().ok()?);
        let (lines, waiting) = sync_channel(LINES_MAX);
        QUEUE.set(lines.clone()).ok()?;
        std::thread::Builder::new().name("log".into()).spawn(move || write_all(&waiting, errors)).ok()?;
        Some(Self(lines))
    }

    /// A queue that nobody reads.
    #[cfg(test)]
    pub(super) fn nowhere() -> Self {
        Self(sync_channel(1).0)
    }

    /// Room for one line.
    pub(super) fn line(&self) -> Line {
        Line(self.0.clone())
    }
}

fn write_all(waiting: &Receiver<Message>, mut output: impl Write) {
    let clock = Clock::system();
    let mut report_at = clock.instant() + limit::WINDOW;
    loop {
        match waiting.recv_timeout(report_at.saturating_duration_since(clock.instant())) {
            // The error cannot be reported anywhere.
            Ok(Message::Line(line)) => drop(output.write_all(&line)),
            Ok(Message::Flush(done)) => drop(done),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if clock.instant() >= report_at {
            report_at = clock.instant() + limit::WINDOW;
            limit::report();
        }
    }
}

/// Collects one line, which the formatter writes at once.
pub(super) struct Line(SyncSender<Message>);

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.try_send(Message::Line(line.to_vec())).is_err() {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits until every line so far is written, or `deadline` has passed.
pub(super) fn flush(deadline: Duration) {
    let Some(queue) = QUEUE.get() else { return };
    let until = Clock::system().instant() + deadline;
    let left = || until.saturating_duration_since(Clock::system().instant());
    let (done, written) = sync_channel(0);
    let mut message = Message::Flush(done);
    while let Err(TrySendError::Full(back)) = queue.try_send(message) {
        if left().is_zero() {
            return;
        }
        message = back;
        std::thread::park_timeout(LOOK);
    }
    // Both outcomes are acceptable.
    let _ = written.recv_timeout(left());
}

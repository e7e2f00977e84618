//! The thread that writes access records to their destination.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::metrics::{Counter, Registry};

/// Maximum number of queued buffers. Further records are dropped and counted: a blocked log must neither stop
/// requests nor use all memory.
const BUFFERS_MAX: usize = 256;

/// Polling interval while the queue is full.
const LOOK: Duration = Duration::from_millis(5);

/// The destination of access records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Stdout,
    /// The file is appended to, and reopened after [`Reopen::ask`].
    File(PathBuf),
}

impl Destination {
    /// Unbuffered, because workers pass whole buffers. Standard output is opened as a file, too, because the handle
    /// of the standard library stays locked while a write blocks.
    fn open(&self) -> io::Result<File> {
        match self {
            Self::Stdout => Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
            Self::File(path) => OpenOptions::new().create(true).append(true).open(path),
        }
    }
}

/// A message to the thread.
#[derive(Debug)]
pub(super) enum Message {
    Records(Vec<u8>),
    /// Check whether the file must be reopened.
    Wake,
    /// The last message.
    End,
}

/// The writer of the process. Each worker gets its own [`AccessLog`] from it.
#[derive(Debug)]
pub(crate) struct Writer {
    buffers: SyncSender<Message>,
    reopen: Arc<AtomicBool>,
    /// Disconnected when the thread has ended. The mutex only makes the receiver `Sync`; it is never contended.
    ended: Mutex<Receiver<()>>,
}

impl Writer {
    /// Opens the destination and starts the thread that writes to it.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be opened.
    pub(crate) fn start(destination: &Destination, registry: &Registry) -> io::Result<Self> {
        let output = destination.open()?;
        let destination = destination.clone();
        Self::start_with(output, move || destination.open(), registry)
    }

    fn start_with<W: Write + Send + 'static>(
        output: W,
        open: impl Fn() -> io::Result<W> + Send + 'static,
        registry: &Registry,
    ) -> io::Result<Self> {
        let restarts = registry.counter(
            "vestibule_restarts_total",
            "Parts of the process that panicked and were restarted.",
            vec![("part", "access_log".to_owned())],
        );
        let (buffers, waiting) = sync_channel(BUFFERS_MAX);
        let reopen = Arc::new(AtomicBool::new(false));
        let writing = Writing { output, open, reopen: Arc::clone(&reopen), restarts, is_failing: false };
        let (alive, ended) = sync_channel(0);
        std::thread::Builder::new().name("access-log".into()).spawn(move || {
            writing.write_all(&waiting);
            drop(alive);
        })?;
        Ok(Self { buffers, reopen, ended: Mutex::new(ended) })
    }

    /// Creates the log of a worker, on its thread: the log never leaves that thread.
    pub(crate) fn for_worker(&self, registry: &Registry) -> Box<dyn Fn() -> Rc<AccessLog> + Send> {
        let (buffers, registry) = (self.buffers.clone(), registry.clone());
        Box::new(move || AccessLog::new(buffers.clone(), &registry))
    }

    /// A handle for reopening the file after it was moved.
    pub(crate) fn reopen(&self) -> Reopen {
        Reopen { asked: Arc::clone(&self.reopen), buffers: self.buffers.clone() }
    }

    /// Waits until all records passed by the workers are written, at most until `deadline`. Call it after the workers
    /// have ended. Returns whether everything is written.
    pub(crate) fn finish(self, deadline: Duration) -> bool {
        // An explicit message, because a stuck worker still holds a sender.
        let until = Clock::system().instant() + deadline;
        let left = || until.saturating_duration_since(Clock::system().instant());
        while let Err(TrySendError::Full(_)) = self.buffers.try_send(Message::End) {
            if left().is_zero() {
                return false;
            }
            std::thread::park_timeout(LOOK);
        }
        let ended = self.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        ended.recv_timeout(left()) == Err(RecvTimeoutError::Disconnected)
    }
}

/// Requests reopening of the file.
#[derive(Clone, Debug)]
pub(crate) struct Reopen {
    asked: Arc<AtomicBool>,
    buffers: SyncSender<Message>,
}

impl Reopen {
    /// Records after this call go to the reopened file, apart from those that are being written. Does not wait.
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        // Wakes the thread. If the queue is full, the thread checks soon anyway.
        let _ = self.buffers.try_send(Message::Wake);
    }
}

struct Writing<W, O> {
    output: W,
    open: O,
    reopen: Arc<AtomicBool>,
    restarts: Counter,
    is_failing: bool,
}

impl<W: Write, O: Fn() -> io::Result<W>> Writing<W, O> {
    fn write_all(mut self, waiting: &Receiver<Message>) {
        while let Ok(message) = waiting.recv() {
            let buffer = match message {
                Message::Records(buffer) => buffer,
                Message::Wake => Vec::new(),
                Message::End => return,
            };
            // A panic is a bug, but logging must continue.
            if catch_unwind(AssertUnwindSafe(|| self.write(&buffer))).is_err() {
                self.restarts.increment();
            }
        }
    }

    fn write(&mut self, buffer: &[u8]) {
        if self.reopen.swap(false, Ordering::AcqRel) {
            match (self.open)() {
                Ok(output) => {
                    self.output = output;
                    tracing::info!("reopened the access log");
                }
                Err(error) => {
                    tracing::error!(error = %error, "cannot reopen the access log; still writing to the old file");
                }
            }
        }
        match self.output.write_all(buffer).and_then(|()| self.output.flush()) {
            Ok(()) if self.is_failing && !buffer.is_empty() => {
                self.is_failing = false;
                tracing::info!("writing the access log works again");
            }
            Ok(()) => {}
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                tracing::error!(error = %error, "cannot write the access log");
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Dies of the record `panic`, waits for ever at `hang`, tells the test everything else.
    struct Scripted(Sender<Vec<u8>>);

    impl Write for Scripted {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            match buffer {
                b"panic" => panic!("a bug"),
                b"hang" => loop {
                    std::thread::park();
                },
                _ => drop(self.0.send(buffer.to_vec())),
            }
            Ok(buffer.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn scripted() -> (Writer, Registry, Receiver<Vec<u8>>) {
        let (told, hears) = channel();
        let registry = Registry::default();
        let none = || Err(io::Error::from(io::ErrorKind::NotFound));
        let writer = Writer::start_with(Scripted(told), none, &registry).unwrap();
        (writer, registry, hears)
    }

    #[test]
    fn a_writer_that_dies_goes_on_and_is_counted() {
        let (writer, registry, written) = scripted();
        for buffer in ["one", "panic", "two"] {
            writer.buffers.send(Message::Records(buffer.into())).unwrap();
        }
        assert!(writer.finish(Duration::from_secs(30)));
        assert_eq!(written.try_iter().collect::<Vec<_>>(), [b"one", b"two"]);
        let metrics = registry.render();
        assert!(metrics.contains("vestibule_restarts_total{part=\"access_log\"} 1\n"), "{metrics}");
    }

    #[test]
    fn a_writer_whose_reader_does_not_read_is_not_waited_for() {
        let (writer, _, _written) = scripted();
        writer.buffers.send(Message::Records(b"hang".to_vec())).unwrap();
        assert!(!writer.finish(Duration::from_millis(20)));
    }

    #[test]
    fn a_file_that_cannot_be_opened_again_leaves_the_old_one() {
        let (writer, _, written) = scripted();
        writer.reopen().ask();
        writer.buffers.send(Message::Records(b"one".to_vec())).unwrap();
        assert!(writer.finish(Duration::from_secs(30)));
        assert_eq!(written.try_iter().filter(|buffer| !buffer.is_empty()).collect::<Vec<_>>(), [b"one"]);
    }
}

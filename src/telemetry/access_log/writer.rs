//! The thread that writes access records to where they go.

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

/// Buffers that may wait for the writer; beyond, records are dropped and counted. A log that is stuck must not stop the
/// doors from opening, and must not take all memory.
const BUFFERS_MAX: usize = 256;

/// Between two looks at a queue that is full while we wait for it.
const LOOK: Duration = Duration::from_millis(5);

/// Where records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Stdout,
    /// Appended to; opened again when [`Reopen::ask`] says so.
    File(PathBuf),
}

impl Destination {
    /// Files without a buffer: a worker hands over whole buffers. Standard output as well, because the standard library's
    /// own handle keeps a lock while it waits for a reader.
    fn open(&self) -> io::Result<File> {
        match self {
            Self::Stdout => Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
            Self::File(path) => OpenOptions::new().create(true).append(true).open(path),
        }
    }
}

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Message {
    Records(Vec<u8>),
    /// Look whether the file is to be opened again.
    Wake,
    /// Everything has been handed over.
    End,
}

/// The writing end: one for the process, from which each worker gets its own [`AccessLog`].
#[derive(Debug)]
pub(crate) struct Writer {
    buffers: SyncSender<Message>,
    reopen: Arc<AtomicBool>,
    /// Disconnected when the thread has ended. The mutex is there because a receiver alone is not `Sync`; nobody locks it.
    ended: Mutex<Receiver<()>>,
}

impl Writer {
    /// Opens the destination and starts the thread that writes to it.
    ///
    /// # Errors
    ///
    /// Where the file cannot be opened.
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
            "Parts of the process that died of a bug and were started again.",
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

    /// Makes a worker's log, on the worker's thread: the log itself never leaves it.
    pub(crate) fn for_worker(&self, registry: &Registry) -> Box<dyn Fn() -> Rc<AccessLog> + Send> {
        let (buffers, registry) = (self.buffers.clone(), registry.clone());
        Box::new(move || AccessLog::new(buffers.clone(), &registry))
    }

    /// Lets the file be opened again by whoever moved it away.
    pub(crate) fn reopen(&self) -> Reopen {
        Reopen { asked: Arc::clone(&self.reopen), buffers: self.buffers.clone() }
    }

    /// Waits until everything that the workers handed over is written, but no longer than `deadline`. Call it when the
    /// workers have ended. Answers whether everything is written.
    pub(crate) fn finish(self, deadline: Duration) -> bool {
        // Not by dropping the sender: a worker that is stuck has one, too.
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

/// Asks for the file to be opened again.
#[derive(Clone, Debug)]
pub(crate) struct Reopen {
    asked: Arc<AtomicBool>,
    buffers: SyncSender<Message>,
}

impl Reopen {
    /// The next record, if not this moment, goes to a file that was opened after this call. Waits for nothing.
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        // Wakes the thread. A full queue means that it is about to look anyway.
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
            // A panic is a bug, and no reason to write no record ever after.
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
                    tracing::info!("the access log was opened again");
                }
                Err(error) => {
                    tracing::error!(error = %error, "the access log cannot be opened again; the old file is written to");
                }
            }
        }
        match self.output.write_all(buffer).and_then(|()| self.output.flush()) {
            Ok(()) if self.is_failing && !buffer.is_empty() => {
                self.is_failing = false;
                tracing::info!("the access log can be written again");
            }
            Ok(()) => {}
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                tracing::error!(error = %error, "the access log cannot be written");
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

//! The thread that writes access records to their destination.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::telemetry::access_log::queue::{Account, Buffer, Message, dropped_counter};
use crate::telemetry::access_log::syslog;
use crate::telemetry::access_log::worker_log::AccessLog;
use crate::telemetry::metrics::{Counter, Registry};

/// Maximum number of queued buffers. Further records are dropped and counted: a blocked log must neither stop
/// requests nor use all memory.
const BUFFERS_MAX: usize = 256;

/// Polling interval while the queue is full.
const LOOK: Duration = Duration::from_millis(5);

/// The mode of a file that the process creates: records name users and addresses. The group can read it, for programs that
/// send logs elsewhere. The umask can take rights away. A file that exists keeps its mode.
const FILE_MODE: u32 = 0o640;

/// The destination of access records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    Stdout,
    /// The file is appended to, and reopened after [`Handle::reopen`].
    File(PathBuf),
    Syslog(syslog::Settings),
}

/// An open destination.
#[derive(Debug)]
enum Output {
    /// Unbuffered, because workers pass whole buffers.
    File(File),
    Syslog(Box<syslog::Sender>),
}

impl Write for Output {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(buffer),
            Self::Syslog(sender) => sender.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Syslog(sender) => sender.flush(),
        }
    }
}

impl Destination {
    /// Standard output is opened as a file, because the handle of the standard library stays locked while a write blocks. A syslog
    /// server is connected to when there is something to send: it may be started after this process.
    fn open(&self) -> io::Result<Output> {
        match self {
            Self::Stdout => Ok(Output::File(File::from(io::stdout().as_fd().try_clone_to_owned()?))),
            Self::File(path) => {
                OpenOptions::new().create(true).append(true).mode(FILE_MODE).open(path).map(Output::File)
            }
            Self::Syslog(settings) => {
                Ok(Output::Syslog(Box::new(syslog::Sender::new(settings.clone(), Clock::system()))))
            }
        }
    }
}

/// The writer of the process. Each worker gets its own [`AccessLog`] from it.
#[derive(Debug)]
pub struct Writer {
    destination: Arc<Mutex<Destination>>,
    buffers: SyncSender<Message>,
    reopen: Arc<AtomicBool>,
    account: Arc<Account>,
    dropped: Counter,
    /// Disconnected when the thread has ended. The mutex only makes the receiver `Sync`; it is never contended.
    ended: Mutex<Receiver<()>>,
}

impl Writer {
    /// Opens the destination and starts the thread that writes to it.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be opened.
    pub fn start(destination: &Destination, registry: &Registry) -> io::Result<Self> {
        let output = destination.open()?;
        let destination = Arc::new(Mutex::new(destination.clone()));
        let named = Arc::clone(&destination);
        let open = move || named.lock().unwrap_or_else(PoisonError::into_inner).open();
        Ok(Self { destination, ..Self::start_with(output, open, registry)? })
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
        let account = Arc::new(Account::default());
        let writing = Writing {
            output,
            open,
            reopen: Arc::clone(&reopen),
            account: Arc::clone(&account),
            dropped: dropped_counter(registry),
            restarts,
            is_failing: false,
        };
        let (alive, ended) = sync_channel(0);
        std::thread::Builder::new().name("access-log".into()).spawn(move || {
            writing.write_all(&waiting);
            drop(alive);
        })?;
        let dropped = dropped_counter(registry);
        let destination = Arc::new(Mutex::new(Destination::Stdout));
        Ok(Self { destination, buffers, reopen, account, dropped, ended: Mutex::new(ended) })
    }

    /// Creates the log of a worker, on its thread: the log never leaves that thread.
    pub fn for_worker(&self, registry: &Registry) -> Box<dyn Fn() -> Rc<AccessLog> + Send> {
        let (buffers, account, registry) = (self.buffers.clone(), Arc::clone(&self.account), registry.clone());
        Box::new(move || AccessLog::new(buffers.clone(), Arc::clone(&account), &registry))
    }

    /// A handle for the thread that receives the signals, and for reloads.
    pub fn handle(&self) -> Handle {
        let (asked, buffers) = (Arc::clone(&self.reopen), self.buffers.clone());
        let (destination, account) = (Arc::clone(&self.destination), Arc::clone(&self.account));
        Handle { destination, asked, buffers, account }
    }

    /// Waits until all records passed by the workers are written, at most until `deadline`. Call it after the workers
    /// have ended. Records that are not written by then are counted and reported. Returns whether everything is
    /// written.
    pub fn finish(self, deadline: Duration) -> bool {
        let (account, dropped) = (Arc::clone(&self.account), self.dropped.clone());
        let has_ended = self.end(deadline);
        let waiting = account.report();
        dropped.add(waiting);
        has_ended
    }

    fn end(self, deadline: Duration) -> bool {
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

/// What other threads may do with the access log.
#[derive(Clone, Debug)]
pub struct Handle {
    destination: Arc<Mutex<Destination>>,
    asked: Arc<AtomicBool>,
    buffers: SyncSender<Message>,
    account: Arc<Account>,
}

impl Handle {
    /// Reports how many records are lost if the process ends now.
    pub fn report_loss(&self) {
        self.account.report();
    }

    /// Writes to another destination from now on. Records that are in the queue go there, too.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be opened. Then nothing changes.
    pub fn redirect(&self, destination: &Destination) -> io::Result<()> {
        drop(destination.open()?);
        destination.clone_into(&mut self.destination.lock().unwrap_or_else(PoisonError::into_inner));
        self.reopen();
        Ok(())
    }

    /// Requests reopening of the file after it was moved. Records after this call go to the reopened file, apart from those that are being written. Does not wait.
    pub fn reopen(&self) {
        self.asked.store(true, Ordering::Release);
        // Wakes the thread. If the queue is full, the thread checks soon anyway.
        let _ = self.buffers.try_send(Message::Wake);
    }
}

struct Writing<W, O> {
    output: W,
    open: O,
    reopen: Arc<AtomicBool>,
    account: Arc<Account>,
    dropped: Counter,
    restarts: Counter,
    is_failing: bool,
}

impl<W: Write, O: Fn() -> io::Result<W>> Writing<W, O> {
    fn write_all(mut self, waiting: &Receiver<Message>) {
        while let Ok(message) = waiting.recv() {
            let buffer = match message {
                Message::Records(buffer) => buffer,
                Message::Wake => Buffer::default(),
                Message::End => return,
            };
            // A panic is a bug, but logging must continue.
            let is_written = catch_unwind(AssertUnwindSafe(|| self.write(&buffer.bytes))).unwrap_or_else(|_| {
                self.restarts.increment();
                false
            });
            if !is_written {
                self.account.dropped(buffer.records);
                self.dropped.add(buffer.records);
            }
            self.account.taken(buffer.records);
        }
    }

    /// Returns whether the buffer was written.
    fn write(&mut self, buffer: &[u8]) -> bool {
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
        let written = self.output.write_all(buffer).and_then(|()| self.output.flush());
        match &written {
            Ok(()) if self.is_failing && !buffer.is_empty() => {
                self.is_failing = false;
                tracing::info!("writing the access log works again");
            }
            Ok(()) => {}
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                tracing::error!(error = %error, "cannot write the access log: its records are lost");
            }
            Err(_) => {}
        }
        written.is_ok()
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
                b"full" => return Err(io::ErrorKind::StorageFull.into()),
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

    /// Passes `text` on as a worker does.
    fn pass(writer: &Writer, text: &str, records: u64) {
        writer.account.passed(records);
        writer.buffers.send(Message::Records(Buffer { bytes: text.into(), records })).unwrap();
    }

    #[track_caller]
    fn assert_dropped(registry: &Registry, records: u64) {
        let metrics = registry.render();
        assert!(metrics.contains(&format!("vestibule_access_log_dropped_total {records}\n")), "{metrics}");
    }

    #[test]
    fn a_writer_that_dies_goes_on_and_is_counted() {
        let (writer, registry, written) = scripted();
        for buffer in ["one", "panic", "two"] {
            pass(&writer, buffer, 1);
        }
        assert!(writer.finish(Duration::from_secs(30)));
        assert_dropped(&registry, 1);
        assert_eq!(written.try_iter().collect::<Vec<_>>(), [b"one", b"two"]);
        let metrics = registry.render();
        assert!(metrics.contains("vestibule_restarts_total{part=\"access_log\"} 1\n"), "{metrics}");
    }

    #[test]
    fn a_writer_whose_reader_does_not_read_is_not_waited_for() {
        let (writer, registry, _written) = scripted();
        pass(&writer, "hang", 3);
        pass(&writer, "behind it", 4);
        assert!(!writer.finish(Duration::from_millis(20)));
        assert_dropped(&registry, 7);
    }

    #[test]
    fn records_that_cannot_be_written_are_counted() {
        let (writer, registry, written) = scripted();
        pass(&writer, "full", 5);
        pass(&writer, "one", 1);
        assert!(writer.finish(Duration::from_secs(30)));
        assert_eq!(written.try_iter().collect::<Vec<_>>(), [b"one"]);
        assert_dropped(&registry, 5);
    }

    #[test]
    fn a_file_that_cannot_be_opened_again_leaves_the_old_one() {
        let (writer, _, written) = scripted();
        writer.handle().reopen();
        pass(&writer, "one", 1);
        assert!(writer.finish(Duration::from_secs(30)));
        assert_eq!(written.try_iter().filter(|buffer| !buffer.is_empty()).collect::<Vec<_>>(), [b"one"]);
    }
}

//! The access log of one worker: records are written into its own buffer, which is passed on when it is full or after a while.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use crate::clock::{RFC3339_LENGTH, Timestamp, rfc3339};
use crate::drain;
use crate::telemetry::access_log::alb::AlbRecord;
use crate::telemetry::access_log::queue::{Account, Buffer, Message, dropped_counter};
use crate::telemetry::access_log::record::AccessRecord;
use crate::telemetry::metrics::{Counter, Registry};

/// A buffer is passed on when it has this many bytes …
const BUFFER_BYTES: usize = 64 * 1024;
/// … or after this interval.
const FLUSH_INTERVAL: Duration = Duration::from_millis(200);

/// The access log of one worker.
#[derive(Debug)]
pub struct AccessLog {
    buffer: RefCell<Vec<u8>>,
    /// The time of the last record and its text, because the next record often has the same time.
    time: Cell<(Timestamp, [u8; RFC3339_LENGTH])>,
    records: Cell<u64>,
    buffers: SyncSender<Message>,
    account: Arc<Account>,
    dropped: Counter,
}

impl AccessLog {
    /// Creates the log on the current thread, which must run a `LocalSet`.
    pub(super) fn new(buffers: SyncSender<Message>, account: Arc<Account>, registry: &Registry) -> Rc<Self> {
        let dropped = dropped_counter(registry);
        let zero = Timestamp::from_millis(0);
        let time = Cell::new((zero, rfc3339(zero)));
        let (buffer, records) = (RefCell::default(), Cell::default());
        let log = Rc::new(Self { buffer, time, records, buffers, account, dropped });
        flush_at_a_beat(&log);
        log
    }

    /// Writes one record.
    pub fn write(&self, record: &AccessRecord<'_>) {
        let mut time = self.time.get();
        if time.0 != record.time {
            time = (record.time, rfc3339(record.time));
            self.time.set(time);
        }
        let mut buffer = self.buffer.borrow_mut();
        record.write(&mut buffer, &time.1);
        let length = buffer.len();
        drop(buffer);
        self.added(length);
    }

    /// Writes one record in the format of the ALB.
    pub fn write_alb(&self, record: &AccessRecord<'_>, alb: &AlbRecord<'_>) {
        let mut buffer = self.buffer.borrow_mut();
        alb.write(record, &mut buffer);
        let length = buffer.len();
        drop(buffer);
        self.added(length);
    }

    /// A record was written, and the buffer has `length` bytes now.
    #[inline]
    fn added(&self, length: usize) {
        let is_full = length >= BUFFER_BYTES;
        self.records.set(self.records.get() + 1);
        if is_full {
            self.flush();
        }
    }

    /// Passes the buffer to the writer.
    pub fn flush(&self) {
        let records = self.records.replace(0);
        if records == 0 {
            return;
        }
        let bytes = self.buffer.replace(Vec::with_capacity(BUFFER_BYTES + 1024));
        self.account.passed(records);
        if self.buffers.try_send(Message::Records(Buffer { bytes, records })).is_err() {
            self.account.taken(records);
            self.account.dropped(records);
            self.dropped.add(records);
            tracing::warn!(records, "access records dropped: the access log is not read fast enough");
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.flush();
    }
}

fn flush_at_a_beat(log: &Rc<AccessLog>) {
    let log = Rc::downgrade(log);
    drain::background(async move {
        loop {
            tokio::time::sleep(FLUSH_INTERVAL).await;
            match log.upgrade() {
                Some(log) => log.flush(),
                None => break,
            }
        }
    });
}

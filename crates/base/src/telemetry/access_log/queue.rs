//! What passes between the workers and the thread that writes, and the count of what is lost on the way.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::telemetry::metrics::{Counter, Registry};

/// A message to the thread.
#[derive(Debug)]
pub(super) enum Message {
    Records(Buffer),
    /// Check whether the file must be reopened.
    Wake,
    /// The last message.
    End,
}

/// Whole lines, and how many.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    pub(super) bytes: Vec<u8>,
    pub(super) records: u64,
}

/// Counts the records that do not reach the destination, so that a loss is reported with its number.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Records in the queue and in the buffer that is being written.
    waiting: AtomicU64,
    /// Records that were dropped since the start.
    dropped: AtomicU64,
}

impl Account {
    /// Call it before the buffer is put into the queue, so that [`taken`](Self::taken) never comes first.
    pub(super) fn passed(&self, records: u64) {
        self.waiting.fetch_add(records, Ordering::Relaxed);
    }

    /// The buffer was written or dropped.
    pub(super) fn taken(&self, records: u64) {
        self.waiting.fetch_sub(records, Ordering::Relaxed);
    }

    /// The records of a buffer were dropped.
    pub(super) fn dropped(&self, records: u64) {
        self.dropped.fetch_add(records, Ordering::Relaxed);
    }

    /// Reports the records that are lost if the process ends now. Returns how many of them were still waiting. A buffer
    /// that is partly written counts as a whole, because the kernel does not tell where a blocked write stands.
    pub(super) fn report(&self) -> u64 {
        let waiting = self.waiting.load(Ordering::Relaxed);
        let records = waiting + self.dropped.load(Ordering::Relaxed);
        if records > 0 {
            tracing::warn!(
                records,
                "access records were lost since the start: nobody read the access log, or it could not be written"
            );
        }
        waiting
    }
}

/// The counter of dropped records. Each caller counts in its own cell.
pub(super) fn dropped_counter(registry: &Registry) -> Counter {
    registry.counter(
        "vestibule_access_log_dropped_total",
        "Access records that were lost because the access log was not read fast enough or could not be written.",
        vec![],
    )
}

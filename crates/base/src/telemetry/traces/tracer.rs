//! Takes the spans of all workers, without ever waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, mpsc};

use crate::telemetry::metrics::{Counter, Registry};
use crate::telemetry::traces::sampling::Sampling;
use crate::telemetry::traces::span::Span;

/// Most spans that wait. Further ones are dropped and counted: a collector that is slow or down must neither stop requests nor use all
/// memory.
pub const SPANS_MAX: usize = 4096;

/// When this many wait, the exporter is woken. The specification of OpenTelemetry has the same default for a batch.
pub const BATCH_SPANS_MAX: usize = 512;

/// What workers need of the traces of one configuration. All share it.
#[derive(Debug)]
pub struct Tracer {
    pub sampling: Sampling,
    /// Whether the addresses of clients are in the spans.
    pub has_client_address: bool,
    spans: mpsc::Sender<Span>,
    dropped: Counter,
    wake: Arc<Wake>,
}

/// Tells the exporter that there is a batch.
#[derive(Debug, Default)]
pub struct Wake {
    notify: Notify,
    is_woken: AtomicBool,
}

/// The other end of the queue.
#[derive(Debug)]
pub struct Spans {
    pub queue: mpsc::Receiver<Span>,
    pub wake: Arc<Wake>,
}

impl Tracer {
    /// A tracer, and what it puts spans into. When the last copy of the tracer is gone, the queue ends.
    pub fn new(sampling: Sampling, has_client_address: bool, registry: &Registry) -> (Arc<Self>, Spans) {
        let (spans, queue) = mpsc::channel(SPANS_MAX);
        let (dropped, wake) = (dropped(registry, "queue_full"), Arc::<Wake>::default());
        let tracer = Self { sampling, has_client_address, spans, dropped, wake: Arc::clone(&wake) };
        (Arc::new(tracer), Spans { queue, wake })
    }

    /// Takes a span that has ended.
    pub fn take(&self, span: Span) {
        if self.spans.try_send(span).is_err() {
            self.dropped.increment();
        }
        // The exporter looks by itself once a second. Waking it for each span would cost a system call each.
        if SPANS_MAX - self.spans.capacity() >= BATCH_SPANS_MAX {
            self.wake.wake();
        }
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.wake.wake();
    }
}

impl Wake {
    fn wake(&self) {
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            self.notify.notify_one();
        }
    }

    /// Waits until there is a batch. Cancel-safe.
    pub async fn woken(&self) {
        self.notify.notified().await;
        self.is_woken.store(false, Ordering::Release);
    }
}

/// Counts spans that are lost. Each caller counts in its own cell.
pub fn dropped(registry: &Registry, reason: &'static str) -> Counter {
    registry.counter(
        "vestibule_trace_spans_dropped_total",
        "Spans that were lost, by cause: more than the collector takes (`queue_full`), the collector did not take them in time (`unsent`), or \
         the collector refused them (`refused`).",
        vec![("reason", reason.to_owned())],
    )
}

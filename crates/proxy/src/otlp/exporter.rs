//! Takes spans from the queue of the workers and sends them in batches. One task of the control runtime.
//!
//! Bounds: [`SPANS_MAX`](crate::telemetry::traces::tracer::SPANS_MAX) spans wait in the queue, and one batch is being sent. A batch that the
//! collector does not take within [`PAUSES`] is dropped and counted.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use crate::backchannel::call::Error;
use crate::clock::Clock;
use crate::otlp::grpc::Grpc;
use crate::otlp::http::Http;
use crate::otlp::message;
use crate::otlp::settings::{Protocol, Settings};
use crate::otlp::transport::{Outcome, Transport};
use crate::telemetry::ids;
use crate::telemetry::metrics::{Counter, Registry};
use crate::telemetry::traces::span::Span;
use crate::telemetry::traces::tracer::{self, BATCH_SPANS_MAX, Spans, Tracer};

/// The greatest age of a span when its batch is sent, if the collector answers.
const BATCH_AGE_MAX: Duration = Duration::from_secs(1);
/// The pauses between attempts to send a batch: half a minute in all.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
];
/// The longest pause that a collector can ask for.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// The longest pause while somebody waits for the end of the queue.
const WAITED_PAUSE_MAX: Duration = Duration::from_millis(500);
/// Characters of what a collector says that are logged.
const TEXT_CHARS_MAX: usize = 256;

/// Asks an exporter to send at once what is in its queue.
#[derive(Clone, Debug)]
pub struct Flusher(mpsc::Sender<oneshot::Sender<()>>);

/// Sends what workers put into its queue, until the last [`Tracer`] is gone and the queue is empty.
pub struct Exporter {
    spans: Spans,
    transport: Box<dyn Transport>,
    resource: Vec<(String, String)>,
    flushes: mpsc::Receiver<oneshot::Sender<()>>,
    /// Who waits until the queue is empty.
    waiting: Vec<oneshot::Sender<()>>,
    counters: Counters,
    /// Whether the last batch was taken, so that each change is logged once.
    is_failing: bool,
}

#[derive(Debug)]
struct Counters {
    exported: Counter,
    refused: Counter,
    unsent: Counter,
}

/// Prepares an exporter and what feeds it. Nothing is sent before [`Exporter::run`] runs.
///
/// # Errors
///
/// Returns an error if the client cannot be made.
pub fn prepare(
    settings: &Settings,
    instance: &str,
    clock: &Clock,
    registry: &Registry,
) -> Result<(Arc<Tracer>, Exporter, Flusher), Error> {
    let collector = &settings.collector;
    let transport: Box<dyn Transport> = match collector.protocol {
        Protocol::Grpc => Box::new(Grpc::new(collector)?),
        Protocol::Http => Box::new(Http::new(collector, clock.clone())?),
    };
    let (tracer, spans) = Tracer::new(settings.sampling, settings.has_client_address, registry);
    let mut resource = settings.resource.clone();
    if resource.iter().all(|(key, _)| key != INSTANCE_ID) {
        resource.push((INSTANCE_ID.to_owned(), instance.to_owned()));
    }
    let (exporter, flusher) = Exporter::new(spans, transport, resource, registry);
    Ok((tracer, exporter, flusher))
}

/// What tells processes with the same name apart.
const INSTANCE_ID: &str = "service.instance.id";

impl Exporter {
    fn new(
        spans: Spans,
        transport: Box<dyn Transport>,
        resource: Vec<(String, String)>,
        registry: &Registry,
    ) -> (Self, Flusher) {
        let (flusher, flushes) = mpsc::channel(4);
        let counters = Counters {
            exported: registry.counter(
                "vestibule_trace_spans_exported_total",
                "Spans that the collector has taken.",
                vec![],
            ),
            refused: tracer::dropped(registry, "refused"),
            unsent: tracer::dropped(registry, "unsent"),
        };
        let (waiting, is_failing) = (Vec::new(), false);
        (Self { spans, transport, resource, flushes, waiting, counters, is_failing }, Flusher(flusher))
    }

    /// Sends batches until the queue has ended.
    pub async fn run(mut self) {
        let mut next = Instant::now() + BATCH_AGE_MAX;
        loop {
            // Each arm only waits, so the others may be dropped.
            tokio::select! {
                () = sleep_until(next) => {}
                () = self.spans.wake.woken() => {}
                Some(waiting) = self.flushes.recv() => self.waiting.push(waiting),
            }
            let has_ended = loop {
                let (batch, has_ended) = self.batch();
                if batch.is_empty() {
                    break has_ended;
                }
                self.export(&batch).await;
            };
            for waiting in self.waiting.drain(..) {
                // It may wait no longer.
                let _ = waiting.send(());
            }
            if has_ended {
                return;
            }
            next = Instant::now() + BATCH_AGE_MAX;
        }
    }

    /// The next spans of the queue, and whether there will be no more.
    fn batch(&mut self) -> (Vec<Span>, bool) {
        let mut batch = Vec::new();
        while batch.len() < BATCH_SPANS_MAX {
            match self.spans.queue.try_recv() {
                Ok(span) => batch.push(span),
                Err(error) => return (batch, error == mpsc::error::TryRecvError::Disconnected),
            }
        }
        (batch, false)
    }

    /// Sends a batch, again if the collector may take it later.
    async fn export(&mut self, batch: &[Span]) {
        let (request, count) = (message::request(&self.resource, batch), batch.len() as u64);
        let mut pauses = PAUSES.into_iter();
        loop {
            let (why, asked) = match self.transport.send(Bytes::clone(&request)).await {
                Outcome::Taken { refused, text } => return self.taken(count, refused.min(count), &text),
                Outcome::Refused { why } => {
                    self.counters.refused.add(count);
                    return self.fails(&why);
                }
                Outcome::Later { why, after } => (why, after),
            };
            self.fails(&why);
            let Some(pause) = pauses.next() else {
                self.counters.unsent.add(count);
                return;
            };
            self.pause(asked.unwrap_or_else(|| spread(pause)).min(PAUSE_MAX)).await;
        }
    }

    /// Waits before the next attempt: not for long if somebody waits for the end of the queue, because the process ends then.
    async fn pause(&mut self, pause: Duration) {
        let pause = if self.waiting.is_empty() { pause } else { pause.min(WAITED_PAUSE_MAX) };
        tokio::select! {
            () = sleep(pause) => {}
            Some(waiting) = self.flushes.recv() => self.waiting.push(waiting),
        }
    }

    fn taken(&mut self, count: u64, refused: u64, text: &str) {
        self.counters.exported.add(count - refused);
        self.counters.refused.add(refused);
        let text = cut(text);
        if refused > 0 {
            tracing::warn!(spans = refused, error = text, "the collector of traces refused some spans");
        } else if !text.is_empty() {
            tracing::warn!(warning = text, "the collector of traces warns");
        }
        if std::mem::replace(&mut self.is_failing, false) {
            tracing::info!("the collector of traces takes spans again");
        }
    }

    fn fails(&mut self, why: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::warn!(
                error = cut(why),
                "the collector of traces does not take spans; those that do not fit into the queue meanwhile are lost"
            );
        }
    }
}

impl Flusher {
    /// Waits until the queue is empty. Returns at once if the exporter has ended.
    pub async fn flush(&self) {
        let (done, is_done) = oneshot::channel();
        if self.0.send(done).await.is_ok() {
            // An error means that the exporter has ended.
            let _ = is_done.await;
        }
    }

    /// Whether the exporter has ended.
    pub fn has_ended(&self) -> bool {
        self.0.is_closed()
    }
}

/// Up to a quarter more or less, so that processes that failed together do not come back together.
fn spread(pause: Duration) -> Duration {
    let quarter = pause / 4;
    let share = u32::try_from(ids::next() % 1000).unwrap_or(0);
    pause - quarter + quarter * 2 * share / 1000
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;

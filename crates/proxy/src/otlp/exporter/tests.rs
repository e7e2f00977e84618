use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;

use super::*;
use crate::otlp::message::tests::example;
use crate::telemetry::traces::sampling::{Parents, Sampling};
use crate::telemetry::traces::tracer::SPANS_MAX;

/// When a call came, and the bytes of its request.
type Calls = Arc<Mutex<Vec<(Duration, usize)>>>;

/// A collector that answers as scripted, then takes everything.
struct Scripted {
    began: Instant,
    calls: Calls,
    answers: VecDeque<Outcome>,
}

impl Transport for Scripted {
    fn send(&mut self, request: Bytes) -> Pin<Box<dyn Future<Output = Outcome> + Send + '_>> {
        self.calls.lock().expect("not poisoned").push((self.began.elapsed(), request.len()));
        let taken = Outcome::Taken { refused: 0, text: String::new() };
        Box::pin(std::future::ready(self.answers.pop_front().unwrap_or(taken)))
    }
}

fn later(after: Option<Duration>) -> Outcome {
    Outcome::Later { why: "busy".to_owned(), after }
}

struct Collected {
    tracer: Arc<Tracer>,
    exporter: Exporter,
    flusher: Flusher,
    calls: Calls,
    registry: Registry,
}

impl Collected {
    fn new(answers: impl IntoIterator<Item = Outcome>) -> Self {
        let registry = Registry::default();
        let (tracer, spans) = Tracer::new(Sampling::new(1.0, Parents::None), false, &registry);
        let calls = Calls::default();
        let answers = answers.into_iter().collect();
        let transport = Scripted { began: Instant::now(), calls: Arc::clone(&calls), answers };
        let (exporter, flusher) = Exporter::new(spans, Box::new(transport), Vec::new(), &registry);
        Self { tracer, exporter, flusher, calls, registry }
    }

    fn take(&self, count: usize) {
        (0..count).for_each(|_| self.tracer.take(example()));
    }

    /// Lets the exporter run until nothing feeds it any more. Returns the calls, and the values of the counters.
    async fn finish(self) -> (Vec<(Duration, usize)>, Counts) {
        drop(self.tracer);
        self.exporter.run().await;
        let calls = self.calls.lock().expect("not poisoned").clone();
        (calls, Counts::of(&self.registry))
    }
}

#[derive(Debug, PartialEq, Eq, Default)]
struct Counts {
    exported: u64,
    queue_full: u64,
    unsent: u64,
    refused: u64,
}

impl Counts {
    fn of(registry: &Registry) -> Self {
        let text = registry.render();
        let value = |series: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
            line.map_or(0, |value| value.parse().expect("a number"))
        };
        let dropped = |reason| value(&format!("vestibule_trace_spans_dropped_total{{reason=\"{reason}\"}}"));
        Self {
            exported: value("vestibule_trace_spans_exported_total"),
            queue_full: dropped("queue_full"),
            unsent: dropped("unsent"),
            refused: dropped("refused"),
        }
    }
}

/// The whole seconds of the calls.
fn seconds(calls: &[(Duration, usize)]) -> Vec<u64> {
    calls.iter().map(|(at, _)| at.as_secs()).collect()
}

#[tokio::test(start_paused = true)]
async fn spans_wait_a_second_for_others_unless_they_are_many() {
    let Collected { tracer, exporter, calls, .. } = Collected::new([]);
    let feeding = async {
        tracer.take(example());
        sleep(Duration::from_millis(500)).await;
        tracer.take(example());
        sleep(Duration::from_millis(700)).await;
        // A whole batch is not kept waiting.
        (0..BATCH_SPANS_MAX).for_each(|_| tracer.take(example()));
        sleep(Duration::from_millis(10)).await;
        assert_eq!(calls.lock().expect("not poisoned").len(), 2);
        drop(tracer);
    };
    tokio::join!(exporter.run(), feeding);
    let calls = calls.lock().expect("not poisoned").clone();
    let at: Vec<_> = calls.iter().map(|(at, _)| at.as_millis()).collect();
    assert_eq!((at[0], at.len()), (1000, 2), "{at:?}");
    assert!((1200..1210).contains(&at[1]), "{at:?}");
    assert!(calls[1].1 > calls[0].1 * 200, "a batch: {calls:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_sent_when_nobody_feeds_the_queue_any_more() {
    let collected = Collected::new([]);
    collected.take(BATCH_SPANS_MAX + 1);
    let (calls, counts) = collected.finish().await;
    assert_eq!(seconds(&calls), [0, 0], "two batches, at once");
    assert_eq!(counts, Counts { exported: BATCH_SPANS_MAX as u64 + 1, ..Counts::default() });
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_is_busy_is_asked_again_with_longer_and_longer_pauses() {
    let collected =
        Collected::new([later(None), later(None), later(Some(Duration::from_secs(20))), later(Some(Duration::MAX))]);
    collected.take(1);
    let (calls, counts) = collected.finish().await;
    let at: Vec<_> = calls.iter().map(|(at, _)| at.as_secs_f64()).collect();
    let pauses: Vec<_> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses.len(), 4);
    assert!((0.7..1.3).contains(&pauses[0]) && (1.4..2.6).contains(&pauses[1]), "{pauses:?}");
    assert!((19.9..20.1).contains(&pauses[2]), "it says for how long: {pauses:?}");
    assert!((29.9..30.1).contains(&pauses[3]), "but not for ever: {pauses:?}");
    assert!(calls.iter().all(|call| call.1 == calls[0].1), "the same request");
    assert_eq!(counts, Counts { exported: 1, ..Counts::default() });
}

#[tokio::test(start_paused = true)]
async fn what_is_not_taken_in_time_is_dropped_and_counted() {
    let attempts = PAUSES.len() + 1;
    let collected = Collected::new((0..attempts).map(|_| later(None)));
    collected.take(BATCH_SPANS_MAX + 3);
    let (calls, counts) = collected.finish().await;
    assert_eq!(calls.len(), attempts + 1);
    assert_eq!(counts, Counts { exported: 3, unsent: BATCH_SPANS_MAX as u64, ..Counts::default() });
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_not_sent_again() {
    let refused = Outcome::Refused { why: "no".to_owned() };
    let partial = Outcome::Taken { refused: 2, text: "too old".to_owned() };
    let nonsense = Outcome::Taken { refused: u64::MAX, text: String::new() };
    let collected = Collected::new([refused, partial, nonsense]);
    collected.take(3 * BATCH_SPANS_MAX);
    let (calls, counts) = collected.finish().await;
    let batch = BATCH_SPANS_MAX as u64;
    assert_eq!(
        (calls.len(), counts),
        (3, Counts { exported: batch - 2, refused: batch + 2 + batch, ..Counts::default() })
    );
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_drops_and_counts_and_nobody_waits() {
    let collected = Collected::new([]);
    collected.take(SPANS_MAX + 7);
    let (calls, counts) = collected.finish().await;
    assert_eq!(calls.len(), SPANS_MAX / BATCH_SPANS_MAX);
    assert_eq!(counts, Counts { exported: SPANS_MAX as u64, queue_full: 7, ..Counts::default() });
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_no_batch_and_for_no_pause() {
    let Collected { tracer, exporter, flusher, calls, .. } = Collected::new([later(Some(Duration::from_secs(25)))]);
    let began = Instant::now();
    let flushing = async {
        tracer.take(example());
        flusher.flush().await;
        // The first attempt failed, and the second was made soon after, because somebody waits.
        assert_eq!(began.elapsed(), WAITED_PAUSE_MAX);
        flusher.flush().await;
        tracer.take(example());
        let before = Instant::now();
        flusher.flush().await;
        assert_eq!(before.elapsed(), Duration::ZERO);
        drop(tracer);
    };
    tokio::join!(exporter.run(), flushing);
    assert_eq!(calls.lock().expect("not poisoned").len(), 3);
    assert!(flusher.has_ended());
    flusher.flush().await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_ends_a_pause() {
    let Collected { tracer, exporter, flusher, calls, .. } = Collected::new([later(Some(Duration::from_secs(25)))]);
    let began = Instant::now();
    let flushing = async {
        tracer.take(example());
        // The exporter has tried, and pauses.
        sleep(Duration::from_secs(2)).await;
        flusher.flush().await;
        assert_eq!(began.elapsed().as_secs(), 2);
        drop(tracer);
    };
    tokio::join!(exporter.run(), flushing);
    assert_eq!(seconds(&calls.lock().expect("not poisoned")), [1, 2]);
}

//! The registry, its text exposition (Prometheus 0.0.4), and the two kinds of series that rooms count with.
//!
//! A room asks for a series once, when it is assembled, and keeps the handle. Asking twice for the same series gives two
//! cells that are summed when scraped: each worker counts in its own, and no cache line is shared on the request path.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A number that only grows, or a gauge that its owner keeps right by adding and taking away.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds one.
    pub(crate) fn increment(&self) {
        self.add(1);
    }

    /// Adds `amount`.
    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Takes one away: for gauges only.
    pub(crate) fn decrement(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// What it stands at. A gauge's cells may wrap alone; their sum does not.
    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of a latency histogram, in microseconds; the last bucket has none.
const BOUNDS_MICROS: [u64; 14] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 10_000_000];

/// A distribution of durations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram(Arc<HistogramCells>);

#[derive(Debug, Default)]
struct HistogramCells {
    buckets: [AtomicU64; BOUNDS_MICROS.len() + 1],
    sum_micros: AtomicU64,
}

impl Histogram {
    /// Counts one duration.
    pub(crate) fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        self.0.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.0.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }
}

/// Label names and values of one series. Values come from the configuration or from an enum, never from a request
/// (attacks L-07).
pub(crate) type Labels = Vec<(&'static str, String)>;

#[derive(Debug)]
struct Family {
    help: &'static str,
    kind: Kind,
    series: BTreeMap<Labels, Vec<Cell>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Debug)]
enum Cell {
    Number(Counter),
    Distribution(Histogram),
}

/// Every series of the process. Locked when a series is made and when it is scraped, never to count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry(Arc<Mutex<BTreeMap<&'static str, Family>>>);

impl Registry {
    /// A counter. `name` ends in `_total` (Prometheus naming).
    pub(crate) fn counter(&self, name: &'static str, help: &'static str, labels: Labels) -> Counter {
        let counter = Counter::default();
        self.add(name, help, Kind::Counter, labels, Cell::Number(counter.clone()));
        counter
    }

    /// A gauge.
    pub(crate) fn gauge(&self, name: &'static str, help: &'static str, labels: Labels) -> Counter {
        let gauge = Counter::default();
        self.add(name, help, Kind::Gauge, labels, Cell::Number(gauge.clone()));
        gauge
    }

    /// A histogram of seconds. `name` ends in `_seconds`.
    pub(crate) fn histogram(&self, name: &'static str, help: &'static str, labels: Labels) -> Histogram {
        let histogram = Histogram::default();
        self.add(name, help, Kind::Histogram, labels, Cell::Distribution(histogram.clone()));
        histogram
    }

    fn add(&self, name: &'static str, help: &'static str, kind: Kind, labels: Labels, cell: Cell) {
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let family = families.entry(name).or_insert_with(|| Family { help, kind, series: BTreeMap::new() });
        debug_assert_eq!(family.kind, kind, "{name} is one kind of series");
        family.series.entry(labels).or_default().push(cell);
    }

    /// Everything, in the text format that Prometheus scrapes.
    pub(crate) fn render(&self) -> String {
        let families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        for (name, family) in families.iter() {
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} {kind}", family.help);
            for (labels, cells) in &family.series {
                render_series(&mut out, name, labels, cells);
            }
        }
        out
    }
}

fn render_series(out: &mut String, name: &str, labels: &Labels, cells: &[Cell]) {
    let mut number = None;
    let mut buckets = [0_u64; BOUNDS_MICROS.len() + 1];
    let mut sum_micros = 0_u64;
    for cell in cells {
        match cell {
            Cell::Number(counter) => number = Some(number.unwrap_or(0_u64).wrapping_add(counter.value())),
            Cell::Distribution(histogram) => {
                for (total, bucket) in buckets.iter_mut().zip(&histogram.0.buckets) {
                    *total += bucket.load(Ordering::Relaxed);
                }
                sum_micros += histogram.0.sum_micros.load(Ordering::Relaxed);
            }
        }
    }
    if let Some(number) = number {
        let _ = writeln!(out, "{name}{} {number}", braces(labels, None));
        return;
    }
    let mut count = 0;
    for (index, bucket) in buckets.iter().enumerate() {
        count += bucket;
        let bound = BOUNDS_MICROS.get(index).map_or("+Inf".to_owned(), |micros| (*micros as f64 / 1e6).to_string());
        let _ = writeln!(out, "{name}_bucket{} {count}", braces(labels, Some(&bound)));
    }
    let _ = writeln!(out, "{name}_sum{} {}", braces(labels, None), sum_micros as f64 / 1e6);
    let _ = writeln!(out, "{name}_count{} {count}", braces(labels, None));
}

fn braces(labels: &Labels, bound: Option<&str>) -> String {
    let escape = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let mut parts: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    parts.extend(bound.map(|bound| format!("le=\"{bound}\"")));
    if parts.is_empty() { String::new() } else { format!("{{{}}}", parts.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_one_series_are_summed() {
        let registry = Registry::default();
        let labels = || vec![("rule", String::from("a\"b"))];
        registry.counter("requests_total", "Requests.", labels()).add(2);
        registry.counter("requests_total", "Requests.", labels()).increment();
        assert_eq!(
            registry.render(),
            "# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total{rule=\"a\\\"b\"} 3\n"
        );
    }

    #[test]
    fn a_histogram_counts_each_duration_in_every_larger_bucket() {
        let registry = Registry::default();
        registry.histogram("wait_seconds", "Waits.", vec![]).observe(Duration::from_micros(250));
        let text = registry.render();
        assert!(text.contains("wait_seconds_bucket{le=\"0.0001\"} 0\n"), "{text}");
        assert!(text.contains("wait_seconds_bucket{le=\"0.00025\"} 1\n"), "{text}");
        assert!(text.contains("wait_seconds_bucket{le=\"+Inf\"} 1\n"), "{text}");
        assert!(text.contains("wait_seconds_count 1\n"), "{text}");
    }
}

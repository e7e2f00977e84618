//! The registry of metrics, and the counters and histograms that rooms use. `prometheus-client` encodes them.
//!
//! A room creates a series once, when it is built, and keeps the handle. Creating the same series twice yields two
//! cells whose values are added when the metrics are read. So each worker counts in its own cell, and workers share
//! no cache line on the request path. The metric types of `prometheus-client` cannot do that.
//!
//! When a handle is dropped (its worker ended), the value of its cell is added to the past of the series, so that
//! counters never decrease. A gauge forgets it, and is removed when no handle is left.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;

use crate::telemetry::process::Process;

/// A counter, or a gauge that its owner maintains by adding and subtracting.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `amount`.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Subtracts one: for gauges only.
    pub fn decrement(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Sets the value: for a [`Registry::reading`], or if this cell is one part of a sum.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds one until the returned value is dropped: for gauges of things in progress.
    pub fn hold(&self) -> GaugeGuard {
        self.increment();
        GaugeGuard(self.clone())
    }

    /// The value of this cell. A single cell of a gauge may wrap around; the sum of all cells does not.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One thing in progress.
#[derive(Debug)]
pub struct GaugeGuard(Counter);

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.decrement();
    }
}

/// Upper bounds of the latency histogram, in microseconds. The last bucket has no bound.
const BOUNDS_MICROS: [u64; 14] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 10_000_000];

/// About how many series without a handle a family keeps until the metrics are read.
const PASSED_MAX: usize = 256;

/// A distribution of durations.
#[derive(Clone, Debug, Default)]
pub struct Histogram(Arc<HistogramCells>);

#[derive(Debug, Default)]
struct HistogramCells {
    buckets: [AtomicU64; BOUNDS_MICROS.len() + 1],
    sum_micros: AtomicU64,
}

impl Histogram {
    /// Counts one duration.
    pub fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        self.0.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.0.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }
}

/// Label names and values of one series. Values come from the configuration or an enum, never from a request (ATTACKS
/// L-07).
pub type Labels = Vec<(&'static str, String)>;

#[derive(Debug)]
struct Family {
    help: &'static str,
    kind: Kind,
    /// Whether a series is removed when no handle is left.
    passes: bool,
    /// Whether the newest cell of a series is its value. Otherwise the sum is.
    is_reading: bool,
    label_names: Vec<&'static str>,
    series: BTreeMap<Labels, Series>,
}

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Debug, Default)]
struct Series {
    numbers: Vec<Counter>,
    distributions: Vec<Histogram>,
    /// The sum of cells whose handles were dropped.
    past: Total,
}

/// The sum of the cells of a series.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    number: u64,
    buckets: [u64; BOUNDS_MICROS.len() + 1],
    sum_micros: u64,
}

impl Total {
    fn add_number(&mut self, counter: &Counter) {
        self.number = self.number.wrapping_add(counter.value());
    }

    fn add_distribution(&mut self, histogram: &Histogram) {
        for (total, bucket) in self.buckets.iter_mut().zip(&histogram.0.buckets) {
            *total += bucket.load(Ordering::Relaxed);
        }
        self.sum_micros += histogram.0.sum_micros.load(Ordering::Relaxed);
    }
}

impl Series {
    /// Removes cells without a handle. What they counted is added to the past, but for a gauge: it says how things are now.
    /// Returns whether any cell still has a handle.
    fn settle(&mut self, kind: Kind) -> bool {
        // The registry holds the last reference and creates no more, so nothing can count in this cell.
        for cell in self.numbers.extract_if(.., |cell| Arc::strong_count(&cell.0) == 1) {
            if kind == Kind::Counter {
                self.past.add_number(&cell);
            }
        }
        for cell in self.distributions.extract_if(.., |cell| Arc::strong_count(&cell.0) == 1) {
            self.past.add_distribution(&cell);
        }
        !(self.numbers.is_empty() && self.distributions.is_empty())
    }

    fn total(&self, is_reading: bool) -> Total {
        let mut total = self.past;
        let numbers = if is_reading { &self.numbers[self.numbers.len().saturating_sub(1)..] } else { &self.numbers };
        numbers.iter().for_each(|cell| total.add_number(cell));
        self.distributions.iter().for_each(|cell| total.add_distribution(cell));
        total
    }
}

/// All series of the process. The lock is taken when a series is created and when the metrics are read, never for
/// counting.
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<Mutex<BTreeMap<&'static str, Family>>>);

impl Registry {
    /// A counter. `name` ends in `_total` (Prometheus naming).
    pub fn counter(&self, name: &'static str, help: &'static str, labels: Labels) -> Counter {
        debug_assert!(name.ends_with("_total"), "{name} ends in _total");
        let counter = Counter::default();
        self.with(name, help, Kind::Counter, labels, |series| series.numbers.push(counter.clone()));
        counter
    }

    /// A counter of something that the process may never see again, as an address behind a name. Keep the handle: the series is removed
    /// when no handle is left.
    pub fn passing_counter(&self, name: &'static str, help: &'static str, labels: Labels) -> Counter {
        let counter = self.counter(name, help, labels);
        if let Some(family) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(name) {
            family.passes = true;
            // Reading the metrics removes what has passed. Nobody may read them.
            if family.series.len().is_multiple_of(PASSED_MAX) {
                family.series.retain(|_, series| series.settle(Kind::Counter));
            }
        }
        counter
    }

    /// A gauge whose owner sets it. Of several handles the newest counts, because the others belong to configurations before.
    /// Keep the handle: the series is removed when no handle is left.
    pub fn reading(&self, name: &'static str, help: &'static str, labels: Labels) -> Counter {
        let reading = self.gauge(name, help, labels);
        if let Some(family) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(name) {
            family.is_reading = true;
        }
        reading
    }

    /// A gauge that is the sum of its handles. Keep the handle: the series is removed when no handle is left.
    pub fn gauge(&self, name: &'static str, help: &'static str, labels: Labels) -> Counter {
        let gauge = Counter::default();
        self.with(name, help, Kind::Gauge, labels, |series| series.numbers.push(gauge.clone()));
        gauge
    }

    /// A histogram of seconds. `name` ends in `_seconds`.
    pub fn histogram(&self, name: &'static str, help: &'static str, labels: Labels) -> Histogram {
        let histogram = Histogram::default();
        self.with(name, help, Kind::Histogram, labels, |series| series.distributions.push(histogram.clone()));
        histogram
    }

    /// Registers a counter whose series are created on first use, for `docs/METRICS.md`.
    pub fn announce(&self, name: &'static str, help: &'static str, label_names: &[&'static str]) {
        self.family(name, help, Kind::Counter, label_names.to_vec(), |_| ());
    }

    fn with(&self, name: &'static str, help: &'static str, kind: Kind, labels: Labels, add: impl FnOnce(&mut Series)) {
        let names = labels.iter().map(|(name, _)| *name).collect();
        self.family(name, help, kind, names, |family| add(family.series.entry(labels).or_default()));
    }

    fn family(
        &self,
        name: &'static str,
        help: &'static str,
        kind: Kind,
        label_names: Vec<&'static str>,
        change: impl FnOnce(&mut Family),
    ) {
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let family = families.entry(name).or_insert_with(|| Family {
            help,
            kind,
            passes: kind == Kind::Gauge,
            is_reading: false,
            label_names: label_names.clone(),
            series: BTreeMap::new(),
        });
        debug_assert_eq!(family.kind, kind, "{name} is one kind of series");
        debug_assert_eq!(family.label_names, label_names, "{name} has one set of label names");
        change(family);
    }

    /// All series and the figures of the process, in the Prometheus text format (version 0.0.4).
    pub fn render(&self) -> String {
        self.render_with(Some(Process))
    }

    fn render_with(&self, process: Option<Process>) -> String {
        let mut all = prometheus_client::registry::Registry::default();
        all.register_collector(Box::new(self.clone()));
        if let Some(process) = process {
            all.register_collector(Box::new(process));
        }
        let mut text = String::new();
        prometheus_text::encode(&mut text, &all).expect("writing to memory does not fail");
        text
    }

    /// Name, help, kind and label names of every family, in order.
    #[cfg(any(test, feature = "testing"))]
    pub fn families(&self) -> Vec<(&'static str, &'static str, Kind, Vec<&'static str>)> {
        let families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        families.iter().map(|(name, family)| (*name, family.help, family.kind, family.label_names.clone())).collect()
    }
}

impl Collector for Registry {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, family) in families.iter_mut() {
            let (kind, passes, is_reading) = (family.kind, family.passes, family.is_reading);
            family.series.retain(|_, series| series.settle(kind) || !passes);
            if family.series.is_empty() {
                continue;
            }
            let (name, kind) = match family.kind {
                // The encoder adds the suffix.
                Kind::Counter => (name.trim_end_matches("_total"), MetricType::Counter),
                Kind::Gauge => (*name, MetricType::Gauge),
                Kind::Histogram => (*name, MetricType::Histogram),
            };
            let mut written = encoder.encode_descriptor(name, family.help, None, kind)?;
            for (labels, series) in &family.series {
                series.total(is_reading).encode(family.kind, written.encode_family(labels)?)?;
            }
        }
        Ok(())
    }
}

impl Total {
    fn encode(&self, kind: Kind, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        match kind {
            Kind::Counter => encoder.encode_counter(&self.number, None::<&Exemplar<NoLabelSet, f64>>),
            Kind::Gauge => encoder.encode_gauge(&self.number),
            Kind::Histogram => {
                let bounds = BOUNDS_MICROS.iter().map(|micros| *micros as f64 / 1e6).chain([f64::INFINITY]);
                let buckets: Vec<(f64, u64)> = bounds.zip(self.buckets).collect();
                let count = self.buckets.iter().sum();
                encoder.encode_histogram(self.sum_micros as f64 / 1e6, count, &buckets, None::<&NoExemplars>)
            }
        }
    }
}

/// The exemplar type; our histograms have no exemplars.
type NoExemplars = std::collections::HashMap<usize, Exemplar<NoLabelSet, f64>>;

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
            registry.render_with(None),
            "# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total{rule=\"a\\\"b\"} 3\n"
        );
    }

    #[test]
    fn a_histogram_counts_each_duration_in_every_larger_bucket() {
        let registry = Registry::default();
        registry.histogram("wait_seconds", "Waits.", vec![]).observe(Duration::from_micros(250));
        let text = registry.render_with(None);
        assert!(text.contains("wait_seconds_bucket{le=\"0.0001\"} 0\n"), "{text}");
        assert!(text.contains("wait_seconds_bucket{le=\"0.00025\"} 1\n"), "{text}");
        assert!(text.contains("wait_seconds_bucket{le=\"+Inf\"} 1\n"), "{text}");
        assert!(text.contains("wait_seconds_sum 0.00025\n"), "{text}");
        assert!(text.contains("wait_seconds_count 1\n"), "{text}");
    }

    #[test]
    fn a_counter_keeps_what_a_worker_counted_that_is_gone() {
        let registry = Registry::default();
        let (gone, stays) = (registry.counter("a_total", "A.", vec![]), registry.counter("a_total", "A.", vec![]));
        let waits = registry.histogram("wait_seconds", "Waits.", vec![]);
        gone.add(2);
        stays.add(1);
        waits.observe(Duration::from_secs(1));
        drop((gone, waits));
        for _ in 0..2 {
            let text = registry.render_with(None);
            assert!(text.contains("a_total 3\n") && text.contains("wait_seconds_count 1\n"), "{text}");
        }
        drop(stays);
        assert!(registry.render_with(None).contains("a_total 3\n"));
    }

    #[test]
    fn a_gauge_is_removed_with_its_last_handle() {
        let registry = Registry::default();
        let labels = |name: &str| vec![("certificate", name.to_owned())];
        let (old, new) =
            (registry.gauge("expiry", "Expiry.", labels("a")), registry.gauge("expiry", "Expiry.", labels("b")));
        old.set(1);
        new.set(2);
        assert!(registry.render_with(None).contains("expiry{certificate=\"a\"} 1\n"));
        drop(old);
        assert_eq!(
            registry.render_with(None),
            "# HELP expiry Expiry.\n# TYPE expiry gauge\nexpiry{certificate=\"b\"} 2\n"
        );
        drop(new);
        assert_eq!(registry.render_with(None), "");
    }

    #[test]
    fn a_gauge_forgets_what_is_gone() {
        let registry = Registry::default();
        let (gone, stays) = (registry.gauge("open", "Open.", vec![]), registry.gauge("open", "Open.", vec![]));
        gone.set(5);
        stays.set(2);
        assert!(registry.render_with(None).contains("open 7\n"));
        drop(gone);
        assert!(registry.render_with(None).contains("open 2\n"));
    }

    #[test]
    fn of_two_readings_the_newest_counts() {
        let registry = Registry::default();
        let new = |value| {
            let reading = registry.reading("expiry", "Expiry.", vec![]);
            reading.set(value);
            reading
        };
        let (running, next) = (new(100), new(200));
        assert!(registry.render_with(None).contains("expiry 200\n"));
        // The next configuration was refused.
        drop(next);
        assert!(registry.render_with(None).contains("expiry 100\n"));
        let next = new(300);
        drop(running);
        assert!(registry.render_with(None).contains("expiry 300\n"));
        drop(next);
        assert_eq!(registry.render_with(None), "");
    }

    #[test]
    fn a_passing_counter_is_removed_with_its_last_handle() {
        let registry = Registry::default();
        let new = || registry.passing_counter("a_total", "A.", vec![("target", "10.0.0.1:80".to_owned())]);
        let (one, other) = (new(), new());
        one.add(2);
        other.increment();
        drop(one);
        assert!(registry.render_with(None).contains("a_total{target=\"10.0.0.1:80\"} 3\n"));
        drop(other);
        assert_eq!(registry.render_with(None), "");
    }

    #[test]
    fn counters_that_pass_do_not_pile_up_if_nobody_reads_them() {
        let registry = Registry::default();
        for number in 0..10 * PASSED_MAX {
            registry.passing_counter("a_total", "A.", vec![("target", number.to_string())]);
        }
        assert!(registry.0.lock().expect("sound")["a_total"].series.len() <= PASSED_MAX);
    }

    #[test]
    fn what_is_under_way_is_counted_until_it_ends_also_by_a_panic() {
        let registry = Registry::default();
        let gauge = registry.gauge("under_way", "Under way.", vec![]);
        let held = gauge.hold();
        assert!(registry.render().contains("under_way 1\n"));
        drop(held);
        let (panics, other) = (gauge.clone(), gauge.hold());
        assert!(
            std::panic::catch_unwind(move || {
                let _held = panics.hold();
                panic!("a bug")
            })
            .is_err()
        );
        assert_eq!(gauge.value(), 1);
        drop(other);
        assert!(registry.render().contains("under_way 0\n"));
    }

    #[test]
    fn what_is_only_announced_is_not_shown() {
        let registry = Registry::default();
        registry.announce("refusals_total", "Refusals.", &["reason"]);
        assert_eq!(registry.render_with(None), "");
        assert_eq!(registry.families(), [("refusals_total", "Refusals.", Kind::Counter, vec!["reason"])]);
    }
}

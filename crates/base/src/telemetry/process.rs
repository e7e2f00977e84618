//! The standard process metrics of Prometheus (`process_*`), read when the metrics are read, and the version.
//!
//! Linux only: other systems have no `/proc`, and only the version is reported.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;

use crate::telemetry::logging;

/// Fields of `/proc/self/stat` (proc(5)), counted from 0 behind the name's closing parenthesis.
const USER_TIME: usize = 11;
const SYSTEM_TIME: usize = 12;
const THREADS: usize = 17;
const START_TIME: usize = 19;
const VIRTUAL_BYTES: usize = 20;
const RESIDENT_PAGES: usize = 21;

/// Encodes the metrics of the process.
#[derive(Debug)]
pub(super) struct Process;

/// `/proc/self/stat` after the name, and the boot time of the machine.
struct Stat {
    fields: Vec<u64>,
    boot_seconds: u64,
}

impl Stat {
    fn read() -> Option<Self> {
        let text = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The name may contain anything, also parentheses and blanks; the last parenthesis closes it.
        let (_, rest) = text.rsplit_once(')')?;
        // Negative numbers and the state letter are not used.
        let fields = rest.split_ascii_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
        let stat = std::fs::read_to_string("/proc/stat").ok()?;
        let boot_seconds = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
        Some(Self { fields, boot_seconds })
    }

    fn field(&self, index: usize) -> f64 {
        self.fields.get(index).copied().unwrap_or(0) as f64
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        let help = "Always 1; the label is the running version.";
        let mut info = encoder.encode_descriptor("vestibule_build_info", help, None, MetricType::Gauge)?;
        info.encode_family(&version)?.encode_gauge(&1_u64)?;

        for (name, help, lines) in [
            (
                "vestibule_log_lines_skipped",
                "Log lines that were skipped: each place in the code may write 30 per minute.",
                logging::skipped(),
            ),
            (
                "vestibule_log_lines_dropped",
                "Log lines that were dropped because standard error was not read.",
                logging::dropped(),
            ),
        ] {
            encoder
                .encode_descriptor(name, help, None, MetricType::Counter)?
                .encode_counter(&lines, None::<&Exemplar<NoLabelSet, f64>>)?;
        }

        let mut gauge = |name: &str, help: &str, value: f64| {
            encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
        };
        if let Some(open) = std::fs::read_dir("/proc/self/fd").ok().map(Iterator::count) {
            gauge("process_open_fds", "Open file descriptors.", open as f64)?;
        }
        if let Some(most) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
            gauge("process_max_fds", "Maximum number of open file descriptors.", most as f64)?;
        }
        let Some(stat) = Stat::read() else { return Ok(()) };
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let page = rustix::param::page_size() as f64;
        gauge("process_threads", "Threads.", stat.field(THREADS))?;
        gauge("process_virtual_memory_bytes", "Virtual memory, in bytes.", stat.field(VIRTUAL_BYTES))?;
        gauge("process_resident_memory_bytes", "Resident memory, in bytes.", stat.field(RESIDENT_PAGES) * page)?;
        let started = stat.boot_seconds as f64 + stat.field(START_TIME) / ticks;
        gauge("process_start_time_seconds", "Start time of the process, in seconds since 1970.", started)?;
        let cpu = (stat.field(USER_TIME) + stat.field(SYSTEM_TIME)) / ticks;
        let help = "User and system CPU time, in seconds.";
        encoder
            .encode_descriptor("process_cpu_seconds", help, None, MetricType::Counter)?
            .encode_counter(&cpu, None::<&Exemplar<NoLabelSet, f64>>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_this_process() {
        let mut all = prometheus_client::registry::Registry::default();
        all.register_collector(Box::new(Process));
        let mut text = String::new();
        prometheus_client::encoding::prometheus_text::encode(&mut text, &all).unwrap();
        let value = |name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{name} in {text}")).parse().unwrap()
        };
        assert!(value("process_open_fds") >= 3.0 && value("process_open_fds") <= value("process_max_fds"));
        assert!(value("process_threads") >= 1.0);
        assert!(value("process_resident_memory_bytes") > 1e6);
        assert!(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"));
        let now = crate::clock::Clock::system().now().seconds() as f64;
        assert!((now - 3600.0..=now + 1.0).contains(&value("process_start_time_seconds")), "{text}");
        assert!(text.contains("# TYPE process_cpu_seconds_total counter"), "{text}");
        assert!(text.contains(concat!("vestibule_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1")));
    }
}

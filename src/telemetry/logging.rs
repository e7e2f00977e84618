//! The process's own log, to standard error: state changes and what a person must act on, never a line for each request.
//!
//! Two things keep the log from harming the process. A thread of its own writes the lines, from a bounded queue: a reader that
//! does not read stops nobody. And each place in the code may write [`limit::LINES_PER_MINUTE`] lines in a minute: what a stranger
//! can cause at will fills no disk. Lines that are skipped are counted and reported once a minute.

mod limit;
mod queue;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use limit::Limit;
pub(crate) use limit::skipped;
use queue::Queue;
pub(crate) use queue::dropped;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// What to log, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub(crate) filter: &'static str,
    pub(crate) format: Format,
}

impl Default for Settings {
    fn default() -> Self {
        Self { filter: "info", format: Format::Json }
    }
}

impl Settings {
    /// Our level is the operator's. Other crates write no more than warnings: at `debug` they would log what strangers
    /// send, frame by frame.
    fn filter(&self) -> EnvFilter {
        let others = if self.filter == "error" { "error" } else { "warn" };
        EnvFilter::new(format!("{others},vestibule={}", self.filter))
    }
}

/// Starts logging for the process. A second call changes nothing, so that several instances can live in one test process.
pub(crate) fn start(settings: &Settings) {
    let Some(queue) = Queue::start() else { return };
    let lines = tracing_subscriber::fmt::layer().with_writer(move || queue.line());
    let all = tracing_subscriber::registry().with(settings.filter()).with(Limit);
    let started = match settings.format {
        Format::Json => all.with(lines.json().flatten_event(true)).try_init(),
        Format::Text => all.with(lines.with_target(false)).try_init(),
    };
    if started.is_ok() {
        std::panic::set_hook(Box::new(log_panic));
    }
}

/// Waits until what was logged is written, for `deadline` at most.
pub(crate) fn flush(deadline: Duration) {
    queue::flush(deadline);
}

/// A panic is a log line like any other. The standard library's own message would wait for a reader that does not read.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let message = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    let location = panic.location().map(ToString::to_string);
    let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(
        panic.message = message,
        location,
        thread.name = thread,
        backtrace,
        "a task panicked: this is a bug"
    );
}

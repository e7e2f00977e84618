//! The log of the process, on standard error: state changes and problems that need action, never a line per request.
//!
//! The log cannot block the process or fill the disk. A separate thread writes lines from a bounded queue, so a slow
//! reader blocks nothing. Each place in the code may write [`limit::LINES_PER_MINUTE`] lines per minute. Skipped
//! lines are counted and reported once a minute.

mod limit;
mod queue;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::time::Duration;

use tracing_subscriber::layer::Layer;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};

use limit::Limit;
pub(crate) use limit::skipped;
use queue::Queue;
pub(crate) use queue::dropped;

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// One JSON object per line.
    #[default]
    Json,
    /// Text for people.
    Text,
}

/// Level and format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// The level applies to our own code. Other crates log at most warnings: at `debug` they would log the data of
    /// clients, frame by frame.
    fn filter(&self) -> EnvFilter {
        let others = if self.filter == "error" { "error" } else { "warn" };
        EnvFilter::new(format!("{others},vestibule={}", self.filter))
    }
}

type Layers = Box<dyn Layer<Registry> + Send + Sync>;

/// The running log, to change it. `None` until [`start`].
static RUNNING: OnceLock<(reload::Handle<Layers, Registry>, Queue)> = OnceLock::new();

fn layers(settings: &Settings, queue: &Queue) -> Layers {
    let queue = queue.clone();
    let lines = tracing_subscriber::fmt::layer().with_writer(move || queue.line());
    match settings.format {
        // The filter is for all layers: a line that it leaves out costs nothing.
        Format::Json => Box::new(settings.filter().and_then(lines.json().flatten_event(true))),
        Format::Text => Box::new(settings.filter().and_then(lines.with_target(false))),
    }
}

/// Starts logging for the process. Further calls have no effect, so that tests can run several instances in one
/// process.
pub(crate) fn start(settings: &Settings) {
    let Some(queue) = Queue::start() else { return };
    let (layers, handle) = reload::Layer::new(layers(settings, &queue));
    if tracing_subscriber::registry().with(layers).with(Limit).try_init().is_ok() {
        let _ = RUNNING.set((handle, queue));
        std::panic::set_hook(Box::new(log_panic));
    }
}

/// Logs with another level and format from now on.
pub(crate) fn change(settings: &Settings) {
    if let Some((handle, queue)) = RUNNING.get() {
        // An error means that the log has ended.
        let _ = handle.reload(layers(settings, queue));
    }
}

/// Waits until all lines so far are written, at most until `deadline`.
pub(crate) fn flush(deadline: Duration) {
    queue::flush(deadline);
}

/// Logs panics. The message of the standard library would block on a slow reader.
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

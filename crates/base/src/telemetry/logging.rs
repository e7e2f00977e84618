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

use tracing::Subscriber;
use tracing_subscriber::layer::{Layer, Layered, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};

use limit::Limit;
pub(crate) use limit::skipped;
use queue::Queue;
pub(crate) use queue::dropped;

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line.
    #[default]
    Json,
    /// Text for people.
    Text,
}

/// Level and format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub filter: &'static str,
    pub format: Format,
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

/// The level, which can change. Below all layers: what it leaves out costs nothing, in our code and in every crate.
type Filtered = Layered<reload::Layer<EnvFilter, Registry>, Registry>;
type Limited = Layered<Limit, Filtered>;
/// The format, which can change.
type Lines = Box<dyn Layer<Limited> + Send + Sync>;

/// The running log.
struct Running {
    filter: reload::Handle<EnvFilter, Registry>,
    lines: reload::Handle<Lines, Limited>,
    queue: Queue,
}

/// `None` until [`start`].
static RUNNING: OnceLock<Running> = OnceLock::new();

fn lines(format: Format, queue: &Queue) -> Lines {
    let queue = queue.clone();
    let lines = tracing_subscriber::fmt::layer().with_writer(move || queue.line());
    match format {
        Format::Json => Box::new(lines.json().flatten_event(true)),
        Format::Text => Box::new(lines.with_target(false)),
    }
}

/// Starts logging for the process. Further calls have no effect, so that tests can run several instances in one
/// process.
pub fn start(settings: &Settings) {
    let Some(queue) = Queue::start() else { return };
    let (log, running) = build(settings, queue);
    if log.try_init().is_ok() {
        let _ = RUNNING.set(running);
        std::panic::set_hook(Box::new(log_panic));
    }
}

fn build(settings: &Settings, queue: Queue) -> (impl Subscriber + Send + Sync, Running) {
    let (filtered, filter) = reload::Layer::new(settings.filter());
    let (written, lines) = reload::Layer::new(lines(settings.format, &queue));
    let log = tracing_subscriber::registry().with(filtered).with(Limit).with(written);
    (log, Running { filter, lines, queue })
}

/// Logs with another level and format from now on.
pub fn change(settings: &Settings) {
    let Some(running) = RUNNING.get() else { return };
    // An error means that the log has ended.
    let _ = running.lines.reload(lines(settings.format, &running.queue));
    let _ = running.filter.reload(settings.filter());
}

/// Waits until all lines so far are written, at most until `deadline`.
pub fn flush(deadline: Duration) {
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

#[cfg(test)]
mod tests {
    use tracing::Level;
    use tracing::callsite::Callsite as _;
    use tracing::level_filters::LevelFilter;

    use super::*;

    /// Crates have such lines on the path of each request.
    #[test]
    fn a_line_that_is_left_out_is_left_out_once_and_for_all_also_after_a_change() {
        let callsite = tracing::callsite!(
            name: "line", kind: tracing::metadata::Kind::EVENT, target: "h2::proto", level: Level::TRACE, fields: message
        );
        let (log, running) = build(&Settings::default(), Queue::nowhere());
        let check = |log: &dyn Subscriber, level: LevelFilter| {
            assert_eq!(log.max_level_hint(), Some(level));
            assert!(log.register_callsite(callsite.metadata()).is_never(), "it is asked about at each request");
        };
        check(&log, LevelFilter::INFO);
        let debug = Settings { filter: "debug", format: Format::Text };
        running.lines.reload(lines(debug.format, &running.queue)).expect("it runs");
        running.filter.reload(debug.filter()).expect("it runs");
        check(&log, LevelFilter::DEBUG);
    }

    /// The directive names the start of a target, which all crates of the workspace have.
    #[test]
    fn lines_of_all_our_crates_are_written() {
        macro_rules! callsite {
            ($target:literal) => {
                tracing::callsite!(
                    name: "line", kind: tracing::metadata::Kind::EVENT, target: $target, level: Level::INFO, fields: message
                )
            };
        }
        let ours = [
            callsite!("vestibule::app"),
            callsite!("vestibule::audit"),
            callsite!("vestibule_base::page"),
            callsite!("vestibule_user_pool::pool"),
        ];
        let (log, _) = build(&Settings::default(), Queue::nowhere());
        for callsite in ours {
            assert!(log.register_callsite(callsite.metadata()).is_always(), "{:?}", callsite.metadata());
        }
        assert!(log.register_callsite(callsite!("hyper").metadata()).is_never(), "others at warn");
    }
}

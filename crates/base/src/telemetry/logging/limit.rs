//! Limits the log lines per place in the code and minute.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, callsite};
use tracing_subscriber::layer::{Context, Layer};

use crate::clock::Clock;

/// Maximum lines per place and minute. `debug` and `trace` are not limited.
pub(super) const LINES_PER_MINUTE: u32 = 30;

pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// Maximum length of the message repeated in the report of skipped lines.
const MESSAGE_BYTES_MAX: usize = 200;

static SKIPPED: AtomicU64 = AtomicU64::new(0);

/// By place in the code, so the number of entries is the number of `tracing` macros.
static WINDOWS: LazyLock<Mutex<HashMap<callsite::Identifier, Window>>> = LazyLock::new(Mutex::default);

/// Log lines that were skipped since the process started.
pub(crate) fn skipped() -> u64 {
    SKIPPED.load(Ordering::Relaxed)
}

/// Decides for each event whether its place may write another line.
pub(super) struct Limit;

impl<S: Subscriber> Layer<S> for Limit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        // `Level` orders by verbosity: `debug` and `trace` are greater than `info`.
        if *event.metadata().level() > Level::INFO {
            return true;
        }
        let now = Clock::system().instant();
        let mut windows = WINDOWS.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(event.metadata().callsite()).or_insert_with(|| Window::new(event.metadata(), now));
        let may_pass = window.pass(now);
        if !may_pass {
            SKIPPED.fetch_add(1, Ordering::Relaxed);
            if window.message.is_empty() {
                event.record(&mut Message(&mut window.message));
            }
        }
        may_pass
    }
}

/// The lines of one place in the current minute.
struct Window {
    /// `event src/proxy/finish.rs:197`.
    name: &'static str,
    /// The message of the first skipped line.
    message: String,
    begun: Instant,
    passed: u32,
    skipped: u64,
}

impl Window {
    fn new(metadata: &Metadata<'static>, now: Instant) -> Self {
        Self { name: metadata.name(), message: String::new(), begun: now, passed: 0, skipped: 0 }
    }

    fn pass(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.begun) >= WINDOW {
            (self.begun, self.passed) = (now, 0);
        }
        let may_pass = self.passed < LINES_PER_MINUTE;
        if may_pass {
            self.passed += 1;
        } else {
            self.skipped += 1;
        }
        may_pass
    }
}

/// Reports the lines skipped since the last report. The log thread calls this once per [`WINDOW`].
pub(super) fn report() {
    let skipped: Vec<(u64, &str, String)> = {
        let mut windows = WINDOWS.lock().unwrap_or_else(PoisonError::into_inner);
        let some = windows.values_mut().filter(|window| window.skipped > 0);
        some.map(|window| (std::mem::take(&mut window.skipped), window.name, window.message.clone())).collect()
    };
    for (lines, place, message) in skipped {
        tracing::warn!(
            lines,
            place,
            message,
            "log lines were skipped: each place in the code may write {LINES_PER_MINUTE} lines per minute"
        );
    }
}

/// Takes the message out of an event.
struct Message<'m>(&'m mut String);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            *self.0 = format!("{value:?}");
            let end = self.0.floor_char_boundary(MESSAGE_BYTES_MAX.min(self.0.len()));
            self.0.truncate(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// Counts the events that get through, by level.
    #[derive(Clone, Default)]
    struct Through(Arc<Mutex<Vec<Level>>>);

    impl<S: Subscriber> Layer<S> for Through {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(*event.metadata().level());
        }
    }

    #[test]
    fn one_place_writes_so_many_lines_a_minute_and_another_is_not_concerned() {
        let through = Through::default();
        let before = skipped();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(Limit).with(through.clone()), || {
            for _ in 0..1000 {
                tracing::warn!("what a stranger can cause");
            }
            tracing::info!("something else");
            for _ in 0..1000 {
                tracing::debug!("asked for");
            }
        });
        let passed = through.0.lock().unwrap();
        let count = |level| passed.iter().filter(|passed| **passed == level).count();
        assert_eq!(count(Level::WARN), usize::try_from(LINES_PER_MINUTE).unwrap());
        assert_eq!((count(Level::INFO), count(Level::DEBUG)), (1, 1000));
        assert!(skipped() - before >= 970);
    }

    #[test]
    fn after_a_minute_there_are_lines_again() {
        let now = Clock::system().instant();
        let mut window = Window { name: "here", message: String::new(), begun: now, passed: 0, skipped: 0 };
        let passed = (0..100).filter(|_| window.pass(now)).count();
        assert_eq!(passed, usize::try_from(LINES_PER_MINUTE).unwrap());
        assert!(!window.pass(now + WINDOW - Duration::from_millis(1)));
        assert!(window.pass(now + WINDOW));
        assert_eq!(window.skipped, 71);
    }
}

//! The only room that reads the system's clocks. Timers are tokio's.
//!
//! Two kinds of time: [`Timestamp`] is the calendar's, goes into cookies and tokens, and can be moved by a test;
//! [`Instant`] is monotonic and only measures how long something took.

use std::ops::{Add, Sub};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point in calendar time, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// From seconds since the Unix epoch, as in a JWT's `exp`; saturates.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// How long after `earlier` this is; zero when it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The same point as the standard library's type, for formatting.
    pub fn to_system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.0)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_millis().try_into().unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration.as_millis().try_into().unwrap_or(u64::MAX)))
    }
}

/// A source of the current time. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's clock.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`ManualClock::advance`] moves it.
    pub fn manual(start: Timestamp) -> (Self, ManualClock) {
        let millis = Arc::new(AtomicU64::new(start.0));
        (Self(Source::Manual(Arc::clone(&millis))), ManualClock(millis))
    }

    /// The calendar time now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the calendar")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => {
                let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp(elapsed.as_millis().try_into().unwrap_or(u64::MAX))
            }
            Source::Manual(millis) => Timestamp(millis.load(Ordering::SeqCst)),
        }
    }

    /// A monotonic reading, to measure durations with. Not moved by [`ManualClock`].
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub fn instant(&self) -> Instant {
        Instant::now()
    }
}

/// Moves a manual clock, in tests.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_millis().try_into().unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Moves the clock back, as a machine whose time was corrected does.
    pub fn rewind(&self, by: Duration) {
        self.0.fetch_sub(by.as_millis().try_into().unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// The current time of the manual clock.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

//! The only room that reads the system's clocks. Timers are tokio's.
//!
//! There are two kinds of time. [`Timestamp`] is calendar time. It is used in cookies and tokens, and a test can move it.
//! [`Instant`] is monotonic and only measures durations.

use std::ops::{Add, Sub};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point in calendar time, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// After every other point in time: never.
    pub const MAX: Self = Self(u64::MAX);

    /// Creates a timestamp from milliseconds since the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Creates a timestamp from seconds since the Unix epoch, as in a JWT's `exp`. Saturates.
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

    /// The date and the time of day, without milliseconds: `2026-11-24T08:00:00Z` (RFC 3339).
    pub fn to_text(self) -> String {
        let text = rfc3339(self);
        // The text is ASCII.
        format!("{}Z", String::from_utf8_lossy(&text[..RFC3339_LENGTH - ".000Z".len()]))
    }

    /// The duration since `earlier`. Zero if this timestamp is before `earlier`.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The same point as the standard library's type, for formatting.
    pub fn to_system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.0)
    }
}

/// A duration as the configuration file writes it, with one unit: `90s`, `2h`.
pub fn period_text(period: Duration) -> String {
    let seconds = period.as_secs();
    match (seconds, period.subsec_millis()) {
        (0, 0) => "0s".to_owned(),
        (_, millis) if millis > 0 => format!("{}ms", period.as_millis()),
        _ if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        _ if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
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

    /// A clock that changes only when [`ManualClock::advance`] or [`ManualClock::rewind`] moves it.
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

    /// The current monotonic time, for measuring durations. [`ManualClock`] does not move it.
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

    /// Moves the clock back, as a machine does when its time is corrected.
    pub fn rewind(&self, by: Duration) {
        self.0.fetch_sub(by.as_millis().try_into().unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// The current time of the manual clock.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Length of [`rfc3339`].
pub(crate) const RFC3339_LENGTH: usize = "2026-11-24T08:00:00.000Z".len();

/// A timestamp like `2026-11-24T08:00:00.000Z` (RFC 3339), up to the year 9999.
pub(crate) fn rfc3339(time: Timestamp) -> [u8; RFC3339_LENGTH] {
    let seconds = time.seconds();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Converts days to a date in the proleptic Gregorian calendar. Years begin in March, so that the leap day comes last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    digits(&mut text[0..4], year);
    digits(&mut text[5..7], month);
    digits(&mut text[8..10], day);
    digits(&mut text[11..13], rest / 3600);
    digits(&mut text[14..16], rest / 60 % 60);
    digits(&mut text[17..19], rest % 60);
    digits(&mut text[20..23], time.millis() % 1000);
    text
}

/// Writes the lowest decimal digits of `value` until `room` is full.
fn digits(room: &mut [u8], mut value: u64) {
    for digit in room.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let written = |time| String::from_utf8(rfc3339(time).to_vec()).expect("ASCII");
        let date = |seconds: u64| written(Timestamp::from_seconds(seconds));
        assert_eq!(date(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(date(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(date(1_709_251_199), "2024-02-29T23:59:59.000Z");
        assert_eq!(date(1_795_507_199), "2026-11-24T07:59:59.000Z");
        assert_eq!(date(4_102_444_800), "2100-01-01T00:00:00.000Z");
        assert_eq!(written(Timestamp::from_millis(1_795_507_199_042)), "2026-11-24T07:59:59.042Z");
    }
}

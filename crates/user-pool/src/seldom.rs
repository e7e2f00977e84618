//! Messages that everybody can cause, and that are logged now and then only.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Timestamp;

/// Minimum time between two lines in the log.
const INTERVAL: Duration = Duration::from_secs(10);

/// When the last line was logged, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Seldom(AtomicU64);

impl Seldom {
    /// Whether a line may be logged now. Of two threads at the same time, only one gets `true`.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        let before = self.0.load(Ordering::Relaxed);
        // A time that is ahead was read while the clock was ahead.
        let is_due = now.millis() < before || now.millis() - before >= INTERVAL.as_millis() as u64;
        is_due && self.0.compare_exchange(before, now.millis(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_due_once_in_ten_seconds() {
        let (seldom, at) = (Seldom::default(), |seconds: u64| Timestamp::from_seconds(1_800_000_000 + seconds));
        let due: Vec<bool> = [0, 0, 9, 10, 19, 5].map(at).map(|now| seldom.is_due(now)).to_vec();
        assert_eq!(due, [true, false, false, true, false, true], "and when the clock was set back");
    }
}

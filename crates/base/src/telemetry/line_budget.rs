//! Limits log lines that clients can cause: a number of lines per minute, then only a count.

use std::cell::Cell;
use std::time::Duration;

use crate::clock::Timestamp;

/// Maximum lines per minute, per place in the code and worker.
const LINES_PER_MINUTE: u32 = 20;
const MINUTE: Duration = Duration::from_secs(60);

/// The remaining lines of the current minute. Each worker has its own.
#[derive(Debug, Default)]
pub struct LineBudget {
    minute: Cell<Option<Timestamp>>,
    written: Cell<u32>,
    skipped: Cell<u64>,
}

impl LineBudget {
    /// Whether a line may be written now. If so, the number of lines skipped since the last one.
    pub fn take(&self, now: Timestamp) -> Option<u64> {
        let is_over = |minute: Timestamp| now < minute || now.since(minute) >= MINUTE;
        if self.minute.get().is_none_or(is_over) {
            self.minute.set(Some(now));
            self.written.set(0);
        }
        if self.written.get() >= LINES_PER_MINUTE {
            self.skipped.set(self.skipped.get().saturating_add(1));
            return None;
        }
        self.written.set(self.written.get() + 1);
        Some(self.skipped.replace(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_lines_and_the_next_line_says_how_many_were_skipped() {
        let (budget, now) = (LineBudget::default(), Timestamp::from_seconds(1_700_000_000));
        for _ in 0..LINES_PER_MINUTE {
            assert_eq!(budget.take(now), Some(0));
        }
        for _ in 0..1000 {
            assert_eq!(budget.take(now + Duration::from_secs(59)), None);
        }
        assert_eq!(budget.take(now + MINUTE), Some(1000));
        assert_eq!(budget.take(now + MINUTE), Some(0));
        assert_eq!(budget.take(now), Some(0), "a clock that was set back does not silence the log");
    }
}

//! The circuit breaker of one endpoint: after a few calls that hang, nobody waits for the next one.
//!
//! Pure: told how calls went, it says whether the next may be made. While it is open only a probe is made, by
//! [`Client::keep_watch`](crate::oidc::Client::keep_watch), so that no user waits for that either. An answered probe closes
//! it; the first call after that which hangs opens it again.

use std::time::Duration;

use crate::clock::Timestamp;

/// Calls in a row that hang before no more are made.
const STALLS_MAX: u32 = 3;

/// How a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There was an answer, whatever it said, or a failure at once: nobody waited.
    Prompt,
    /// There was no answer in time, or a failure that took long.
    Stalled,
}

impl Outcome {
    /// A failure after half the time that a call may take is as bad as none: a gateway in front of a provider that hangs
    /// answers 504 after a while.
    pub(crate) fn of(is_failure: bool, took: Duration, timeout: Duration) -> Self {
        if is_failure && took >= timeout / 2 { Self::Stalled } else { Self::Prompt }
    }
}

/// What a call changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Opened,
    Closed,
    None,
}

/// One endpoint's breaker.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    stalls: u32,
    open_since: Option<Timestamp>,
}

impl Breaker {
    /// Since when no calls are made; `None` where they are.
    pub(crate) fn open_since(&self) -> Option<Timestamp> {
        self.open_since
    }

    /// Takes in how a call went that was made at a time when calls were made.
    pub(crate) fn record(&mut self, outcome: Outcome, now: Timestamp) -> Change {
        match outcome {
            // A late answer of a call from before does not close it: only a probe does.
            Outcome::Prompt => {
                if self.open_since.is_none() {
                    self.stalls = 0;
                }
                Change::None
            }
            Outcome::Stalled => {
                self.stalls = self.stalls.saturating_add(1);
                if self.stalls < STALLS_MAX || self.open_since.is_some() {
                    return Change::None;
                }
                self.open_since = Some(now);
                Change::Opened
            }
        }
    }

    /// Takes in how a probe went.
    pub(crate) fn record_probe(&mut self, outcome: Outcome) -> Change {
        if outcome == Outcome::Stalled || self.open_since.is_none() {
            return Change::None;
        }
        self.open_since = None;
        // One more that hangs opens it again: a probe is not the real thing.
        self.stalls = STALLS_MAX - 1;
        Change::Closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    #[test]
    fn a_few_stalls_in_a_row_open_it_and_an_answered_probe_closes_it() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.record(Outcome::Stalled, NOW), Change::None);
        assert_eq!(breaker.record(Outcome::Stalled, NOW), Change::None);
        assert_eq!(breaker.record(Outcome::Prompt, NOW), Change::None);
        for _ in 1..STALLS_MAX {
            assert_eq!(breaker.record(Outcome::Stalled, NOW), Change::None);
        }
        assert_eq!(breaker.record(Outcome::Stalled, NOW), Change::Opened);
        assert_eq!(breaker.open_since(), Some(NOW));
        // Calls that were under way when it opened.
        assert_eq!(breaker.record(Outcome::Stalled, NOW), Change::None);
        assert_eq!(breaker.record(Outcome::Prompt, NOW), Change::None);
        assert_eq!(breaker.record_probe(Outcome::Stalled), Change::None);
        assert_eq!(breaker.open_since(), Some(NOW));
        assert_eq!(breaker.record_probe(Outcome::Prompt), Change::Closed);
        assert_eq!(breaker.open_since(), None);
        assert_eq!(breaker.record(Outcome::Stalled, NOW), Change::Opened, "one more is enough");
    }

    #[test]
    fn a_late_failure_counts_as_a_stall_and_a_quick_one_does_not() {
        let timeout = Duration::from_secs(10);
        let seconds = Duration::from_secs;
        assert_eq!(Outcome::of(true, seconds(1), timeout), Outcome::Prompt);
        assert_eq!(Outcome::of(true, seconds(5), timeout), Outcome::Stalled);
        assert_eq!(Outcome::of(false, seconds(9), timeout), Outcome::Prompt);
    }
}

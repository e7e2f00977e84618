//! The circuit breaker of one endpoint: after a few calls that time out, further calls fail at once.
//!
//! Pure: it receives the results of calls and decides whether the next call is made. While it is open, only
//! [`Client::keep_watch`](crate::oidc::RelyingParty::keep_watch) sends probes, so no user waits. A probe that is answered closes the
//! breaker. If the first call after that times out, the breaker opens again.

use std::time::Duration;

use crate::clock::Timestamp;

/// Number of calls in a row that must time out before the breaker opens.
const STALLS_MAX: u32 = 3;

/// The result of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There was a response, of any kind, or the call failed at once. Nobody waited long.
    Prompt,
    /// There was no response in time, or the call failed after a long time.
    Stalled,
}

impl Outcome {
    /// A failure counts as a timeout if it took at least half of the timeout: a gateway in front of a provider that hangs answers
    /// 504 after a while.
    pub(crate) fn of(is_failure: bool, took: Duration, timeout: Duration) -> Self {
        if is_failure && took >= timeout / 2 { Self::Stalled } else { Self::Prompt }
    }
}

/// The change that a call caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Opened,
    Closed,
    None,
}

/// The breaker of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    stalls: u32,
    open_since: Option<Timestamp>,
}

impl Breaker {
    /// The time since which no calls are made. `None` if the breaker is closed.
    pub(crate) fn open_since(&self) -> Option<Timestamp> {
        self.open_since
    }

    /// Records the result of a call that was started while the breaker was closed.
    pub(crate) fn record(&mut self, outcome: Outcome, now: Timestamp) -> Change {
        match outcome {
            // A late response to an earlier call does not close the breaker. Only a probe does.
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

    /// Records the result of a probe.
    pub(crate) fn record_probe(&mut self, outcome: Outcome) -> Change {
        if outcome == Outcome::Stalled || self.open_since.is_none() {
            return Change::None;
        }
        self.open_since = None;
        // One more call that times out opens the breaker again, because a probe proves less than a real call.
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
        // Calls that were in progress when the breaker opened.
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

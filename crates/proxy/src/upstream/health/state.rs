//! The state of a target's health, shared by all workers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::clock::Timestamp;

/// What the checks say of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No check has ended yet.
    Unchecked,
    /// No check has succeeded yet, and not enough have failed.
    Initial,
    Healthy,
    Unhealthy(Cause),
}

/// Why a check failed (ALB §9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The status is not one of the matcher.
    ResponseCodeMismatch,
    /// The check took longer than its timeout.
    Timeout,
    /// No connection could be made, or the answer is not HTTP.
    FailedHealthChecks,
}

impl Verdict {
    /// The state, as the load balancer names it.
    pub(crate) const fn state(self) -> &'static str {
        match self {
            Self::Unchecked | Self::Initial => "initial",
            Self::Healthy => "healthy",
            Self::Unhealthy(_) => "unhealthy",
        }
    }

    /// The reason of the state, as the load balancer names it. `None` if the target is healthy.
    pub(crate) const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Unchecked => Some("Elb.RegistrationInProgress"),
            Self::Initial => Some("Elb.InitialHealthChecking"),
            Self::Healthy => None,
            Self::Unhealthy(Cause::ResponseCodeMismatch) => Some("Target.ResponseCodeMismatch"),
            Self::Unhealthy(Cause::Timeout) => Some("Target.Timeout"),
            Self::Unhealthy(Cause::FailedHealthChecks) => Some("Target.FailedHealthChecks"),
        }
    }

    const ALL: [Self; 6] = [
        Self::Unchecked,
        Self::Initial,
        Self::Healthy,
        Self::Unhealthy(Cause::ResponseCodeMismatch),
        Self::Unhealthy(Cause::Timeout),
        Self::Unhealthy(Cause::FailedHealthChecks),
    ];

    /// The index in `ALL`.
    const fn code(self) -> u64 {
        match self {
            Self::Unchecked => 0,
            Self::Initial => 1,
            Self::Healthy => 2,
            Self::Unhealthy(Cause::ResponseCodeMismatch) => 3,
            Self::Unhealthy(Cause::Timeout) => 4,
            Self::Unhealthy(Cause::FailedHealthChecks) => 5,
        }
    }
}

/// What is known of a target at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) verdict: Verdict,
    /// Since when the target has its state.
    pub(crate) since: Timestamp,
    /// Whether the last check succeeded. An unhealthy target may do so for a while before it is healthy again.
    pub(crate) answers: bool,
}

/// The health of a target.
#[derive(Debug, Default)]
pub(crate) struct TargetHealth {
    /// A [`Reading`] in one atomic, so that its parts are read together.
    packed: AtomicU64,
    /// Why the last check failed. Workers do not read it.
    failure: Mutex<String>,
}

/// Bits of the verdict. Above them is a bit for `answers`, and above that are the milliseconds since the epoch, which fit until long
/// after the year 9999.
const CODE_BITS: u32 = 7;
const ANSWERS: u64 = 1 << CODE_BITS;
const SINCE_SHIFT: u32 = CODE_BITS + 1;
/// Maximum length of the text that says why a check failed.
pub(super) const FAILURE_BYTES_MAX: usize = 300;

impl TargetHealth {
    /// Whether requests are sent to the target while the group has enough healthy targets.
    pub(crate) fn is_healthy(&self) -> bool {
        self.read().verdict == Verdict::Healthy
    }

    /// What is known now.
    pub(crate) fn read(&self) -> Reading {
        let packed = self.packed.load(Ordering::Relaxed);
        let code = usize::try_from(packed & (ANSWERS - 1)).unwrap_or(0);
        let verdict = Verdict::ALL.get(code).copied().unwrap_or(Verdict::Unchecked);
        Reading { verdict, since: Timestamp::from_millis(packed >> SINCE_SHIFT), answers: packed & ANSWERS != 0 }
    }

    /// Only the task that checks the target writes.
    pub(in crate::upstream) fn write(&self, reading: Reading) {
        let answers = if reading.answers { ANSWERS } else { 0 };
        let packed = reading.since.millis() << SINCE_SHIFT | answers | reading.verdict.code();
        self.packed.store(packed, Ordering::Relaxed);
    }

    /// Why the last check failed. Empty if it succeeded or there was none.
    pub(crate) fn failure(&self) -> String {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes note of why the last check failed. Empty if it succeeded.
    pub(super) fn set_failure(&self, text: &str) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if *failure != text {
            *failure = text[..text.floor_char_boundary(FAILURE_BYTES_MAX)].to_owned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let health = TargetHealth::default();
        assert_eq!((health.read().verdict, health.read().answers), (Verdict::Unchecked, false));
        let year_9999 = Timestamp::from_seconds(253_402_300_799);
        for verdict in Verdict::ALL {
            for answers in [false, true] {
                let reading = Reading { verdict, since: year_9999, answers };
                health.write(reading);
                assert_eq!(health.read(), reading);
                assert_eq!(health.is_healthy(), verdict == Verdict::Healthy);
            }
        }
    }

    #[test]
    fn a_long_reason_is_cut() {
        let health = TargetHealth::default();
        health.set_failure(&"ä".repeat(1000));
        assert_eq!(health.failure(), "ä".repeat(150));
        health.set_failure("");
        assert_eq!(health.failure(), "");
    }
}

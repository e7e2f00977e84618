//! What the outcomes of checks mean. Pure.

use crate::upstream::health::settings::Thresholds;
use crate::upstream::health::state::{Cause, Verdict};

/// The state of one target between two checks.
#[derive(Debug)]
pub(super) struct Machine {
    verdict: Verdict,
    /// No outcome of the present check has decided yet. Then one success is enough (ALB §9.3).
    is_new: bool,
    successes: u32,
    failures: u32,
}

impl Machine {
    /// A target that was not checked yet.
    pub(super) const fn new() -> Self {
        Self { verdict: Verdict::Unchecked, is_new: true, successes: 0, failures: 0 }
    }

    pub(super) const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The outcomes one after the other that led to the verdict: successes, failures.
    pub(super) const fn streak(&self) -> (u32, u32) {
        (self.successes, self.failures)
    }

    /// Whether the last check succeeded.
    pub(super) const fn answers(&self) -> bool {
        self.successes > 0
    }

    /// From now on the target is checked in another way. The verdict stays until the new check decides, so that a reload does not
    /// take a target out of service that works. One success of the new check is enough.
    pub(super) fn begin_another_check(&mut self) {
        *self = Self { verdict: self.verdict, ..Self::new() };
    }

    /// A check has succeeded, or failed for this cause.
    pub(super) fn record(&mut self, outcome: Result<(), Cause>, thresholds: Thresholds) {
        match outcome {
            Ok(()) => {
                self.failures = 0;
                self.successes = self.successes.saturating_add(1);
                if self.is_new || self.successes >= thresholds.healthy {
                    self.is_new = false;
                    self.verdict = Verdict::Healthy;
                }
            }
            Err(cause) => {
                self.successes = 0;
                self.failures = self.failures.saturating_add(1);
                if self.failures >= thresholds.unhealthy {
                    self.is_new = false;
                    self.verdict = Verdict::Unhealthy(cause);
                } else if self.verdict == Verdict::Unchecked {
                    self.verdict = Verdict::Initial;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLDS: Thresholds = Thresholds { healthy: 3, unhealthy: 2 };

    /// `+` is a success; `s`, `t` and `f` are failures by status, by timeout and to connect; `!` begins another check.
    fn after(outcomes: &str) -> Verdict {
        let mut machine = Machine::new();
        for outcome in outcomes.chars() {
            match outcome {
                '+' => machine.record(Ok(()), THRESHOLDS),
                's' => machine.record(Err(Cause::ResponseCodeMismatch), THRESHOLDS),
                't' => machine.record(Err(Cause::Timeout), THRESHOLDS),
                'f' => machine.record(Err(Cause::FailedHealthChecks), THRESHOLDS),
                '!' => machine.begin_another_check(),
                other => panic!("{other}"),
            }
        }
        machine.verdict()
    }

    #[test]
    fn a_target_answers_again_before_it_is_healthy() {
        let mut machine = Machine::new();
        let outcomes = [Ok(()), Err(Cause::Timeout), Err(Cause::Timeout), Ok(())];
        let seen = outcomes.map(|outcome| {
            machine.record(outcome, THRESHOLDS);
            (machine.verdict().state(), machine.answers())
        });
        assert_eq!(seen, [("healthy", true), ("healthy", false), ("unhealthy", false), ("unhealthy", true)]);
    }

    #[test]
    fn a_table_of_outcomes() {
        use Cause::{FailedHealthChecks, ResponseCodeMismatch, Timeout};
        use Verdict::{Healthy, Initial, Unchecked, Unhealthy};
        for (outcomes, expected) in [
            ("", Unchecked),
            ("!", Unchecked),
            // ALB §9.3: a new target is in service after one success.
            ("+", Healthy),
            ("f", Initial),
            ("f+", Healthy),
            ("ff", Unhealthy(FailedHealthChecks)),
            // The threshold counts failures one after the other.
            ("+f", Healthy),
            ("+f+f+f", Healthy),
            ("+ff", Unhealthy(FailedHealthChecks)),
            // Recovery needs the threshold, also one after the other.
            ("+ff+", Unhealthy(FailedHealthChecks)),
            ("+ff++", Unhealthy(FailedHealthChecks)),
            ("+ff+++", Healthy),
            ("+ff++f++", Unhealthy(FailedHealthChecks)),
            ("+ff++f+++", Healthy),
            ("ff+", Unhealthy(FailedHealthChecks)),
            ("ff+++", Healthy),
            // The reason is that of the last failure that counts.
            ("+ts", Unhealthy(ResponseCodeMismatch)),
            ("+st", Unhealthy(Timeout)),
            ("+stf", Unhealthy(FailedHealthChecks)),
            ("+st+f", Unhealthy(Timeout)),
            // Another check keeps the verdict until it decides.
            ("+!", Healthy),
            ("+!f", Healthy),
            ("+f!f", Healthy),
            ("+!ff", Unhealthy(FailedHealthChecks)),
            ("ff!", Unhealthy(FailedHealthChecks)),
            ("ff!+", Healthy),
            ("ff!ss+", Unhealthy(ResponseCodeMismatch)),
            ("!+", Healthy),
        ] {
            assert_eq!(after(outcomes), expected, "{outcomes}");
        }
    }
}

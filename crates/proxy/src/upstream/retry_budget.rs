//! Limits retries to a share of the requests, so that they do not multiply the load of a group that has trouble already.

use std::cell::Cell;
use std::time::Instant;

use crate::upstream::settings::Retries;

/// One worker's budget of one group. Amounts are hundredths of a retry.
#[derive(Debug)]
pub(super) struct RetryBudget {
    settings: Retries,
    left: Cell<u64>,
    /// Until when the retries of `per_second_min` are in `left`.
    since: Cell<Instant>,
}

/// One retry.
const RETRY: u64 = 100;
/// Maximum amount that can be saved up. A target that fails is skipped soon after, so most retries come at once.
const SAVED_MAX: u64 = 1000 * RETRY;

impl RetryBudget {
    /// A budget with the retries of one second.
    pub(super) fn new(settings: Retries, now: Instant) -> Self {
        Self { settings, left: Cell::new(u64::from(settings.per_second_min) * RETRY), since: Cell::new(now) }
    }

    /// Counts a request.
    pub(super) fn count_request(&self) {
        self.left.set((self.left.get() + u64::from(self.settings.percent)).min(SAVED_MAX));
    }

    /// Whether a request may be retried now. Takes the retry from the budget.
    pub(super) fn take(&self, now: Instant) -> bool {
        let per_second = u64::from(self.settings.per_second_min) * RETRY;
        let millis = now.saturating_duration_since(self.since.get()).as_millis();
        // No more than one second of them is saved.
        let earned = (per_second * u64::try_from(millis).unwrap_or(u64::MAX).min(1000)) / 1000;
        if earned > 0 {
            self.since.set(now);
        }
        let left = (self.left.get() + earned).min(SAVED_MAX);
        let may = left >= RETRY;
        self.left.set(if may { left - RETRY } else { left });
        may
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;

    fn taken(budget: &RetryBudget, now: Instant) -> usize {
        (0..10_000).take_while(|_| budget.take(now)).count()
    }

    #[test]
    fn retries_are_a_share_of_the_requests_and_a_few_are_always_allowed() {
        let now = Clock::system().instant();
        let budget = RetryBudget::new(Retries { percent: 20, per_second_min: 10 }, now);
        assert_eq!(taken(&budget, now), 10);
        (0..100).for_each(|_| budget.count_request());
        assert_eq!(taken(&budget, now), 20);
        assert_eq!(taken(&budget, now + Duration::from_millis(500)), 5);
        assert_eq!(
            taken(&budget, now + Duration::from_secs(60)),
            10,
            "of one second, however long nothing was retried"
        );
    }

    #[test]
    fn little_by_little_makes_a_retry_too() {
        let now = Clock::system().instant();
        let budget = RetryBudget::new(Retries { percent: 0, per_second_min: 1 }, now);
        assert_eq!(taken(&budget, now), 1);
        let taken: usize = (1..=100).map(|step| taken(&budget, now + step * Duration::from_millis(100))).sum();
        assert_eq!(taken, 10, "in ten seconds");
    }

    #[test]
    fn savings_are_bounded_and_zero_means_none() {
        let now = Clock::system().instant();
        let budget = RetryBudget::new(Retries { percent: 100, per_second_min: 0 }, now);
        (0..1_000_000).for_each(|_| budget.count_request());
        assert_eq!(taken(&budget, now), 1000);
        let none = RetryBudget::new(Retries { percent: 0, per_second_min: 0 }, now);
        (0..1000).for_each(|_| none.count_request());
        assert_eq!(taken(&none, now + Duration::from_secs(1)), 0);
    }
}

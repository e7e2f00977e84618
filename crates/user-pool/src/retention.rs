//! How long a pool remembers what was ended.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The longest lifetime that any configuration of this process has given to what can be ended. Whoever is issued something lives
/// with the lifetime of that moment. If a later configuration has a shorter one, what is ended then must still be remembered for the
/// longer one.
#[derive(Debug, Default)]
pub(crate) struct Retention(AtomicU64);

impl Retention {
    /// What is ended from now on is remembered for at least `lifetime`.
    pub(crate) fn cover(&self, lifetime: Duration) {
        let millis = lifetime.as_millis().try_into().unwrap_or(u64::MAX);
        self.0.fetch_max(millis, Ordering::Relaxed);
    }

    /// For how long what is ended now is remembered.
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_lifetime_takes_nothing_away() {
        let retention = Retention::default();
        for (lifetime, remembered) in [(60, 60), (3600, 3600), (60, 3600)] {
            retention.cover(Duration::from_secs(lifetime));
            assert_eq!(retention.duration(), Duration::from_secs(remembered));
        }
    }
}

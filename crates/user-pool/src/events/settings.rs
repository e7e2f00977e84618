//! Validated settings of events and audit.

use std::time::Duration;

/// How long they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventSettings {
    /// Default: 180 days.
    pub events_kept: Duration,
    /// Default: 2 years.
    pub audit_kept: Duration,
}

impl Default for EventSettings {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        Self { events_kept: DAY * 180, audit_kept: DAY * 2 * 365 }
    }
}

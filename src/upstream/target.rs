//! One target: its identity, and the state that all workers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::upstream::error::Error;
use crate::upstream::settings::{Settings, TargetSettings};
use crate::upstream::tls::Tls;

/// What makes a target the same target in another configuration.
///
/// Time-outs and limits are not part of it: a connection takes over those of the group for each request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TargetId {
    /// The group's name. Two groups may judge the same address differently, so each has a state of its own for it.
    pub(crate) group: Arc<str>,
    pub(crate) place: TargetSettings,
    /// `Some` if connections use TLS. Other authorities mean another target: its connections were verified otherwise.
    pub(crate) tls: Option<Tls>,
}

/// A target of a group. All workers share it, and so do configurations that have the same target.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) id: TargetId,
    /// `host:port`, for logs.
    pub(crate) name: Arc<str>,
    /// Requests that this target was chosen for and that have not ended, of all workers.
    in_flight: AtomicUsize,
    /// Milliseconds after `epoch` before which this target is skipped; 0 if it is not skipped.
    skip_until: AtomicU64,
    epoch: Instant,
}

impl Target {
    /// A target that nothing is known of. It counts as healthy. `epoch` is any recent time.
    pub(super) fn new(id: TargetId, epoch: Instant) -> Self {
        Self {
            name: Arc::from(id.place.authority()),
            id,
            in_flight: AtomicUsize::new(0),
            skip_until: AtomicU64::new(0),
            epoch,
        }
    }

    /// The end of the time for which this target is skipped, as a number that grows with time. `None` if it is not skipped.
    pub(crate) fn skipped_until(&self, now: Instant) -> Option<u64> {
        let until = self.skip_until.load(Ordering::Relaxed);
        // Most targets are not skipped. Then the time is not computed.
        (until != 0 && until > self.millis(now)).then_some(until)
    }

    /// Skips the target for `skip_for`, because no connection to it could be made or kept.
    pub(crate) fn skip(&self, now: Instant, skip_for: Duration, error: &Error) {
        let until = self.millis(now) + millis(skip_for);
        if self.skip_until.swap(until, Ordering::Relaxed) == 0 {
            tracing::warn!(
                target.address = %self.name, target_group.name = %self.id.group,
                error = error.in_one_line(), skip_for_ms = millis(skip_for),
                "cannot connect to the target; the target is skipped for a while"
            );
        }
    }

    /// The target accepted a connection.
    pub(crate) fn accepted(&self) {
        let was_skipped = self.skip_until.load(Ordering::Relaxed) != 0;
        if was_skipped && self.skip_until.swap(0, Ordering::Relaxed) != 0 {
            tracing::info!(
                target.address = %self.name, target_group.name = %self.id.group,
                "target accepts connections again"
            );
        }
    }

    /// Counts a request that the target was chosen for.
    pub(super) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the end of such a request.
    pub(super) fn end(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Requests under way at this target, of all workers.
    #[cfg(test)]
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    fn millis(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.epoch))
    }
}

impl TargetId {
    /// The identity of `place` as a target of the group `settings`.
    pub(crate) fn new(settings: &Settings, place: &TargetSettings) -> Self {
        Self { group: Arc::clone(&settings.name), place: place.clone(), tls: settings.tls.clone() }
    }
}

impl TargetSettings {
    /// `host:port`, an IPv6 address in brackets.
    pub(crate) fn authority(&self) -> String {
        let (host, port) = (&self.host, self.port);
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

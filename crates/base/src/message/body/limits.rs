//! How long a body may be waited for: between two frames, and on the average.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// The longest wait for the next frame. The timer starts only when the body first has to wait.
pub(super) struct Idle {
    timeout: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

/// How long a body may be waited for before its rate is checked.
const RATE_GRACE: Duration = Duration::from_secs(10);

/// The minimum rate of a body, measured over the time that is spent waiting for it.
pub(super) struct Rate {
    bytes_per_second: u64,
    bytes: u64,
    waited: Duration,
    /// When the current wait began, and a timer for the time at which it must end.
    wait: Option<(Instant, Pin<Box<Sleep>>)>,
}

/// No frame arrived in time.
#[derive(Debug, thiserror::Error)]
#[error("no data of the body arrived for {} s", .0.as_secs())]
pub struct StoodStill(Duration);

/// The body arrives too slowly.
#[derive(Debug, thiserror::Error)]
#[error("the body arrived slower than {0} bytes per second")]
pub struct TooSlow(u64);

impl StoodStill {
    /// No frame arrived for `timeout`.
    pub fn new(timeout: Duration) -> Self {
        Self(timeout)
    }
}

impl Idle {
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, timer: None }
    }

    /// Ends the wait: a frame has arrived.
    pub(super) fn came(&mut self) {
        self.timer = None;
    }

    /// Ready when the wait was too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<StoodStill> {
        let timeout = self.timeout;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        timer.as_mut().poll(cx).map(|()| StoodStill(timeout))
    }
}

impl Rate {
    pub(super) fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second, bytes: 0, waited: Duration::ZERO, wait: None }
    }

    /// Ready when the body was too slow.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<TooSlow> {
        let (bytes, rate, waited) = (self.bytes, self.bytes_per_second, self.waited);
        let (_, sleep) = self.wait.get_or_insert_with(|| {
            let now = Instant::now();
            let allowed = RATE_GRACE + Duration::from_secs(bytes / rate);
            (now, Box::pin(tokio::time::sleep_until(now + allowed.saturating_sub(waited))))
        });
        sleep.as_mut().poll(cx).map(|()| TooSlow(rate))
    }

    /// `bytes` of data have arrived.
    pub(super) fn came(&mut self, bytes: usize) {
        if let Some((since, _)) = self.wait.take() {
            self.waited += since.elapsed();
        }
        self.bytes += bytes as u64;
    }
}

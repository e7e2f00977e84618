//! Closes a connection so that its last answer arrives (RFC 9112 §9.6).
//!
//! The kernel resets a connection that is closed while received bytes are unread. A reset destroys bytes that the
//! client has received and not read yet. So only the sending side is closed first. Bytes that still arrive are
//! discarded, until the client closes or a limit is reached.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::time::{Instant, timeout, timeout_at};

use crate::listener::transport::{Readable, Watched};

/// How long a connection lingers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    Usual,
    /// The process is stopping.
    Stopping,
    /// The client has already used up its time, because it sends as slowly as it can.
    Short,
}

impl Patience {
    pub(crate) fn new(is_stopping: bool) -> Self {
        if is_stopping { Self::Stopping } else { Self::Usual }
    }

    /// Maximum total time. nginx has the same `lingering_time`.
    const fn time_max(self) -> Duration {
        match self {
            Self::Usual | Self::Stopping => Duration::from_secs(30),
            Self::Short => Duration::from_secs(2),
        }
    }

    /// Maximum time between two reads. nginx has the same `lingering_timeout`.
    const fn quiet_max(self) -> Duration {
        match self {
            Self::Usual => Duration::from_secs(5),
            Self::Stopping | Self::Short => Duration::from_secs(1),
        }
    }
}

/// Maximum number of bytes that are discarded.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Closes `transport` after everything was written to it. Waits for the client if bytes from the client may still
/// arrive.
pub(crate) async fn close<T, O>(mut transport: Watched<T, O>, patience: Patience)
where
    T: AsyncWrite + Readable + Unpin,
    O: Unpin,
{
    let quiet_max = patience.quiet_max();
    let ends_at = Instant::now() + patience.time_max();
    // hyper has already done this if it ended normally. Doing it twice does no harm.
    let shutdown = poll_fn(|cx| Pin::new(&mut transport).poll_shutdown(cx));
    if !matches!(timeout(quiet_max, shutdown).await, Ok(Ok(()))) || transport.has_ended() {
        return;
    }
    let mut discarded: u64 = 0;
    while discarded < BYTES_MAX {
        let next = poll_fn(|cx| transport.poll_discard(cx));
        match before(ends_at.min(Instant::now() + quiet_max), next).await {
            Some(Ok(count)) if count > 0 => discarded += count as u64,
            _ => return,
        }
    }
}

async fn before<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    timeout_at(deadline, future).await.ok()
}

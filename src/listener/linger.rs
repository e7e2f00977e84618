//! Closes a connection so that its last answer arrives (RFC 9112 §9.6).
//!
//! The kernel resets a connection that is closed while bytes of the client are unread, and a reset destroys what the client
//! has received and not yet read. So only the sending side is closed first, and what still comes is thrown away until the
//! client closes, or until a bound is reached.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::time::{Instant, timeout, timeout_at};

use crate::listener::watchdog::{Readable, Watched};

/// Longest time that a connection lingers. nginx has the same `lingering_time`.
const TIME_MAX: Duration = Duration::from_secs(30);
/// Longest wait for the next bytes. nginx has the same `lingering_timeout`.
const QUIET_MAX: Duration = Duration::from_secs(5);
/// The same where the process stops.
const QUIET_MAX_STOPPING: Duration = Duration::from_secs(1);
/// Most bytes that are thrown away.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Closes `transport`, on which everything has been written. Waits for the client where there may be bytes of it on their way.
pub(crate) async fn close<T, O>(mut transport: Watched<T, O>, is_stopping: bool)
where
    T: AsyncWrite + Readable + Unpin,
    O: Unpin,
{
    let quiet_max = if is_stopping { QUIET_MAX_STOPPING } else { QUIET_MAX };
    let ends_at = Instant::now() + TIME_MAX;
    // hyper has done so where it ended in order. Twice does no harm.
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

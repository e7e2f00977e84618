//! Finds connections on which nothing moves, heads that do not end, and lives that are over — with one timer for each
//! connection and no clock read for each request.
//!
//! The connection counts what moves; the watchdog looks at the counts at a steady beat. A deadline is so met between its
//! own length and one beat more.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Interval, MissedTickBehavior};

use crate::listener::settings::Limits;
use crate::message::body::{Ending, Watch};

/// What has moved. Written by one thread; atomics, because hyper wants the transport to be `Send`.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// Grows with each read or write that moved bytes.
    moves: AtomicU64,
    /// Grows with each piece of an answer that went out. On HTTP/2 this is what counts: a client that opens no window can
    /// move bytes for ever.
    progress: AtomicU64,
    /// Grows with each request.
    requests: AtomicU64,
    /// Bytes came while no request was under way: a head has begun.
    head_begun: AtomicBool,
    /// The head that has begun names a fragment in its target, which the HTTP library cuts off without a word.
    has_fragment: AtomicBool,
    /// Requests whose answer has not begun: they wait for a target, under deadlines of their own.
    waiting: AtomicU32,
    /// Requests whose answer has not ended: what the client sends meanwhile is not the next head.
    open: AtomicU32,
}

impl Activity {
    /// A head has ended; its exchange is open until what this answers is dropped.
    pub(crate) fn begin_request(self: &Arc<Self>) -> Exchanging {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.head_begun.store(false, Ordering::Relaxed);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        Exchanging { activity: Arc::clone(self), is_waiting: true }
    }

    fn moved(&self) {
        self.moves.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the target of the HTTP/1.1 request that has just been read had a fragment (attacks P-03). Seen where its
    /// request line came in one piece, as all but contrived ones do; cutting it off is safe, refusing it is clear.
    pub(crate) fn had_fragment(&self) -> bool {
        // Once: a request that came in one piece with it is another.
        self.has_fragment.swap(false, Ordering::Relaxed)
    }

    fn received(&self, bytes: &[u8]) {
        self.moved();
        if self.open.load(Ordering::Relaxed) == 0 && !self.head_begun.load(Ordering::Relaxed) {
            self.head_begun.store(true, Ordering::Relaxed);
            self.has_fragment.store(is_line_with_fragment(bytes), Ordering::Relaxed);
        }
    }
}

/// Whether `bytes` begin with a request line (RFC 9112 §3) that has a `#` in it.
fn is_line_with_fragment(bytes: &[u8]) -> bool {
    let line = memchr::memchr(b'\n', bytes).map_or(bytes, |end| &bytes[..end]);
    let version = line.trim_ascii_end();
    memchr::memchr(b'#', line).is_some() && (version.ends_with(b"HTTP/1.1") || version.ends_with(b"HTTP/1.0"))
}

/// An exchange that is open: first it waits for its answer, then the answer goes out.
#[derive(Debug)]
pub(crate) struct Exchanging {
    activity: Arc<Activity>,
    is_waiting: bool,
}

impl Exchanging {
    /// The answer's head is there.
    pub(crate) fn answered(&mut self) {
        if std::mem::take(&mut self.is_waiting) {
            self.activity.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Watch for Exchanging {
    fn data(&mut self, _: usize) {
        self.activity.progress.fetch_add(1, Ordering::Relaxed);
    }

    fn ended(&mut self, _: Ending) {}
}

impl Drop for Exchanging {
    fn drop(&mut self) {
        self.answered();
        self.activity.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is to be done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing moved for too long, or a head did not end: close.
    Close,
    /// The connection is old: finish what is under way and close.
    Retire,
}

/// Which rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heads {
    /// HTTP/1.1: bytes outside a request are the next head.
    Timed,
    /// HTTP/2: bytes outside a request may be frames of any kind; h2 bounds heads itself.
    Untimed,
}

/// Looks at one connection at a steady beat.
#[derive(Debug)]
pub(crate) struct Watchdog {
    activity: Arc<Activity>,
    heads: Heads,
    beat: Interval,
    beats_idle_max: u32,
    beats_head_max: u32,
    beats_life_max: u32,
    beats: u32,
    idle: u32,
    head: u32,
    seen: (u64, u64),
    is_retired: bool,
}

impl Watchdog {
    /// A watchdog that has just seen something move.
    pub(crate) fn new(activity: Arc<Activity>, limits: &Limits, heads: Heads) -> Self {
        let shortest = limits.idle_timeout.min(limits.head_timeout).min(limits.keep_alive);
        let period = (shortest / 2).max(Duration::from_millis(10));
        let beats = |limit: Duration| u32::try_from(limit.as_millis().div_ceil(period.as_millis())).unwrap_or(u32::MAX);
        let mut beat = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
        // After a pause of the machine one look is enough.
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            beats_idle_max: beats(limits.idle_timeout),
            beats_head_max: beats(limits.head_timeout),
            beats_life_max: beats(limits.keep_alive),
            activity,
            heads,
            beat,
            beats: 0,
            idle: 0,
            head: 0,
            seen: (0, 0),
            is_retired: false,
        }
    }

    /// Waits until something is to be done. Cancel-safe.
    pub(crate) async fn verdict(&mut self) -> Verdict {
        loop {
            self.beat.tick().await;
            if let Some(verdict) = self.look() {
                return verdict;
            }
        }
    }

    fn look(&mut self) -> Option<Verdict> {
        let requests = self.activity.requests.load(Ordering::Relaxed);
        let moves = match self.heads {
            Heads::Timed => self.activity.moves.load(Ordering::Relaxed),
            Heads::Untimed => self.activity.progress.load(Ordering::Relaxed).wrapping_add(requests),
        };
        let now = (moves, requests);
        let head_begun = self.heads == Heads::Timed && self.activity.head_begun.load(Ordering::Relaxed);
        let is_waiting = self.activity.waiting.load(Ordering::Relaxed) > 0;
        self.idle = if now.0 == self.seen.0 && !is_waiting { self.idle + 1 } else { 0 };
        self.head = if head_begun && now.1 == self.seen.1 { self.head + 1 } else { 0 };
        self.beats += 1;
        self.seen = now;
        if self.idle >= self.beats_idle_max || self.head >= self.beats_head_max {
            return Some(Verdict::Close);
        }
        if self.beats >= self.beats_life_max && !self.is_retired {
            self.is_retired = true;
            return Some(Verdict::Retire);
        }
        None
    }
}

/// A transport that says when bytes move. It keeps `held` as long as it lives, also as a tunnel that outlives its
/// connection's first protocol.
#[derive(Debug)]
pub(crate) struct Watched<T, H> {
    inner: T,
    activity: Arc<Activity>,
    _held: H,
}

impl<T, H> Watched<T, H> {
    /// Watches `inner`, and lets go of `held` with it.
    pub(crate) fn new(inner: T, activity: Arc<Activity>, held: H) -> Self {
        Self { inner, activity, _held: held }
    }

    /// What moves on it.
    pub(crate) fn activity(&self) -> Arc<Activity> {
        Arc::clone(&self.activity)
    }
}

impl<T: AsyncRead + Unpin, H: Unpin> AsyncRead for Watched<T, H> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.received(&buffer.filled()[before..]);
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin, H: Unpin> AsyncWrite for Watched<T, H> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buffer);
        if polled.is_ready() {
            self.activity.moved();
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, buffers);
        if polled.is_ready() {
            self.activity.moved();
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_03_a_fragment_is_seen_in_a_request_line_only() {
        assert!(is_line_with_fragment(b"GET /a#b HTTP/1.1\r\nhost: a\r\n"));
        assert!(is_line_with_fragment(b"GET /a#b HTTP/1.0\n"));
        assert!(!is_line_with_fragment(b"GET /a HTTP/1.1\r\nx: #\r\n"));
        assert!(!is_line_with_fragment(b"GET /a%23b HTTP/1.1\r\n"));
        // The rest of a body that nobody read.
        assert!(!is_line_with_fragment(b"{\"colour\": \"#fff\"}"));
    }
}

//! Finds idle connections, incomplete heads, and connections past `keep_alive`. Needs one timer per connection, and
//! does not read the clock for each request.
//!
//! The connection counts reads, writes and requests in [`Activity`]. [`Watchdog`] checks the counts at a fixed interval
//! (the beat). So a timeout takes effect late by at most one interval.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::listener::settings::Limits;
use crate::message::watch::{Ending, Watch};
use crate::socket::Socket;

/// Counts the activity of one connection. Only one thread writes it. It uses atomics, because hyper requires the
/// transport to be `Send`.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// Grows with each read or write of bytes.
    moves: AtomicU64,
    /// Grows with each piece of a response that was sent, and on HTTP/2 with each piece of an upload that was read.
    /// HTTP/2 is judged by this count instead of `moves`: a client that opens no window can send frames forever.
    progress: AtomicU64,
    /// Grows with each request.
    requests: AtomicU64,
    /// A head has begun: bytes arrived while no request was in progress.
    head_begun: AtomicBool,
    /// Requests whose response has not begun. They wait for a target, which has its own timeouts.
    waiting: AtomicU32,
    /// Requests whose response has not ended. Bytes that the client sends until then are not counted as the next head.
    open: AtomicU32,
    /// The state of the last request's body: one of the constants of [`Uploading`].
    upload: AtomicU8,
    /// The last read returned bytes, so more may be available.
    may_read_more: AtomicBool,
    /// Bytes were written since the last flush.
    is_unflushed: AtomicBool,
    /// Each response from now on says `Connection: close`.
    is_finishing: AtomicBool,
    /// A request has begun, and its response is not completely sent.
    is_owed: AtomicBool,
    /// The connection has switched protocols and no longer carries HTTP.
    is_tunnel: AtomicBool,
}

/// What newly read bytes of an HTTP/1.1 connection belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comes {
    /// A body, or bytes that arrive while a request is in progress.
    NoHead,
    /// A head. `is_new`: no earlier byte of this head is known. `is_alone`: nothing else is in progress.
    Head { is_new: bool, is_alone: bool },
}

impl Activity {
    /// Call it when a head has ended. The exchange counts as open until the returned value is dropped.
    pub(crate) fn begin_request(self: &Arc<Self>) -> Exchanging {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.upload.store(Uploading::NONE, Ordering::Relaxed);
        self.head_begun.store(false, Ordering::Relaxed);
        self.is_owed.store(true, Ordering::Relaxed);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        Exchanging { activity: Arc::clone(self), is_waiting: true }
    }

    /// Call it when a piece of an upload was read.
    pub(crate) fn progressed(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    fn moved(&self) {
        self.moves.fetch_add(1, Ordering::Relaxed);
    }

    fn written<T>(&self, polled: &Poll<T>) {
        self.is_unflushed.store(true, Ordering::Relaxed);
        if polled.is_ready() {
            self.moved();
        }
    }

    /// Whether an HTTP/1.1 connection is between two requests: all bytes read were used, and all responses were sent.
    /// Then the protocol state can be dropped without losing anything.
    ///
    /// False if the last request's body did not end: if the rest of a body were read as a head, it would be a smuggled
    /// request (RFC 9112 §11.2).
    fn is_between_requests(&self) -> bool {
        let is_set = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        self.open.load(Ordering::Relaxed) == 0
            && self.upload.load(Ordering::Relaxed) == Uploading::NONE
            && ![&self.head_begun, &self.may_read_more, &self.is_unflushed].into_iter().any(is_set)
    }

    /// Whether nothing is in progress on an HTTP/1.1 connection, not even an incomplete head.
    fn is_idle(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0
            && self.upload.load(Ordering::Relaxed) != Uploading::OPEN
            && !self.head_begun.load(Ordering::Relaxed)
    }

    /// Call it when bytes were read on an HTTP/1.1 connection. Returns what they belong to.
    pub(crate) fn comes(&self) -> Comes {
        let upload = self.upload.load(Ordering::Relaxed);
        if self.open.load(Ordering::Relaxed) > 0 || upload == Uploading::OPEN || self.is_tunnel.load(Ordering::Relaxed)
        {
            return Comes::NoHead;
        }
        let is_new = !self.head_begun.load(Ordering::Relaxed);
        self.head_begun.store(true, Ordering::Relaxed);
        let is_alone = upload == Uploading::NONE && !self.is_unflushed.load(Ordering::Relaxed);
        Comes::Head { is_new, is_alone }
    }

    /// Whether a head has begun on an HTTP/1.1 connection, and no request is in progress.
    pub(crate) fn has_head_begun(&self) -> bool {
        self.head_begun.load(Ordering::Relaxed) && self.open.load(Ordering::Relaxed) == 0
    }

    /// Whether all responses are sent.
    pub(crate) fn is_flushed(&self) -> bool {
        !self.is_unflushed.load(Ordering::Relaxed)
    }

    /// Call it when all bytes written on an HTTP/1.1 connection are flushed.
    pub(crate) fn flushed(&self) {
        if self.open.load(Ordering::Relaxed) == 0 {
            self.is_owed.store(false, Ordering::Relaxed);
        }
    }

    /// Whether bytes written on an HTTP/1.1 connection belong to a response. Otherwise hyper writes them without a
    /// request.
    pub(crate) fn is_answer_owed(&self) -> bool {
        self.is_owed.load(Ordering::Relaxed) || self.is_tunnel.load(Ordering::Relaxed)
    }
}

/// An open exchange: it waits for its response, then sends it.
#[derive(Debug)]
pub(crate) struct Exchanging {
    activity: Arc<Activity>,
    is_waiting: bool,
}

impl Exchanging {
    /// Call it when the head of the response is available.
    pub(crate) fn answered(&mut self) {
        if std::mem::take(&mut self.is_waiting) {
            self.activity.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Exchanging {
    /// Whether the connection closes after this exchange, because the process stops or the connection has reached
    /// `keep_alive`. HTTP/1.1 only.
    pub(crate) fn is_last(&self) -> bool {
        self.activity.is_finishing.load(Ordering::Relaxed)
    }

    /// Call it when this response switches protocols.
    pub(crate) fn switch(&self) {
        self.activity.is_tunnel.store(true, Ordering::Relaxed);
    }
}

impl Watch for Exchanging {
    fn data(&mut self, _: usize) {
        self.activity.progress.fetch_add(1, Ordering::Relaxed);
    }

    fn ended(&mut self, _: Ending<'_>) {}
}

impl Drop for Exchanging {
    fn drop(&mut self) {
        self.answered();
        self.activity.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request body that is being received. Its response may already have ended.
#[derive(Debug)]
pub(crate) struct Uploading {
    activity: Arc<Activity>,
    /// The number of the request. A later request may have begun when the end of this body is read.
    request: u64,
}

impl Uploading {
    /// There is no body, or the body has ended.
    const NONE: u8 = 0;
    /// Bytes that are read belong to the body.
    const OPEN: u8 = 1;
    /// The body was dropped before its end. hyper has taken the available rest of the body, or reads nothing more.
    const CUT: u8 = 2;

    /// Call it when the last request has a body.
    pub(crate) fn begin(activity: &Arc<Activity>) -> Self {
        activity.upload.store(Self::OPEN, Ordering::Relaxed);
        Self { activity: Arc::clone(activity), request: activity.requests.load(Ordering::Relaxed) }
    }

    fn end(&self, how: u8) {
        let is_last = self.activity.requests.load(Ordering::Relaxed) == self.request;
        if is_last && self.activity.upload.load(Ordering::Relaxed) == Self::OPEN {
            self.activity.upload.store(how, Ordering::Relaxed);
        }
    }
}

impl Watch for Uploading {
    fn data(&mut self, _: usize) {}

    fn ended(&mut self, _: Ending<'_>) {
        self.end(Self::NONE);
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        self.end(Self::CUT);
    }
}

/// What to do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Close: the connection was idle for too long, or a head was incomplete for too long.
    Close,
    /// The connection has reached `keep_alive`: finish the requests in progress, then close.
    Retire,
    /// Close: the client was told that the connection ends, or it sent nothing during [`LAST_CALL`].
    Shut,
    /// Rest: the connection is idle, so memory that only a request needs can be freed.
    Rest,
}

/// How the watchdog handles heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heads {
    /// HTTP/1.1: bytes outside a request are the next head, which has a timeout.
    Timed,
    /// HTTP/2: bytes outside a request may be frames of any type. `h2` limits heads itself.
    Untimed,
}

/// Check interval of an active HTTP/1.1 connection, which rests after one or two intervals. A timer that fires more
/// often than requests arrive would cost more than the memory that is saved.
const REST_BEAT: Duration = Duration::from_secs(1);

/// How long an idle HTTP/1.1 connection that has to end is still read. A request that is already on the way, or that
/// arrives within this time, gets a response with `Connection: close`. Closing at once would lose the request (RFC 9112
/// §9.6).
const LAST_CALL: Duration = Duration::from_secs(1);

/// Checks one connection at a fixed interval.
#[derive(Debug)]
pub(crate) struct Watchdog {
    activity: Arc<Activity>,
    heads: Heads,
    beat: Interval,
    /// Check interval of a resting connection, and of HTTP/2 connections, which never rest.
    slow_beat: Duration,
    idle_timeout: Duration,
    head_timeout: Duration,
    retires_at: Option<Instant>,
    /// The time after which the connection is closed if it is idle. Set by [`Watchdog::call_last`].
    shuts_at: Option<Instant>,
    /// When activity was last seen.
    moved_at: Instant,
    /// When the current incomplete head was first seen.
    head_seen_at: Option<Instant>,
    seen: (u64, u64),
    is_resting: bool,
}

impl Watchdog {
    /// Creates a watchdog. Counts the creation as activity.
    pub(crate) fn new(activity: Arc<Activity>, limits: &Limits, heads: Heads) -> Self {
        let now = Instant::now();
        let shortest = limits.idle_timeout.min(limits.head_timeout).min(limits.keep_alive);
        let slow_beat = (shortest / 2).max(Duration::from_millis(10));
        let period = match heads {
            Heads::Timed => slow_beat.min(REST_BEAT),
            Heads::Untimed => slow_beat,
        };
        let mut beat = tokio::time::interval_at(now + period, period);
        // After the machine was suspended, one check is enough.
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            activity,
            heads,
            beat,
            slow_beat,
            idle_timeout: limits.idle_timeout,
            head_timeout: limits.head_timeout,
            retires_at: Some(now + limits.keep_alive),
            shuts_at: None,
            moved_at: now,
            head_seen_at: None,
            seen: (0, 0),
            is_resting: false,
        }
    }

    /// Waits until something has to be done. Cancel-safe.
    pub(crate) async fn verdict(&mut self) -> Verdict {
        loop {
            let now = self.beat.tick().await;
            if self.is_resting && self.shuts_at.is_none() {
                self.beat.reset_after(self.slow_beat);
            }
            if let Some(verdict) = self.look(now) {
                return verdict;
            }
        }
    }

    /// Call it when the connection rests. [`Verdict::Rest`] is not returned again until [`Watchdog::wake`].
    pub(crate) fn rest(&mut self) {
        self.is_resting = true;
        self.beat.reset_after(self.slow_beat);
    }

    /// Call it when the connection has to end. Its next response is its last, and the connection is closed when it has
    /// been idle for [`LAST_CALL`]. Returns false on HTTP/2, which is ended by GOAWAY instead.
    pub(crate) fn call_last(&mut self) -> bool {
        if self.heads == Heads::Untimed {
            return false;
        }
        self.activity.is_finishing.store(true, Ordering::Relaxed);
        self.shuts_at = Some(Instant::now() + LAST_CALL);
        self.beat.reset_after(LAST_CALL);
        true
    }

    /// Call it when the connection no longer rests.
    pub(crate) fn wake(&mut self) {
        self.is_resting = false;
        self.beat.reset();
    }

    fn look(&mut self, now: Instant) -> Option<Verdict> {
        let requests = self.activity.requests.load(Ordering::Relaxed);
        let moves = match self.heads {
            Heads::Timed => self.activity.moves.load(Ordering::Relaxed),
            Heads::Untimed => self.activity.progress.load(Ordering::Relaxed).wrapping_add(requests),
        };
        let head_begun = self.heads == Heads::Timed && self.activity.head_begun.load(Ordering::Relaxed);
        let is_waiting = self.activity.waiting.load(Ordering::Relaxed) > 0;
        let has_moved = moves != self.seen.0;
        if has_moved || is_waiting {
            self.moved_at = now;
        }
        let head_seen_at = self.head_seen_at.filter(|_| requests == self.seen.1).unwrap_or(now);
        self.head_seen_at = head_begun.then_some(head_seen_at);
        self.seen = (moves, requests);
        if now - self.moved_at >= self.idle_timeout || now - head_seen_at >= self.head_timeout && head_begun {
            return Some(Verdict::Close);
        }
        if self.shuts_at.is_some_and(|at| now >= at) && self.activity.is_idle() {
            return Some(Verdict::Shut);
        }
        if self.retires_at.is_some_and(|at| now >= at) {
            self.retires_at = None;
            return Some(Verdict::Retire);
        }
        let may_rest = self.heads == Heads::Timed && !self.is_resting && !has_moved;
        (may_rest && self.activity.is_between_requests()).then_some(Verdict::Rest)
    }
}

/// Maximum number of bytes that one read discards.
pub(crate) const DISCARD_BYTES: usize = 16 * 1024;

/// A transport that can report when it is readable.
pub(crate) trait Readable {
    /// Ready when a read may return something. The read can still find nothing.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Reads and discards the available bytes, below TLS if there is TLS. Nothing can be read properly after that. Zero
    /// means the end of the stream.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>>;
}

impl Readable for Socket {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Self::poll_readable(self, cx)
    }

    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut sink = [0; DISCARD_BYTES];
        let mut buffer = ReadBuf::new(&mut sink);
        let read = Pin::new(self).poll_read(cx, &mut buffer);
        read.map_ok(|()| buffer.filled().len())
    }
}

/// A transport that counts its reads and writes in [`Activity`]. It holds `held` as long as it lives. After an upgrade
/// this includes the life of the tunnel.
#[derive(Debug)]
pub(crate) struct Watched<T, H> {
    inner: T,
    activity: Arc<Activity>,
    /// Bytes that were read and put back.
    unread: Bytes,
    /// A read has returned the end of the stream or an error.
    has_ended: bool,
    _held: H,
}

impl<T, H> Watched<T, H> {
    /// Wraps `inner`. `held` is dropped together with the transport.
    pub(crate) fn new(inner: T, activity: Arc<Activity>, held: H) -> Self {
        Self { inner, activity, unread: Bytes::new(), has_ended: false, _held: held }
    }

    /// Puts bytes back. They are read again before any other bytes.
    pub(crate) fn put_back(&mut self, unread: Bytes) {
        self.unread = unread;
    }

    /// The activity of this connection.
    pub(crate) fn activity(&self) -> Arc<Activity> {
        Arc::clone(&self.activity)
    }
}

impl<T: Readable, H> Watched<T, H> {
    /// Whether the client has closed its side, or the connection is broken.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Discards the available bytes; see [`Readable::poll_discard`].
    pub(crate) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.inner.poll_discard(cx)
    }

    /// Waits until a read may return something. Needs no buffer. The read can still find nothing.
    pub(crate) async fn readable(&mut self) {
        if self.unread.is_empty() {
            poll_fn(|cx| self.inner.poll_readable(cx)).await;
        }
    }
}

impl<T: AsyncRead + Unpin, H: Unpin> AsyncRead for Watched<T, H> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = if self.unread.is_empty() {
            Pin::new(&mut self.inner).poll_read(cx, buffer)
        } else {
            let count = self.unread.len().min(buffer.remaining());
            buffer.put_slice(&self.unread.split_to(count));
            Poll::Ready(Ok(()))
        };
        self.activity.may_read_more.store(polled.is_ready(), Ordering::Relaxed);
        if buffer.filled().len() > before {
            self.activity.moved();
        } else if polled.is_ready() {
            self.has_ended = true;
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin, H: Unpin> AsyncWrite for Watched<T, H> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buffer);
        self.activity.written(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, buffers);
        self.activity.written(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        self.activity.is_unflushed.store(!matches!(polled, Poll::Ready(Ok(()))), Ordering::Relaxed);
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A closing connection must not rest, so that no request is served after the last response.
        self.activity.is_unflushed.store(true, Ordering::Relaxed);
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

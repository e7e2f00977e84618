//! Finds connections on which nothing moves, heads that do not end, and lives that are over — with one timer for each
//! connection and no clock read for each request.
//!
//! The connection counts what moves; the watchdog looks at the counts at a steady beat. A deadline is so met between its
//! own length and one beat more.

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
use crate::message::body::{Ending, Watch};
use crate::socket::Socket;

/// What has moved. Written by one thread; atomics, because hyper wants the transport to be `Send`.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// Grows with each read or write that moved bytes.
    moves: AtomicU64,
    /// Grows with each piece of an answer that went out, and on HTTP/2 with each piece of an upload that was read. There
    /// it is what counts: a client that opens no window can move bytes for ever.
    progress: AtomicU64,
    /// Grows with each request.
    requests: AtomicU64,
    /// Bytes came while no request was under way: a head has begun.
    head_begun: AtomicBool,
    /// Requests whose answer has not begun: they wait for a target, under deadlines of their own.
    waiting: AtomicU32,
    /// Requests whose answer has not ended: what the client sends meanwhile is not the next head.
    open: AtomicU32,
    /// What is known of the last request's body, as one of the constants of [`Uploading`].
    upload: AtomicU8,
    /// The last read took bytes: there may be more where they came from.
    may_read_more: AtomicBool,
    /// Something was written and not flushed since.
    is_unflushed: AtomicBool,
    /// Each answer from now on says that it is the last.
    is_finishing: AtomicBool,
    /// A request has begun, and its answer has not all gone out.
    is_owed: AtomicBool,
    /// The connection has switched protocols, and is no more HTTP.
    is_tunnel: AtomicBool,
}

/// What bytes are that have come on an HTTP/1.1 connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comes {
    /// A body, or what comes while a request is being answered.
    NoHead,
    /// A head. `is_new`: nothing of it came before, as far as is known. `is_alone`: nothing else is under way.
    Head { is_new: bool, is_alone: bool },
}

impl Activity {
    /// A head has ended; its exchange is open until what this answers is dropped.
    pub(crate) fn begin_request(self: &Arc<Self>) -> Exchanging {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.upload.store(Uploading::NONE, Ordering::Relaxed);
        self.head_begun.store(false, Ordering::Relaxed);
        self.is_owed.store(true, Ordering::Relaxed);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        Exchanging { activity: Arc::clone(self), is_waiting: true }
    }

    /// A piece of an upload has been read.
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

    /// Whether an HTTP/1.1 connection stands between two requests with nothing read that was not used and nothing answered
    /// that was not sent. Then nothing is lost with the state of its protocol.
    ///
    /// A request whose body did not end does not count: the rest of a body that is read as a head is a smuggled request
    /// (RFC 9112 §11.2).
    fn is_between_requests(&self) -> bool {
        let is_set = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        self.open.load(Ordering::Relaxed) == 0
            && self.upload.load(Ordering::Relaxed) == Uploading::NONE
            && ![&self.head_begun, &self.may_read_more, &self.is_unflushed].into_iter().any(is_set)
    }

    /// Whether nothing is under way on an HTTP/1.1 connection, not even half a head.
    fn is_idle(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0
            && self.upload.load(Ordering::Relaxed) != Uploading::OPEN
            && !self.head_begun.load(Ordering::Relaxed)
    }

    /// Takes note of bytes that have come on an HTTP/1.1 connection.
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

    /// Whether bytes of a head have come on an HTTP/1.1 connection, and nothing else is under way.
    pub(crate) fn has_head_begun(&self) -> bool {
        self.head_begun.load(Ordering::Relaxed) && self.open.load(Ordering::Relaxed) == 0
    }

    /// Whether all that was answered has gone out.
    pub(crate) fn is_flushed(&self) -> bool {
        !self.is_unflushed.load(Ordering::Relaxed)
    }

    /// All that was written on an HTTP/1.1 connection has gone out.
    pub(crate) fn flushed(&self) {
        if self.open.load(Ordering::Relaxed) == 0 {
            self.is_owed.store(false, Ordering::Relaxed);
        }
    }

    /// Whether what is written on an HTTP/1.1 connection answers a request. Else hyper writes it of its own accord.
    pub(crate) fn is_answer_owed(&self) -> bool {
        self.is_owed.load(Ordering::Relaxed) || self.is_tunnel.load(Ordering::Relaxed)
    }
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

impl Exchanging {
    /// Whether the connection ends with this exchange, because the process stops or the connection is old. HTTP/1.1 only.
    pub(crate) fn is_last(&self) -> bool {
        self.activity.is_finishing.load(Ordering::Relaxed)
    }

    /// The connection switches protocols with this answer.
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

/// A request's body that is coming. Its answer may have ended before.
#[derive(Debug)]
pub(crate) struct Uploading {
    activity: Arc<Activity>,
    /// The number of the request. A later one may have begun when the end of this body is read.
    request: u64,
}

impl Uploading {
    /// There is none, or it has ended.
    const NONE: u8 = 0;
    /// What is read belongs to it.
    const OPEN: u8 = 1;
    /// Nobody reads it any more. hyper has taken what was there of it, or reads nothing more.
    const CUT: u8 = 2;

    /// The last request has a body.
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

/// What is to be done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing moved for too long, or a head did not end: close.
    Close,
    /// The connection is old: finish what is under way and close.
    Retire,
    /// The client was told that the connection ends, or sent nothing while it was waited for: close.
    Shut,
    /// Nothing is under way and nothing moves: give back what only a request needs.
    Rest,
}

/// Which rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heads {
    /// HTTP/1.1: bytes outside a request are the next head.
    Timed,
    /// HTTP/2: bytes outside a request may be frames of any kind; h2 bounds heads itself.
    Untimed,
}

/// The beat of an HTTP/1.1 connection that is awake: it goes to rest after one or two. What ticks faster than requests come
/// costs more than the memory is worth.
const REST_BEAT: Duration = Duration::from_secs(1);

/// How long an idle HTTP/1.1 connection that has to end is still read. A request that is on its way, or that comes within this
/// time, is answered, and its answer says `Connection: close`. Closing at once would lose it (RFC 9112 §9.6).
const LAST_CALL: Duration = Duration::from_secs(1);

/// Looks at one connection at a steady beat.
#[derive(Debug)]
pub(crate) struct Watchdog {
    activity: Arc<Activity>,
    heads: Heads,
    beat: Interval,
    /// The beat of a connection at rest, and of HTTP/2, which takes none.
    slow_beat: Duration,
    idle_timeout: Duration,
    head_timeout: Duration,
    retires_at: Option<Instant>,
    /// From when on an idle connection is closed.
    shuts_at: Option<Instant>,
    /// When something was last seen to have moved.
    moved_at: Instant,
    /// When the head that has begun was first seen.
    head_seen_at: Option<Instant>,
    seen: (u64, u64),
    is_resting: bool,
}

impl Watchdog {
    /// A watchdog that has just seen something move.
    pub(crate) fn new(activity: Arc<Activity>, limits: &Limits, heads: Heads) -> Self {
        let now = Instant::now();
        let shortest = limits.idle_timeout.min(limits.head_timeout).min(limits.keep_alive);
        let slow_beat = (shortest / 2).max(Duration::from_millis(10));
        let period = match heads {
            Heads::Timed => slow_beat.min(REST_BEAT),
            Heads::Untimed => slow_beat,
        };
        let mut beat = tokio::time::interval_at(now + period, period);
        // After a pause of the machine one look is enough.
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

    /// Waits until something is to be done. Cancel-safe.
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

    /// The connection has gone to rest. It is not told to again until it has woken.
    pub(crate) fn rest(&mut self) {
        self.is_resting = true;
        self.beat.reset_after(self.slow_beat);
    }

    /// The connection has to end: its next answer is its last, and it is closed when it has been idle for a while. Answers
    /// whether that is how it ends: HTTP/2 has GOAWAY for that.
    pub(crate) fn call_last(&mut self) -> bool {
        if self.heads == Heads::Untimed {
            return false;
        }
        self.activity.is_finishing.store(true, Ordering::Relaxed);
        self.shuts_at = Some(Instant::now() + LAST_CALL);
        self.beat.reset_after(LAST_CALL);
        true
    }

    /// The connection has woken.
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

/// Most bytes that one read throws away.
pub(crate) const DISCARD_BYTES: usize = 16 * 1024;

/// A transport that can say when there is something to read.
pub(crate) trait Readable {
    /// Ready when a read would find something; it may find nothing after all.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Reads and throws away what has come, below TLS where there is TLS. Nothing can be read properly after that. Zero is
    /// the end.
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

/// A transport that says when bytes move. It keeps `held` as long as it lives, also as a tunnel that outlives its
/// connection's first protocol.
#[derive(Debug)]
pub(crate) struct Watched<T, H> {
    inner: T,
    activity: Arc<Activity>,
    /// What was read before and not used.
    unread: Bytes,
    /// A read has found the end, or an error.
    has_ended: bool,
    _held: H,
}

impl<T, H> Watched<T, H> {
    /// Watches `inner`, and lets go of `held` with it.
    pub(crate) fn new(inner: T, activity: Arc<Activity>, held: H) -> Self {
        Self { inner, activity, unread: Bytes::new(), has_ended: false, _held: held }
    }

    /// Takes back what was read, to be read again first.
    pub(crate) fn put_back(&mut self, unread: Bytes) {
        self.unread = unread;
    }

    /// What moves on it.
    pub(crate) fn activity(&self) -> Arc<Activity> {
        Arc::clone(&self.activity)
    }
}

impl<T: Readable, H> Watched<T, H> {
    /// Whether the client has closed its side, or the connection is broken.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Throws away what has come; see [`Readable::poll_discard`].
    pub(crate) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.inner.poll_discard(cx)
    }

    /// Waits until a read would find something, without a buffer to read into. It may find nothing after all.
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
        // A connection that is being closed never rests, so that no request is served behind its last answer.
        self.activity.is_unflushed.store(true, Ordering::Relaxed);
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

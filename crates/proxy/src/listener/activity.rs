//! What happens on one connection, as counts and flags: what has moved, and what is in progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use crate::message::watch::{Ending, Watch};

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
    /// The state of the last request's body: one of the constants of [`OpenUpload`].
    upload: AtomicU8,
    /// The last read returned bytes, so more may be available.
    may_read_more: AtomicBool,
    /// Bytes were written since the last flush.
    is_unflushed: AtomicBool,
    /// Each response from now on says `Connection: close`.
    is_finishing: AtomicBool,
    /// A request has begun, and its response is not completely sent.
    is_owed: AtomicBool,
    /// The connection has switched protocols and no longer carries HTTP. HTTP/1.1 only: on HTTP/2, nobody asks.
    is_tunnel: AtomicBool,
    /// Open WebSockets. HTTP/2 only. They have timeouts of their own.
    websockets: AtomicU32,
}

/// What has happened on a connection so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    /// Grows with each read or write of bytes.
    pub(crate) moves: u64,
    /// Grows with each piece of a response that was sent, and on HTTP/2 with each piece of an upload that was read.
    pub(crate) progress: u64,
    /// Grows with each request.
    pub(crate) requests: u64,
    /// Whether a head has begun and not ended. HTTP/1.1 only.
    pub(crate) head_begun: bool,
    /// Whether a request waits for its response.
    pub(crate) is_waiting: bool,
    /// Whether a WebSocket is open. HTTP/2 only.
    pub(crate) has_websocket: bool,
}

/// What newly read bytes of an HTTP/1.1 connection belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadBytes {
    /// A body, or bytes that arrive while a request is in progress.
    NoHead,
    /// A head. `is_new`: no earlier byte of this head is known. `is_alone`: nothing else is in progress.
    Head { is_new: bool, is_alone: bool },
}

impl Activity {
    /// Call it when a head has ended. The exchange counts as open until the returned value is dropped.
    pub(crate) fn begin_request(self: &Arc<Self>) -> OpenExchange {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.upload.store(OpenUpload::NONE, Ordering::Relaxed);
        self.head_begun.store(false, Ordering::Relaxed);
        self.is_owed.store(true, Ordering::Relaxed);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        OpenExchange { activity: Arc::clone(self), is_waiting: true }
    }

    /// Call it when a piece of an upload was read.
    pub(crate) fn progressed(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    /// What the watchdog compares at each beat.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            moves: self.moves.load(Ordering::Relaxed),
            progress: self.progress.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            head_begun: self.head_begun.load(Ordering::Relaxed),
            is_waiting: self.waiting.load(Ordering::Relaxed) > 0,
            has_websocket: self.has_websocket(),
        }
    }

    /// Call it when a WebSocket is opened on an HTTP/2 connection. It counts as open until the returned value is dropped.
    pub(crate) fn open_websocket(self: &Arc<Self>) -> OpenWebSocket {
        self.websockets.fetch_add(1, Ordering::Relaxed);
        OpenWebSocket(Arc::clone(self))
    }

    /// Whether a WebSocket is open on an HTTP/2 connection.
    pub(crate) fn has_websocket(&self) -> bool {
        self.websockets.load(Ordering::Relaxed) > 0
    }

    /// Call it when the connection has to end: each response from now on says so.
    pub(crate) fn finish(&self) {
        self.is_finishing.store(true, Ordering::Relaxed);
    }

    /// Whether the connection has to end.
    pub(crate) fn is_finishing(&self) -> bool {
        self.is_finishing.load(Ordering::Relaxed)
    }

    /// Call it when a read was tried. `is_ready` says whether it returned, `count` how many bytes.
    pub(crate) fn read(&self, is_ready: bool, count: usize) {
        self.may_read_more.store(is_ready, Ordering::Relaxed);
        if count > 0 {
            self.moved();
        }
    }

    fn moved(&self) {
        self.moves.fetch_add(1, Ordering::Relaxed);
    }

    /// Call it when a write was tried. `is_ready` says whether it returned.
    pub(crate) fn written(&self, is_ready: bool) {
        self.is_unflushed.store(true, Ordering::Relaxed);
        if is_ready {
            self.moved();
        }
    }

    /// Call it when a flush was tried. `is_whole` says whether all bytes that were written are sent.
    pub(crate) fn flush_tried(&self, is_whole: bool) {
        self.is_unflushed.store(!is_whole, Ordering::Relaxed);
    }

    /// Call it when the sending side is closed. A closing connection must not rest, so that no request is served after the
    /// last response.
    pub(crate) fn closing(&self) {
        self.is_unflushed.store(true, Ordering::Relaxed);
    }

    /// Whether an HTTP/1.1 connection is between two requests: all bytes read were used, and all responses were sent.
    /// Then the protocol state can be dropped without losing anything.
    ///
    /// False if the last request's body did not end: if the rest of a body were read as a head, it would be a smuggled
    /// request (RFC 9112 §11.2).
    pub(crate) fn is_between_requests(&self) -> bool {
        let is_set = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        self.open.load(Ordering::Relaxed) == 0
            && self.upload.load(Ordering::Relaxed) == OpenUpload::NONE
            && ![&self.head_begun, &self.may_read_more, &self.is_unflushed].into_iter().any(is_set)
    }

    /// Whether nothing is in progress on an HTTP/1.1 connection, not even an incomplete head.
    pub(crate) fn is_idle(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0
            && self.upload.load(Ordering::Relaxed) != OpenUpload::OPEN
            && !self.head_begun.load(Ordering::Relaxed)
    }

    /// Call it when bytes were read on an HTTP/1.1 connection. Returns what they belong to.
    pub(crate) fn classify_read(&self) -> ReadBytes {
        let upload = self.upload.load(Ordering::Relaxed);
        if self.open.load(Ordering::Relaxed) > 0 || upload == OpenUpload::OPEN || self.is_tunnel.load(Ordering::Relaxed)
        {
            return ReadBytes::NoHead;
        }
        let is_new = !self.head_begun.load(Ordering::Relaxed);
        self.head_begun.store(true, Ordering::Relaxed);
        let is_alone = upload == OpenUpload::NONE && !self.is_unflushed.load(Ordering::Relaxed);
        ReadBytes::Head { is_new, is_alone }
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
pub(crate) struct OpenExchange {
    activity: Arc<Activity>,
    is_waiting: bool,
}

impl OpenExchange {
    /// Call it when the head of the response is available.
    pub(crate) fn answered(&mut self) {
        if std::mem::take(&mut self.is_waiting) {
            self.activity.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether the connection closes after this exchange, because the process stops or the connection has reached
    /// `keep_alive`, or is of no use. HTTP/1.1 only.
    pub(crate) fn is_last(&self) -> bool {
        self.activity.is_finishing()
    }

    /// Call it when the connection is of no use for further requests.
    pub(crate) fn finish(&self) {
        self.activity.finish();
    }

    /// Call it when this response switches protocols.
    pub(crate) fn switch(&self) {
        self.activity.is_tunnel.store(true, Ordering::Relaxed);
    }
}

impl Watch for OpenExchange {
    fn data(&mut self, _: usize) {
        self.activity.progress.fetch_add(1, Ordering::Relaxed);
    }

    fn ended(&mut self, _: Ending<'_>) {}
}

impl Drop for OpenExchange {
    fn drop(&mut self) {
        self.answered();
        self.activity.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An open WebSocket on an HTTP/2 connection.
#[derive(Debug)]
pub(crate) struct OpenWebSocket(Arc<Activity>);

impl Drop for OpenWebSocket {
    fn drop(&mut self) {
        self.0.websockets.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request body that is being received. Its response may already have ended.
#[derive(Debug)]
pub(crate) struct OpenUpload {
    activity: Arc<Activity>,
    /// The number of the request. A later request may have begun when the end of this body is read.
    request: u64,
}

impl OpenUpload {
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

impl Watch for OpenUpload {
    fn data(&mut self, _: usize) {}

    fn ended(&mut self, _: Ending<'_>) {
        self.end(Self::NONE);
    }
}

impl Drop for OpenUpload {
    fn drop(&mut self) {
        self.end(Self::CUT);
    }
}

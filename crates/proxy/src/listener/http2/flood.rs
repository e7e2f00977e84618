//! Detects clients that send too many frames without effect (a flood), and requests that `h2` resets by itself.
//!
//! Frames are counted when their bytes are read, before `h2` handles them. Each frame that does nothing for a request
//! adds to a count. Requests, and responses that are sent, subtract from the count. The count has a limit per time.

use std::cell::Cell;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::listener::transport::{Readable, Watched};

/// A count above this within [`FLOOD_TIME`] ends the connection: a hundred frames per second.
const FLOOD_MAX: u32 = 1000;
/// See [`FLOOD_MAX`].
const FLOOD_TIME: Duration = Duration::from_secs(10);

/// What a request subtracts from the count: browsers send a PRIORITY and WINDOW_UPDATE frames for each request.
const REQUEST_EARNS: u32 = 4;
/// What each piece of a response, and each [`PIECE_BYTES`] of it, subtracts from the count: clients respond to a piece
/// with WINDOW_UPDATE frames for two windows.
const PIECE_EARNS: u32 = 4;
/// See [`PIECE_EARNS`].
const PIECE_BYTES: usize = 2048;
/// What a SETTINGS frame adds to the count. It is more expensive, because it is applied to every stream and must be
/// acknowledged.
const DEAR: u32 = 10;

/// How long, and how many bytes, are still read from a client after its connection was closed because of its frames.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// See [`LINGER_TIME`].
const LINGER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// While a WebSocket is open, at most this many bytes are read at once.
///
/// `h2` ends a connection on which DATA frames wait that cost more than 32 KiB (`data_frame_budget`, half of the connection's window). A frame costs
/// what it has less than [`SMALL_BYTES`]. Frames of WebSockets are small, and wait until the tasks of the WebSockets run
/// (`websocket.rs`). So the task of the connection lets them run before too many wait: after [`SMALL_COST_MAX`]. The frames of
/// one more read, of one byte each, cost 26 KB.
const LITTLE_BYTES: usize = 1024;
/// See [`LITTLE_BYTES`].
const SMALL_BYTES: u32 = 256;
/// See [`LITTLE_BYTES`].
const SMALL_COST_MAX: u32 = 6000;

/// Bytes before the first frame (RFC 9113 §3.4).
const PREFACE_BYTES: usize = 24;
/// RFC 9113 §4.1.
const HEAD_BYTES: usize = 9;
/// RFC 9113 §6.2.
const HEADERS: u8 = 1;
/// RFC 9113 §6.10.
const CONTINUATION: u8 = 9;

/// Counts the frames without effect on one connection.
#[derive(Debug)]
pub(crate) struct FloodDetector {
    count: Cell<u32>,
    since: Cell<Instant>,
    is_too_much: Cell<bool>,
    /// The connection is being shut down normally: the client was told before.
    is_finishing: Cell<bool>,
    /// What small DATA frames cost that were read since other tasks could run. See [`LITTLE_BYTES`].
    small_cost: Cell<u32>,
    opened: BegunRequests,
}

/// Compares the requests that a client has begun with those that `h2` has handed out.
///
/// `h2` resets a request that it cannot parse and does not report it. `h2` reads again only after it has handled all
/// frames that it received. So when a read finds nothing, and no frame is incomplete, a request that was not handed out
/// never will be.
#[derive(Debug, Default)]
struct BegunRequests {
    /// Requests that have begun and were not handed out yet.
    count: Cell<usize>,
    /// The highest stream number so far. HEADERS on this stream, or on a lower one, are trailers.
    last_stream: Cell<u32>,
    /// The current head continues in another frame.
    is_in_head: Cell<bool>,
    /// The current frame is incomplete.
    is_in_frame: Cell<bool>,
    /// The last read returned `Pending`.
    is_drained: Cell<bool>,
}

impl BegunRequests {
    fn frame(&self, head: &[u8; HEAD_BYTES]) {
        const END_HEADERS: u8 = 4;
        let [_, _, _, kind, flags, stream @ ..] = *head;
        if kind != HEADERS && kind != CONTINUATION {
            return;
        }
        self.is_in_head.set(flags & END_HEADERS == 0);
        let stream = u32::from_be_bytes(stream) & (u32::MAX >> 1);
        if kind == HEADERS && stream > self.last_stream.replace(stream.max(self.last_stream.get())) {
            self.count.set(self.count.get() + 1);
        }
    }
}

impl FloodDetector {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            count: Cell::new(0),
            since: Cell::new(Instant::now()),
            is_too_much: Cell::new(false),
            is_finishing: Cell::new(false),
            small_cost: Cell::new(0),
            opened: BegunRequests::default(),
        })
    }

    /// Call it when `h2` has handed out a request.
    pub(crate) fn handed_out(&self) {
        self.opened.count.set(self.opened.count.get().saturating_sub(1));
    }

    /// How many requests `h2` has refused by itself since the last call. Zero while the connection shuts down, because
    /// `h2` then ignores new requests.
    pub(crate) fn take_lost(&self) -> usize {
        let opened = &self.opened;
        let is_known = opened.is_drained.get() && !opened.is_in_frame.get() && !opened.is_in_head.get();
        if !is_known || self.is_finishing.get() || self.is_too_much.get() {
            return 0;
        }
        opened.count.take()
    }

    /// Whether the connection must be closed because of too many frames. Nothing more is read from it.
    pub(crate) fn is_too_much(&self) -> bool {
        self.is_too_much.get()
    }

    /// Call it when the connection is being shut down normally.
    pub(crate) fn finish(&self) {
        self.is_finishing.set(true);
    }

    /// Call it when a piece of a response is sent.
    pub(crate) fn sent(&self, bytes: usize) {
        self.earn(PIECE_EARNS.saturating_add(u32::try_from(bytes / PIECE_BYTES).unwrap_or(u32::MAX)));
    }

    fn earn(&self, worth: u32) {
        self.count.set(self.count.get().saturating_sub(worth));
    }

    fn cost(&self, worth: u32) {
        let count = self.count.get().saturating_add(worth);
        self.count.set(count);
        // The clock is read only once for many frames.
        if count >= FLOOD_MAX {
            let now = Instant::now();
            self.is_too_much.set(self.is_too_much.get() || now - self.since.get() < FLOOD_TIME);
            self.since.set(now);
            self.count.set(0);
        }
    }

    fn frame(&self, head: &[u8; HEAD_BYTES]) {
        const END_STREAM: u8 = 1;
        let is_empty = head[..3] == [0; 3];
        self.opened.frame(head);
        // RFC 9113 §6.
        match head[3] {
            // DATA. `h2` limits DATA frames with few bytes itself.
            0 if is_empty && head[4] & END_STREAM == 0 => self.cost(1),
            0 => {
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                self.small_cost.set(self.small_cost.get().saturating_add(SMALL_BYTES.saturating_sub(length)));
            }
            HEADERS => self.earn(REQUEST_EARNS),
            // RST_STREAM adds what its request has subtracted, plus one.
            3 => self.cost(REQUEST_EARNS + 1),
            // SETTINGS, GOAWAY.
            4 | 7 => self.cost(DEAR),
            // PRIORITY, PING, WINDOW_UPDATE, CONTINUATION, and unknown types.
            _ => self.cost(1),
        }
    }
}

/// The position of the next byte within the frames.
#[derive(Debug)]
struct FramePosition {
    /// Number of bytes before the head of the next frame.
    skip: usize,
    /// The part of a frame's head that has arrived.
    head: [u8; HEAD_BYTES],
    has: usize,
}

impl FramePosition {
    fn read(&mut self, mut bytes: &[u8], flood: &FloodDetector) {
        loop {
            if self.skip >= bytes.len() {
                self.skip -= bytes.len();
                return;
            }
            bytes = &bytes[std::mem::take(&mut self.skip)..];
            let part = bytes.len().min(HEAD_BYTES - self.has);
            self.head[self.has..self.has + part].copy_from_slice(&bytes[..part]);
            self.has += part;
            bytes = &bytes[part..];
            if self.has < HEAD_BYTES {
                return;
            }
            self.has = 0;
            self.skip = u32::from_be_bytes([0, self.head[0], self.head[1], self.head[2]]) as usize;
            flood.frame(&self.head);
        }
    }
}

/// The transport of an HTTP/2 connection.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Whether the client has closed its side, or the connection is broken.
    fn has_ended(&self) -> bool;

    /// Whether a WebSocket is open on the connection.
    fn has_websocket(&self) -> bool;

    /// Reads and discards bytes. Zero means the end of the stream.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>>;
}

impl<T: AsyncRead + AsyncWrite + Readable + Unpin, O: Unpin> Transport for Watched<T, O> {
    fn has_ended(&self) -> bool {
        self.has_ended()
    }

    fn has_websocket(&self) -> bool {
        self.has_websocket()
    }

    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.poll_discard(cx)
    }
}

/// A transport that counts frames as they are read, and that lingers on close so that the last frames arrive.
#[derive(Debug)]
pub(crate) struct FrameObserver<T> {
    inner: T,
    flood: Rc<FloodDetector>,
    place: FramePosition,
    lingering: Option<Lingering>,
}

/// State of a connection whose sending side is closed.
#[derive(Debug)]
struct Lingering {
    deadline: Pin<Box<Sleep>>,
    discarded: usize,
}

impl<T> FrameObserver<T> {
    pub(crate) fn new(inner: T, flood: Rc<FloodDetector>) -> Self {
        let place = FramePosition { skip: PREFACE_BYTES, head: [0; HEAD_BYTES], has: 0 };
        Self { inner, flood, place, lingering: None }
    }
}

impl<T: Transport> FrameObserver<T> {
    /// Reads so much that few small frames can be in it. See [`LITTLE_BYTES`].
    fn poll_read_a_little(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.flood.small_cost.get() > SMALL_COST_MAX {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let length = LITTLE_BYTES.min(buffer.remaining());
        let mut little = ReadBuf::new(buffer.initialize_unfilled_to(length));
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut little))?;
        let length = little.filled().len();
        buffer.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<T: Transport> AsyncRead for FrameObserver<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.flood.is_too_much() {
            // `Serving` checks `is_too_much` after each poll and ends the connection.
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let polled = if self.inner.has_websocket() {
            self.poll_read_a_little(cx, buffer)
        } else {
            Pin::new(&mut self.inner).poll_read(cx, buffer)
        };
        self.flood.opened.is_drained.set(polled.is_pending());
        if polled.is_pending() {
            self.flood.small_cost.set(0);
        }
        ready!(polled)?;
        let Self { flood, place, .. } = &mut *self;
        place.read(&buffer.filled()[before..], flood);
        flood.opened.is_in_frame.set(place.skip > 0);
        Poll::Ready(Ok(()))
    }
}

impl<T: Transport> AsyncWrite for FrameObserver<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    /// Closes the sending side. If the client may still send, its bytes are discarded for a while. The kernel resets a
    /// connection that is closed with unread bytes, and then the client would not see the reason (RFC 9112 §9.6).
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
            if this.flood.is_finishing.get() || this.inner.has_ended() {
                return Poll::Ready(Ok(()));
            }
        }
        let lingering = this.lingering.get_or_insert_with(|| {
            let deadline = Box::pin(tokio::time::sleep(LINGER_TIME));
            Lingering { deadline, discarded: 0 }
        });
        while let Poll::Ready(read) = this.inner.poll_discard(cx) {
            lingering.discarded += read.as_ref().copied().unwrap_or_default();
            if !read.is_ok_and(|count| count > 0) || lingering.discarded > LINGER_BYTES_MAX {
                return Poll::Ready(Ok(()));
            }
        }
        lingering.deadline.as_mut().poll(cx).map(Ok)
    }
}

#[cfg(test)]
mod tests;

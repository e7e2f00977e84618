//! Finds clients that send frames which do nothing, faster than any client needs to, and requests that the HTTP/2 library resets
//! by itself.
//!
//! Frames are counted where their bytes are read, before the HTTP/2 library acts on them. Each one that does nothing for a
//! request costs; requests, and answers that go out, earn. What is left over may not grow faster than a bound.

use std::cell::Cell;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::listener::watchdog::{Readable, Watched};

/// So much noise within [`NOISE_TIME`] ends the connection: a hundred frames for each second.
const NOISE_MAX: u32 = 1000;
/// See [`NOISE_MAX`].
const NOISE_TIME: Duration = Duration::from_secs(10);

/// What a request earns: browsers send a priority for each, and updates of its window.
const REQUEST_EARNS: u32 = 4;
/// What a piece of an answer earns, and each [`PIECE_BYTES`] of it: clients answer with updates of two windows.
const PIECE_EARNS: u32 = 4;
/// See [`PIECE_EARNS`].
const PIECE_BYTES: usize = 2048;
/// What is dearer than other noise: SETTINGS are applied to every stream and have to be answered.
const DEAR: u32 = 10;

/// How long, and how many bytes, a client is listened to whose connection was closed for what it sent.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// See [`LINGER_TIME`].
const LINGER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes before the first frame (RFC 9113 §3.4).
const PREFACE_BYTES: usize = 24;
/// RFC 9113 §4.1.
const HEAD_BYTES: usize = 9;
/// RFC 9113 §6.2.
const HEADERS: u8 = 1;
/// RFC 9113 §6.10.
const CONTINUATION: u8 = 9;

/// How much noise a connection makes.
#[derive(Debug)]
pub(crate) struct Noise {
    count: Cell<u32>,
    since: Cell<Instant>,
    is_too_much: Cell<bool>,
    /// The connection ends in order: its client has been told before.
    is_finishing: Cell<bool>,
    opened: Opened,
}

/// The requests that a client has begun, against those that the HTTP/2 library has handed out.
///
/// The library resets a request that it cannot read, and tells nobody. It reads when it has dealt with every frame that it was
/// given. So when a read finds nothing, and no frame is there in part, a request that was not handed out never will be.
#[derive(Debug, Default)]
struct Opened {
    /// Requests that have begun and were not handed out.
    count: Cell<usize>,
    /// The highest stream that was opened: HEADERS on it, or on a lower one, are trailers.
    last_stream: Cell<u32>,
    /// A head goes on in another frame.
    is_in_head: Cell<bool>,
    /// A frame is there in part.
    is_in_frame: Cell<bool>,
    /// The last read found nothing.
    is_drained: Cell<bool>,
}

impl Opened {
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

impl Noise {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            count: Cell::new(0),
            since: Cell::new(Instant::now()),
            is_too_much: Cell::new(false),
            is_finishing: Cell::new(false),
            opened: Opened::default(),
        })
    }

    /// The library has handed out a request.
    pub(crate) fn handed_out(&self) {
        self.opened.count.set(self.opened.count.get().saturating_sub(1));
    }

    /// How many requests the library has refused by itself since this was last asked. Zero while the connection ends: then it
    /// ignores new ones.
    pub(crate) fn take_lost(&self) -> usize {
        let opened = &self.opened;
        let is_known = opened.is_drained.get() && !opened.is_in_frame.get() && !opened.is_in_head.get();
        if !is_known || self.is_finishing.get() || self.is_too_much.get() {
            return 0;
        }
        opened.count.take()
    }

    /// Whether the connection has to end. Nothing more is read of it.
    pub(crate) fn is_too_much(&self) -> bool {
        self.is_too_much.get()
    }

    /// The client is being told that the connection will end.
    pub(crate) fn finish(&self) {
        self.is_finishing.set(true);
    }

    /// A piece of an answer goes out.
    pub(crate) fn sent(&self, bytes: usize) {
        self.earn(PIECE_EARNS.saturating_add(u32::try_from(bytes / PIECE_BYTES).unwrap_or(u32::MAX)));
    }

    fn earn(&self, worth: u32) {
        self.count.set(self.count.get().saturating_sub(worth));
    }

    fn cost(&self, worth: u32) {
        let count = self.count.get().saturating_add(worth);
        self.count.set(count);
        // The clock is read once for many frames.
        if count >= NOISE_MAX {
            let now = Instant::now();
            self.is_too_much.set(self.is_too_much.get() || now - self.since.get() < NOISE_TIME);
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
            // DATA. The library bounds those with a few bytes.
            0 if is_empty && head[4] & END_STREAM == 0 => self.cost(1),
            0 => {}
            HEADERS => self.earn(REQUEST_EARNS),
            // RST_STREAM costs what its request has earned and one more.
            3 => self.cost(REQUEST_EARNS + 1),
            // SETTINGS, GOAWAY.
            4 | 7 => self.cost(DEAR),
            // PRIORITY, PING, WINDOW_UPDATE, CONTINUATION, and kinds that have no meaning here.
            _ => self.cost(1),
        }
    }
}

/// Where in the frames the bytes that come next are.
#[derive(Debug)]
struct Place {
    /// Bytes before the next head.
    skip: usize,
    /// A head that came in parts.
    head: [u8; HEAD_BYTES],
    has: usize,
}

impl Place {
    fn read(&mut self, mut bytes: &[u8], noise: &Noise) {
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
            noise.frame(&self.head);
        }
    }
}

/// What a connection is served on.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Whether the client has closed its side, or the connection is broken.
    fn has_ended(&self) -> bool;

    /// Reads and throws away. Zero is the end.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>>;
}

impl<T: AsyncRead + AsyncWrite + Readable + Unpin, O: Unpin> Transport for Watched<T, O> {
    fn has_ended(&self) -> bool {
        self.has_ended()
    }

    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.poll_discard(cx)
    }
}

/// A transport whose frames are counted as they are read. It is closed so that the last frames arrive.
#[derive(Debug)]
pub(crate) struct Heard<T> {
    inner: T,
    noise: Rc<Noise>,
    place: Place,
    lingering: Option<Lingering>,
}

/// A connection whose sending side is closed.
#[derive(Debug)]
struct Lingering {
    deadline: Pin<Box<Sleep>>,
    discarded: usize,
}

impl<T> Heard<T> {
    pub(crate) fn new(inner: T, noise: Rc<Noise>) -> Self {
        let place = Place { skip: PREFACE_BYTES, head: [0; HEAD_BYTES], has: 0 };
        Self { inner, noise, place, lingering: None }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Heard<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.noise.is_too_much() {
            // Whoever serves the connection looks for this after each turn, and ends it.
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        self.noise.opened.is_drained.set(polled.is_pending());
        ready!(polled)?;
        let Self { noise, place, .. } = &mut *self;
        place.read(&buffer.filled()[before..], noise);
        noise.opened.is_in_frame.set(place.skip > 0);
        Poll::Ready(Ok(()))
    }
}

impl<T: Transport> AsyncWrite for Heard<T> {
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

    /// Closes the sending side. Where the client may still send, what it sends is thrown away for a while: the kernel
    /// resets a connection that is closed with unread bytes, and the client would not see why (RFC 9112 §9.6).
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
            if this.noise.is_finishing.get() || this.inner.has_ended() {
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

//! A wrapper around the transport of an HTTP/1.1 connection, for heads that hyper does not handle as we want.
//!
//! - hyper refuses some characters in a request target that other servers accept, and drops the head at that point.
//!   hyper also removes a fragment silently. So a request line with such a character is held back before hyper sees it.
//!   hyper's read fails, and `http1.rs` then checks the complete head.
//! - hyper responds to a head that it cannot parse with an empty page. That response is dropped, and Vestibule sends
//!   its own.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::listener::activity::{Activity, ReadBytes};
use crate::listener::transport::Watched;
use crate::message::desync::{self, Finding};

/// The transport that hyper reads from and writes to.
#[derive(Debug)]
pub(crate) struct Screened<T, O> {
    transport: Watched<T, O>,
    activity: Arc<Activity>,
    line: Line,
    /// Number of bytes of the current head that hyper has received.
    given: usize,
    /// The bytes of the current head that are held back from hyper.
    held: BytesMut,
    /// Maximum number of bytes that are held back.
    held_max: usize,
    /// Whether every head is held back until it is whole, to be looked at as it came.
    holds_heads: bool,
    /// hyper has tried to write without a request. Those bytes were dropped.
    has_dropped: bool,
}

/// How far the request line of the current head was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Only empty lines have arrived.
    Ahead,
    /// The first part of the request line has arrived.
    Begun,
    /// The request line is complete, or is not checked.
    Over,
}

/// The bytes that hyper has not used when its future ends.
#[derive(Debug)]
pub(crate) enum Left {
    /// An unused head, as far as it has arrived, and the bytes after it.
    Head { bytes: Bytes, is_held_back: bool },
    /// There was no head, or hyper has used it. These are the bytes after it.
    Rest(Bytes),
}

impl Left {
    /// Why a head that was held back does not conform.
    pub(crate) fn finding(&self) -> Option<Finding> {
        match self {
            Self::Head { bytes, is_held_back: true } => desync::look(bytes),
            _ => None,
        }
    }

    /// All bytes that hyper has not used.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Head { bytes, .. } | Self::Rest(bytes) => bytes,
        }
    }
}

impl<T, O> Screened<T, O> {
    /// Wraps `transport` and checks each request line.
    pub(crate) fn new(transport: Watched<T, O>, head_bytes_max: usize, holds_heads: bool) -> Self {
        let activity = transport.activity();
        let (held, line) = (BytesMut::new(), Line::Ahead);
        Self { transport, activity, line, given: 0, held, held_max: head_bytes_max, holds_heads, has_dropped: false }
    }

    /// Skips the check for a head that was already checked and was put back.
    pub(crate) fn behind_the_line(self) -> Self {
        Self { line: Line::Over, ..self }
    }

    /// The transport and the bytes that hyper has not used. `unused` is what hyper has read and not used.
    pub(crate) fn into_parts(self, unused: Bytes) -> (Watched<T, O>, Left) {
        let is_held_back = !self.held.is_empty();
        // `unused` ends with the last bytes that hyper has received. If `unused` is shorter than the part of this head
        // that hyper has received, then hyper has used a part of the head. hyper only uses a head completely.
        let is_whole = self.activity.has_head_begun() && unused.len() >= self.given;
        let left = match is_whole {
            true if is_held_back => Left::Head { bytes: [&unused[..], &self.held].concat().into(), is_held_back },
            true => Left::Head { bytes: unused, is_held_back },
            false => Left::Rest(unused),
        };
        (self.transport, left)
    }

    /// Whether `bytes` must be held back from hyper.
    fn is_to_be_held(&mut self, mut bytes: &[u8]) -> bool {
        if !self.held.is_empty() {
            if !self.holds_heads && bytes.contains(&b'\n') {
                self.line = Line::Over;
            }
            return true;
        }
        match self.activity.classify_read() {
            ReadBytes::NoHead => return false,
            ReadBytes::Head { is_new: true, is_alone } => {
                self.given = 0;
                self.line = if is_alone { Line::Ahead } else { Line::Over };
            }
            ReadBytes::Head { .. } => {}
        }
        if self.line == Line::Ahead {
            // RFC 9112 §2.2: empty lines before a request are ignored. hyper skips them even if it cannot parse the
            // head.
            while let [b'\r' | b'\n', rest @ ..] = bytes {
                bytes = rest;
            }
            if let Some(first) = bytes.first() {
                // A method that is supported begins with a letter. hyper refuses other bytes at once. Those of a TLS
                // handshake may never have an end of a line to wait for.
                self.line = if first.is_ascii_alphabetic() { Line::Begun } else { Line::Over };
            }
        }
        let is_doubtful = self.line == Line::Begun && (self.holds_heads || self.is_doubtful(bytes));
        if !is_doubtful {
            self.given += bytes.len();
        }
        is_doubtful
    }

    /// Whether this part of the request line has a character that hyper refuses, or a fragment that hyper removes.
    fn is_doubtful(&mut self, bytes: &[u8]) -> bool {
        let line = match memchr::memchr(b'\n', bytes) {
            Some(end) => {
                self.line = Line::Over;
                &bytes[..end]
            }
            None => bytes,
        };
        memchr::memchr3(b'"', b'<', b'>', line).is_some() || memchr::memchr2(b'#', b'`', line).is_some()
    }
}

impl<T: AsyncRead + Unpin, O: Unpin> AsyncRead for Screened<T, O> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.transport).poll_read(cx, buffer))?;
            let bytes = &buffer.filled()[before..];
            let has_ended = bytes.is_empty();
            if has_ended && this.held.is_empty() {
                return Poll::Ready(Ok(()));
            }
            if !has_ended && !this.is_to_be_held(bytes) {
                return Poll::Ready(Ok(()));
            }
            this.held.extend_from_slice(bytes);
            if this.holds_heads && desync::has_end(&this.held, bytes.len()) {
                this.line = Line::Over;
            }
            let is_over = has_ended || this.line == Line::Over || this.held.len() >= this.held_max;
            buffer.set_filled(before);
            if is_over {
                return Poll::Ready(Err(io::Error::other("the request line is held back")));
            }
        }
    }
}

impl<T: AsyncWrite + Unpin, O: Unpin> Screened<T, O> {
    fn write(
        &mut self,
        length: usize,
        write: impl FnOnce(Pin<&mut Watched<T, O>>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.activity.is_answer_owed() {
            return write(Pin::new(&mut self.transport));
        }
        self.has_dropped = true;
        Poll::Ready(Ok(length))
    }

    /// Whether hyper has finished with this connection while Vestibule still has to respond on it.
    fn is_ours(&self) -> bool {
        self.has_dropped || !self.held.is_empty()
    }
}

impl<T: AsyncWrite + Unpin, O: Unpin> AsyncWrite for Screened<T, O> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(bytes.len(), |transport| transport.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        self.write(length, |transport| transport.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.transport).poll_flush(cx);
        if matches!(polled, Poll::Ready(Ok(()))) {
            self.activity.flushed();
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_ours() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

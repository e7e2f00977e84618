//! The byte stream of one connection: it counts what it reads and writes, and can be waited for without a buffer.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::listener::activity::Activity;
use crate::socket::stream::Socket;

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

    /// Whether a WebSocket is open on the connection. HTTP/2 only.
    pub(crate) fn has_websocket(&self) -> bool {
        self.activity.has_websocket()
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
        let count = buffer.filled().len() - before;
        self.activity.read(polled.is_ready(), count);
        self.has_ended |= polled.is_ready() && count == 0;
        polled
    }
}

impl<T: AsyncWrite + Unpin, H: Unpin> AsyncWrite for Watched<T, H> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buffer);
        self.activity.written(polled.is_ready());
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, buffers);
        self.activity.written(polled.is_ready());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        self.activity.flush_tried(matches!(polled, Poll::Ready(Ok(()))));
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.activity.closing();
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

//! Checks the first byte of a connection to a TLS listener, to detect clients that speak plain HTTP.
//!
//! Without this check, TLS would send an alert, which a browser shows as a connection error. The byte is checked when
//! TLS reads it, so this costs no additional read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use crate::listener::transport::Readable;
use crate::socket::stream::Socket;

/// Maximum size of the plain HTTP head that is read. Its content is only used for the error page and the access log.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Maximum time to wait for the rest of that head.
const HEAD_TIME_MAX: Duration = Duration::from_secs(2);

/// A socket under TLS.
#[derive(Debug)]
pub(crate) struct PlainHttpDetector {
    socket: Socket,
    has_looked: bool,
    /// The bytes from a client that speaks plain HTTP.
    plain: Vec<u8>,
}

impl PlainHttpDetector {
    /// Wraps a socket from which nothing was read yet.
    pub(crate) fn new(socket: Socket) -> Self {
        Self { socket, has_looked: false, plain: Vec::new() }
    }

    /// The head that a client has sent in plain HTTP, or the part of it that arrives within the limits of size and
    /// time. `None` if the client has not sent plain HTTP.
    pub(crate) async fn into_plain(self) -> Option<(Socket, Vec<u8>)> {
        let Self { mut socket, mut plain, .. } = self;
        if plain.is_empty() {
            return None;
        }
        let whole = async {
            while !has_end(&plain) && plain.len() < HEAD_BYTES_MAX && socket.read_buf(&mut plain).await? > 0 {}
            io::Result::Ok(())
        };
        // A client that sends nothing more also gets a response.
        let _ = timeout(HEAD_TIME_MAX, whole).await;
        Some((socket, plain))
    }
}

fn has_end(head: &[u8]) -> bool {
    [&b"\r\n\r\n"[..], b"\n\n"].into_iter().any(|end| memchr::memmem::find(head, end).is_some())
}

impl Readable for PlainHttpDetector {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_readable(cx)
    }

    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.socket.poll_discard(cx)
    }
}

impl AsyncRead for PlainHttpDetector {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.has_looked {
            return Pin::new(&mut self.socket).poll_read(cx, buffer);
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        self.has_looked = true;
        // HTTP methods begin with a capital letter. TLS begins with the content type of a record, 20 to 23 (RFC 8446
        // §5.1).
        let bytes = &buffer.filled()[before..];
        if bytes.first().is_some_and(u8::is_ascii_uppercase) {
            self.plain = bytes.to_vec();
            return Poll::Ready(Err(io::Error::other("plain HTTP")));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PlainHttpDetector {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

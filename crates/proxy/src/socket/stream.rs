//! A TCP connection with efficient writes.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A TCP connection to a client or to a target.
///
/// Nearly every message is written at once, as one TLS record or one request head. TLS and HTTP pass it as a list
/// with one element, which the kernel would handle with `writev`; `send` is faster.
#[derive(Debug)]
pub struct Socket(TcpStream);

impl Socket {
    /// Wraps a connected socket and disables delayed sending (`TCP_NODELAY`), because messages are written in one
    /// piece.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is already closed.
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Whether a read would block: no bytes, no end and no error. An available byte is lost.
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(self.0.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Reads without taking: the next read returns the same bytes. Cancel-safe.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is broken.
    pub(crate) async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.peek(buffer).await
    }

    /// Closes both directions at once. Reads and writes that wait end.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is already closed.
    pub(crate) fn abort(&self) -> io::Result<()> {
        SockRef::from(&self.0).shutdown(Shutdown::Both)
    }

    /// Ready when a read would return something or fail.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // The next read reports the error.
        self.0.poll_read_ready(cx).map(drop)
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match pieces {
            [piece] => Pin::new(&mut self.0).poll_write(cx, piece),
            pieces => Pin::new(&mut self.0).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn one_piece_and_several_arrive_as_they_were_written() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let stream = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
        let mut socket = Socket::new(stream).expect("a socket");
        let (mut other, _) = listener.accept().await.expect("accepts");
        assert!(socket.is_write_vectored());
        for pieces in [&[IoSlice::new(b"one")][..], &[IoSlice::new(b" t"), IoSlice::new(b"wo")]] {
            let expected: usize = pieces.iter().map(|piece| piece.len()).sum();
            assert_eq!(socket.write_vectored(pieces).await.expect("writes"), expected);
        }
        socket.shutdown().await.expect("ends");
        let mut text = String::new();
        other.read_to_string(&mut text).await.expect("reads");
        assert_eq!(text, "one two");
    }
}

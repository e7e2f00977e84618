//! A TCP connection, written to in the way that is cheapest for what is written; in `accept.rs`, where connections come from.

pub(crate) mod accept;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A TCP connection to a client or to a target.
///
/// Nearly every message goes out in one piece, be it a TLS record or a request's head. TLS and HTTP write it as a list of
/// one, which the kernel takes by its way for files (`writev`); `send` is the shorter one.
#[derive(Debug)]
pub(crate) struct Socket(TcpStream);

impl Socket {
    /// A connected socket, which sends at once what it is given: nothing of ours is written in pieces that would be worth
    /// waiting for.
    ///
    /// # Errors
    ///
    /// Where the connection is gone already.
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Whether a read would find nothing, neither bytes nor an end nor an error. A byte that is there is lost.
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(self.0.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Ready when a read would find something, or an error.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // An error is for the read to find.
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

//! WebSocket (RFC 6455): joins two byte streams after the target has said 101, until either ends, nothing moves, or the
//! session is over.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::drain::Draining;
use crate::message::body::SESSION_BEAT;
use crate::upstream::http1::connection::Connection;
use crate::upstream::http1::line::Line;

/// The stream to a target that has answered 101 (RFC 9110 §15.2.2).
#[derive(Debug)]
pub(crate) struct Switched {
    /// What came with the answer.
    first: Bytes,
    line: Line,
}

/// When a tunnel must end.
pub(crate) struct Bounds {
    /// The longest time in which neither side says anything.
    pub(crate) idle_timeout: Duration,
    /// Whether the session is over, by its time or by a sign-out: a socket does not outlive it (attacks W-03). Asked at a
    /// beat. `None` where nobody signed in.
    pub(crate) is_over: Option<Box<dyn Fn() -> bool>>,
}

impl Switched {
    pub(super) fn new(connection: Connection, first: Bytes) -> Self {
        Self { first, line: connection.line }
    }
}

/// Joins `client` and `target` when the client has switched protocols, too.
pub(crate) async fn join(client: OnUpgrade, mut target: Switched, bounds: Bounds, mut draining: Draining) {
    let Ok(client) = client.await else { return };
    let mut client = Timed::new(TokioIo::new(client));
    let moved = client.moved();
    // Whichever is first ends the tunnel; both streams are closed by being dropped.
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut target) => {}
        () = stands_still(moved, bounds.idle_timeout) => {}
        () = session_ends(bounds.is_over) => {}
        () = draining.stopping() => {}
    }
}

async fn session_ends(is_over: Option<Box<dyn Fn() -> bool>>) {
    let Some(is_over) = is_over else { return std::future::pending().await };
    while !is_over() {
        tokio::time::sleep(SESSION_BEAT).await;
    }
}

type Moves = std::rc::Rc<std::cell::Cell<u64>>;

/// Returns when nothing has moved for `timeout` (to twice that).
async fn stands_still(moved: Moves, timeout: Duration) {
    let mut seen = 0;
    loop {
        tokio::time::sleep(timeout).await;
        if moved.get() == seen {
            return;
        }
        seen = moved.get();
    }
}

/// Counts what moves on a stream, in either direction.
struct Timed<T> {
    inner: T,
    moves: Moves,
}

impl<T> Timed<T> {
    fn new(inner: T) -> Self {
        Self { inner, moves: Moves::new(std::cell::Cell::new(1)) }
    }

    fn moved(&self) -> Moves {
        Moves::clone(&self.moves)
    }

    fn count<R>(&self, polled: &Poll<R>) {
        if polled.is_ready() {
            self.moves.set(self.moves.get() + 1);
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Timed<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        self.count(&polled);
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Timed<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buffer);
        self.count(&polled);
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl AsyncRead for Switched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.line).poll_read(cx, buffer);
        }
        let length = self.first.len().min(buffer.remaining());
        buffer.put_slice(&self.first[..length]);
        self.first.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Switched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.line).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_shutdown(cx)
    }
}

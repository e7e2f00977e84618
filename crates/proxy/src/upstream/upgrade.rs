//! WebSocket (RFC 6455): joins two byte streams after the target has said 101, until either ends, nothing moves, or the
//! session is over.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::drain::Draining;
use crate::message::upgrade::Upgrade;
use crate::message::watch::{BoxError, Ending, Watch, WatchSlot};
use crate::upstream::error::Deregistered;
use crate::upstream::progress::Progress;
use crate::upstream::target_stream::TargetStream;
use crate::upstream::websocket::{Cause, Frames};
use crate::upstream::worker_target::InFlight;

/// A client and a target that open a WebSocket: the target has answered 101 (RFC 9110 §15.2.2).
#[derive(Debug)]
pub(crate) struct Switched {
    client: Upgrade,
    target: ToTarget,
    in_flight: InFlight,
}

/// The stream to a target after the head of its response.
#[derive(Debug)]
struct ToTarget {
    /// Bytes that arrived after the head of the response.
    first: Bytes,
    stream: TargetStream,
}

/// When a tunnel must end.
pub(crate) struct Bounds {
    /// Maximum time without a byte from either side.
    pub(crate) idle_timeout: Duration,
    /// Becomes ready when the session of the user is over, with the reason: a WebSocket must not outlive it (attacks W-03). `None` without a
    /// session.
    pub(crate) session_over: Option<Pin<Box<dyn Future<Output = BoxError>>>>,
    /// Gets what records the exchange when the client has got its 101. It is told how the tunnel ends.
    pub(crate) record: WatchSlot,
}

impl Switched {
    /// `first` are the bytes that were read after the head of the response.
    pub(super) fn new(client: Upgrade, stream: TargetStream, first: Bytes, in_flight: InFlight) -> Self {
        // A tunnel ends with a closing frame.
        stream.leave_to_owner();
        Self { client, target: ToTarget { first, stream }, in_flight }
    }
}

/// Maximum time for the closing handshake when Vestibule closes the tunnel: the client answers the closing frame, then
/// the target closes.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(5);
/// The same limit if the session has ended or the client was silent for too long.
const CLOSE_TIME_MAX_SHORT: Duration = Duration::from_secs(1);

/// Forwards bytes between the client and the target, once the client has switched protocols, too.
///
/// When the process stops, Vestibule sends a closing frame to the client. The client answers with a closing frame,
/// which is forwarded to the target, and the target answers it. Until then, data from both ends is still forwarded, as
/// far as the protocol allows (docs/decisions/0012).
pub(crate) async fn join(switched: Switched, bounds: Bounds, mut draining: Draining) {
    let Switched { client, target, in_flight } = switched;
    let mut recording = Recording { record: bounds.record, bytes: Rc::default() };
    let Some(client) = client.opened().await else { return };
    let mut tunnel = Tunnel::new(client, target);
    recording.bytes = Rc::clone(&tunnel.to_client.bytes);
    let moves = tunnel.moves.clone();
    let session_over = bounds.session_over.unwrap_or_else(|| Box::pin(std::future::pending()));
    // Cancel-safe: bytes that a `Direction` has read and not written stay in its buffer.
    let (cause, error) = tokio::select! {
        () = poll_fn(|cx| tunnel.poll(cx)) => return recording.end(Ending::Complete),
        () = moves.stands_still(bounds.idle_timeout) => (Cause::Idle, None),
        over = session_over => (Cause::SessionOver, Some(over)),
        () = in_flight.cut() => (Cause::Deregistered, Some(Deregistered.into())),
        () = draining.stopping() => (Cause::Stopping, None),
    };
    let is_closed = tokio::select! {
        // Nothing more is read or written. The streams are closed.
        () = draining.cut() => false,
        () = close(&mut tunnel, cause) => true,
    };
    match error {
        Some(error) => recording.end(Ending::BrokenOff(&error)),
        // Over HTTP/2, the connection is cut at the same moment. That looks as if the client had left, and can be seen first.
        None if is_closed && !draining.is_cut() => recording.end(Ending::Complete),
        None => {}
    }
}

/// Closes both ends with a closing frame. Takes a bounded time.
async fn close<C: AsyncRead + AsyncWrite + Unpin>(tunnel: &mut Tunnel<C>, cause: Cause) {
    tunnel.to_client.close(cause.to_client());
    if cause == Cause::Stopping && tokio::time::timeout(CLOSE_TIME_MAX, poll_fn(|cx| tunnel.poll(cx))).await.is_ok() {
        return;
    }
    tunnel.to_target.close(cause.to_target());
    let _ = tokio::time::timeout(CLOSE_TIME_MAX_SHORT, poll_fn(|cx| tunnel.poll(cx))).await;
}

/// Records the tunnel when it ends, also if its task is dropped.
struct Recording {
    record: WatchSlot,
    /// Bytes that were written to the client.
    bytes: Rc<Cell<u64>>,
}

impl Recording {
    fn end(self, ending: Ending<'_>) {
        if let Some(mut watcher) = self.take() {
            watcher.ended(ending);
        }
    }

    fn take(&self) -> Option<Box<dyn Watch>> {
        let mut watcher = self.record.take()?;
        watcher.data(usize::try_from(self.bytes.get()).unwrap_or(usize::MAX));
        Some(watcher)
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // A watcher that is dropped knows that the tunnel was cut.
        drop(self.take());
    }
}

/// Two byte streams. The bytes of each are forwarded to the other.
struct Tunnel<C> {
    client: C,
    target: ToTarget,
    to_target: Direction,
    to_client: Direction,
    moves: Progress,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Tunnel<C> {
    fn new(client: C, target: ToTarget) -> Self {
        let moves = Progress::default();
        let direction = || Direction::new(moves.clone());
        Self { client, target, to_target: direction(), to_client: direction(), moves }
    }

    /// Ready when both ends have closed, or when one of them fails.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let up = self.to_target.poll(cx, &mut self.client, &mut self.target);
        let down = self.to_client.poll(cx, &mut self.target, &mut self.client);
        match (up, down) {
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) | (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => {
                Poll::Ready(())
            }
            _ => Poll::Pending,
        }
    }
}

/// Size of the buffer of one [`Direction`]: maximum number of bytes that are read and not written yet.
const BUFFER_BYTES: usize = 8 * 1024;

/// One direction of a tunnel.
struct Direction {
    buffer: Box<[u8]>,
    /// The part of `buffer` that is not written yet.
    pending: Range<usize>,
    frames: Frames,
    /// Our own closing frame. `closing_written` counts its written bytes. It is sent between two frames. Bytes that
    /// arrive after it was sent are read and dropped.
    closing: Option<Vec<u8>>,
    closing_written: usize,
    progress: Phase,
    moves: Progress,
    /// Bytes that were written.
    bytes: Rc<Cell<u64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The sender may send more bytes.
    Open,
    /// The sender has closed. The receiver is not told yet.
    Ended,
    /// The receiver was told that the sender has closed.
    Over,
}

impl Direction {
    fn new(moves: Progress) -> Self {
        Self {
            buffer: vec![0; BUFFER_BYTES].into(),
            pending: 0..0,
            frames: Frames::default(),
            closing: None,
            closing_written: 0,
            progress: Phase::Open,
            moves,
            bytes: Rc::default(),
        }
    }

    /// Sends `frame` after the frame that is being sent, unless the sender has closed already.
    fn close(&mut self, frame: Vec<u8>) {
        if !self.frames.has_closed() {
            self.closing = Some(frame);
        }
    }

    /// Ready when the receiver was told that the sender has closed.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_pending(cx, to))?;
            match self.progress {
                Phase::Open => {}
                Phase::Ended => {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.progress = Phase::Over;
                }
                Phase::Over => return Poll::Ready(Ok(())),
            }
            if self.progress == Phase::Over {
                continue;
            }
            let mut read = ReadBuf::new(&mut self.buffer);
            match Pin::new(&mut *from).poll_read(cx, &mut read)? {
                Poll::Ready(()) if read.filled().is_empty() => self.progress = Phase::Ended,
                Poll::Ready(()) => {
                    self.pending = 0..read.filled().len();
                    self.moved();
                }
                Poll::Pending => {
                    ready!(Pin::new(&mut *to).poll_flush(cx))?;
                    return Poll::Pending;
                }
            }
        }
    }

    /// Writes the bytes that were read. Writes our own closing frame at the next boundary between frames.
    fn poll_pending(&mut self, cx: &mut Context<'_>, to: &mut (impl AsyncWrite + Unpin)) -> Poll<io::Result<()>> {
        loop {
            if let Some(closing) = &self.closing
                && self.frames.is_between()
            {
                while self.closing_written < closing.len() {
                    let rest = &closing[self.closing_written..];
                    let written = ready!(Pin::new(&mut *to).poll_write(cx, rest))?;
                    self.closing_written += written;
                    self.bytes.set(self.bytes.get() + written as u64);
                }
                // RFC 6455 §5.5.1: nothing may be sent after a closing frame.
                self.pending = 0..0;
                return Poll::Ready(Ok(()));
            }
            if self.pending.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let mut bytes = &self.buffer[self.pending.clone()];
            if self.closing.is_some() {
                // Write up to the end of the current frame. Below, `frames` is given only the bytes that were really
                // written.
                let mut ahead = self.frames.clone();
                bytes = &bytes[..ahead.pass_to_boundary(bytes)];
            }
            let written = ready!(Pin::new(&mut *to).poll_write(cx, bytes))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.frames.pass(&bytes[..written]);
            self.pending.start += written;
            self.bytes.set(self.bytes.get() + written as u64);
            self.moved();
        }
    }

    fn moved(&self) {
        self.moves.moved();
    }
}

impl AsyncRead for ToTarget {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let length = self.first.len().min(buffer.remaining());
        buffer.put_slice(&self.first[..length]);
        self.first.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ToTarget {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

//! One connection of a worker to a target, on which many requests are under way.

use std::cell::{Cell, RefCell};
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use h2::client::SendRequest;

use crate::clock::Clock;
use crate::drain;
use crate::upstream::error::{Deregistered, Error};
use crate::upstream::http1::malformed::HEAD_BYTES_MAX;
use crate::upstream::http2::cancelled::Cancelled;
use crate::upstream::http2::malformed::Malformed;
use crate::upstream::target_stream::TargetStream;

/// Maximum number of requests under way on one connection. A target may set a lower maximum. With more requests, there are
/// more connections.
pub(super) const STREAMS_MAX: usize = 100;

/// How many bytes of one answer a target may send before the client has taken the first.
const STREAM_WINDOW_BYTES: u32 = 128 * 1024;

/// The same for all answers on a connection. It is enough for all streams, so a client that takes nothing holds up no other.
const CONNECTION_WINDOW_BYTES: u32 = STREAM_WINDOW_BYTES * STREAMS_MAX as u32;

/// What the DATA frames of a connection may cost that clients have not taken. Each costs what it has less than 256 bytes, which is what
/// `h2` needs beside its bytes. With more, `h2` ends the connection and all requests on it. So it is enough for one answer in frames of one
/// byte.
const SMALL_FRAMES_BYTES_MAX: usize = STREAM_WINDOW_BYTES as usize * 256;

/// How many requests that clients have cancelled are remembered for a second. Answers to them may be on their way, and are ignored.
const CANCELLED_MAX: usize = 10 * STREAMS_MAX;

/// How many frames a target may send on streams that are forgotten, and how many answers that are not valid. Each is answered by a reset.
/// With more, `h2` ends the connection and all requests on it. The default would let a client that cancels much do that. It is the bound
/// of the resets that wait for a target that does not read.
const RESETS_MAX: usize = 32 * 1024;

/// A connection whose target has said how many requests it accepts at once.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: RefCell<SendRequest<Bytes>>,
    /// Says whether we have ended the connection ourselves.
    stream: TargetStream,
    cancelled: Rc<Cancelled<Slot>>,
    /// Requests under way.
    open: Cell<usize>,
    idle_since: Cell<Instant>,
    /// No new requests: one could not be sent, or was not answered in time.
    is_retired: Cell<bool>,
    clock: Clock,
}

impl Connection {
    /// Begins HTTP/2 on `stream`, with prior knowledge (RFC 9113 §3.3). Returns when the target has sent its settings: before, nobody
    /// knows how many streams it accepts. Starts the task that serves the connection.
    ///
    /// # Errors
    ///
    /// [`Error::Reset`] if the connection ends before, [`Error::Malformed`] if the target speaks something else.
    pub(crate) async fn open(stream: TargetStream, clock: Clock) -> Result<Rc<Self>, Error> {
        let mut builder = h2::client::Builder::new();
        builder
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .data_frame_budget(SMALL_FRAMES_BYTES_MAX)
            .max_concurrent_reset_streams(CANCELLED_MAX)
            .max_local_error_reset_streams(Some(RESETS_MAX))
            .max_header_list_size(HEAD_BYTES_MAX as u32)
            // A number of its own, that says that no settings have arrived.
            .initial_max_send_streams(0)
            .enable_push(false);
        let (sender, mut driver) =
            builder.handshake(stream.clone()).await.map_err(|error| not_begun(error, &stream))?;
        poll_fn(|cx| {
            let ended = Pin::new(&mut driver).poll(cx);
            if driver.max_concurrent_send_streams() > 0 {
                return Poll::Ready(Ok(()));
            }
            ended.map(|ended| ended.and(Err(h2::Reason::NO_ERROR.into())))
        })
        .await
        .map_err(|error| not_begun(error, &stream))?;
        // It ends when the connection is dropped and the last request has ended, or when the target closes it.
        let cancelled = Cancelled::new();
        let resets = Resets(Rc::clone(&cancelled));
        drain::background(async move {
            tokio::select! {
                ended = driver => if let Err(error) = ended {
                    tracing::debug!(error = %error, "a connection to a target has ended");
                },
                () = resets.0.reset() => {}
            }
        });
        let idle_since = Cell::new(clock.instant());
        let (open, is_retired) = (Cell::new(0), Cell::new(false));
        Ok(Rc::new(Self { sender: RefCell::new(sender), stream, cancelled, open, idle_since, is_retired, clock }))
    }

    /// Takes room for a request. `None` if there is none.
    pub(super) fn take(self: &Rc<Self>) -> Option<Slot> {
        let has_room = self.is_usable() && {
            let max = self.sender.borrow().current_max_send_streams();
            self.open.get() < max.min(STREAMS_MAX)
        };
        has_room.then(|| {
            self.open.set(self.open.get() + 1);
            Slot(Rc::clone(self))
        })
    }

    /// Whether another request can be sent: the target has not closed the connection, and has not announced that it will (GOAWAY).
    pub(super) fn is_usable(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        !self.is_retired.get() && matches!(self.sender.borrow_mut().poll_ready(&mut cx), Poll::Ready(Ok(())))
    }

    /// For how long no request has been under way. `None` if one is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        (self.open.get() == 0).then(|| self.idle_since.get())
    }

    /// Whether we have ended the connection, because its target has left the group.
    pub(super) fn is_cut(&self) -> bool {
        self.stream.is_cut()
    }

    /// The error of a request on this connection, before its answer.
    pub(super) fn error_of(&self, error: h2::Error) -> Error {
        if self.is_cut() {
            return Deregistered.into();
        }
        // RFC 9113 §8.7: the target has not processed the request. So may be said of a stream above the last one of a GOAWAY, which is
        // what `h2` reports so, and of a request that never left.
        let is_unprocessed =
            error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM));
        if is_unprocessed {
            return Error::Refused(error);
        }
        match error.reason() {
            Some(reason) if error.is_library() => Error::MalformedHttp2(Malformed::Protocol(reason)),
            _ => Error::Reset(std::io::Error::other(error)),
        }
    }
}

/// Why HTTP/2 could not begin.
fn not_begun(error: h2::Error, stream: &TargetStream) -> Error {
    if stream.is_cut() {
        return Deregistered.into();
    }
    if error.is_library() {
        return Error::MalformedHttp2(Malformed::NotHttp2);
    }
    Error::Reset(std::io::Error::other(error))
}

/// Resets cancelled requests as long as the connection is served.
struct Resets(Rc<Cancelled<Slot>>);

impl Drop for Resets {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Room for one request on a connection. Given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot(Rc<Connection>);

impl Slot {
    /// The connection.
    pub(super) fn connection(&self) -> &Connection {
        &self.0
    }

    /// Where a request goes that its client has cancelled.
    pub(super) fn cancelled(&self) -> &Rc<Cancelled<Slot>> {
        &self.0.cancelled
    }

    /// What sends one request.
    pub(super) fn sender(&self) -> SendRequest<Bytes> {
        self.0.sender.borrow().clone()
    }

    /// Takes no further request on the connection: this one could not be sent, or was not answered in time.
    pub(super) fn retire(&self) {
        self.0.is_retired.set(true);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        if self.0.open.get() == 0 {
            self.0.idle_since.set(self.0.clock.instant());
        }
    }
}

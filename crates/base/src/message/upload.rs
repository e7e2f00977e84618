//! Reads a request's body from a client's connection, and discards the rest of a body that is no longer needed.
//!
//! An exchange can end before the whole request has arrived: a gate refuses it, or the target answers early. The rest of the
//! body is then read and discarded, within limits. Closing the connection instead could destroy the answer: the kernel
//! resets a connection that is closed with unread bytes, and the client's kernel then drops data that the client has
//! received and not yet read (RFC 9112 §9.6).

use std::cell::{Cell, RefCell};
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Version;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::message::watch::{BoxError, Ending, Malformed, Watch};

/// Maximum number of bytes of one request that are read and discarded.
const DISCARD_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Maximum time for which the rest of one request is read. nginx has the same default for `lingering_time`.
const DISCARD_TIME_MAX: Duration = Duration::from_secs(30);
/// Reading stops if a client sends nothing for this duration (up to twice as long). nginx has the same default for
/// `lingering_timeout`.
const DISCARD_QUIET_MAX: Duration = Duration::from_secs(5);

/// The client reset the stream in the middle of the body.
#[derive(Debug, thiserror::Error)]
#[error("the client reset the stream in the middle of the body")]
struct CutShort;

/// The request bodies of one connection.
#[derive(Clone, Default)]
pub struct Uploads(Rc<ConnectionBodies>);

#[derive(Default)]
struct ConnectionBodies {
    /// The number of bodies that have not ended, including those in `discards`.
    open: Cell<usize>,
    /// Bodies that are read and discarded.
    discards: RefCell<Vec<DiscardedBody>>,
    /// Wakes the connection's task.
    waker: RefCell<Option<Waker>>,
}

/// One request's body. If it is dropped before its end, the connection's task reads and discards the rest.
pub struct Upload {
    /// `None` after the body has ended or was handed over to the connection's task.
    open: Option<OpenBody>,
    /// Whether the client waits for 100 (Continue) before it sends the body (RFC 9110 §10.1.1).
    awaits_continue: bool,
    uploads: Uploads,
}

/// A body that has not ended.
struct OpenBody {
    incoming: Incoming,
    /// HTTP/2 marks the end of a body with a flag. A body that stops without the flag was cut short.
    is_http2: bool,
    /// Is told how the body ends, whether it is read or discarded.
    watch: Box<dyn Watch>,
}

/// A body that is read and discarded.
struct DiscardedBody {
    body: OpenBody,
    bytes_left: u64,
    has_moved: bool,
    /// Created when it is first polled, because a body may be dropped outside the runtime when the runtime shuts down.
    timer: Option<Timer>,
}

struct Timer {
    ends_at: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Uploads {
    /// The body of a request. `watch` is told how the body ends. It is dropped without a call if the body was cut short.
    pub fn begin(&self, incoming: Incoming, version: Version, awaits_continue: bool, watch: Box<dyn Watch>) -> Upload {
        self.0.open.set(self.0.open.get() + 1);
        let open = Some(OpenBody { incoming, is_http2: version == Version::HTTP_2, watch });
        Upload { open, awaits_continue, uploads: self.clone() }
    }

    /// Reads and discards the bodies that are no longer needed. The connection's task calls this after all other work.
    pub fn poll_discards(&self, cx: &mut Context<'_>) {
        if self.0.open.get() == 0 {
            return;
        }
        // Other tasks drop bodies too, for example the task that sends the rest of an upload to its target.
        let mut waker = self.0.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        drop(waker);
        let mut discards = self.0.discards.borrow_mut();
        discards.retain_mut(|discard| {
            let is_over = discard.poll(cx).is_ready();
            if is_over {
                self.ended();
            }
            !is_over
        });
    }

    fn discard(&self, body: OpenBody) {
        let discard = DiscardedBody { body, bytes_left: DISCARD_BYTES_MAX, has_moved: false, timer: None };
        self.0.discards.borrow_mut().push(discard);
        if let Some(waker) = &*self.0.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    fn ended(&self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

impl OpenBody {
    /// The next frame. No frame follows an error or `None`.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(cx)).transpose().map_err(cause)?;
        // hyper reports a stream that was reset with NO_ERROR as ended. But the body is not complete (attacks G-04).
        if frame.is_none() && self.is_http2 && !self.incoming.is_end_stream() {
            return Poll::Ready(Some(Err(CutShort.into())));
        }
        Poll::Ready(frame.map(Ok))
    }

    /// Whether the last frame that was read was the end of the body.
    fn is_over(&self) -> bool {
        self.incoming.is_end_stream()
    }
}

/// Distinguishes data that is not valid HTTP from a client that closed the connection. hyper's error has an I/O error as
/// its source, and the kind of that error tells them apart.
fn cause(error: hyper::Error) -> BoxError {
    let mut source = std::error::Error::source(&error);
    while let Some(within) = source {
        if let Some(io) = within.downcast_ref::<io::Error>() {
            return match io.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Malformed(error.into()).into(),
                _ => error.into(),
            };
        }
        source = within.source();
    }
    error.into()
}

impl Upload {
    /// The next frame.
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.awaits_continue = false;
        let Some(open) = &mut self.open else { return Poll::Ready(None) };
        let frame = ready!(open.poll_frame(cx));
        match &frame {
            Some(Ok(_)) if !open.is_over() => {}
            Some(Ok(_)) | None => self.end(Some(Ending::Complete)),
            Some(Err(_)) => self.end(None),
        }
        Poll::Ready(frame)
    }

    fn end(&mut self, ending: Option<Ending<'_>>) {
        let Some(mut open) = self.open.take() else { return };
        if let Some(ending) = ending {
            open.watch.ended(ending);
        }
        self.uploads.ended();
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.open.as_ref().is_none_or(OpenBody::is_over)
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.open.as_ref().map_or_else(|| SizeHint::with_exact(0), |open| open.incoming.size_hint())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // Reading would send 100 (Continue), and the client would begin to send the body.
        if self.awaits_continue {
            self.end(None);
        } else if let Some(open) = self.open.take() {
            self.uploads.discard(open);
        }
    }
}

impl DiscardedBody {
    /// Ready when the body has ended, or when a limit is reached.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(frame) = self.body.poll_frame(cx) {
            let Some(Ok(frame)) = frame else {
                if frame.is_none() {
                    self.body.watch.ended(Ending::Complete);
                }
                return Poll::Ready(());
            };
            let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
            if bytes > self.bytes_left {
                return Poll::Ready(());
            }
            self.bytes_left -= bytes;
            self.has_moved = true;
            if self.body.is_over() {
                self.body.watch.ended(Ending::Complete);
                return Poll::Ready(());
            }
        }
        let timer = self.timer.get_or_insert_with(Timer::new);
        loop {
            ready!(timer.sleep.as_mut().poll(cx));
            let now = Instant::now();
            if now >= timer.ends_at || !std::mem::take(&mut self.has_moved) {
                return Poll::Ready(());
            }
            timer.sleep.as_mut().reset(timer.ends_at.min(now + DISCARD_QUIET_MAX));
        }
    }
}

impl Timer {
    fn new() -> Self {
        let now = Instant::now();
        Self { ends_at: now + DISCARD_TIME_MAX, sleep: Box::pin(tokio::time::sleep_until(now + DISCARD_QUIET_MAX)) }
    }
}

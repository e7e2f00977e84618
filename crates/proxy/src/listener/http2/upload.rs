//! The body of a request, and how the rest of an unwanted body is discarded.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Frame, SizeHint};

use crate::listener::activity::Activity;
use crate::message::BoxError;

/// Maximum number of bytes that are read and discarded after an early response.
const DISCARDED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A request body that is being received from a client.
#[derive(Debug)]
pub(crate) struct Upload {
    /// `None` after the end of the body.
    stream: Option<RecvStream>,
    /// Bytes still to come according to `Content-Length`. `None` without that field.
    left: Option<u64>,
    /// All data was read. Trailers may follow.
    is_data_over: bool,
    /// The client waits for 100 (Continue) before it sends anything (RFC 9110 §10.1.1).
    awaits_continue: bool,
    rest: Rc<Rest>,
    activity: Arc<Activity>,
}

/// The state of an upload, shared with the exchange that it belongs to.
#[derive(Debug)]
pub(crate) struct Rest {
    state: RefCell<State>,
    /// The body is being read, and the client waits for 100 (Continue) before sending it.
    is_asked_for: Cell<bool>,
}

#[derive(Debug)]
enum State {
    /// The body is being read, or may still be read.
    Wanted(Option<Waker>),
    /// The body was dropped before its end: nobody will read the rest.
    Unwanted { stream: RecvStream, discarded: usize },
    /// The body has ended.
    Over,
}

/// Whether an upload is still being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The upload is still being read.
    Wanted,
    /// The rest of the upload is discarded, or the upload has ended.
    Unwanted,
}

impl Upload {
    /// Creates the body of `stream`. `length` is the value of `Content-Length`.
    pub(crate) fn new(
        stream: RecvStream,
        length: Option<u64>,
        awaits_continue: bool,
        activity: Arc<Activity>,
    ) -> (Self, Rc<Rest>) {
        let rest = Rc::new(Rest { state: RefCell::new(State::Wanted(None)), is_asked_for: Cell::new(false) });
        let shared = Rc::clone(&rest);
        let stream = Some(stream);
        (Self { stream, left: length, is_data_over: false, awaits_continue, rest: shared, activity }, rest)
    }
}

/// What a client sends into a WebSocket. Here, unlike in a body, the reader says when the bytes were used.
impl Upload {
    /// The next data. Its bytes count for the stream's window until [`release`](Self::release). `None` at the end.
    pub(super) fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(None) };
        let data = ready!(stream.poll_data(cx));
        if data.is_some() {
            self.activity.progressed();
        }
        Poll::Ready(data)
    }

    /// The client may send that many bytes more.
    pub(super) fn release(&mut self, bytes: usize) {
        if let Some(stream) = &mut self.stream {
            // This only fails for more bytes than were received.
            let _ = stream.flow_control().release_capacity(bytes);
        }
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Some(stream) = &mut this.stream else { return Poll::Ready(None) };
        if !this.is_data_over {
            let polled = stream.poll_data(cx);
            // If data has already arrived, the client did not wait for 100 (Continue).
            if std::mem::take(&mut this.awaits_continue) && polled.is_pending() {
                this.rest.is_asked_for.set(true);
            }
            match ready!(polled) {
                Some(Ok(data)) => {
                    // This only fails for more bytes than were received, so it cannot fail here.
                    let _ = stream.flow_control().release_capacity(data.len());
                    this.left = this.left.map(|left| left.saturating_sub(data.len() as u64));
                    this.activity.progressed();
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                // A reset with NO_ERROR is an error, too: the request has ended but is incomplete (attacks G-04).
                Some(Err(error)) => {
                    this.stream = None;
                    return Poll::Ready(Some(Err(error.into())));
                }
                None => this.is_data_over = true,
            }
        }
        let trailers = ready!(stream.poll_trailers(cx));
        this.stream = None;
        Poll::Ready(trailers.map_err(BoxError::from).transpose().map(|trailers| trailers.map(Frame::trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.as_ref().is_none_or(RecvStream::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let next = match self.stream.take() {
            Some(stream) if !stream.is_end_stream() => State::Unwanted { stream, discarded: 0 },
            _ => State::Over,
        };
        if let State::Wanted(Some(waker)) = self.rest.state.replace(next) {
            waker.wake();
        }
    }
}

impl Rest {
    /// Reads and discards the rest of the upload. Ready when the client has ended its upload, or when the limit is
    /// reached.
    pub(crate) fn poll_discard(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.borrow_mut();
        let State::Unwanted { stream, discarded } = &mut *state else {
            if let State::Wanted(waker) = &mut *state {
                *waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            return Poll::Ready(());
        };
        while *discarded <= DISCARDED_BYTES_MAX {
            let Some(Ok(data)) = ready!(stream.poll_data(cx)) else {
                *state = State::Over;
                break;
            };
            *discarded += data.len();
            let _ = stream.flow_control().release_capacity(data.len());
        }
        Poll::Ready(())
    }

    /// Whether 100 (Continue) should be sent. Returns true only once.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.is_asked_for.take()
    }

    pub(crate) fn stage(&self) -> Stage {
        if matches!(*self.state.borrow(), State::Wanted(_)) { Stage::Wanted } else { Stage::Unwanted }
    }
}

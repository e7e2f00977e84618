//! The body of a request, and what is done with the rest of one that nobody wants.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Frame, SizeHint};

use crate::listener::watchdog::Activity;
use crate::message::BoxError;

/// What is read of an upload and discarded after it was answered early.
const DISCARDED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A body on its way from a client.
#[derive(Debug)]
pub(crate) struct Upload {
    /// Gone when the body is over.
    stream: Option<RecvStream>,
    /// What the head says is to come, where it does.
    left: Option<u64>,
    /// The data is over; trailers may come.
    is_data_over: bool,
    /// The client waits for 100 (Continue) before it sends anything (RFC 9110 §10.1.1).
    awaits_continue: bool,
    rest: Rc<Rest>,
    activity: Arc<Activity>,
}

/// Where an upload is, as seen by the exchange that it belongs to.
#[derive(Debug)]
pub(crate) struct Rest {
    state: RefCell<State>,
    /// Somebody wants what the client sends only when it is told to go on.
    is_asked_for: Cell<bool>,
}

#[derive(Debug)]
enum State {
    /// Somebody reads it, or will.
    Wanted(Option<Waker>),
    /// Nobody will read it, and it has not ended.
    Unwanted { stream: RecvStream, discarded: usize },
    /// It has ended.
    Over,
}

/// How far the rest of an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Somebody still reads it.
    Wanted,
    /// It is being discarded.
    Unwanted,
}

impl Upload {
    /// The body that `stream` carries, of `length` bytes where the head says so.
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

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Some(stream) = &mut this.stream else { return Poll::Ready(None) };
        if !this.is_data_over {
            let polled = stream.poll_data(cx);
            // Where some of it is there already, the client did not wait.
            if std::mem::take(&mut this.awaits_continue) && polled.is_pending() {
                this.rest.is_asked_for.set(true);
            }
            match ready!(polled) {
                Some(Ok(data)) => {
                    // Fails for more than was received, which this is not.
                    let _ = stream.flow_control().release_capacity(data.len());
                    this.left = this.left.map(|left| left.saturating_sub(data.len() as u64));
                    this.activity.progressed();
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                // Also a reset with NO_ERROR: the request is over, and not whole (attacks G-04).
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
    /// Reads on and discards. Ready when the client has ended its upload, or the bound is reached.
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

    /// Whether the client is to be told to go on. Once.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.is_asked_for.take()
    }

    pub(crate) fn stage(&self) -> Stage {
        if matches!(*self.state.borrow(), State::Wanted(_)) { Stage::Wanted } else { Stage::Unwanted }
    }
}

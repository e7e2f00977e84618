//! The body of an answer over HTTP/2, with its trailers. It is read from the stream while it is sent to the client.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http_body::{Frame, SizeHint};
use tokio::sync::oneshot;
use tokio::time::Sleep;

use crate::message::BoxError;
use crate::message::body::Body;
use crate::message::body::limits::StoodStill;
use crate::message::grpc::{self, Status};
use crate::message::watch::Malformed;
use crate::upstream::error::Deregistered;
use crate::upstream::http2::connection::Slot;
use crate::upstream::http2::deadline::Deadline;
use crate::upstream::http2::malformed;
use crate::upstream::http2::received::Answer;
use crate::upstream::progress::Progress;
use crate::upstream::worker_target::InFlight;

/// Where a body comes from.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) answer: Answer,
    pub(super) slot: Slot,
    pub(super) _in_flight: InFlight,
    /// The rest of the request, which goes on after the end of the answer. It is given the room of the request then.
    pub(super) upload: Option<oneshot::Sender<Slot>>,
}

/// A body on its way from a target.
#[derive(Debug)]
struct ResponseBody {
    /// `None` after the end of the body.
    source: Option<Source>,
    /// Data that was given on, and for which the target gets room when the next is asked for.
    taken: usize,
    /// What arrived before the head was sent to the client.
    first: Option<Frame<Bytes>>,
    progress: Progress,
    timeout: Duration,
    /// Set while the body is waited for, with what had moved when it was set.
    timer: Option<(u64, Pin<Box<Sleep>>)>,
    deadline: Option<Deadline>,
    deadline_timer: Option<Pin<Box<Sleep>>>,
}

const DEADLINE_EXCEEDED: &str = "the target did not end the call within its grpc-timeout";

fn deadline_exceeded() -> Frame<Bytes> {
    Frame::trailers(grpc::trailers(Status::DeadlineExceeded, DEADLINE_EXCEEDED))
}

/// The body that `source` gives.
///
/// # Errors
///
/// Returns an error if the stream is reset before any byte was sent to the client.
pub(super) async fn body(
    source: Source,
    progress: Progress,
    timeout: Duration,
    deadline: Option<Deadline>,
) -> Result<Body, BoxError> {
    if source.answer.is_over() {
        source.end();
        return Ok(Body::empty());
    }
    let mut body = ResponseBody {
        source: Some(source),
        taken: 0,
        first: None,
        progress,
        timeout,
        timer: None,
        deadline,
        deadline_timer: None,
    };
    let mut first = poll_fn(|cx| Poll::Ready(body.poll_received(cx))).await;
    if first.is_pending() {
        // Usually the body follows the head at once.
        tokio::task::yield_now().await;
        first = poll_fn(|cx| Poll::Ready(body.poll_received(cx))).await;
    }
    if let Poll::Ready(first) = first {
        body.first = first?;
    }
    Ok(body.into_body())
}

impl Source {
    /// The answer is complete. The rest of the request goes on.
    fn end(self) {
        if let Some(upload) = self.upload {
            // An error means that it has ended already.
            let _ = upload.send(self.slot);
        }
    }
}

impl ResponseBody {
    /// A body in memory if all of it has arrived, otherwise one that streams.
    fn into_body(mut self) -> Body {
        if let Some(source) = self.source.take() {
            self.source = Some(Source { answer: source.answer.receive(), ..source });
            return Body::streaming(self);
        }
        match self.first.take().map(Frame::into_data) {
            Some(Ok(data)) => Body::full(data),
            Some(Err(trailers)) => {
                self.first = Some(trailers);
                Body::streaming(self)
            }
            None => Body::empty(),
        }
    }

    fn end(&mut self) {
        if let Some(source) = self.source.take() {
            source.end();
        }
    }

    /// What the target has sent.
    fn poll_received(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, BoxError>> {
        let taken = std::mem::take(&mut self.taken);
        let Some(source) = &mut self.source else { return Poll::Ready(Ok(None)) };
        if taken > 0 {
            source.answer.release(taken);
        }
        let frame = match ready!(source.answer.poll_frame(cx)) {
            Ok(frame) => frame,
            Err(error) => return Poll::Ready(Err(source.cause(error))),
        };
        self.taken = frame.as_ref().and_then(Frame::data_ref).map_or(0, Bytes::len);
        self.progress.moved();
        let is_last = frame.as_ref().is_none_or(Frame::is_trailers);
        if is_last || source.answer.is_over() {
            self.end();
        }
        Poll::Ready(Ok(frame))
    }

    /// Ready with the end of a body that has waited for too long.
    fn poll_limits(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, BoxError>> {
        if let Some(deadline) = self.deadline {
            let timer = self.deadline_timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.at())));
            if timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(Some(deadline_exceeded())));
            }
        }
        let (timeout, seen) = (self.timeout, self.progress.seen());
        let (before, timer) = self.timer.get_or_insert_with(|| (seen, Box::pin(tokio::time::sleep(timeout))));
        while timer.as_mut().poll(cx).is_ready() {
            if *before == seen {
                return Poll::Ready(Err(StoodStill::new(timeout).into()));
            }
            *before = seen;
            timer.as_mut().reset(tokio::time::Instant::now() + timeout);
        }
        Poll::Pending
    }
}

impl Source {
    /// The error of the body that says who ended the stream.
    fn cause(&self, error: h2::Error) -> BoxError {
        if self.slot.connection().is_cut() {
            return Deregistered.into();
        }
        match error.reason() {
            Some(reason) if error.is_library() => Malformed(malformed::Malformed::Protocol(reason).into()).into(),
            Some(Reason::CANCEL | Reason::NO_ERROR) | None => {
                io::Error::new(io::ErrorKind::UnexpectedEof, error).into()
            }
            Some(_) => error.into(),
        }
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if self.source.is_none() {
            return Poll::Ready(None);
        }
        let received = match self.poll_received(cx) {
            Poll::Ready(received) => {
                self.timer = None;
                received
            }
            Poll::Pending => {
                let ended = ready!(self.poll_limits(cx));
                // Dropping the stream resets it.
                self.source = None;
                ended
            }
        };
        if received.is_err() {
            self.source = None;
            // The target has the same deadline, and resets the stream then.
            if self.deadline.is_some_and(Deadline::has_come) {
                return Poll::Ready(Some(Ok(deadline_exceeded())));
            }
        }
        Poll::Ready(received.transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_none() && self.first.is_none()
    }

    /// Unknown, although the head may have a length: over HTTP/2 a body of known length can have trailers, and they are filtered.
    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

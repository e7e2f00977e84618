//! The body of a target's response. It is read from the connection while it is sent to the client.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::message::BoxError;
use crate::message::body::Body;
use crate::message::watch::Malformed;
use crate::upstream::error::{self, Deregistered};
use crate::upstream::http1::connection::Connection;
use crate::upstream::http1::decoder::{Decoded, Decoder};
use crate::upstream::http1::head::Length;
use crate::upstream::worker_target::InFlight;

/// A body on its way from a target.
#[derive(Debug)]
struct ResponseBody {
    /// `None` after the end of the body.
    source: Option<Source>,
    decoder: Decoder,
    /// Bytes that were read and are not decoded yet.
    rest: Bytes,
    /// The part of the body that arrived before the head was sent to the client.
    first: Option<Frame<Bytes>>,
}

/// Where a body comes from.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) connection: Connection,
    pub(super) in_flight: InFlight,
    /// Whether the connection can be used for another request after the end of the body.
    pub(super) is_reusable: bool,
}

impl Source {
    /// The body has ended. Returns the connection to its pool, or closes it. `rest` is what was read after the body. Those bytes
    /// belong to no request (attacks G-07): the connection is not used again.
    fn end(self, rest: &Bytes) {
        if self.is_reusable && rest.is_empty() {
            self.in_flight.end_with(self.connection);
        }
    }
}

/// How long the head of a response waits for the first bytes of its body. Both are then sent together. If the target closes
/// the connection right after the head, the client still gets 502.
const FIRST_WAIT: Duration = Duration::from_millis(5);

/// The body that begins with `rest` and is read from `source`.
///
/// # Errors
///
/// Returns an error if the target closes the connection or sends invalid HTTP before any byte was sent to the client.
pub(super) async fn body(mut rest: Bytes, length: Length, mut source: Source) -> Result<Body, BoxError> {
    match length {
        // The whole body arrived with the head, as with nearly every small response. The connection is free at once.
        Length::Exact(length) if rest.len() as u64 >= length => {
            let data = rest.split_to(usize::try_from(length).unwrap_or(rest.len()));
            source.end(&rest);
            Ok(Body::full(data))
        }
        length => {
            if let Length::Exact(length) = length {
                source.connection.expect(length - rest.len() as u64);
            }
            let decoder = Decoder::new(length);
            let mut body = ResponseBody { source: Some(source), decoder, rest, first: None };
            body.begin().await?;
            Ok(body.into_body())
        }
    }
}

impl ResponseBody {
    /// Waits a moment for the first frame.
    async fn begin(&mut self) -> Result<(), BoxError> {
        let mut first = poll_fn(|cx| Poll::Ready(self.poll_decoded(cx))).await;
        if first.is_pending() {
            // Usually the body follows the head at once. Polling again after the runtime has polled the sockets costs less than
            // a timer.
            tokio::task::yield_now().await;
            first = poll_fn(|cx| Poll::Ready(self.poll_decoded(cx))).await;
        }
        self.first = match first {
            Poll::Ready(first) => first?,
            // In a box, so that the future is not larger for the many responses that need no timer.
            Poll::Pending => {
                match Box::pin(tokio::time::timeout(FIRST_WAIT, poll_fn(|cx| self.poll_decoded(cx)))).await {
                    Ok(first) => first?,
                    Err(_) => None,
                }
            }
        };
        Ok(())
    }

    /// A body in memory if all of it has arrived, otherwise one that streams.
    fn into_body(mut self) -> Body {
        match self.first.take().map(Frame::into_data) {
            Some(Ok(data)) if self.decoder.left() == Some(0) => return Body::full(data),
            Some(Ok(data)) => self.first = Some(Frame::data(data)),
            Some(Err(frame)) => self.first = Some(frame),
            None => {}
        }
        Body::streaming(self)
    }

    /// Returns the connection to its pool, or closes it.
    fn end(&mut self) {
        if let Some(source) = self.source.take() {
            source.end(&self.rest);
        }
    }

    fn poll_decoded(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, BoxError>> {
        loop {
            match self.decoder.decode(&mut self.rest).map_err(|error| Malformed(error.into()))? {
                Decoded::Data(data) => {
                    if self.decoder.left() == Some(0) {
                        self.end();
                    }
                    return Poll::Ready(Ok(Some(Frame::data(data))));
                }
                Decoded::Trailers(trailers) => {
                    self.end();
                    return Poll::Ready(Ok(Some(Frame::trailers(trailers))));
                }
                Decoded::End => {
                    self.end();
                    return Poll::Ready(Ok(None));
                }
                Decoded::Short => {
                    let Some(source) = &mut self.source else { return Poll::Ready(Ok(None)) };
                    self.rest = ready!(source.connection.poll_read(cx)).map_err(cause)?;
                    if self.rest.is_empty() {
                        self.source = None;
                        return Poll::Ready(if self.decoder.may_end() { Ok(None) } else { Err(broken_off()) });
                    }
                }
            }
        }
    }
}

fn broken_off() -> BoxError {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the target closed the connection in the middle of its answer").into()
}

/// The error that says who ended the connection.
fn cause(error: io::Error) -> BoxError {
    if error::is_deregistered(&error) { Deregistered.into() } else { error.into() }
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
        let decoded = ready!(self.poll_decoded(cx));
        if decoded.is_err() {
            self.source = None;
        }
        Poll::Ready(decoded.transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_none() && self.first.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().and_then(Frame::data_ref).map_or(0, Bytes::len) as u64;
        self.decoder.left().map_or_else(SizeHint::default, |left| SizeHint::with_exact(first + left))
    }
}

//! An answer's body, read from its connection while it is sent on.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::clock::Clock;
use crate::message::BoxError;
use crate::message::body::{Body, Malformed};
use crate::upstream::http1::connection::Connection;
use crate::upstream::http1::decoder::{Decoded, Decoder};
use crate::upstream::http1::head::Length;
use crate::upstream::pool::Pool;

/// Where a connection goes when its answer has been read to the end. One that was cut short is closed.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) pool: Rc<Pool>,
    pub(crate) idle_max: usize,
    pub(crate) clock: Clock,
}

impl Home {
    fn take_back(&self, connection: Connection) {
        self.pool.put(connection, self.clock.instant(), self.idle_max);
    }
}

/// A body on its way from a target.
#[derive(Debug)]
struct Incoming {
    /// Gone when the body is over.
    connection: Option<Connection>,
    /// `None` where the connection can carry no other exchange.
    home: Option<Home>,
    decoder: Decoder,
    /// Read, not yet taken apart.
    rest: Bytes,
    /// What came of the body before the head was sent on.
    first: Option<Frame<Bytes>>,
}

/// How long the head of an answer waits for the first bytes of its body. They are sent on together, and a target that breaks
/// off right behind its head can still be answered for with 502.
const FIRST_WAIT: Duration = Duration::from_millis(5);

/// The body that begins with `rest` and comes over `connection`, which goes `home` after it.
///
/// # Errors
///
/// Where the target breaks off, or sends what is not HTTP, before anything of the answer can have been sent on.
pub(crate) async fn body(
    mut rest: Bytes,
    length: Length,
    mut connection: Connection,
    home: Option<Home>,
) -> Result<Body, BoxError> {
    match length {
        // The whole of it came with the head, as of nearly every small answer: the connection is free before it is sent on.
        Length::Exact(length) if rest.len() as u64 >= length => {
            let data = rest.split_to(usize::try_from(length).unwrap_or(rest.len()));
            // What follows an answer that nobody asked for is none (attacks G-07).
            if let (true, Some(home)) = (rest.is_empty(), home) {
                home.take_back(connection);
            }
            Ok(Body::full(data))
        }
        length => {
            if let Length::Exact(length) = length {
                connection.expect(length - rest.len() as u64);
            }
            let decoder = Decoder::new(length);
            let mut incoming = Incoming { connection: Some(connection), home, decoder, rest, first: None };
            incoming.begin().await?;
            Ok(incoming.into_body())
        }
    }
}

impl Incoming {
    /// Waits a moment for the first frame.
    async fn begin(&mut self) -> Result<(), BoxError> {
        let mut first = poll_fn(|cx| Poll::Ready(self.poll_decoded(cx))).await;
        if first.is_pending() {
            // The body is mostly right behind the head. Looking once more after the runtime has asked the sockets costs less
            // than a timer.
            tokio::task::yield_now().await;
            first = poll_fn(|cx| Poll::Ready(self.poll_decoded(cx))).await;
        }
        self.first = match first {
            Poll::Ready(first) => first?,
            // Boxed: most answers need no timer, and do not carry the room for it along.
            Poll::Pending => {
                match Box::pin(tokio::time::timeout(FIRST_WAIT, poll_fn(|cx| self.poll_decoded(cx)))).await {
                    Ok(first) => first?,
                    Err(_) => None,
                }
            }
        };
        Ok(())
    }

    /// A body in memory where the whole of it has come, else one that streams.
    fn into_body(mut self) -> Body {
        match self.first.take().map(Frame::into_data) {
            Some(Ok(data)) if self.decoder.left() == Some(0) => return Body::full(data),
            Some(Ok(data)) => self.first = Some(Frame::data(data)),
            Some(Err(frame)) => self.first = Some(frame),
            None => {}
        }
        Body::streaming(self)
    }

    /// Lets the connection go.
    fn end(&mut self) {
        if let (Some(connection), Some(home), true) = (self.connection.take(), self.home.take(), self.rest.is_empty()) {
            home.take_back(connection);
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
                    let Some(connection) = &mut self.connection else { return Poll::Ready(Ok(None)) };
                    self.rest = ready!(connection.poll_read(cx))?;
                    if self.rest.is_empty() {
                        self.connection = None;
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

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if self.connection.is_none() {
            return Poll::Ready(None);
        }
        let decoded = ready!(self.poll_decoded(cx));
        if decoded.is_err() {
            self.connection = None;
        }
        Poll::Ready(decoded.transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.connection.is_none() && self.first.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().and_then(Frame::data_ref).map_or(0, Bytes::len) as u64;
        self.decoder.left().map_or_else(SizeHint::default, |left| SizeHint::with_exact(first + left))
    }
}

//! A body that streams. It is never buffered, every wait for data has a limit, and watchers are told how it ends.

pub mod limits;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName};
use http_body::{Body as _, Frame, SizeHint};

use crate::message::header::{self, Protected};
use crate::message::upgrade::ByteStream;
use crate::message::upload::Upload;
use crate::message::watch::{BoxError, Ending, Malformed, Watch};
use limits::{Idle, Rate};

/// The body type that is used everywhere: for requests from clients and for responses to them.
#[derive(Default)]
pub struct Body {
    source: Source,
    /// Boxed, because messages are moved often and many need none of these checks.
    hooks: Option<Box<Hooks>>,
}

/// The limits, filters and watchers of a body while it streams.
#[derive(Default)]
struct Hooks {
    idle: Option<Idle>,
    rate: Option<Rate>,
    /// Names that are removed from the trailers, in addition to those that no trailers may carry.
    protected: Option<Arc<Protected>>,
    named: Vec<HeaderName>,
    trailers: Option<Box<TrailerFilter>>,
    watchers: Vec<Box<dyn Watch>>,
    /// The error of the body, which the next poll returns.
    failed: Option<BoxError>,
}

/// Removes fields from trailers.
type TrailerFilter = dyn Fn(&mut HeaderMap);

#[derive(Default)]
enum Source {
    #[default]
    Empty,
    Full(Bytes),
    /// No bytes. `Content-Length` in the head gives the length that the body would have.
    Promised(u64),
    Upload(Upload),
    Streaming(Box<Streaming>),
    /// No body. What follows the head are the bytes of a WebSocket, if it is opened.
    WebSocket(Box<dyn ByteStream>),
}

/// A body that does not come from a client.
type Streaming = dyn http_body::Body<Data = Bytes, Error = BoxError> + Unpin;

/// The value of a trailer field begins or ends with a space or tab (RFC 9113 §8.2.1).
#[derive(Debug, thiserror::Error)]
#[error("the trailers are malformed")]
pub(crate) struct MalformedTrailers;

/// A body is larger than its reader accepts.
#[derive(Debug, thiserror::Error)]
#[error("the body is larger than {0} bytes")]
pub struct TooLarge(usize);

impl Body {
    /// No body.
    pub fn empty() -> Self {
        Self::default()
    }

    /// A body in memory.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::empty() } else { Self { source: Source::Full(bytes), ..Self::default() } }
    }

    /// The body of an answer that has no body but has a `Content-Length`: 304 (RFC 9110 §15.4.5). hyper removes the length
    /// from an HTTP/1.1 answer whose body is empty.
    pub fn promised(length: u64) -> Self {
        Self { source: Source::Promised(length), ..Self::default() }
    }

    /// A body that is read from a client's connection.
    pub fn upload(upload: Upload) -> Self {
        Self { source: Source::Upload(upload), ..Self::default() }
    }

    /// A body from any other source.
    pub fn streaming(body: impl http_body::Body<Data = Bytes, Error = BoxError> + Unpin + 'static) -> Self {
        Self { source: Source::Streaming(Box::new(body)), ..Self::default() }
    }

    /// The place of a body in a request for a WebSocket over HTTP/2: there is none, and `stream` is what the WebSocket will use.
    pub fn websocket(stream: impl ByteStream + 'static) -> Self {
        Self { source: Source::WebSocket(Box::new(stream)), ..Self::default() }
    }

    /// Whether the request asks for a WebSocket over HTTP/2.
    pub fn is_websocket(&self) -> bool {
        matches!(self.source, Source::WebSocket(_))
    }

    /// Takes the stream of [`websocket`](Self::websocket). The body is empty afterwards, as before.
    pub fn take_websocket(&mut self) -> Option<Box<dyn ByteStream>> {
        if !self.is_websocket() {
            return None;
        }
        match std::mem::take(&mut self.source) {
            Source::WebSocket(stream) => Some(stream),
            _ => None,
        }
    }

    /// Fails the body when it arrives slower than `bytes_per_second`, after the first ten seconds of waiting. Zero: no limit.
    pub fn limit_rate(&mut self, bytes_per_second: u64) {
        if bytes_per_second > 0 {
            self.hooks().rate = Some(Rate::new(bytes_per_second));
        }
    }

    /// Removes the limit of [`limit_rate`](Self::limit_rate).
    pub fn lift_rate(&mut self) {
        if let Some(hooks) = &mut self.hooks {
            hooks.rate = None;
        }
    }

    /// Fails the body when no frame arrives for `timeout`. A body in memory never waits.
    pub fn limit_idle(&mut self, timeout: Duration) {
        if !matches!(self.source, Source::Empty | Source::Full(_) | Source::WebSocket(_)) {
            self.hooks().idle = Some(Idle::new(timeout));
        }
    }

    /// Removes the limit of [`limit_idle`](Self::limit_idle).
    pub fn lift_idle(&mut self) {
        if let Some(hooks) = &mut self.hooks {
            hooks.idle = None;
        }
    }

    /// Removes the protected names from a client's trailers (attacks H-14).
    pub fn protect(&mut self, protected: &Arc<Protected>) {
        if !self.is_end_stream() {
            self.hooks().protected = Some(Arc::clone(protected));
        }
    }

    /// Applies `filter`, which removes fields, to the trailers.
    pub fn filter_trailers(&mut self, filter: Box<TrailerFilter>) {
        if !self.is_end_stream() {
            self.hooks().trailers = Some(filter);
        }
    }

    /// Removes from the trailers the fields that `Connection` named in the head.
    pub fn without(&mut self, named: Vec<HeaderName>) {
        if !named.is_empty() && !self.is_end_stream() {
            self.hooks().named = named;
        }
    }

    /// Adds a watcher. If the body is already at its end, the watcher is told at once.
    pub fn watch(&mut self, mut watcher: Box<dyn Watch>) {
        if self.is_end_stream() {
            watcher.ended(Ending::Complete);
        } else {
            self.hooks().watchers.push(watcher);
        }
    }

    fn hooks(&mut self) -> &mut Hooks {
        self.hooks.get_or_insert_default()
    }

    /// Whether the body has no bytes and never had any.
    pub fn is_empty(&self) -> bool {
        self.is_end_stream()
    }

    /// Reads a small body into memory.
    ///
    /// # Errors
    ///
    /// [`TooLarge`] if the body has more than `limit` bytes. Any other error is the sender's.
    pub async fn whole(mut self, limit: usize) -> Result<Bytes, BoxError> {
        if self.size_hint().lower() > limit as u64 {
            return Err(TooLarge(limit).into());
        }
        let mut collected = BytesMut::new();
        while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut self).poll_frame(cx)).await {
            if let Ok(data) = frame?.into_data() {
                if collected.len() + data.remaining() > limit {
                    return Err(TooLarge(limit).into());
                }
                collected.extend_from_slice(&data);
            }
        }
        Ok(collected.freeze())
    }

    fn end(&mut self, ending: Ending<'_>) {
        let watchers = self.hooks.as_mut().map(|hooks| std::mem::take(&mut hooks.watchers));
        for mut watcher in watchers.into_iter().flatten() {
            watcher.ended(ending);
        }
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.source {
            Source::Empty | Source::Promised(_) | Source::WebSocket(_) => Poll::Ready(None),
            Source::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.source = Source::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Source::Upload(upload) => upload.poll_frame(cx),
            Source::Streaming(body) => Pin::new(body).poll_frame(cx),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Some(error) = this.hooks.as_mut().and_then(|hooks| hooks.failed.take()) {
            this.source = Source::Empty;
            return Poll::Ready(Some(Err(error)));
        }
        let polled = this.poll_source(cx);
        let Some(hooks) = &mut this.hooks else { return polled };
        let Poll::Ready(frame) = polled else {
            if let Some(rate) = &mut hooks.rate
                && let Poll::Ready(error) = rate.poll(cx)
            {
                this.end(Ending::StoodStill);
                this.source = Source::Empty;
                return Poll::Ready(Some(Err(error.into())));
            }
            let Some(idle) = &mut hooks.idle else { return Poll::Pending };
            let error = ready!(idle.poll(cx));
            this.end(Ending::StoodStill);
            this.source = Source::Empty;
            return Poll::Ready(Some(Err(error.into())));
        };
        if let Some(idle) = &mut hooks.idle {
            idle.came();
        }
        let frame = match frame {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                this.end(Ending::of_error(&error));
                // When a body fails, hyper drops everything that it has not written yet, also the head. So the error is returned
                // in the next poll, and earlier data is written first. A client whose connection closes without a single byte
                // may send its POST again.
                this.hooks().failed = Some(error);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            None => {
                this.end(Ending::Complete);
                return Poll::Ready(None);
            }
        };
        let frame = match frame.into_data() {
            Ok(data) => {
                if let Some(rate) = &mut hooks.rate {
                    rate.came(data.len());
                }
                for watcher in &mut hooks.watchers {
                    watcher.data(data.len());
                }
                // If the length is known, the end is known here. Nobody polls again to receive `None`.
                if this.is_end_stream() {
                    this.end(Ending::Complete);
                }
                Frame::data(data)
            }
            Err(frame) => {
                let mut trailers = frame.into_trailers().unwrap_or_default();
                if trailers.values().any(header::has_outer_blank) {
                    let error = Malformed(MalformedTrailers.into()).into();
                    this.end(Ending::of_error(&error));
                    return Poll::Ready(Some(Err(error)));
                }
                if let Some(filter) = &hooks.trailers {
                    filter(&mut trailers);
                }
                header::strip_trailers(&mut trailers, |name| {
                    hooks.named.contains(name) || hooks.protected.as_ref().is_some_and(|ours| ours.contains(name))
                });
                this.end(Ending::Complete);
                Frame::trailers(trailers)
            }
        };
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Empty | Source::WebSocket(_) => true,
            Source::Full(bytes) => bytes.is_empty(),
            Source::Promised(_) => false,
            Source::Upload(upload) => upload.is_end_stream(),
            Source::Streaming(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Empty | Source::WebSocket(_) => SizeHint::with_exact(0),
            Source::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Promised(length) => SizeHint::with_exact(*length),
            Source::Upload(upload) => upload.size_hint(),
            Source::Streaming(body) => body.size_hint(),
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Body")
    }
}

#[cfg(test)]
mod tests;

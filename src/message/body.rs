//! A body that streams. It is never buffered, every wait for data has a limit, and watchers are told how it ends.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName};
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::message::BoxError;
use crate::message::header::{self, Protected};
use crate::message::upload::Upload;

/// The body type that is used everywhere: for requests from clients and for responses to them.
#[derive(Default)]
pub(crate) struct Body {
    source: Source,
    /// Boxed, because messages are moved often and many need none of these checks.
    care: Option<Box<Care>>,
}

/// The limits, filters and watchers of a body while it streams.
#[derive(Default)]
struct Care {
    idle: Option<Idle>,
    rate: Option<Rate>,
    /// Names that are removed from the trailers, in addition to those that no trailers may carry.
    protected: Option<Arc<Protected>>,
    named: Vec<HeaderName>,
    trailers: Option<Box<TrailerFilter>>,
    ends: Option<Ends>,
    watchers: Vec<Box<dyn Watch>>,
    /// The error of the body, which the next poll returns.
    failed: Option<BoxError>,
}

/// Removes fields from trailers.
type TrailerFilter = dyn Fn(&mut HeaderMap);

/// How often a long exchange checks whether its session has ended (attacks W-03).
pub(crate) const SESSION_BEAT: Duration = Duration::from_secs(5);

/// Checks periodically whether the body must end. The checks begin when the body first has to wait for data.
struct Ends {
    is_over: Box<dyn Fn() -> bool>,
    beat: Option<Pin<Box<Sleep>>>,
}

#[derive(Default)]
enum Source {
    #[default]
    Empty,
    Full(Bytes),
    /// No bytes. `Content-Length` in the head gives the length that the body would have.
    Promised(u64),
    Upload(Upload),
    Streaming(Box<Streaming>),
}

/// A body that does not come from a client.
type Streaming = dyn http_body::Body<Data = Bytes, Error = BoxError> + Unpin;

/// The longest wait for the next frame. The timer starts only when the body first has to wait.
struct Idle {
    timeout: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

/// How long a body may be waited for before its rate is checked.
const RATE_GRACE: Duration = Duration::from_secs(10);

/// The minimum rate of a body, measured over the time that is spent waiting for it.
struct Rate {
    bytes_per_second: u64,
    bytes: u64,
    waited: Duration,
    /// When the current wait began, and a timer for the time at which it must end.
    wait: Option<(Instant, Pin<Box<Sleep>>)>,
}

/// Is told about the data and the end of a body.
pub(crate) trait Watch {
    /// `bytes` of data passed through.
    fn data(&mut self, bytes: usize);

    /// The body has ended. Called once. If a watcher is dropped without this call, the body was cut short.
    fn ended(&mut self, ending: Ending<'_>);
}

/// How a body ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending<'e> {
    /// The body is complete.
    Complete,
    /// The sender stopped before the end of the body.
    BrokenOff(&'e BoxError),
    /// The sender sent data that is not valid HTTP.
    Malformed(&'e BoxError),
    /// Vestibule ended the body, because the sender sent nothing for the duration that [`Body::limit_idle`] allows.
    StoodStill,
    /// Vestibule ended the body, because the check of [`Body::end_when`] found that the session has ended.
    SessionOver,
}

impl<'e> Ending<'e> {
    fn of_error(error: &'e BoxError) -> Self {
        if error.is::<Malformed>() { Self::Malformed(error) } else { Self::BrokenOff(error) }
    }
}

/// The sender of a body sent data that is not valid HTTP.
#[derive(Debug, thiserror::Error)]
#[error("the body is malformed")]
pub(crate) struct Malformed(#[source] pub(crate) BoxError);

/// No frame arrived in time.
#[derive(Debug, thiserror::Error)]
#[error("no data of the body arrived for {} s", .0.as_secs())]
pub(crate) struct StoodStill(Duration);

/// The body arrives too slowly.
#[derive(Debug, thiserror::Error)]
#[error("the body arrived slower than {0} bytes per second")]
pub(crate) struct TooSlow(u64);

/// The session that the body belongs to has ended.
#[derive(Debug, thiserror::Error)]
#[error("the session ended in the middle of the body")]
pub(crate) struct SessionOver;

/// The value of a trailer field begins or ends with a space or tab (RFC 9113 §8.2.1).
#[derive(Debug, thiserror::Error)]
#[error("the trailers are malformed")]
pub(crate) struct MalformedTrailers;

/// A body is larger than its reader accepts.
#[derive(Debug, thiserror::Error)]
#[error("the body is larger than {0} bytes")]
pub(crate) struct TooLarge(usize);

impl Body {
    /// No body.
    pub(crate) fn empty() -> Self {
        Self::default()
    }

    /// A body in memory.
    pub(crate) fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::empty() } else { Self { source: Source::Full(bytes), ..Self::default() } }
    }

    /// The body of an answer that has no body but has a `Content-Length`: 304 (RFC 9110 §15.4.5). hyper removes the length
    /// from an HTTP/1.1 answer whose body is empty.
    pub(crate) fn promised(length: u64) -> Self {
        Self { source: Source::Promised(length), ..Self::default() }
    }

    /// A body that is read from a client's connection.
    pub(crate) fn upload(upload: Upload) -> Self {
        Self { source: Source::Upload(upload), ..Self::default() }
    }

    /// A body from any other source.
    pub(crate) fn streaming(body: impl http_body::Body<Data = Bytes, Error = BoxError> + Unpin + 'static) -> Self {
        Self { source: Source::Streaming(Box::new(body)), ..Self::default() }
    }

    /// Fails the body when it arrives slower than `bytes_per_second`, after the first ten seconds of waiting. Zero: no limit.
    pub(crate) fn limit_rate(&mut self, bytes_per_second: u64) {
        if bytes_per_second > 0 {
            self.care().rate = Some(Rate { bytes_per_second, bytes: 0, waited: Duration::ZERO, wait: None });
        }
    }

    /// Removes the limit of [`limit_rate`](Self::limit_rate).
    pub(crate) fn lift_rate(&mut self) {
        if let Some(care) = &mut self.care {
            care.rate = None;
        }
    }

    /// Fails the body when no frame arrives for `timeout`. A body in memory never waits.
    pub(crate) fn limit_idle(&mut self, timeout: Duration) {
        if !matches!(self.source, Source::Empty | Source::Full(_)) {
            self.care().idle = Some(Idle { timeout, timer: None });
        }
    }

    /// Removes the protected names from a client's trailers (attacks H-14).
    pub(crate) fn protect(&mut self, protected: &Arc<Protected>) {
        if !self.is_end_stream() {
            self.care().protected = Some(Arc::clone(protected));
        }
    }

    /// Applies `filter`, which removes fields, to the trailers.
    pub(crate) fn filter_trailers(&mut self, filter: Box<TrailerFilter>) {
        if !self.is_end_stream() {
            self.care().trailers = Some(filter);
        }
    }

    /// Removes from the trailers the fields that `Connection` named in the head.
    pub(crate) fn without(&mut self, named: Vec<HeaderName>) {
        if !named.is_empty() && !self.is_end_stream() {
            self.care().named = named;
        }
    }

    /// Ends the body soon after `is_over` becomes true.
    pub(crate) fn end_when(&mut self, is_over: Box<dyn Fn() -> bool>) {
        self.care().ends = Some(Ends { is_over, beat: None });
    }

    /// Adds a watcher. If the body is already at its end, the watcher is told at once.
    pub(crate) fn watch(&mut self, mut watcher: Box<dyn Watch>) {
        if self.is_end_stream() {
            watcher.ended(Ending::Complete);
        } else {
            self.care().watchers.push(watcher);
        }
    }

    fn care(&mut self) -> &mut Care {
        self.care.get_or_insert_default()
    }

    /// Whether the body has no bytes and never had any.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_end_stream()
    }

    /// Reads a small body into memory.
    ///
    /// # Errors
    ///
    /// [`TooLarge`] if the body has more than `limit` bytes. Any other error is the sender's.
    pub(crate) async fn whole(mut self, limit: usize) -> Result<Bytes, BoxError> {
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
        let watchers = self.care.as_mut().map(|care| std::mem::take(&mut care.watchers));
        for mut watcher in watchers.into_iter().flatten() {
            watcher.ended(ending);
        }
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.source {
            Source::Empty | Source::Promised(_) => Poll::Ready(None),
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

impl Idle {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<StoodStill> {
        let timeout = self.timeout;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        timer.as_mut().poll(cx).map(|()| StoodStill(timeout))
    }
}

impl Rate {
    /// Ready when the body was too slow.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<TooSlow> {
        let (bytes, rate, waited) = (self.bytes, self.bytes_per_second, self.waited);
        let (_, sleep) = self.wait.get_or_insert_with(|| {
            let now = Instant::now();
            let allowed = RATE_GRACE + Duration::from_secs(bytes / rate);
            (now, Box::pin(tokio::time::sleep_until(now + allowed.saturating_sub(waited))))
        });
        sleep.as_mut().poll(cx).map(|()| TooSlow(rate))
    }

    fn came(&mut self, bytes: usize) {
        if let Some((since, _)) = self.wait.take() {
            self.waited += since.elapsed();
        }
        self.bytes += bytes as u64;
    }
}

impl Ends {
    /// Ready when the body has to end.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let beat = self.beat.get_or_insert_with(|| Box::pin(tokio::time::sleep(SESSION_BEAT)));
            ready!(beat.as_mut().poll(cx));
            if (self.is_over)() {
                return Poll::Ready(());
            }
            self.beat = None;
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Some(error) = this.care.as_mut().and_then(|care| care.failed.take()) {
            this.source = Source::Empty;
            return Poll::Ready(Some(Err(error)));
        }
        let polled = this.poll_source(cx);
        let Some(care) = &mut this.care else { return polled };
        // Once the timer runs, it is also checked for a body that no longer waits.
        if let Some(ends) = &mut care.ends
            && (polled.is_pending() || ends.beat.is_some())
            && ends.poll(cx).is_ready()
        {
            this.end(Ending::SessionOver);
            this.source = Source::Empty;
            return Poll::Ready(Some(Err(SessionOver.into())));
        }
        let Poll::Ready(frame) = polled else {
            if let Some(rate) = &mut care.rate
                && let Poll::Ready(error) = rate.poll(cx)
            {
                this.end(Ending::StoodStill);
                this.source = Source::Empty;
                return Poll::Ready(Some(Err(error.into())));
            }
            let Some(idle) = &mut care.idle else { return Poll::Pending };
            let error = ready!(idle.poll(cx));
            this.end(Ending::StoodStill);
            this.source = Source::Empty;
            return Poll::Ready(Some(Err(error.into())));
        };
        if let Some(idle) = &mut care.idle {
            idle.timer = None;
        }
        let frame = match frame {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                this.end(Ending::of_error(&error));
                // When a body fails, hyper drops everything that it has not written yet, also the head. So the error is returned
                // in the next poll, and earlier data is written first. A client whose connection closes without a single byte
                // may send its POST again.
                this.care().failed = Some(error);
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
                if let Some(rate) = &mut care.rate {
                    rate.came(data.len());
                }
                for watcher in &mut care.watchers {
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
                if let Some(filter) = &care.trailers {
                    filter(&mut trailers);
                }
                header::strip_trailers(&mut trailers, |name| {
                    care.named.contains(name) || care.protected.as_ref().is_some_and(|ours| ours.contains(name))
                });
                this.end(Ending::Complete);
                Frame::trailers(trailers)
            }
        };
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Empty => true,
            Source::Full(bytes) => bytes.is_empty(),
            Source::Promised(_) => false,
            Source::Upload(upload) => upload.is_end_stream(),
            Source::Streaming(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Empty => SizeHint::with_exact(0),
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
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_in_memory_reads_back_within_its_limit() {
        assert_eq!(Body::full("hello").whole(5).await.expect("fits"), "hello");
        assert!(Body::full("hello").whole(4).await.is_err());
        assert_eq!(Body::empty().whole(0).await.expect("fits"), "");
    }

    /// Sends a fixed number of bytes at fixed intervals, and never ends.
    struct Drip {
        bytes: &'static [u8],
        every: Duration,
        next: Pin<Box<Sleep>>,
    }

    impl http_body::Body for Drip {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            ready!(self.next.as_mut().poll(cx));
            let next = self.next.deadline() + self.every;
            self.next.as_mut().reset(next);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(self.bytes)))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_comes_slower_than_its_rate_fails_and_no_other() {
        for (bytes, every, limit, expected) in [
            // A byte a second is too slow after ten seconds and the second that the bytes themselves give.
            (&b"x"[..], 1, 10, Some(11)),
            (b"0123456789", 1, 10, None),
            (b"01234567890123456789", 2, 10, None),
            (b"x", 1, 0, None),
        ] {
            let every = Duration::from_secs(every);
            let next = Box::pin(tokio::time::sleep(every));
            let mut body = Body::streaming(Drip { bytes, every, next });
            body.limit_idle(Duration::from_secs(60));
            body.limit_rate(limit);
            let begin = Instant::now();
            let failed = loop {
                if begin.elapsed() > Duration::from_secs(600) {
                    break None;
                }
                let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await.expect("no end");
                if let Err(error) = frame {
                    assert!(error.is::<TooSlow>(), "{error}");
                    break Some(begin.elapsed().as_secs());
                }
            };
            assert_eq!(failed, expected, "{} bytes every {every:?} at {limit}", bytes.len());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nobody_waits_for_a_body_does_not_count() {
        let every = Duration::from_secs(1);
        let mut body = Body::streaming(Drip { bytes: b"x", every, next: Box::pin(tokio::time::sleep(every)) });
        body.limit_rate(10);
        for _ in 0..20 {
            // The target takes its time; the client has sent long before.
            tokio::time::sleep(Duration::from_secs(30)).await;
            let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            frame.expect("no end").expect("not too slow");
        }
        body.lift_rate();
    }
}

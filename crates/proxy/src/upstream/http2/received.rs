//! What a target has sent of an answer, and the client has not taken.
//!
//! `h2` ends a connection, with all requests on it, if many small frames are left with it. So frames are taken when they come, whether the
//! client reads or not, and small ones are joined. The target gets room for more only when the client has taken them, so the window of
//! the stream bounds what is kept here.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use h2::{FlowControl, RecvStream};
use http::HeaderMap;
use http_body::Frame;
use tokio::sync::oneshot;

use crate::drain;

/// Frames with fewer bytes are joined.
const SMALL_BYTES: usize = 1024;

/// The stream of an answer.
#[derive(Debug)]
pub(super) enum Answer {
    /// Most answers have arrived whole before anybody waits for them.
    Direct(RecvStream),
    Received(Received),
}

/// An answer that is received by a task of its own, until this is dropped.
#[derive(Debug)]
pub(super) struct Received {
    kept: Rc<RefCell<Kept>>,
    flow: FlowControl,
    _reader: oneshot::Sender<Infallible>,
}

#[derive(Debug, Default)]
struct Kept {
    parts: VecDeque<Bytes>,
    /// Comes after `parts`.
    small: BytesMut,
    end: Option<Result<Option<HeaderMap>, h2::Error>>,
    reader: Option<Waker>,
}

impl Answer {
    /// From now on, frames are taken when they come.
    pub(super) fn receive(self) -> Self {
        let Self::Direct(mut stream) = self else { return self };
        let (reader, reader_left) = oneshot::channel::<Infallible>();
        let kept = Rc::<RefCell<Kept>>::default();
        let (flow, fills) = (stream.flow_control().clone(), Rc::clone(&kept));
        drain::background(async move {
            // Cancel-safe: the stream is reset when it is dropped.
            tokio::select! {
                () = poll_fn(|cx| poll_receive(&mut stream, &fills, cx)) => {}
                _ = reader_left => {}
            }
        });
        Self::Received(Received { kept, flow, _reader: reader })
    }

    /// The next frame; `None` at the end.
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, h2::Error>> {
        match self {
            Self::Direct(stream) => match ready!(stream.poll_data(cx)) {
                Some(data) => Poll::Ready(data.map(|data| Some(Frame::data(data)))),
                None => stream.poll_trailers(cx).map_ok(|trailers| trailers.map(Frame::trailers)),
            },
            Self::Received(received) => received.kept.borrow_mut().poll_frame(cx),
        }
    }

    /// Whether nothing comes any more.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Direct(stream) => stream.is_end_stream(),
            Self::Received(received) => received.kept.borrow().is_over(),
        }
    }

    /// The client has taken so many bytes: the target may send more.
    pub(super) fn release(&mut self, bytes: usize) {
        let flow = match self {
            Self::Direct(stream) => stream.flow_control(),
            Self::Received(received) => &mut received.flow,
        };
        // An error means that the stream has ended, and needs no more room.
        let _ = flow.release_capacity(bytes);
    }
}

impl Kept {
    fn push(&mut self, data: Bytes) {
        if data.len() < SMALL_BYTES {
            self.small.extend_from_slice(&data);
            return;
        }
        if !self.small.is_empty() {
            self.parts.push_back(self.small.split().freeze());
        }
        self.parts.push_back(data);
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, h2::Error>> {
        let small = || (!self.small.is_empty()).then(|| self.small.split().freeze());
        if let Some(data) = self.parts.pop_front().or_else(small) {
            return Poll::Ready(Ok(Some(Frame::data(data))));
        }
        if let Some(end) = self.end.take() {
            return Poll::Ready(end.map(|trailers| trailers.map(Frame::trailers)));
        }
        self.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    fn is_over(&self) -> bool {
        self.parts.is_empty() && self.small.is_empty() && matches!(self.end, Some(Ok(None)))
    }
}

/// Takes what has come. Ready at the end of the stream.
fn poll_receive(stream: &mut RecvStream, kept: &RefCell<Kept>, cx: &mut Context<'_>) -> Poll<()> {
    let ended = loop {
        match stream.poll_data(cx) {
            Poll::Ready(Some(Ok(data))) => {
                kept.borrow_mut().push(data);
                if stream.is_end_stream() {
                    break Some(Ok(None));
                }
            }
            Poll::Ready(Some(Err(error))) => break Some(Err(error)),
            Poll::Ready(None) => match stream.poll_trailers(cx) {
                Poll::Ready(trailers) => break Some(trailers),
                Poll::Pending => break None,
            },
            Poll::Pending => break None,
        }
    };
    let is_over = ended.is_some();
    let mut kept = kept.borrow_mut();
    if is_over {
        kept.end = ended;
    }
    let has_something = is_over || !kept.parts.is_empty() || !kept.small.is_empty();
    let reader = if has_something { kept.reader.take() } else { None };
    drop(kept);
    if let Some(reader) = reader {
        reader.wake();
    }
    if is_over { Poll::Ready(()) } else { Poll::Pending }
}

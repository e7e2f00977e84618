//! The body of a request on its way to a target. What was sent is kept for a while: a target that refuses the stream has processed nothing
//! of it, and the request can be sent to another.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http::HeaderMap;
use http_body::Body as _;

use crate::message::BoxError;
use crate::message::body::Body;
use crate::upstream::progress::Progress;

/// Maximum number of bytes that are kept of a body that was sent. A longer one cannot be sent again. Nearly all gRPC messages are shorter.
const KEPT_BYTES_MAX: usize = 64 * 1024;
/// What a part counts for at least: it takes memory beside its bytes.
const PART_BYTES_MIN: usize = 256;
/// A smaller part is copied. It is a slice of the buffer that it was read into, and would keep the whole buffer.
const COPIED_BYTES_MAX: usize = 4 * 1024;

/// The body of one request.
#[derive(Debug)]
pub(crate) struct Upload {
    body: Body,
    /// What was read, and is not sent yet.
    next: VecDeque<Part>,
    /// What was sent, as long as the request can be sent again.
    kept: Option<Kept>,
    /// The end of the body was read. It may still wait in `next`.
    is_read: bool,
    pub(super) progress: Progress,
}

#[derive(Debug, Default)]
struct Kept {
    parts: Vec<Part>,
    bytes: usize,
}

/// A part of a body. Copies share the bytes.
#[derive(Clone, Debug)]
enum Part {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
}

/// Why a body was not sent to its end.
#[derive(Debug)]
pub(super) enum Unsent {
    /// The target takes no more of it: it has reset the stream, or the connection has ended. The answer says more.
    Target,
    /// The client's body failed. The stream must be reset: the target must not take the body for complete.
    Client(BoxError),
}

impl Upload {
    /// `first` is what was read of the body already.
    pub(super) fn new(body: Body, first: Option<Bytes>) -> Self {
        let next = first.into_iter().map(Part::Data).collect();
        Self { body, next, kept: Some(Kept::default()), is_read: false, progress: Progress::default() }
    }

    /// Sends what the client has sent, as far as the target accepts it. Ready when all is sent.
    pub(super) fn poll_send(
        &mut self,
        stream: &mut SendStream<Bytes>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Unsent>> {
        loop {
            if self.next.is_empty() {
                if self.is_read {
                    return Poll::Ready(Ok(()));
                }
                // Woken by the client, and also by a target that resets the stream.
                if stream.poll_reset(cx).is_ready() {
                    return Poll::Ready(Err(Unsent::Target));
                }
                ready!(self.poll_read(cx)).map_err(Unsent::Client)?;
            }
            ready!(self.poll_next(stream, cx)).map_err(|_| Unsent::Target)?;
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let part = match ready!(Pin::new(&mut self.body).poll_frame(cx)).transpose() {
            Ok(Some(frame)) => match frame.into_data() {
                Ok(data) => Part::Data(data),
                Err(frame) => Part::Trailers(frame.into_trailers().unwrap_or_default()),
            },
            Ok(None) => Part::End,
            Err(error) => {
                self.kept = None;
                return Poll::Ready(Err(error));
            }
        };
        self.progress.moved();
        self.is_read = !matches!(part, Part::Data(_));
        self.next.push_back(part);
        // So that the end needs no frame of its own.
        if !self.is_read && self.body.is_end_stream() {
            self.is_read = true;
            self.next.push_back(Part::End);
        }
        Poll::Ready(Ok(()))
    }

    /// Sends the next part, or as much of it as there is room for.
    fn poll_next(&mut self, stream: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        let Some(part) = self.next.pop_front() else { return Poll::Ready(Ok(())) };
        match part {
            Part::Data(data) if data.is_empty() => {}
            Part::Data(mut data) => {
                stream.reserve_capacity(data.len());
                if stream.capacity() == 0 {
                    // Unless there is room, the data stays: if the stream was refused, it is sent to another target.
                    let failed = match stream.poll_capacity(cx) {
                        Poll::Ready(Some(Ok(_))) => None,
                        Poll::Ready(Some(Err(error))) => Some(Poll::Ready(Err(error))),
                        Poll::Ready(None) => Some(Poll::Ready(Err(Reason::STREAM_CLOSED.into()))),
                        Poll::Pending => Some(Poll::Pending),
                    };
                    if let Some(failed) = failed {
                        self.next.push_front(Part::Data(data));
                        return failed;
                    }
                }
                let sent = data.split_to(stream.capacity().min(data.len()));
                if !data.is_empty() {
                    self.next.push_front(Part::Data(data));
                }
                let is_last = matches!(self.next.front(), Some(Part::End));
                if !sent.is_empty() {
                    self.keep(&Part::Data(sent.clone()), sent.len());
                    stream.send_data(sent, is_last)?;
                    if is_last {
                        self.next.clear();
                        self.keep(&Part::End, 0);
                    }
                }
            }
            Part::Trailers(trailers) => {
                self.keep(&Part::Trailers(trailers.clone()), 0);
                stream.send_trailers(trailers)?;
            }
            Part::End => {
                self.keep(&Part::End, 0);
                stream.send_data(Bytes::new(), true)?;
            }
        }
        self.progress.moved();
        Poll::Ready(Ok(()))
    }

    fn keep(&mut self, part: &Part, bytes: usize) {
        let Some(kept) = &mut self.kept else { return };
        kept.bytes += bytes.max(PART_BYTES_MIN);
        if kept.bytes > KEPT_BYTES_MAX {
            self.kept = None;
            return;
        }
        kept.parts.push(match part {
            Part::Data(data) if data.len() < COPIED_BYTES_MAX => Part::Data(Bytes::copy_from_slice(data)),
            other => other.clone(),
        });
    }

    /// Whether all of the body that was read can be sent again.
    pub(super) fn is_whole(&self) -> bool {
        self.kept.is_some()
    }

    /// Begins anew. Only if [`is_whole`](Self::is_whole).
    pub(super) fn rewind(&mut self) {
        let Some(kept) = self.kept.replace(Kept::default()) else { return };
        for part in kept.parts.into_iter().rev() {
            self.next.push_front(part);
        }
    }

    /// The target has begun to answer. Nothing is kept any more, and the client may take its time: what counts is that either side sends
    /// something.
    pub(super) fn answered(&mut self) {
        self.kept = None;
        self.body.lift_rate();
        self.body.lift_idle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_parts_of_a_body_keep_no_buffer_and_are_not_kept_without_end() {
        let mut upload = Upload::new(Body::empty(), None);
        let read = Bytes::from(vec![b'a'; 16 * 1024]);
        for _ in 0..100 {
            upload.keep(&Part::Data(read.slice(..1)), 1);
        }
        assert!(upload.is_whole());
        assert!(read.is_unique(), "a byte does not keep the buffer that it was read into");
        for _ in 0..1000 {
            upload.keep(&Part::Data(read.slice(..1)), 1);
        }
        assert!(!upload.is_whole(), "a part is more than its bytes");
    }
}

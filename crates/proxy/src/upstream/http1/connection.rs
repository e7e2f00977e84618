//! One connection to a target, and one exchange over it.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use tokio::io::AsyncReadExt as _;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep};

use crate::upstream::error::{Deregistered, Error};
use crate::upstream::http1::head::{self, Head, Parsed};
use crate::upstream::http1::malformed::{HEAD_BYTES_MAX, Malformed};
use crate::upstream::http1::request_writer::{RequestWriter, Unsent};
use crate::upstream::target_stream::TargetStream;

/// Size of the read buffer: the initial size, and the maximum size for a target that fills the buffer.
const READ_BYTES_MIN: usize = 8 * 1024;
const READ_BYTES_MAX: usize = 64 * 1024;

/// How long to wait for a target's 100 (Continue) before the body is sent without it. RFC 9110 §10.1.1: do not wait
/// indefinitely, because some targets do not implement the expectation.
const CONTINUE_WAIT: Duration = Duration::from_secs(1);

/// A connection that is idle or serves one exchange.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TargetStream,
    /// Maximum time to wait for the head of a response (`response_timeout`).
    timeout: Duration,
    /// The timer for the head of a response. It stays registered between exchanges, and is reset only when it expires
    /// before the current deadline. Nearly no exchange reaches its deadline, and a later exchange with the same `timeout`
    /// never has an earlier deadline, so this saves resetting the timer for each exchange.
    timer: Option<Pin<Box<Sleep>>>,
    buffer: BytesMut,
    read_bytes: usize,
    /// Maximum number of header fields in a response.
    fields_max: usize,
}

/// What was read so far, while the final response has not begun.
#[derive(Debug, Default)]
struct Read {
    /// The bytes of an incomplete head.
    partial: Bytes,
    /// Total size of the interim (1xx) responses, in bytes.
    interim: usize,
    /// Whether one of the interim responses was 100 (Continue).
    is_continue: bool,
}

impl Connection {
    pub(crate) fn new(stream: TargetStream, timeout: Duration, fields_max: usize) -> Self {
        Self { stream, timeout, timer: None, buffer: BytesMut::new(), read_bytes: READ_BYTES_MIN, fields_max }
    }

    /// Takes over the limits of the request that comes next. Those of the last one may be of another configuration.
    pub(crate) fn limit(&mut self, timeout: Duration, fields_max: usize) {
        if self.timeout != timeout {
            self.timeout = timeout;
            // The deadline of the next exchange may be before that of the last, for which the timer is set.
            self.timer = None;
        }
        self.fields_max = fields_max;
    }

    /// Frees the read buffer while the connection is idle.
    pub(crate) fn rest(&mut self) {
        self.buffer = BytesMut::new();
        self.read_bytes = READ_BYTES_MIN;
    }

    /// Drops the waker of the last task from the timer. Otherwise an idle connection would keep that task in memory.
    pub(crate) fn forget_waiter(&mut self) {
        if let Some(timer) = &mut self.timer {
            let _ = pin!(unconstrained(timer.as_mut())).poll(&mut Context::from_waker(Waker::noop()));
        }
    }

    /// Whether the connection can be used for another exchange. A close that has not arrived yet cannot be seen.
    pub(crate) fn is_open(&self) -> bool {
        self.stream.is_quiet()
    }

    /// Sends `request` and waits for the head of the response. The timeout starts again whenever a part of the request
    /// was read or written, so an upload may take as long as it makes progress.
    ///
    /// The request may be only partly written when this returns, because a target may respond early.
    pub(crate) async fn exchange(&mut self, request: &mut RequestWriter) -> Result<Head, Error> {
        let timeout = self.timeout;
        let mut deadline = Instant::now() + timeout;
        let mut moves = request.moves();
        let mut unsent = None;
        let mut read = Read::default();
        let mut awaiting: Option<Pin<Box<Sleep>>> = None;
        poll_fn(|cx| {
            if !request.is_written() && unsent.is_none() {
                match request.poll_write(&mut self.stream, cx) {
                    Poll::Ready(Err(Unsent::Client(error))) => return Poll::Ready(Err(Error::of_body(error))),
                    // The target may have sent a response that says why before it stopped reading, so keep reading.
                    Poll::Ready(Err(Unsent::Target(error))) => unsent = Some(error),
                    Poll::Ready(Ok(())) | Poll::Pending => {}
                }
                if request.moves() != moves {
                    moves = request.moves();
                    deadline = Instant::now() + timeout;
                }
            }
            let polled = self.poll_head(cx, request.is_head(), &mut read);
            if request.awaits_continue() && polled.is_pending() {
                let wait = awaiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(CONTINUE_WAIT)));
                if read.is_continue || wait.as_mut().poll(cx).is_ready() {
                    request.go_on();
                    cx.waker().wake_by_ref();
                }
            }
            if let Poll::Ready(head) = polled {
                return Poll::Ready(head.map_err(|error| match (error, unsent.take()) {
                    (Error::Reset(_), Some(first)) => Error::Reset(first),
                    (error, _) => error,
                }));
            }
            self.poll_deadline(cx, deadline).map(|()| Err(Error::ResponseTimeout))
        })
        .await
    }

    fn poll_head(&mut self, cx: &mut Context<'_>, is_head: bool, read: &mut Read) -> Poll<Result<Head, Error>> {
        loop {
            let more = match ready!(self.poll_read(cx)) {
                Ok(more) if more.is_empty() => {
                    return Poll::Ready(Err(Error::Reset(io::ErrorKind::UnexpectedEof.into())));
                }
                Ok(more) => more,
                Err(error) => return Poll::Ready(Err(Error::of_end(error))),
            };
            // A head can only be complete after a line feed. Without this check, a head that arrives byte by byte would
            // be parsed again for each byte.
            let drips = !read.partial.is_empty() && memchr::memchr(b'\n', &more).is_none();
            let mut bytes =
                if read.partial.is_empty() { more } else { joined(std::mem::take(&mut read.partial), &more) };
            if drips && bytes.len() <= HEAD_BYTES_MAX {
                read.partial = bytes;
                continue;
            }
            while !bytes.is_empty() {
                let length = bytes.len();
                match head::parse(bytes, is_head, self.fields_max).map_err(Error::Malformed)? {
                    Parsed::Final(head) => return Poll::Ready(Ok(head)),
                    Parsed::Interim { status, rest } => {
                        read.is_continue |= status == StatusCode::CONTINUE;
                        read.interim += length - rest.len();
                        // Without this limit, endless interim responses would keep the client waiting forever.
                        if read.interim > HEAD_BYTES_MAX {
                            return Poll::Ready(Err(Error::Malformed(Malformed::HeadTooLarge)));
                        }
                        bytes = rest;
                    }
                    Parsed::Partial(partial) => {
                        read.partial = partial;
                        break;
                    }
                }
            }
        }
    }

    /// Sets the size of the read buffer for a body with `left` more bytes.
    pub(crate) fn expect(&mut self, left: u64) {
        self.read_bytes = usize::try_from(left).unwrap_or(usize::MAX).clamp(READ_BYTES_MIN, READ_BYTES_MAX);
    }

    /// Reads the available bytes. Returns no bytes at the end of the stream.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        // Use the free rest of the buffer before allocating a new one. A small piece that is kept for long keeps the
        // whole buffer in memory.
        if self.buffer.capacity() < self.read_bytes / 4 {
            self.buffer = BytesMut::with_capacity(self.read_bytes);
        }
        let length = match ready!(pin!(self.stream.read_buf(&mut self.buffer)).poll(cx)) {
            Ok(length) if length > 0 => length,
            _ if self.stream.is_cut() => return Poll::Ready(Err(io::Error::other(Deregistered))),
            ended => ended?,
        };
        if length >= self.read_bytes {
            self.read_bytes = (2 * self.read_bytes).min(READ_BYTES_MAX);
        }
        Poll::Ready(Ok(self.buffer.split().freeze()))
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        loop {
            // `unconstrained`, so that the deadline is checked even if the reads have used up the task's cooperative
            // budget.
            ready!(pin!(unconstrained(timer.as_mut())).poll(cx));
            if timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }
}

/// `first` followed by `more`.
fn joined(first: Bytes, more: &[u8]) -> Bytes {
    let mut both = first.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    both.extend_from_slice(more);
    both.freeze()
}

#[cfg(test)]
mod tests;

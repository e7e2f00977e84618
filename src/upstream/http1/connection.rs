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

use crate::upstream::error::Error;
use crate::upstream::http1::head::{self, Head, Malformed, Parsed};
use crate::upstream::http1::line::Line;
use crate::upstream::http1::request_writer::{RequestWriter, Unsent};

/// What one read asks for at first, and at most, once a target has shown that it has more.
const READ_BYTES_MIN: usize = 8 * 1024;
const READ_BYTES_MAX: usize = 64 * 1024;

/// How long a request whose client expects 100 (Continue) waits for the target's word. RFC 9110 §10.1.1: not without an end, for
/// not every target knows the expectation.
const CONTINUE_WAIT: Duration = Duration::from_secs(1);

/// A connection that is idle or serves one exchange.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) line: Line,
    /// The longest wait for the head of an answer.
    timeout: Duration,
    /// Stays armed between exchanges and is moved when it has gone off too early: every exchange needs a deadline, nearly
    /// none reaches it, and none has an earlier one than the exchange before it.
    timer: Option<Pin<Box<Sleep>>>,
    buffer: BytesMut,
    read_bytes: usize,
    /// Most fields of an answer.
    fields_max: usize,
}

/// What has been read of an answer that has not begun.
#[derive(Debug, Default)]
struct Read {
    /// A head that is not whole.
    partial: Bytes,
    /// Bytes of interim answers.
    interim: usize,
    /// One of them was 100 (Continue).
    is_continue: bool,
}

impl Connection {
    pub(crate) fn new(line: Line, timeout: Duration, fields_max: usize) -> Self {
        Self { line, timeout, timer: None, buffer: BytesMut::new(), read_bytes: READ_BYTES_MIN, fields_max }
    }

    /// Makes it as small as it can be until it is used again.
    pub(crate) fn rest(&mut self) {
        self.buffer = BytesMut::new();
        self.read_bytes = READ_BYTES_MIN;
    }

    /// Lets go of the task that waited last. What is idle for long would keep it.
    pub(crate) fn forget_waiter(&mut self) {
        if let Some(timer) = &mut self.timer {
            let _ = pin!(unconstrained(timer.as_mut())).poll(&mut Context::from_waker(Waker::noop()));
        }
    }

    /// Whether it can carry another exchange, as far as one can know.
    pub(crate) fn is_open(&self) -> bool {
        self.line.is_quiet()
    }

    /// Sends `request` and waits for the head of the answer, for its timeout from the last move of the request: an upload
    /// may take as long as it moves.
    ///
    /// The request may not have been written to its end when this returns: targets answer early.
    pub(crate) async fn exchange(&mut self, request: &mut RequestWriter) -> Result<Head, Error> {
        let timeout = self.timeout;
        let mut deadline = Instant::now() + timeout;
        let mut moves = request.moves();
        let mut unsent = None;
        let mut read = Read::default();
        let mut awaiting: Option<Pin<Box<Sleep>>> = None;
        poll_fn(|cx| {
            if !request.is_written() && unsent.is_none() {
                match request.poll_write(&mut self.line, cx) {
                    Poll::Ready(Err(Unsent::Client(error))) => return Poll::Ready(Err(Error::of_body(error))),
                    // It may have said why before it stopped to listen.
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
                Err(error) => return Poll::Ready(Err(Error::Reset(error))),
            };
            // No head becomes whole without the end of a line: one that drips in is not read anew for each byte.
            let drips = !read.partial.is_empty() && memchr::memchr(b'\n', &more).is_none();
            let mut bytes =
                if read.partial.is_empty() { more } else { joined(std::mem::take(&mut read.partial), &more) };
            if drips && bytes.len() <= head::BYTES_MAX {
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
                        // One after the other without an end would be a wait without one.
                        if read.interim > head::BYTES_MAX {
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

    /// Reads in pieces that suit a body of which `left` bytes are to come.
    pub(crate) fn expect(&mut self, left: u64) {
        self.read_bytes = usize::try_from(left).unwrap_or(usize::MAX).clamp(READ_BYTES_MIN, READ_BYTES_MAX);
    }

    /// Reads what there is; nothing at the end.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        // What the last reads left of their room is used first: a small piece may be kept for long, and keeps all of it.
        if self.buffer.capacity() < self.read_bytes / 4 {
            self.buffer = BytesMut::with_capacity(self.read_bytes);
        }
        let length = ready!(pin!(self.line.read_buf(&mut self.buffer)).poll(cx))?;
        if length >= self.read_bytes {
            self.read_bytes = (2 * self.read_bytes).min(READ_BYTES_MAX);
        }
        Poll::Ready(Ok(self.buffer.split().freeze()))
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        loop {
            // Also when the reads before it have used up the task's turn: time goes on.
            ready!(pin!(unconstrained(timer.as_mut())).poll(cx));
            if timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }
}

/// `more` behind `first`.
fn joined(first: Bytes, more: &[u8]) -> Bytes {
    let mut both = first.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    both.extend_from_slice(more);
    both.freeze()
}

#[cfg(test)]
mod tests;

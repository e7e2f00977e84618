//! Writes a request to a target: the head as bytes, and the body in the framing that the head announces (RFC 9112 §6,
//! §7).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::header::GetAll;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use http_body::{Body as _, Frame};
use tokio::io::AsyncWrite as _;

use crate::message::body::Body;
use crate::message::own_fields::OwnFields;
use crate::message::trace_context::TraceParent;
use crate::message::{BoxError, framing};
use crate::upstream::request::{Content, Request};
use crate::upstream::target_stream::TargetStream;

/// Initial capacity for a head. The head of a signed-in request is about this large.
const HEAD_BYTES: usize = 4096;

/// Begins the field that names the span of an attempt. Nothing of the client can look like it: `traceparent` of the client is omitted.
const TRACE_PARENT: &[u8] = b"traceparent: ";

/// A request that is being sent over HTTP/1.1. The head is formatted once, and reused for each target that is tried.
#[derive(Debug)]
pub(crate) struct RequestWriter {
    head: Bytes,
    /// The part of the head that is not written yet.
    head_left: Bytes,
    body: Body,
    framing: Framing,
    /// The trailers that the head announces (RFC 9110 §6.6.2). Other trailers are dropped.
    announced: Vec<HeaderName>,
    piece: Option<Piece>,
    is_head: bool,
    /// The client waits for 100 (Continue) before it sends the body (RFC 9110 §10.1.1). It gets 100 when the body is
    /// first read.
    awaits_continue: bool,
    /// The connection is closed after this request.
    is_last: bool,
    /// Whether a target may have received a part of the request, or reading the client's body failed.
    is_begun: bool,
    /// Whether the written bytes are flushed. TLS buffers bytes until a flush.
    is_flushed: bool,
    moves: u64,
}

/// How the target knows where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// The body has this many more bytes. Zero means no body.
    Exact(u64),
    Chunked,
    /// The body is read to its end. Its last bytes may still wait in `piece`.
    Over,
}

/// A part of the body that is not written yet, with the chunk framing before and after it.
#[derive(Debug, Default)]
struct Piece {
    before: Bytes,
    data: Bytes,
    after: Bytes,
}

/// Why a request could not be written completely.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// Writing to the target failed. The target may have sent a response before that.
    Target(io::Error),
    /// The client's body failed, or does not match its `Content-Length`.
    Client(BoxError),
}

/// The client's body is longer or shorter than its head says.
#[derive(Debug, thiserror::Error)]
#[error("the request body does not match its Content-Length")]
struct OtherLength;

impl Piece {
    /// A chunk (RFC 9112 §7.1). `data` must not be empty: an empty chunk ends the body.
    fn chunk(data: Bytes) -> Self {
        Self { before: format!("{:x}\r\n", data.len()).into(), data, after: Bytes::from_static(b"\r\n") }
    }
}

impl RequestWriter {
    /// Names the span of another attempt in the head. Nothing of the request has been sent.
    #[cold]
    pub(crate) fn set_trace_parent(&mut self, parent: TraceParent) {
        let Some(at) = memchr::memmem::find(&self.head, TRACE_PARENT) else { return };
        let mut head = self.head.to_vec();
        let value = parent.to_string();
        let begin = at + TRACE_PARENT.len();
        head[begin..begin + value.len()].copy_from_slice(value.as_bytes());
        self.head = head.into();
        self.head_left = self.head.clone();
    }

    /// Formats the head of `request` and takes its body.
    pub(crate) fn new(request: &mut Request<'_>, content: &mut Content) -> Self {
        let body = std::mem::take(request.from_client.body_mut());
        let from_client = &*request.from_client;
        let (method, headers) = (from_client.method(), from_client.headers());
        let framing = content.length.map_or(Framing::Chunked, Framing::Exact);
        let has_body = !content.is_empty();
        // RFC 9110 §10.1.1: `Expect` has no meaning in HTTP/1.0 and without a body.
        let awaits_continue =
            has_body && from_client.version() != Version::HTTP_10 && headers.contains_key(header::EXPECT);
        let mut head = Vec::with_capacity(HEAD_BYTES);
        head.extend_from_slice(method.as_str().as_bytes());
        head.push(b' ');
        head.extend_from_slice(request.target.as_str().as_bytes());
        head.extend_from_slice(b" HTTP/1.1\r\n");
        let had_length = write_fields(&mut head, headers, request.fields, awaits_continue);
        if let Some(parent) = request.trace_parent() {
            head.extend_from_slice(TRACE_PARENT);
            head.extend_from_slice(parent.to_string().as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        if request.upgrade.is_some() {
            head.extend_from_slice(b"connection: upgrade\r\nupgrade: websocket\r\n");
        }
        let says_length = had_length || framing::may_have_a_body(method);
        let mut announced = Vec::new();
        match framing {
            Framing::Exact(0) if !says_length => {}
            Framing::Exact(length) => {
                head.extend_from_slice(b"content-length: ");
                head.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
                head.extend_from_slice(b"\r\n");
            }
            _ => {
                head.extend_from_slice(b"transfer-encoding: chunked\r\n");
                announced = names(headers.get_all(header::TRAILER));
            }
        }
        // ALB §10.6: few targets read the body of a GET. Such a target would read the body as the next request, so the
        // connection is closed.
        let is_last = has_body && matches!(*method, Method::GET | Method::HEAD);
        if is_last {
            head.extend_from_slice(b"connection: close\r\n");
        }
        head.extend_from_slice(b"\r\n");
        let head = Bytes::from(head);
        Self {
            head_left: head.clone(),
            head,
            framing: if has_body { framing } else { Framing::Over },
            body,
            announced,
            piece: content.first.take().map(Piece::chunk),
            is_head: *method == Method::HEAD,
            awaits_continue,
            is_last,
            is_begun: false,
            is_flushed: false,
            moves: 0,
        }
    }

    /// Whether the method is HEAD: the response has no body.
    pub(crate) fn is_head(&self) -> bool {
        self.is_head
    }

    /// Whether the body is held back until the target has sent 100 (Continue).
    pub(crate) fn awaits_continue(&self) -> bool {
        self.awaits_continue
    }

    /// Stops waiting for 100 (Continue): the body is sent from now on.
    pub(crate) fn go_on(&mut self) {
        self.awaits_continue = false;
    }

    /// Whether the connection is closed after this request.
    pub(crate) fn is_last(&self) -> bool {
        self.is_last
    }

    /// Removes the minimum rate of the body. Called when the target has responded and still reads the body.
    pub(crate) fn lift_rate(&mut self) {
        self.body.lift_rate();
    }

    /// Whether no target has received any byte, so that the request can be sent to any target. The part of the body
    /// that was already read is kept.
    pub(crate) fn is_whole(&self) -> bool {
        !self.is_begun
    }

    /// Resets a request without a body so that it is sent again.
    pub(crate) fn rewind(&mut self) {
        self.head_left = self.head.clone();
        (self.is_begun, self.is_flushed) = (false, false);
    }

    /// Whether the whole request is written and flushed.
    pub(crate) fn is_written(&self) -> bool {
        self.head_left.is_empty() && self.framing == Framing::Over && self.piece.is_none() && self.is_flushed
    }

    /// A counter that grows whenever body data was read or bytes were written.
    pub(crate) fn moves(&self) -> u64 {
        self.moves
    }

    /// Writes what the client has sent, as far as the target accepts it. Ready when the whole request is written.
    ///
    /// # Errors
    ///
    /// [`Unsent`] says whether the client or the target caused the error. Do not call `poll_write` again after an
    /// error.
    pub(crate) fn poll_write(&mut self, stream: &mut TargetStream, cx: &mut Context<'_>) -> Poll<Result<(), Unsent>> {
        loop {
            if self.piece.is_none() && self.framing != Framing::Over && !self.awaits_continue {
                // Read the body before writing the head, so that a small body is sent together with the head.
                if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
                    self.moves += 1;
                    match frame.transpose().and_then(|frame| self.frame(frame)) {
                        Ok(Some(piece)) => self.piece = Some(piece),
                        Ok(None) => continue,
                        Err(error) => {
                            self.is_begun = true;
                            return Poll::Ready(Err(Unsent::Client(error)));
                        }
                    }
                }
            }
            if self.head_left.is_empty() && self.piece.is_none() {
                ready!(Pin::new(stream).poll_flush(cx)).map_err(Unsent::Target)?;
                self.is_flushed = true;
                return if self.framing == Framing::Over { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
            let written = match ready!(self.poll_pieces(stream, cx)) {
                Ok(0) => return Poll::Ready(Err(Unsent::Target(io::ErrorKind::WriteZero.into()))),
                Ok(written) => written,
                Err(error) => {
                    self.is_begun |= stream.may_fail_in_part();
                    return Poll::Ready(Err(Unsent::Target(error)));
                }
            };
            (self.is_begun, self.is_flushed) = (true, false);
            self.moves += 1;
            self.advance(written);
        }
    }

    fn poll_pieces(&self, stream: &mut TargetStream, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(piece) = &self.piece else { return Pin::new(stream).poll_write(cx, &self.head_left) };
        let pieces = [&self.head_left, &piece.before, &piece.data, &piece.after].map(|piece| IoSlice::new(piece));
        Pin::new(stream).poll_write_vectored(cx, &pieces)
    }

    fn advance(&mut self, mut written: usize) {
        let mut pass = |piece: &mut Bytes| {
            let part = written.min(piece.len());
            piece.advance(part);
            written -= part;
        };
        pass(&mut self.head_left);
        let Some(piece) = &mut self.piece else { return };
        pass(&mut piece.before);
        pass(&mut piece.data);
        pass(&mut piece.after);
        if piece.before.is_empty() && piece.data.is_empty() && piece.after.is_empty() {
            self.piece = None;
        }
    }

    /// Adds the framing to a frame of the client's body. Returns `None` for a frame without data.
    fn frame(&mut self, frame: Option<Frame<Bytes>>) -> Result<Option<Piece>, BoxError> {
        let frame = frame.map(Frame::into_data);
        match (&mut self.framing, frame) {
            (Framing::Exact(left), Some(Ok(data))) => {
                *left = left.checked_sub(data.len() as u64).ok_or(OtherLength)?;
                if *left == 0 {
                    self.framing = Framing::Over;
                }
                Ok((!data.is_empty()).then(|| Piece { data, ..Piece::default() }))
            }
            // A body with `Content-Length` has no trailers. The target would read them as the next request.
            (Framing::Exact(_), Some(Err(_))) => Ok(None),
            (Framing::Exact(_), None) => Err(OtherLength.into()),
            // An empty chunk would end the body.
            (Framing::Chunked, Some(Ok(data))) if data.is_empty() => Ok(None),
            (Framing::Chunked, Some(Ok(data))) => Ok(Some(Piece::chunk(data))),
            (Framing::Chunked, last) => {
                let trailers = last.and_then(Result::err).and_then(|frame| frame.into_trailers().ok());
                self.framing = Framing::Over;
                let mut end = b"0\r\n".to_vec();
                for (name, value) in trailers.iter().flatten().filter(|(name, _)| self.announced.contains(name)) {
                    write_field(&mut end, name, value);
                }
                end.extend_from_slice(b"\r\n");
                Ok(Some(Piece { after: end.into(), ..Piece::default() }))
            }
            (Framing::Over, _) => Ok(None),
        }
    }
}

/// The field names in comma-separated lists.
fn names(lists: GetAll<'_, HeaderValue>) -> Vec<HeaderName> {
    let names = lists.iter().flat_map(|list| list.as_bytes().split(|byte| *byte == b','));
    names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()).collect()
}

/// Writes `headers`, with the fields of `own` replacing those of the same name. Skips `Content-Length` and
/// `Transfer-Encoding`: the caller writes the framing that the body really has. Skips `Expect` unless `expects`. Returns
/// whether there was a `Content-Length`.
fn write_fields(bytes: &mut Vec<u8>, headers: &HeaderMap, own: &OwnFields, expects: bool) -> bool {
    let mut had_length = false;
    for (name, value) in headers {
        if *name == header::CONTENT_LENGTH || *name == header::TRANSFER_ENCODING {
            had_length |= *name == header::CONTENT_LENGTH;
        } else if !own.replaces(name) && (expects || *name != header::EXPECT) {
            write_field(bytes, name, value);
        }
    }
    for (name, value) in own.iter() {
        write_field(bytes, name, value);
    }
    had_length
}

fn write_field(bytes: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    bytes.extend_from_slice(name.as_str().as_bytes());
    bytes.extend_from_slice(b": ");
    bytes.extend_from_slice(value.as_bytes());
    bytes.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;

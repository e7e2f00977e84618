//! A request as it goes out: its head in bytes, and its body in the framing that the head announces (RFC 9112 §6, §7).

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::header::GetAll;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use http_body::{Body as _, Frame};
use tokio::io::AsyncWrite as _;

use crate::message::body::Body;
use crate::message::own_fields::OwnFields;
use crate::message::{BoxError, Request, framing};
use crate::upstream::http1::line::Line;

/// About as large as a signed-in request's head.
const HEAD_BYTES: usize = 4096;

/// A request on its way. It is written once for all targets that it may be offered to.
#[derive(Debug)]
pub(crate) struct RequestWriter {
    head: Bytes,
    /// What is left of the head to write.
    head_left: Bytes,
    body: Body,
    framing: Framing,
    /// The trailers that the head announces (RFC 9110 §6.6.2). Others are left out.
    announced: Vec<HeaderName>,
    piece: Option<Piece>,
    /// RFC 9110 §9.2.2, and nothing of it is gone once it has been sent.
    may_be_repeated: bool,
    is_head: bool,
    /// The client sends the body only when it is told to (RFC 9110 §10.1.1). It is told when the body is first read.
    awaits_continue: bool,
    /// The target gets no other request over the same connection.
    is_last: bool,
    /// Whether a target may have seen something of it, or the client has broken it off.
    is_begun: bool,
    /// Whether what was written has left us: TLS takes bytes and keeps them until they are flushed.
    is_flushed: bool,
    moves: u64,
}

/// How the target knows where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// After this many more bytes; zero for no body.
    Exact(u64),
    Chunked,
    /// The last byte is among those that wait to be written.
    Over,
}

/// A part of the body that waits to be written, with what stands around it.
#[derive(Debug, Default)]
struct Piece {
    before: Bytes,
    data: Bytes,
    after: Bytes,
}

/// Why a request could not be written to its end.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// The target does not take it. It may have answered all the same.
    Target(io::Error),
    /// The client did not send what it had promised.
    Client(BoxError),
}

/// The client's body is longer or shorter than its head says.
#[derive(Debug, thiserror::Error)]
#[error("the request body does not match its Content-Length")]
struct OtherLength;

impl Piece {
    /// RFC 9112 §7.1. `data` is not empty: that would be the last chunk.
    fn chunk(data: Bytes) -> Self {
        Self { before: format!("{:x}\r\n", data.len()).into(), data, after: Bytes::from_static(b"\r\n") }
    }
}

impl RequestWriter {
    /// Writes the head of `request`, and takes its body. `target` stands in the request line, and `fields` in the place of the
    /// request's own fields of these names.
    ///
    /// Boxed, because it passes through many hands.
    ///
    /// # Errors
    ///
    /// What went wrong with the client's body.
    pub(crate) async fn new(
        request: &mut Request,
        target: &PathAndQuery,
        fields: &OwnFields,
    ) -> Result<Box<Self>, BoxError> {
        let mut body = std::mem::take(request.body_mut());
        let (method, headers) = (request.method(), request.headers());
        let mut piece = None;
        let framing = match body.size_hint().exact() {
            _ if body.is_empty() => Framing::Exact(0),
            Some(length) => Framing::Exact(length),
            None if framing::may_have_a_body(method) => Framing::Chunked,
            // Over HTTP/2 also a request without a body may say so after its head. Not many targets look for the body of a
            // GET, and who does not would take the end of one for the next request.
            None => {
                piece = first_data(&mut body).await?.map(Piece::chunk);
                if piece.is_some() { Framing::Chunked } else { Framing::Exact(0) }
            }
        };
        let mut head = Vec::with_capacity(HEAD_BYTES);
        head.extend_from_slice(method.as_str().as_bytes());
        head.push(b' ');
        head.extend_from_slice(target.as_str().as_bytes());
        head.extend_from_slice(b" HTTP/1.1\r\n");
        let had_length = write_fields(&mut head, headers, fields);
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
        // ALB §10.6: few targets look for the body of a GET, and the next request would begin in the middle of it.
        let is_last = framing != Framing::Exact(0) && matches!(*method, Method::GET | Method::HEAD);
        if is_last {
            head.extend_from_slice(b"connection: close\r\n");
        }
        head.extend_from_slice(b"\r\n");
        let head = Bytes::from(head);
        let is_idempotent =
            matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE);
        let awaits_continue =
            framing != Framing::Exact(0) && !fields.replaces(&header::EXPECT) && headers.contains_key(header::EXPECT);
        Ok(Box::new(Self {
            head_left: head.clone(),
            head,
            may_be_repeated: is_idempotent && framing == Framing::Exact(0),
            framing: if framing == Framing::Exact(0) { Framing::Over } else { framing },
            body,
            announced,
            piece,
            is_head: *method == Method::HEAD,
            awaits_continue,
            is_last,
            is_begun: false,
            is_flushed: false,
            moves: 0,
        }))
    }

    /// Whether it asks for a head without its body.
    pub(crate) fn is_head(&self) -> bool {
        self.is_head
    }

    /// Whether the body waits until the target has said 100 (Continue).
    pub(crate) fn awaits_continue(&self) -> bool {
        self.awaits_continue
    }

    /// The body need not wait any longer.
    pub(crate) fn go_on(&mut self) {
        self.awaits_continue = false;
    }

    /// Whether the connection carries no other request after it.
    pub(crate) fn is_last(&self) -> bool {
        self.is_last
    }

    /// Lets the rest of the body come as slowly as it likes: the target has answered, and goes on to read.
    pub(crate) fn lift_rate(&mut self) {
        self.body.lift_rate();
    }

    /// Whether no target has seen anything of it: it can be offered to any. What the client has sent of the body is kept.
    pub(crate) fn is_whole(&self) -> bool {
        !self.is_begun
    }

    /// Makes it whole again where sending it twice does no harm. Answers whether it is whole.
    pub(crate) fn rewind(&mut self) -> bool {
        if self.may_be_repeated {
            self.head_left = self.head.clone();
            (self.is_begun, self.is_flushed) = (false, false);
        }
        self.is_whole()
    }

    /// Whether its last byte has been written and has left us.
    pub(crate) fn is_written(&self) -> bool {
        self.head_left.is_empty() && self.framing == Framing::Over && self.piece.is_none() && self.is_flushed
    }

    /// Changes whenever something of it has moved.
    pub(crate) fn moves(&self) -> u64 {
        self.moves
    }

    /// Writes as much as the client has sent and the target takes; ready when all of it is written.
    ///
    /// # Errors
    ///
    /// Whose fault it is. Nothing of it is written after that.
    pub(crate) fn poll_write(&mut self, line: &mut Line, cx: &mut Context<'_>) -> Poll<Result<(), Unsent>> {
        loop {
            if self.piece.is_none() && self.framing != Framing::Over && !self.awaits_continue {
                // Before the head goes out, so that a small body goes with it.
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
                ready!(Pin::new(line).poll_flush(cx)).map_err(Unsent::Target)?;
                self.is_flushed = true;
                return if self.framing == Framing::Over { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
            let written = match ready!(self.poll_pieces(line, cx)) {
                Ok(0) => return Poll::Ready(Err(Unsent::Target(io::ErrorKind::WriteZero.into()))),
                Ok(written) => written,
                Err(error) => {
                    self.is_begun |= line.may_fail_in_part();
                    return Poll::Ready(Err(Unsent::Target(error)));
                }
            };
            (self.is_begun, self.is_flushed) = (true, false);
            self.moves += 1;
            self.advance(written);
        }
    }

    fn poll_pieces(&self, line: &mut Line, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(piece) = &self.piece else { return Pin::new(line).poll_write(cx, &self.head_left) };
        let pieces = [&self.head_left, &piece.before, &piece.data, &piece.after].map(|piece| IoSlice::new(piece));
        Pin::new(line).poll_write_vectored(cx, &pieces)
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

    /// Puts what the client sent into the framing. Nothing comes of a frame without data.
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
            // A length has no trailers after it; the target would take them for a request.
            (Framing::Exact(_), Some(Err(_))) => Ok(None),
            (Framing::Exact(_), None) => Err(OtherLength.into()),
            // A chunk of no bytes would be the last.
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

/// The first data; nothing where the body ends without any. Trailers of no body are left out.
async fn first_data(body: &mut Body) -> Result<Option<Bytes>, BoxError> {
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await.transpose()? {
        match frame.into_data() {
            Ok(data) if data.is_empty() => {}
            Ok(data) => return Ok(Some(data)),
            Err(_trailers) => break,
        }
    }
    Ok(None)
}

/// The names in lists of them.
fn names(lists: GetAll<'_, HeaderValue>) -> Vec<HeaderName> {
    let names = lists.iter().flat_map(|list| list.as_bytes().split(|byte| *byte == b','));
    names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()).collect()
}

/// Writes `headers` with `own` in their places, but none that say where the body ends: these say what the body is, not what
/// it was called. Answers whether there was a length among them.
fn write_fields(bytes: &mut Vec<u8>, headers: &HeaderMap, own: &OwnFields) -> bool {
    let mut had_length = false;
    for (name, value) in headers {
        if *name == header::CONTENT_LENGTH || *name == header::TRANSFER_ENCODING {
            had_length |= *name == header::CONTENT_LENGTH;
        } else if !own.replaces(name) {
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

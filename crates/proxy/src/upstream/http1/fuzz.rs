//! For `fuzz/`: reads a whole answer as a connection and its body do, and holds other readers against it.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Version, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::rt::ReadBufCursor;

use crate::message::header::remove_hop_by_hop;
use crate::upstream::http1::decoder::{Decoded, Decoder};
use crate::upstream::http1::head::{self, Length, Parsed};

/// An answer as one reader takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    status: StatusCode,
    fields: HeaderMap,
    body: Vec<u8>,
    trailers: HeaderMap,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Read {
    Refused,
    /// The target would have to say more.
    Short,
    /// To its end, with what comes after it.
    Whole(Box<Answer>, Vec<u8>),
}

/// Most fields of an answer, here and where hyper reads it.
const FIELDS_MAX: usize = 200;

/// The first byte says whether the request was for a head alone, and how the answer is cut into pieces. The rest is what the target
/// sends before it closes.
pub fn answer(input: &[u8]) {
    let Some((&how, bytes)) = input.split_first() else { return };
    // Pieces of one byte make it quadratic.
    if bytes.len() > 4096 {
        return;
    }
    let is_head = how & 1 == 1;
    let ours = read(bytes, is_head, bytes.len());
    for piece in [1, usize::from(how >> 1)] {
        assert_eq!(read(bytes, is_head, piece), ours, "it matters how the answer is cut into pieces of {piece}");
    }
    let Read::Whole(ours, _) = ours else { return };
    if ours.status == StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    let theirs = by_hyper(bytes, is_head).unwrap_or_else(|error| panic!("hyper does not take it: {error}"));
    assert_eq!(without_lengths(*ours), without_lengths(theirs), "left: ours; right: hyper's");
}

/// We write one length in place of two that are alike, and of one that begins with zeros.
fn without_lengths(mut answer: Answer) -> Answer {
    answer.fields.remove(header::CONTENT_LENGTH);
    answer
}

fn read(bytes: &[u8], is_head: bool, piece: usize) -> Read {
    let mut pieces = bytes.chunks(piece.max(1)).map(Bytes::copy_from_slice);
    let mut partial = Bytes::new();
    let head = 'head: loop {
        let Some(more) = pieces.next() else { return Read::Short };
        let mut bytes = Bytes::from([std::mem::take(&mut partial), more].concat());
        while !bytes.is_empty() {
            match head::parse(bytes, is_head, FIELDS_MAX) {
                Err(_) => return Read::Refused,
                Ok(Parsed::Final(head)) => break 'head head,
                Ok(Parsed::Interim { rest, .. }) => bytes = rest,
                Ok(Parsed::Partial(unread)) => {
                    partial = unread;
                    break;
                }
            }
        }
    };
    let mut decoder = Decoder::new(head.length);
    let (body, trailers, left) = match decode(&mut decoder, head.rest, &mut pieces) {
        Err(()) => return Read::Refused,
        Ok(None) => return Read::Short,
        Ok(Some(decoded)) => decoded,
    };
    let (parts, _) = head.response.into_parts();
    Read::Whole(Box::new(Answer { status: parts.status, fields: parts.headers, body, trailers }), left)
}

type Body = (Vec<u8>, HeaderMap, Vec<u8>);

/// The body, its trailers, and what is left. `None` where it is not whole.
fn decode(decoder: &mut Decoder, first: Bytes, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<Option<Body>, ()> {
    let (mut body, mut trailers) = (Vec::new(), HeaderMap::new());
    let mut bytes = first;
    loop {
        match decoder.decode(&mut bytes).map_err(drop)? {
            Decoded::Data(data) => {
                assert!(!data.is_empty(), "a frame without data");
                body.extend_from_slice(&data);
            }
            Decoded::Trailers(found) => trailers = found,
            Decoded::End => {
                let mut left = bytes.to_vec();
                left.extend(pieces.flatten());
                return Ok(Some((body, trailers, left)));
            }
            Decoded::Short => {
                assert!(bytes.is_empty(), "it asks for more and leaves some");
                match pieces.next() {
                    Some(more) => bytes = more,
                    None if decoder.may_end() => return Ok(Some((body, trailers, Vec::new()))),
                    None => return Ok(None),
                }
            }
        }
    }
}

/// What a target says once it was asked; then it closes.
struct Canned {
    bytes: Bytes,
    is_asked: bool,
}

impl hyper::rt::Read for Canned {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.is_asked {
            return Poll::Pending;
        }
        let length = self.bytes.len().min(buffer.remaining());
        buffer.put_slice(&self.bytes.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Canned {
    fn poll_write(mut self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.is_asked = true;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The same answer by another reader.
fn by_hyper(bytes: &[u8], is_head: bool) -> Result<Answer, hyper::Error> {
    let canned = Canned { bytes: Bytes::copy_from_slice(bytes), is_asked: false };
    let asked = async {
        let mut builder = hyper::client::conn::http1::Builder::new();
        let (mut sender, connection) = builder.max_headers(FIELDS_MAX).handshake(canned).await?;
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.method_mut() = if is_head { Method::HEAD } else { Method::GET };
        *request.version_mut() = Version::HTTP_11;
        request.headers_mut().insert(header::HOST, header::HeaderValue::from_static("app"));
        let answered = async {
            let (parts, body) = sender.send_request(request).await?.into_parts();
            let body = body.collect().await?;
            let mut trailers = body.trailers().cloned().unwrap_or_default();
            remove_hop_by_hop(&mut trailers);
            let body = body.to_bytes().to_vec();
            Ok(Answer { status: parts.status, fields: parts.headers, body, trailers })
        };
        // What the connection fails of, the answer fails of.
        let connection = async {
            let _ = connection.await;
            std::future::pending::<()>().await;
        };
        let answered = pin!(answered);
        match futures_util::future::select(answered, pin!(connection)).await {
            futures_util::future::Either::Left((answer, _)) => answer,
            futures_util::future::Either::Right(_) => unreachable!("it never ends"),
        }
    };
    let mut asked = pin!(asked);
    let mut cx = Context::from_waker(Waker::noop());
    // Everything is in memory: whatever is not ready now is ready when it is asked again.
    for _ in 0..100_000 {
        if let Poll::Ready(answer) = asked.as_mut().poll(&mut cx) {
            return answer;
        }
    }
    panic!("hyper waits for something")
}

/// The first byte says how the body is cut into pieces.
pub fn chunked(input: &[u8]) {
    let Some((&how, bytes)) = input.split_first() else { return };
    if bytes.len() > 4096 {
        return;
    }
    let by_pieces = |piece: usize| {
        let mut pieces = bytes.chunks(piece.max(1)).map(Bytes::copy_from_slice);
        decode(&mut Decoder::new(Length::Chunked), Bytes::new(), &mut pieces)
    };
    let ours = by_pieces(bytes.len());
    for piece in [1, usize::from(how)] {
        assert_eq!(by_pieces(piece), ours, "it matters how the body is cut into pieces of {piece}");
    }
    match (ours, simply(bytes)) {
        (Ok(Some((body, _, left))), Some(simple)) => assert_eq!((body, left), (simple.data, simple.left)),
        (Ok(Some(_)), None) => panic!("only our reader takes it"),
        // The simple reader does not look at trailers.
        (Err(()), Some(simple)) => assert!(simple.has_trailers, "only the simple reader takes it"),
        (Ok(None), Some(_)) => panic!("only the simple reader finds an end"),
        (Ok(None) | Err(()), None) => {}
    }
}

/// A chunked body as the simple reader takes it.
struct Simple {
    data: Vec<u8>,
    /// Something stands between the last chunk and the empty line.
    has_trailers: bool,
    left: Vec<u8>,
}

/// RFC 9112 §7.1, with the whole body in memory. `None` where it is not whole or not valid.
fn simply(mut text: &[u8]) -> Option<Simple> {
    let mut data = Vec::new();
    loop {
        let end = text.windows(2).position(|pair| pair == b"\r\n")?;
        let (line, rest) = (&text[..end], &text[end + 2..]);
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let size = u64::from_str_radix(std::str::from_utf8(&line[..digits]).ok()?, 16).ok()?;
        let after = &line[digits..];
        let blanks = after.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let is_extension = matches!(after.get(blanks), None | Some(b';'));
        let is_text = after.iter().all(|byte| *byte >= b' ' || *byte == b'\t');
        if digits > 16 || blanks > 64 || !is_extension || !is_text {
            return None;
        }
        text = rest;
        if size == 0 {
            break;
        }
        let size = usize::try_from(size).ok()?;
        data.extend_from_slice(text.get(..size)?);
        text = text[size..].strip_prefix(b"\r\n")?;
    }
    let mut has_trailers = false;
    loop {
        if let Some(left) = text.strip_prefix(b"\r\n") {
            return Some(Simple { data, has_trailers, left: left.to_vec() });
        }
        has_trailers = true;
        let end = text.iter().position(|byte| *byte == b'\n')?;
        if !text[..end].ends_with(b"\r") {
            return None;
        }
        text = &text[end + 1..];
    }
}

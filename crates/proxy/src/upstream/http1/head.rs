//! Parses the head of a response, and finds where its body ends (RFC 9112 §4, §6.3).

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use hyper::ext::ReasonPhrase;

use crate::message::Response;
use crate::message::body::Body;
use crate::upstream::http1::malformed::{HEAD_BYTES_MAX, Malformed};

/// Number of header fields that fit on the stack. A response with more is rare and is parsed a second time, on the
/// heap.
const FIELDS_USUAL: usize = 100;

/// The head of a final response. The body is still to be read.
#[derive(Debug)]
pub(crate) struct Head {
    /// Has an empty body. Boxed, because it is moved often.
    pub(crate) response: Box<Response>,
    pub(crate) length: Length,
    /// Whether the target keeps the connection open after this response.
    pub(crate) keeps_open: bool,
    /// Bytes that arrived after the head.
    pub(crate) rest: Bytes,
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Exact(u64),
    Chunked,
    UntilClose,
}

/// The result of parsing the beginning of a response.
#[derive(Debug)]
pub(super) enum Parsed {
    /// A final response.
    Final(Head),
    /// 100 (Continue) or another interim (1xx) response, which is not forwarded. `rest` holds the bytes after it.
    Interim { status: StatusCode, rest: Bytes },
    /// An incomplete head. Returns the bytes to the caller.
    Partial(Bytes),
}

/// Parses a head with at most `fields_max` header fields. `is_head` means that the request method was HEAD.
///
/// # Errors
///
/// See [`Malformed`].
pub(super) fn parse(bytes: Bytes, is_head: bool, fields_max: usize) -> Result<Parsed, Malformed> {
    let mut room = [const { MaybeUninit::uninit() }; FIELDS_USUAL];
    let parsed = match parse_into(&bytes, is_head, &mut room[..fields_max.min(FIELDS_USUAL)]) {
        Err(Malformed::Syntax(httparse::Error::TooManyHeaders)) if fields_max > FIELDS_USUAL => {
            parse_into(&bytes, is_head, &mut vec![MaybeUninit::uninit(); fields_max])?
        }
        parsed => parsed?,
    };
    Ok(parsed.unwrap_or(Parsed::Partial(bytes)))
}

/// Parses a head whose header fields fit into `room`. `None` if the head is incomplete.
fn parse_into<'b>(
    bytes: &'b Bytes,
    is_head: bool,
    room: &mut [MaybeUninit<httparse::Header<'b>>],
) -> Result<Option<Parsed>, Malformed> {
    let mut read = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    let status = parser.parse_response_with_uninit_headers(&mut read, bytes, room);
    let httparse::Status::Complete(end) = status.map_err(Malformed::Syntax)? else {
        return if bytes.len() > HEAD_BYTES_MAX { Err(Malformed::HeadTooLarge) } else { Ok(None) };
    };
    if end > HEAD_BYTES_MAX {
        return Err(Malformed::HeadTooLarge);
    }
    let status = read.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Malformed::Status)?;
    if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Some(Parsed::Interim { status, rest: bytes.slice(end..) }));
    }
    let mut framing = Framing { is_1_1: read.version == Some(1), ..Framing::default() };
    let mut headers = fields(bytes, read.headers, |name, value| framing.hear(name, value))?;
    let has_none = is_head
        || matches!(status, StatusCode::SWITCHING_PROTOCOLS | StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if framing.has_bad_length {
        return Err(Malformed::Length);
    }
    let length = if has_none { Length::Exact(0) } else { framing.length()? };
    if let Some(length) = framing.length
        && (framing.lengths > 1 || framing.has_leading_zero)
    {
        // Replace identical duplicates, and a length such as `0002`, by one plain number (RFC 9110 §8.6), so that every
        // client parses the same length.
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let mut response = Box::new(Response::new(Body::empty()));
    *response.status_mut() = status;
    if let Some(reason) = read.reason.filter(|reason| Some(*reason) != status.canonical_reason())
        && let Ok(reason) = ReasonPhrase::try_from(bytes.slice_ref(reason.as_bytes()))
    {
        response.extensions_mut().insert(reason);
    }
    *response.headers_mut() = headers;
    let keeps_open = framing.keeps_open();
    Ok(Some(Parsed::Final(Head { response, length, keeps_open, rest: bytes.slice(end..) })))
}

/// Parses trailers, including the empty line at their end.
///
/// # Errors
///
/// [`Malformed::Trailers`].
pub(super) fn parse_trailers(bytes: &Bytes) -> Result<HeaderMap, Malformed> {
    // There are at most as many fields as lines. The decoder limits the number of bytes.
    let lines = memchr::memchr_iter(b'\n', bytes).count();
    let mut room = vec![httparse::EMPTY_HEADER; lines];
    match httparse::parse_headers(bytes, &mut room) {
        Ok(httparse::Status::Complete((end, read))) if end == bytes.len() => fields(bytes, read, |_, _| {}),
        _ => Err(Malformed::Trailers),
    }
}

/// Converts parsed fields to a [`HeaderMap`] and calls `hear` for each field. Values are not copied: they point into
/// `bytes`.
fn fields(
    bytes: &Bytes,
    read: &[httparse::Header<'_>],
    mut hear: impl FnMut(&HeaderName, &[u8]),
) -> Result<HeaderMap, Malformed> {
    let mut headers = HeaderMap::with_capacity(read.len());
    for field in read {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Malformed::Field)?;
        hear(&name, field.value);
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(field.value)).map_err(|_| Malformed::Field)?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// What the header fields of a response say about the end of its body and of the connection.
#[derive(Debug, Default)]
struct Framing {
    is_1_1: bool,
    lengths: usize,
    length: Option<u64>,
    /// A `Content-Length` is not a number, or differs from the one before it.
    has_bad_length: bool,
    has_leading_zero: bool,
    codings: usize,
    is_chunked: bool,
    says_close: bool,
    says_keep_alive: bool,
}

impl Framing {
    fn hear(&mut self, name: &HeaderName, value: &[u8]) {
        if *name == header::CONTENT_LENGTH {
            let length = number(value);
            self.has_bad_length |= length.is_none() || (self.lengths > 0 && self.length != length);
            self.has_leading_zero |= matches!(value, [b'0', _, ..]);
            self.length = length;
            self.lengths += 1;
        } else if *name == header::TRANSFER_ENCODING {
            self.is_chunked = value.eq_ignore_ascii_case(b"chunked");
            self.codings += 1;
        } else if *name == header::CONNECTION {
            for token in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                self.says_close |= token.eq_ignore_ascii_case(b"close");
                self.says_keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
            }
        }
    }

    /// Follows RFC 9112 §6.3, but refuses ambiguous framing instead of guessing. If the proxy and the target disagree
    /// about the end of a body, the rest goes to another client (response smuggling).
    fn length(&self) -> Result<Length, Malformed> {
        match (self.codings, self.lengths) {
            (0, 0) => Ok(Length::UntilClose),
            (0, _) => self.length.map(Length::Exact).ok_or(Malformed::Length),
            (1, 0) if self.is_chunked && self.is_1_1 => Ok(Length::Chunked),
            _ => Err(Malformed::TransferCoding),
        }
    }

    fn keeps_open(&self) -> bool {
        !self.says_close && (self.is_1_1 || self.says_keep_alive)
    }
}

/// Parses digits only: no sign, no list, no whitespace.
fn number(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests;

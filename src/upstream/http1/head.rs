//! The head of an answer, and where its body ends (RFC 9112 §4, §6.3).

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use hyper::ext::ReasonPhrase;

use crate::message::Response;
use crate::message::body::Body;

/// Heads larger than this are refused. The load balancer takes 32 K (ALB §7.4).
pub(super) const BYTES_MAX: usize = 64 * 1024;

/// Fields for which there is room on the stack. Answers with more are rare and read a second time.
const FIELDS_USUAL: usize = 100;

/// An answer whose body is still to be read.
#[derive(Debug)]
pub(crate) struct Head {
    /// With an empty body. Boxed, because it passes through many hands.
    pub(crate) response: Box<Response>,
    pub(crate) length: Length,
    /// Whether the target will take another request after this answer.
    pub(crate) keeps_open: bool,
    /// What came after the head.
    pub(crate) rest: Bytes,
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Exact(u64),
    Chunked,
    UntilClose,
}

/// Why a target's answer is not valid HTTP/1.1, or is ambiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("{0}")]
    Syntax(httparse::Error),
    #[error("the status is not a number from 100 to 999")]
    Status,
    #[error("a header field has an invalid name or value")]
    Field,
    #[error("the head, with the interim responses before it, is larger than {BYTES_MAX} bytes")]
    HeadTooLarge,
    #[error("Content-Length is not a number, or has different values")]
    Length,
    #[error("Transfer-Encoding is not `chunked`, or comes with Content-Length, or is in an HTTP/1.0 answer")]
    TransferCoding,
    #[error("a chunk is malformed (RFC 9112 §7.1)")]
    Chunk,
    #[error("chunk extensions and trailers are larger than {} bytes", crate::upstream::http1::decoder::ASIDE_BYTES_MAX)]
    AsideTooLarge,
    #[error("the trailers are malformed")]
    Trailers,
}

/// What `bytes` are the beginning of.
#[derive(Debug)]
pub(super) enum Parsed {
    /// Of an answer.
    Final(Head),
    /// Of 100 (Continue) or another interim answer, which concerns nobody but us; `rest` is what comes after it.
    Interim { status: StatusCode, rest: Bytes },
    /// Of a head that is not whole: here they are again.
    Partial(Bytes),
}

/// Reads a head with at most `fields_max` fields. `is_head`: the request was for a head alone.
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

/// Reads a head whose fields fit into `room`. `None` where it is not whole.
fn parse_into<'b>(
    bytes: &'b Bytes,
    is_head: bool,
    room: &mut [MaybeUninit<httparse::Header<'b>>],
) -> Result<Option<Parsed>, Malformed> {
    let mut read = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    let status = parser.parse_response_with_uninit_headers(&mut read, bytes, room);
    let httparse::Status::Complete(end) = status.map_err(Malformed::Syntax)? else {
        return if bytes.len() > BYTES_MAX { Err(Malformed::HeadTooLarge) } else { Ok(None) };
    };
    if end > BYTES_MAX {
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
        // Said twice alike, or as `0002` (RFC 9110 §8.6): whoever reads our answer reads one plain number.
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

/// Reads trailers up to and with their empty line.
///
/// # Errors
///
/// [`Malformed::Trailers`].
pub(super) fn parse_trailers(bytes: &Bytes) -> Result<HeaderMap, Malformed> {
    // Each field has a line. How many bytes they are is bounded by the decoder.
    let lines = memchr::memchr_iter(b'\n', bytes).count();
    let mut room = vec![httparse::EMPTY_HEADER; lines];
    match httparse::parse_headers(bytes, &mut room) {
        Ok(httparse::Status::Complete((end, read))) if end == bytes.len() => fields(bytes, read, |_, _| {}),
        _ => Err(Malformed::Trailers),
    }
}

/// The fields that were read from `bytes`, each told to `hear`; values stay where they are.
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

/// What the fields of one answer say of its end.
#[derive(Debug, Default)]
struct Framing {
    is_1_1: bool,
    lengths: usize,
    length: Option<u64>,
    /// A length is no number, or another than the one before it.
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

    /// RFC 9112 §6.3, but what its rules would have us guess is refused: a gateway that reads another body than the target
    /// meant hands the rest to somebody else.
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

/// Digits alone: no sign, no list, no blanks.
fn number(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests;

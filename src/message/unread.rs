//! The head of an HTTP/1.1 request as bytes, for the requests that the HTTP library does not read.
//!
//! The library refuses characters in a target that other servers accept, and cuts off a fragment. [`look`] decides what
//! becomes of such a target. Nothing here takes the library's place: a head that is changed is read by the library again, and
//! a head that is refused is read by [`Unread::of`] for the access log and the error page only.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};

/// What could be read of a request that is refused before it is one.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    pub(crate) method: Option<Method>,
    pub(crate) uri: Option<Uri>,
    pub(crate) version: Option<Version>,
    pub(crate) headers: HeaderMap,
}

/// Most fields that are read of a head that is refused.
const FIELDS_MAX: usize = 200;

impl Unread {
    /// Reads what can be read of `head`, which may be cut off anywhere. Lines that are no fields are left out.
    pub(crate) fn of(head: &[u8]) -> Self {
        let Some(line) = RequestLine::find(head) else { return Self::default() };
        let (first, fields) = match memchr::memchr(b'\n', &head[line.target.end..]) {
            Some(end) => head.split_at(line.target.end + end + 1),
            None => (head, &[][..]),
        };
        let version = match first[line.target.end..].trim_ascii() {
            b"HTTP/1.1" => Some(Version::HTTP_11),
            b"HTTP/1.0" => Some(Version::HTTP_10),
            _ => None,
        };
        // A line without its end may have been cut off.
        let lines = fields.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        let lines = lines.map(<[u8]>::trim_ascii_end).take_while(|line| !line.is_empty());
        Self {
            method: Method::from_bytes(&head[line.method]).ok(),
            uri: Uri::try_from(&head[line.target]).ok(),
            version,
            headers: lines.take(FIELDS_MAX).filter_map(field).collect(),
        }
    }
}

impl From<http::request::Parts> for Unread {
    fn from(parts: http::request::Parts) -> Self {
        let http::request::Parts { method, uri, version, headers, .. } = parts;
        Self { method: Some(method), uri: Some(uri), version: Some(version), headers }
    }
}

fn field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_at(memchr::memchr(b':', line)?);
    Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value[1..].trim_ascii()).ok()?))
}

/// What becomes of a head that the library does not read, or not as it came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// The target has characters that every reader takes for their percent-encoded form. This is the head with that form in
    /// their place, and otherwise the same.
    Encoded(Bytes),
    /// The target has a fragment, which some servers cut off and others do not (attacks P-03).
    Fragment,
    /// The target has neither, or it is not all there.
    Plain,
}

/// Looks at the target of the request whose head begins with `head`. What follows the head is not touched.
pub(crate) fn look(head: &[u8]) -> Look {
    let Some(RequestLine { target, .. }) = RequestLine::find(head) else { return Look::Plain };
    if head[target.clone()].contains(&b'#') {
        return Look::Fragment;
    }
    let query = memchr::memchr(b'?', &head[target.clone()]).map_or(target.end, |at| target.start + at);
    let is_path = head[target.start] == b'/';
    let is_text = std::str::from_utf8(&head[query..target.end]).is_ok();
    let is_encoded = |at: usize, byte: u8| match byte {
        _ if !target.contains(&at) => false,
        b'"' => at > query,
        // The library takes UTF-8.
        0x80.. => at > query && !is_text,
        b'<' | b'>' => at > query || is_path,
        b'`' => at < query && is_path,
        _ => false,
    };
    let mut encoded = Vec::with_capacity(head.len());
    for (at, byte) in head.iter().enumerate() {
        if is_encoded(at, *byte) {
            encoded.extend_from_slice(percent_encoding::percent_encode_byte(*byte).as_bytes());
        } else {
            encoded.push(*byte);
        }
    }
    if encoded.len() == head.len() { Look::Plain } else { Look::Encoded(encoded.into()) }
}

/// Where the method and the target of a request are, where both are there (RFC 9112 §3).
struct RequestLine {
    method: Range<usize>,
    target: Range<usize>,
}

impl RequestLine {
    fn find(head: &[u8]) -> Option<Self> {
        // RFC 9112 §2.2: empty lines before a request are none.
        let start = head.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
        let word = |from: usize| {
            let end = from + memchr::memchr2(b' ', b'\n', &head[from..])?;
            (end > from && head[end] == b' ').then_some(from..end)
        };
        let method = word(start)?;
        let target = word(method.end + 1)?;
        Some(Self { method, target })
    }
}

#[cfg(test)]
mod tests;

//! The head of an HTTP/1.1 request as bytes, for the requests that the HTTP library does not read.
//!
//! The library refuses some characters in a target that other servers accept, and it removes a fragment. [`look`] decides
//! what happens to such a target. This code does not replace the library's parser: the library parses a changed head again.
//! [`Unread::of`] parses a refused head for the access log and the error page only.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};

use crate::message::desync::Finding;

/// The parts that could be read of a request whose head was refused.
#[derive(Debug, Default)]
pub struct Unread {
    pub method: Option<Method>,
    pub uri: Option<Uri>,
    pub version: Option<Version>,
    pub headers: HeaderMap,
    /// Why the request does not conform, if that is why it is refused.
    pub finding: Option<Finding>,
}

/// Maximum number of fields that are read from a refused head.
const FIELDS_MAX: usize = 200;

impl Unread {
    /// Reads as much of `head` as possible. `head` may be cut off anywhere. Lines that are not fields are skipped.
    pub fn of(head: &[u8]) -> Self {
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
        // A line without a line feed may have been cut off.
        let lines = fields.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        let lines = lines.map(<[u8]>::trim_ascii_end).take_while(|line| !line.is_empty());
        Self {
            method: Method::from_bytes(&head[line.method]).ok(),
            uri: Uri::try_from(&head[line.target]).ok(),
            version,
            headers: lines.take(FIELDS_MAX).filter_map(field).collect(),
            finding: None,
        }
    }
}

impl From<http::request::Parts> for Unread {
    fn from(parts: http::request::Parts) -> Self {
        let http::request::Parts { method, uri, version, headers, .. } = parts;
        Self { method: Some(method), uri: Some(uri), version: Some(version), headers, finding: None }
    }
}

fn field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_at(memchr::memchr(b':', line)?);
    Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value[1..].trim_ascii()).ok()?))
}

/// What happens to a head that the library refuses or changes.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// The target has characters that every server reads like their percent-encoded form. The bytes are the same head with
    /// these characters percent-encoded.
    Encoded(Bytes),
    /// The target has a fragment, which some servers remove and others do not (attacks P-03).
    Fragment,
    /// The target has neither, or the target is incomplete.
    Plain,
}

/// Checks the target of the request that begins with `head`. Bytes after the head are not changed.
pub fn look(head: &[u8]) -> Look {
    // What does not begin with a letter is no request: the bytes of a TLS handshake may look like a line.
    if !head.trim_ascii_start().first().is_some_and(u8::is_ascii_alphabetic) {
        return Look::Plain;
    }
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
        // The library accepts UTF-8.
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

/// Whether the request line names a version of HTTP/1 or of another HTTP that is not read (RFC 9112 §2.3).
pub fn has_other_version(head: &[u8]) -> bool {
    let Some(RequestLine { target, .. }) = RequestLine::find(head) else { return false };
    let Some(end) = memchr::memchr(b'\n', &head[target.end..]) else { return false };
    match head[target.end + 1..target.end + end].strip_suffix(b"\r").unwrap_or_default() {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] => {
            major.is_ascii_digit() && minor.is_ascii_digit() && !matches!((major, minor), (b'1', b'0' | b'1'))
        }
        _ => false,
    }
}

/// Whether the request line takes most of a head that is longer than `max` bytes: the address is what is too long.
pub fn has_long_line(head: &[u8], max: usize) -> bool {
    memchr::memchr(b'\n', head.trim_ascii_start()).unwrap_or(head.len()) > max / 2
}

/// The positions of the method and the target in a request, if both are complete (RFC 9112 §3).
struct RequestLine {
    method: Range<usize>,
    target: Range<usize>,
}

impl RequestLine {
    fn find(head: &[u8]) -> Option<Self> {
        // RFC 9112 §2.2: empty lines before a request are ignored.
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

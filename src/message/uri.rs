//! The request target, read once (DESIGN §1, step 2).
//!
//! Rules, policy, the access log and the line sent to the target all come from one [`CanonicalRequest`]. What two readers
//! could read in two ways is refused here and never repaired later:
//!
//! - no dot segments, in any spelling (`..`, `%2e%2e`, `..;x`), no backslash, no encoded slash, no control character;
//! - a percent sign starts an octet, and the decoded path is UTF-8;
//! - path parameters (`;x=1`) only on the last segment, and rules match without them;
//! - exactly one host.
//!
//! Two things are written in one way, because no server tells them apart: empty segments are merged (`//a` is `/a`), and
//! octets that need no encoding are decoded (`%61` is `a`). The target receives the path in that form.

mod authority;

use std::borrow::Cow;
use std::fmt;

use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Uri};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use authority::Authority;

/// The one reading of a request's target.
#[derive(Clone, Debug)]
pub(crate) struct CanonicalRequest {
    /// The method as it came; methods are case-sensitive (RFC 9110 §9.1).
    pub(crate) method: Method,
    /// The host and the port.
    pub(crate) authority: Authority,
    /// What goes to the target: the path that rules matched, encoded, and the query as it came.
    pub(crate) target: PathAndQuery,
    /// What rules match: the path decoded, without path parameters. `None` where it is [`target`](Self::target)'s path.
    decoded: Option<String>,
}

/// How a request target can be ambiguous or malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// `CONNECT`, `TRACE` and their like are not for a reverse proxy, nor is what is not written as methods are.
    #[error("the method is not one that a proxy of this kind forwards")]
    Method,
    /// No host, two hosts, or one that is not a host.
    #[error("the request does not name exactly one host")]
    Host,
    /// Not a path that begins with a slash.
    #[error("the request target is not a path")]
    NotAPath,
    /// `%` without two hexadecimal digits, or octets that are not UTF-8.
    #[error("the path's percent-encoding is not valid UTF-8")]
    Encoding,
    /// A dot segment.
    #[error("the path has a dot segment")]
    DotSegment,
    /// A backslash, an encoded slash, a control character or a fragment.
    #[error("the path has a character that servers read in different ways")]
    Character,
    /// Path parameters before the last segment.
    #[error("the path has parameters before its last segment")]
    Parameters,
}

/// Goes with a request whose target had a fragment: the HTTP library has cut it off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragment;

impl CanonicalRequest {
    /// Reads the target and the host of a request.
    ///
    /// # Errors
    ///
    /// See [`Error`]; each is a 400 to the client, but for [`Error::Method`], a 405.
    pub(crate) fn parse(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Self, Error> {
        if !is_forwardable(method.as_str()) {
            return Err(Error::Method);
        }
        let authority = Authority::of(uri, headers)?;
        let raw = uri.path_and_query().ok_or(Error::NotAPath)?;
        if *method == Method::OPTIONS && raw.as_str() == "*" {
            return Err(Error::NotAPath);
        }
        let path = raw.path();
        if !path.starts_with('/') {
            return Err(Error::NotAPath);
        }
        if is_plain(path) {
            return Ok(Self { method: method.clone(), authority, target: raw.clone(), decoded: None });
        }
        let (encoded, decoded) = canonical_path(path)?;
        let target = match raw.query() {
            Some(query) => format!("{encoded}?{query}"),
            None => encoded,
        };
        let target = PathAndQuery::try_from(target).map_err(|_| Error::Character)?;
        Ok(Self { method: method.clone(), authority, target, decoded: Some(decoded) })
    }

    /// The path that rules match: decoded, without path parameters.
    pub(crate) fn path(&self) -> &str {
        self.decoded.as_deref().unwrap_or_else(|| self.target.path())
    }

    /// The query as it came, without the question mark.
    pub(crate) fn query(&self) -> Option<&str> {
        self.target.query()
    }

    /// The host: lower case, without port and without a trailing dot.
    pub(crate) fn host(&self) -> &str {
        self.authority.host()
    }
}

impl fmt::Display for CanonicalRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.method, self.authority.as_str(), self.target.path())
    }
}

/// Longest method (spec §7.2).
const METHOD_LENGTH_MAX: usize = 40;

/// Whether a reverse proxy passes the method on: one in the letters in which all methods are registered, so that no target
/// takes `GeT` for `GET` when a rule did not, and none that is for debugging proxies and servers (attacks P-18).
pub(crate) fn is_forwardable(method: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_uppercase() || byte == b'-' || byte == b'_';
    method.len() <= METHOD_LENGTH_MAX
        && method.bytes().all(is_plain)
        && !matches!(method, "CONNECT" | "TRACE" | "TRACK" | "DEBUG")
}

/// Whether the path is canonical as it stands. Nearly all are, and they are not copied.
fn is_plain(path: &str) -> bool {
    let mut previous = 0;
    for byte in path.bytes() {
        let plain = match byte {
            b'/' | b'.' => previous != b'/' || byte == b'.',
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => true,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@' => true,
            _ => false,
        };
        // A segment that begins with a dot takes the long way, where dot segments are refused.
        if !plain || (byte == b'.' && previous == b'/') {
            return false;
        }
        previous = byte;
    }
    true
}

/// Octets that a path segment carries only encoded: RFC 3986 §3.3 without `pchar`; `;` is handled apart.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b'/')
    .add(b';');

/// The path as the target receives it, and as rules match it.
fn canonical_path(path: &str) -> Result<(String, String), Error> {
    let mut encoded = String::with_capacity(path.len());
    let mut decoded = String::with_capacity(path.len());
    // Empty segments in between are merged (attacks P-14); one at the end says "directory" and stays.
    let mut segments = path[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if segment.is_empty() && !last {
            continue;
        }
        let (name, parameters) = match segment.split_once(';') {
            // Only on the last segment, and never instead of a name: `/a;x/b` and `/;x` are read in two ways (P-08, P-09).
            Some((name, parameters)) if last && !name.is_empty() => (name, Some(parameters)),
            Some(_) => return Err(Error::Parameters),
            None => (segment, None),
        };
        let name = decode(name)?;
        // `..%3Bx` too: a server that decodes before it looks for parameters sees `..;x`.
        if matches!(name.split(';').next(), Some("." | "..")) {
            return Err(Error::DotSegment);
        }
        encoded.push('/');
        decoded.push('/');
        encoded.extend(utf8_percent_encode(&name, SEGMENT));
        decoded.push_str(&name);
        if let Some(parameters) = parameters {
            let parameters = decode(parameters)?;
            encoded.push(';');
            encoded.extend(utf8_percent_encode(&parameters, SEGMENT));
        }
    }
    Ok((encoded, decoded))
}

/// Decodes once what is percent-encoded, and refuses what servers read in different ways.
fn decode(text: &str) -> Result<Cow<'_, str>, Error> {
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' | b'#' => return Err(Error::Character),
            b'%' => {
                let octet = [rest.next(), rest.next()];
                if !octet.iter().all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit())) {
                    return Err(Error::Encoding);
                }
            }
            _ => {}
        }
    }
    // Overlong forms and surrogates are not UTF-8 (`%c0%ae`).
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| Error::Encoding)?;
    if decoded.contains(|c: char| c.is_control() || c == '/' || c == '\\') {
        return Err(Error::Character);
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests;

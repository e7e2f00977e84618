//! Parses the request target, once for each request (DESIGN §1, step 2).
//!
//! Rules, policy, the access log and the request line for the target all use one [`CanonicalRequest`]. A request that two
//! servers could read in two ways is refused here and never repaired later:
//!
//! - no dot segments, in any spelling (`..`, `%2e%2e`, `..;x`), no backslash, no control character;
//! - a percent sign starts an octet, and the decoded path is UTF-8;
//! - path parameters (`;x=1`) only on the last segment, and rules match without them;
//! - exactly one host.
//!
//! The target receives the client's own bytes. [`path`] lists the other ways in which a target could read them. They must
//! lead to the same rule.

pub mod authority;
mod error;
mod path;

use std::fmt;

use http::uri::{PathAndQuery, Scheme as UriScheme};
use http::{HeaderMap, Method, Uri};

use authority::Authority;
pub use authority::Scheme;
pub use error::Error;
use path::Reading;

/// The parsed target and host of a request.
#[derive(Clone, Debug)]
pub struct CanonicalRequest {
    /// The method as the client sent it. Methods are case-sensitive (RFC 9110 §9.1).
    pub method: Method,
    /// The host and the port.
    pub authority: Authority,
    /// The path and query for the target, as the client sent them, unless [`into_canonical_form`](Self::into_canonical_form)
    /// has rewritten the path.
    pub target: PathAndQuery,
    /// The decoded path and other readings. `None` if the path is exactly the path in [`target`](Self::target).
    reading: Option<Box<Reading>>,
}

/// What a rule does with a path that contains `%2F`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EncodedSlash {
    /// Refuses the request with 400.
    #[default]
    Refuse,
    /// Treats `%2F` as three ordinary characters of a segment, and passes it on.
    Keep,
}

impl CanonicalRequest {
    /// Parses the target and the host of a request. `scheme` is the scheme that the client used.
    ///
    /// # Errors
    ///
    /// See [`Error`]. The client gets 405 for [`Error::Method`] and 400 for every other error.
    pub fn parse(scheme: Scheme, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Self, Error> {
        if !is_forwardable(method.as_str()) {
            return Err(Error::Method);
        }
        // RFC 9110 §4.2: a gateway of ours serves these two.
        if uri.scheme().is_some_and(|given| *given != UriScheme::HTTPS && *given != UriScheme::HTTP) {
            return Err(Error::Scheme);
        }
        let authority = Authority::of(scheme, uri, headers)?;
        let raw = uri.path_and_query().ok_or(Error::NotAPath)?;
        if *method == Method::OPTIONS && raw.as_str() == "*" {
            return Err(Error::NotAPath);
        }
        let path = raw.path();
        if !path.starts_with('/') {
            return Err(Error::NotAPath);
        }
        if path::is_plain(path) {
            // `https://app.test?x` has an empty path. That is `/`, and has to be written so (RFC 9112 §3.2.1).
            let target = if raw.as_str().starts_with('/') { raw.clone() } else { with_query(path, raw.query())? };
            return Ok(Self { method: method.clone(), authority, target, reading: None });
        }
        let reading = Reading::of(path)?;
        // Some servers read `//host/path` as an address with a host. So only one of the slashes at the beginning is passed on.
        let target = match path.trim_start_matches('/').len() + 1 {
            length if length == path.len() => raw.clone(),
            length => with_query(&path[path.len() - length..], raw.query())?,
        };
        Ok(Self { method: method.clone(), authority, target, reading: Some(Box::new(reading)) })
    }

    /// The path that rules match: decoded, without path parameters and without empty segments. `%2F` is not decoded.
    pub fn path(&self) -> &str {
        self.reading.as_deref().map_or_else(|| self.target.path(), |reading| &reading.decoded)
    }

    /// The path, if it has no parameters. Vestibule's own paths are compared with this (attacks P-17).
    pub fn exact_path(&self) -> Option<&str> {
        match self.reading.as_deref() {
            None => Some(self.target.path()),
            Some(reading) => (!reading.has_parameters).then_some(&*reading.decoded),
        }
    }

    /// Whether the path contains `%2F`.
    pub fn has_encoded_slash(&self) -> bool {
        self.reading.as_deref().is_some_and(|reading| reading.has_encoded_slash)
    }

    /// The request as read by targets that decode `%2F` as a slash. Each of these must lead to the same rule.
    pub fn with_slashes_decoded(&self) -> impl Iterator<Item = Self> {
        self.reading.iter().flat_map(|reading| &reading.with_slashes_decoded).map(|path| self.read_as(path))
    }

    /// The request as read by targets that decode `%3B`, `%3F` and `%23` before they cut off path parameters, query and
    /// fragment. Each of these must lead to the same rule.
    pub fn with_ends_cut(&self) -> impl Iterator<Item = Self> {
        self.reading.iter().flat_map(|reading| &reading.with_ends_cut).map(|path| self.read_as(path))
    }

    /// The request as read by targets that do not decode paths, or do not merge empty segments. If one of these leads to
    /// another rule, the target gets the [canonical form](Self::into_canonical_form) instead of the client's own bytes.
    pub fn otherwise_read(&self) -> impl Iterator<Item = Self> {
        self.reading.iter().flat_map(|reading| &reading.otherwise).map(|path| self.read_as(path))
    }

    /// The same request with its path in the form that servers are least likely to misread: empty segments are merged, octets
    /// that need no encoding are decoded, and all others are encoded.
    ///
    /// # Errors
    ///
    /// [`Error::Character`]. It cannot happen, because encoded text is always a valid path.
    pub fn into_canonical_form(mut self) -> Result<Self, Error> {
        if let Some(target) = self.canonical_target()? {
            self.target = target;
        }
        Ok(self)
    }

    /// The path in its canonical form, and the query as the client sent it. `None` if that is [`target`](Self::target).
    ///
    /// # Errors
    ///
    /// [`Error::Character`]. It cannot happen, because encoded text is always a valid path.
    pub fn canonical_target(&self) -> Result<Option<PathAndQuery>, Error> {
        self.reading.as_deref().map(|reading| with_query(&reading.encoded, self.target.query())).transpose()
    }

    /// The query as the client sent it, without the question mark.
    pub fn query(&self) -> Option<&str> {
        self.target.query()
    }

    /// The host: lower case, without port and without a trailing dot.
    pub fn host(&self) -> &str {
        self.authority.host()
    }

    fn read_as(&self, path: &str) -> Self {
        let reading = Reading { decoded: path.to_owned(), ..Reading::default() };
        Self { reading: Some(Box::new(reading)), ..self.clone() }
    }
}

/// A path and a query for a target that no client has sent. They are read as strictly as those of clients; the result has the canonical
/// form.
///
/// # Errors
///
/// See [`Error`].
pub fn rewritten(text: &str, encoded_slash: EncodedSlash) -> Result<PathAndQuery, Error> {
    if !text.starts_with('/') {
        return Err(Error::NotAPath);
    }
    if text.contains('#') {
        return Err(Error::Fragment);
    }
    let target = PathAndQuery::try_from(text).map_err(|_| Error::Character)?;
    if path::is_plain(target.path()) {
        return Ok(target);
    }
    let reading = Reading::of(target.path())?;
    if reading.has_encoded_slash && encoded_slash == EncodedSlash::Refuse {
        return Err(Error::EncodedSlash);
    }
    with_query(&reading.encoded, target.query())
}

fn with_query(path: &str, query: Option<&str>) -> Result<PathAndQuery, Error> {
    let target = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    PathAndQuery::try_from(target).map_err(|_| Error::Character)
}

impl fmt::Display for CanonicalRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.method, self.authority.as_str(), self.target.path())
    }
}

/// Maximum length of a method (ALB §7.2).
const METHOD_LENGTH_MAX: usize = 40;

/// Whether Vestibule forwards the method (attacks P-18). Its characters must be those of registered methods, so that no
/// target reads `GeT` as `GET` when a rule did not. Methods for debugging proxies and servers are not forwarded.
pub fn is_forwardable(method: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_uppercase() || byte == b'-' || byte == b'_';
    method.len() <= METHOD_LENGTH_MAX
        && method.bytes().all(is_plain)
        && !matches!(method, "CONNECT" | "TRACE" | "TRACK" | "DEBUG")
}

#[cfg(test)]
mod tests;

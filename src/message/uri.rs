//! The request target, read once (DESIGN §1, step 2).
//!
//! Rules, policy, the access log and the line sent to the target all come from one [`CanonicalRequest`]. What two readers
//! could read in two ways is refused here and never repaired later:
//!
//! - no dot segments, in any spelling (`..`, `%2e%2e`, `..;x`), no backslash, no control character;
//! - a percent sign starts an octet, and the decoded path is UTF-8;
//! - path parameters (`;x=1`) only on the last segment, and rules match without them;
//! - exactly one host.
//!
//! The target receives the client's own bytes. [`path`] says in which other ways a target could read them: these must lead
//! to the same rule.

pub(crate) mod authority;
mod path;

use std::fmt;

use http::uri::{PathAndQuery, Scheme as UriScheme};
use http::{HeaderMap, Method, Uri};

use authority::Authority;
use path::Reading;

/// The one reading of a request's target.
#[derive(Clone, Debug)]
pub(crate) struct CanonicalRequest {
    /// The method as it came; methods are case-sensitive (RFC 9110 §9.1).
    pub(crate) method: Method,
    /// The host and the port.
    pub(crate) authority: Authority,
    /// What goes to the target: path and query as they came, unless [`into_canonical_form`](Self::into_canonical_form) has
    /// rewritten the path.
    pub(crate) target: PathAndQuery,
    /// How the path is read, where it is not [`target`](Self::target)'s path letter for letter.
    reading: Option<Box<Reading>>,
}

/// What the client speaks, by our own end or by the word of a trusted proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scheme {
    #[default]
    Http,
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// 80 or 443.
    pub(crate) const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// How a request target can be ambiguous or malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// A reverse proxy does not forward `CONNECT`, `TRACE`, `TRACK` and `DEBUG`, nor a name that is not spelled like a registered method.
    #[error("the proxy does not forward this method")]
    Method,
    /// No host, two hosts, or one that is not a host.
    #[error("the request does not name exactly one host")]
    Host,
    /// Not a path that begins with a slash.
    #[error("the request target is not a path")]
    NotAPath,
    /// The target names another scheme than `http` and `https`.
    #[error("the request target has a scheme other than http and https")]
    Scheme,
    /// `%` without two hexadecimal digits, or octets that are not UTF-8.
    #[error("the path's percent-encoding is not valid UTF-8")]
    Encoding,
    /// A dot segment.
    #[error("the path has a dot segment")]
    DotSegment,
    /// A backslash, a control character or a fragment.
    #[error("the path has a character that servers read in different ways")]
    Character,
    /// `%2F` where the rule does not accept it, or where decoding it would lead to another rule.
    #[error("the path has an encoded slash that the rule does not accept or that could lead to another rule")]
    EncodedSlash,
    /// Path parameters before the last segment.
    #[error("the path has parameters before its last segment")]
    Parameters,
    /// `%3B`, `%3F` or `%23` where decoding it first would lead to another rule.
    #[error("the path has an encoded `;`, `?` or `#` that could lead to another rule")]
    EncodedEnd,
}

/// What a rule does with a path that has `%2F` in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum EncodedSlash {
    /// Answers 400.
    #[default]
    Refuse,
    /// Takes it for three ordinary characters of a segment, and passes it on.
    Keep,
}

impl CanonicalRequest {
    /// Reads the target and the host of a request. `scheme` is the one by which the client came.
    ///
    /// # Errors
    ///
    /// See [`Error`]; each is a 400 to the client, but for [`Error::Method`], a 405.
    pub(crate) fn parse(scheme: Scheme, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Self, Error> {
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
        // `//host/path` is an address with a host to some readers: only the client's first slash is passed on.
        let target = match path.trim_start_matches('/').len() + 1 {
            length if length == path.len() => raw.clone(),
            length => with_query(&path[path.len() - length..], raw.query())?,
        };
        Ok(Self { method: method.clone(), authority, target, reading: Some(Box::new(reading)) })
    }

    /// The path that rules match: decoded, without path parameters, without empty segments; `%2F` stays as it is.
    pub(crate) fn path(&self) -> &str {
        self.reading.as_deref().map_or_else(|| self.target.path(), |reading| &reading.decoded)
    }

    /// The path, where it has no parameters: paths of our own are compared with this (attacks P-17).
    pub(crate) fn exact_path(&self) -> Option<&str> {
        match self.reading.as_deref() {
            None => Some(self.target.path()),
            Some(reading) => (!reading.has_parameters).then_some(&*reading.decoded),
        }
    }

    /// Whether `%2F` is in the path.
    pub(crate) fn has_encoded_slash(&self) -> bool {
        self.reading.as_deref().is_some_and(|reading| reading.has_encoded_slash)
    }

    /// The request as a target reads it that takes `%2F` for a slash; each must lead to the same rule.
    pub(crate) fn with_slashes_decoded(&self) -> impl Iterator<Item = Self> {
        self.reading.iter().flat_map(|reading| &reading.with_slashes_decoded).map(|path| self.read_as(path))
    }

    /// The request as a target reads it that decodes `%3B`, `%3F` and `%23` before it cuts off path parameters, query and
    /// fragment; each must lead to the same rule.
    pub(crate) fn with_ends_cut(&self) -> impl Iterator<Item = Self> {
        self.reading.iter().flat_map(|reading| &reading.with_ends_cut).map(|path| self.read_as(path))
    }

    /// The request as targets read it that do not decode paths, or do not merge empty segments. Where one of these leads to
    /// another rule, the target gets the [canonical form](Self::into_canonical_form) instead of the client's own bytes.
    pub(crate) fn otherwise_read(&self) -> impl Iterator<Item = Self> {
        self.reading.iter().flat_map(|reading| &reading.otherwise).map(|path| self.read_as(path))
    }

    /// The same request with its path in the form that the fewest readers misread: empty segments merged, octets that need
    /// no encoding decoded, all others encoded.
    ///
    /// # Errors
    ///
    /// [`Error::Character`]; cannot happen, because encoded text is a path.
    pub(crate) fn into_canonical_form(mut self) -> Result<Self, Error> {
        if let Some(reading) = self.reading.as_deref() {
            self.target = with_query(&reading.encoded, self.target.query())?;
        }
        Ok(self)
    }

    /// The query as it came, without the question mark.
    pub(crate) fn query(&self) -> Option<&str> {
        self.target.query()
    }

    /// The host: lower case, without port and without a trailing dot.
    pub(crate) fn host(&self) -> &str {
        self.authority.host()
    }

    fn read_as(&self, path: &str) -> Self {
        let reading = Reading { decoded: path.to_owned(), ..Reading::default() };
        Self { reading: Some(Box::new(reading)), ..self.clone() }
    }
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

/// Longest method (ALB §7.2).
const METHOD_LENGTH_MAX: usize = 40;

/// Whether a reverse proxy passes the method on: one in the letters in which all methods are registered, so that no target
/// takes `GeT` for `GET` when a rule did not, and none that is for debugging proxies and servers (attacks P-18).
pub(crate) fn is_forwardable(method: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_uppercase() || byte == b'-' || byte == b'_';
    method.len() <= METHOD_LENGTH_MAX
        && method.bytes().all(is_plain)
        && !matches!(method, "CONNECT" | "TRACE" | "TRACK" | "DEBUG")
}

#[cfg(test)]
mod tests;

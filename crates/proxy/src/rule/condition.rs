//! The conditions of a rule (ALB §7.2). Values of one condition are alternatives.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use http::{HeaderMap, HeaderName, Method, header};
use ipnet::IpNet;
use percent_encoding::percent_decode_str;

use crate::message::uri::authority::canonical_host;
use crate::message::uri::{CanonicalRequest, is_forwardable};
use crate::rule::expression::{self, Parsed};
use crate::rule::pattern::{Case, Pattern};
use crate::rule::value::Value;

/// The parts of a request that conditions can use: a borrowed view.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'r> {
    /// Method, host, path and query, parsed once.
    pub request: &'r CanonicalRequest,
    /// The headers of the client. Protected names were removed before.
    pub headers: &'r HeaderMap,
    /// The address of the peer, or the address that a trusted peer names.
    pub client: IpAddr,
}

/// One condition.
#[derive(Clone, Debug)]
pub enum Condition {
    /// The host without port, case-insensitive.
    HostHeader(Vec<Value>),
    /// The canonical path, decoded, without the query, case-sensitive.
    PathPattern(Vec<Value>),
    /// The method, case-sensitive.
    HttpRequestMethod(Vec<Method>),
    /// The address of the client.
    SourceIp(Vec<IpNet>),
    /// A header field of this name, case-insensitive. One matching field is enough.
    HttpHeader(HeaderName, Vec<Value>),
    /// A pair of the query, case-insensitive. One matching pair is enough.
    QueryString(Vec<QueryPattern>),
}

/// A pair of the query. Without a key, the value may have any key.
#[derive(Clone, Debug)]
pub struct QueryPattern {
    key: Option<Pattern>,
    value: Pattern,
}

/// Why the value of a condition is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no value.
    #[error("needs at least one value")]
    Empty,
    /// Longer than the maximum of the ALB.
    #[error("`{0}` is longer than {1} characters")]
    TooLong(String, usize),
    /// A host with a character that hosts cannot contain.
    #[error("`{0}` is not a host: letters, digits, `-`, `.`, `*` and `?` only, without scheme, port or path")]
    Host(String),
    /// A regular expression for hosts with a character that hosts cannot contain.
    #[error(
        "`{0}` can match no host: a host has letters, digits, `-` and `.`, and no scheme, port, path or dot at its end"
    )]
    HostRegex(String),
    /// A path that does not begin with a slash or a wildcard.
    #[error("`{0}` can match no path: a path begins with `/`")]
    Path(String),
    /// A path that cannot be canonical, so it would never match.
    #[error("`{0}` can match no path: {1}")]
    NeverCanonical(String, &'static str),
    /// Not a method token.
    #[error("`{0}` is not a method that passes")]
    Method(String),
    /// Not a header name.
    #[error("`{0}` is not a header name")]
    HeaderName(String),
    /// Not a regular expression, or one that is too large.
    #[error(transparent)]
    Regex(#[from] expression::Error),
    /// `Host` is not allowed; `host_header` is the condition for it.
    #[error("the host has a condition of its own: `host_header`")]
    HostHeader,
}

/// Maximum length of a pattern in characters (ALB §7.2).
const PATTERN_LENGTH_MAX: usize = 128;
/// Maximum length of a method or header name (ALB §7.2).
const NAME_LENGTH_MAX: usize = 40;

impl Condition {
    /// `host_header`.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`], [`Error::TooLong`], [`Error::Host`].
    pub fn host_header(values: &[String]) -> Result<Self, Error> {
        let parse = |text: &String| {
            bounded(text, PATTERN_LENGTH_MAX)?;
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*?[]:".contains(&byte);
            let looks_like_a_port = text.rsplit_once(':').is_some() && !text.starts_with('[');
            if text.is_empty() || !text.bytes().all(allowed) || looks_like_a_port {
                return Err(Error::Host(text.clone()));
            }
            // A parsed host has one spelling, so requests need no case folding. A pattern with wildcards cannot be parsed as a
            // host, so its letters are made lower case.
            let text = if text.contains(['*', '?']) {
                text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase()
            } else {
                canonical_host(text).ok_or_else(|| Error::Host(text.clone()))?
            };
            Ok(Value::wildcards(&text, Case::Sensitive))
        };
        Ok(Self::HostHeader(all(values, parse)?))
    }

    /// `path_pattern`. Written decoded: `/my docs/*` matches `/my%20docs/x`.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`], [`Error::TooLong`], [`Error::Path`], [`Error::NeverCanonical`].
    pub fn path_pattern(values: &[String]) -> Result<Self, Error> {
        let parse = |text: &String| {
            bounded(text, PATTERN_LENGTH_MAX)?;
            if !text.starts_with(['/', '*', '?']) {
                return Err(Error::Path(text.clone()));
            }
            let never = never_canonical(&text.replace(r"\*", "").replace(r"\?", ""));
            match never {
                Some(why) => Err(Error::NeverCanonical(text.clone(), why)),
                None => Ok(Value::wildcards(text, Case::Sensitive)),
            }
        };
        Ok(Self::PathPattern(all(values, parse)?))
    }

    /// `http_request_method`.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`], [`Error::TooLong`], [`Error::Method`].
    pub fn http_request_method(values: &[String]) -> Result<Self, Error> {
        let parse = |text: &String| {
            bounded(text, NAME_LENGTH_MAX)?;
            // A method that is refused before rules are evaluated would never match.
            let method = Method::from_bytes(text.as_bytes()).ok().filter(|_| is_forwardable(text));
            method.ok_or_else(|| Error::Method(text.clone()))
        };
        Ok(Self::HttpRequestMethod(all(values, parse)?))
    }

    /// `source_ip`.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`].
    pub fn source_ip(values: &[IpNet]) -> Result<Self, Error> {
        if values.is_empty() { Err(Error::Empty) } else { Ok(Self::SourceIp(values.to_vec())) }
    }

    /// `http_header`.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`], [`Error::TooLong`], [`Error::HeaderName`], [`Error::HostHeader`].
    pub fn http_header(name: &str, values: &[String]) -> Result<Self, Error> {
        let parse = |text: &String| {
            bounded(text, PATTERN_LENGTH_MAX)?;
            Ok(Value::wildcards(text, Case::Insensitive))
        };
        Ok(Self::HttpHeader(header_name(name)?, all(values, parse)?))
    }

    /// `query_string`: pairs of an optional key and a value.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`], [`Error::TooLong`].
    pub fn query_string(values: &[(Option<String>, String)]) -> Result<Self, Error> {
        let parse = |(key, value): &(Option<String>, String)| {
            Ok(QueryPattern { key: key.as_deref().map(insensitive).transpose()?, value: insensitive(value)? })
        };
        Ok(Self::QueryString(all(values, parse)?))
    }

    /// `host_header` with regular expressions.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`], [`Error::TooLong`], [`Error::Regex`], [`Error::HostRegex`].
    pub fn host_regex(values: &[String]) -> Result<Self, Error> {
        let parse = |text: &String| {
            let parsed = parsed(text, Case::Insensitive)?;
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
            // An IPv6 address has brackets. Every other colon would be that of a port.
            let is_address = text.contains(r"\[");
            let is_possible = |byte: u8| allowed(byte) && (byte != b':' || is_address);
            let has_impossible = parsed.literals().iter().any(|literal| !literal.bytes().all(is_possible));
            let value = Value::regex(text, parsed, Case::Sensitive)?;
            // Hosts are compared without the dot at their end.
            if has_impossible || value.hull().tail().ends_with('.') {
                return Err(Error::HostRegex(text.clone()));
            }
            Ok(value)
        };
        Ok(Self::HostHeader(all(values, parse)?))
    }

    /// `path_pattern` with regular expressions.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`], [`Error::TooLong`], [`Error::Regex`], [`Error::Path`], [`Error::NeverCanonical`].
    pub fn path_regex(values: &[String]) -> Result<Self, Error> {
        let parse = |text: &String| {
            let parsed = parsed(text, Case::Sensitive)?;
            if let Some(why) = parsed.literals().iter().find_map(|literal| never_in_a_path(literal)) {
                return Err(Error::NeverCanonical(text.clone(), why));
            }
            let value = Value::regex(text, parsed, Case::Sensitive)?;
            if value.may_begin_with(b'/') { Ok(value) } else { Err(Error::Path(text.clone())) }
        };
        Ok(Self::PathPattern(all(values, parse)?))
    }

    /// `http_header` with regular expressions.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`], [`Error::TooLong`], [`Error::Regex`], [`Error::HeaderName`], [`Error::HostHeader`].
    pub fn http_header_regex(name: &str, values: &[String]) -> Result<Self, Error> {
        let parse = |text: &String| Ok(Value::regex(text, parsed(text, Case::Insensitive)?, Case::Insensitive)?);
        Ok(Self::HttpHeader(header_name(name)?, all(values, parse)?))
    }

    /// Whether a host condition matches `host`. `None` for other conditions.
    pub(crate) fn holds_for_host(&self, host: &str) -> Option<bool> {
        let Self::HostHeader(patterns) = self else { return None };
        Some(patterns.iter().any(|pattern| pattern.matches(host)))
    }

    /// Whether this is a path condition that matches every path.
    pub(crate) fn holds_for_every_path(&self) -> bool {
        matches!(self, Self::PathPattern(values) if values.iter().any(Value::is_every_path))
    }

    /// Whether the condition matches.
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        let request = facts.request;
        match self {
            Self::HostHeader(patterns) => patterns.iter().any(|pattern| pattern.matches(request.host())),
            Self::PathPattern(patterns) => patterns.iter().any(|pattern| pattern.matches(request.path())),
            Self::HttpRequestMethod(methods) => methods.contains(&request.method),
            Self::SourceIp(networks) => {
                let client = unmapped(facts.client);
                networks.iter().any(|network| network.contains(&client))
            }
            Self::HttpHeader(name, patterns) => facts.headers.get_all(name).iter().any(|value| {
                // A value that is not text matches no pattern (attacks H-11).
                std::str::from_utf8(value.as_bytes())
                    .is_ok_and(|value| patterns.iter().any(|pattern| pattern.matches(value)))
            }),
            Self::QueryString(pairs) => request
                .query()
                .is_some_and(|query| query.split('&').any(|pair| pairs.iter().any(|pattern| pattern.matches(pair)))),
        }
    }
}

impl Condition {
    /// Whether this condition matches every request that `other` matches.
    pub fn covers(&self, other: &Self) -> bool {
        let patterns =
            |ours: &[Value], others: &[Value]| others.iter().all(|other| ours.iter().any(|value| value.covers(other)));
        match self {
            Self::HostHeader(ours) => matches!(other, Self::HostHeader(others) if patterns(ours, others)),
            Self::PathPattern(ours) => matches!(other, Self::PathPattern(others) if patterns(ours, others)),
            Self::HttpRequestMethod(ours) => {
                matches!(other, Self::HttpRequestMethod(others) if others.iter().all(|method| ours.contains(method)))
            }
            Self::SourceIp(ours) => {
                let network = |network: &IpNet| ours.iter().any(|wider| wider.contains(network));
                matches!(other, Self::SourceIp(others) if others.iter().all(network))
            }
            Self::HttpHeader(name, ours) => {
                matches!(other, Self::HttpHeader(other, others) if name == other && patterns(ours, others))
            }
            Self::QueryString(ours) => {
                let pair = |other: &QueryPattern| ours.iter().any(|pair| pair.covers(other));
                matches!(other, Self::QueryString(others) if others.iter().all(pair))
            }
        }
    }

    /// The number of its values.
    pub fn values(&self) -> usize {
        match self {
            Self::HostHeader(values) | Self::PathPattern(values) | Self::HttpHeader(_, values) => values.len(),
            Self::HttpRequestMethod(methods) => methods.len(),
            Self::SourceIp(networks) => networks.len(),
            Self::QueryString(pairs) => pairs.len(),
        }
    }

    /// The number of wildcards in its values. Regular expressions have none.
    pub fn wildcards(&self) -> usize {
        match self {
            Self::HostHeader(values) | Self::PathPattern(values) | Self::HttpHeader(_, values) => {
                values.iter().filter(|value| !value.is_regex()).map(|value| value.hull().wildcards()).sum()
            }
            Self::QueryString(pairs) => {
                pairs.iter().flat_map(|pair| pair.key.iter().chain([&pair.value])).map(Pattern::wildcards).sum()
            }
            Self::HttpRequestMethod(_) | Self::SourceIp(_) => 0,
        }
    }

    /// Whether this condition matches every request.
    pub fn holds_for_every_request(&self) -> bool {
        match self {
            Self::HostHeader(values) => values.iter().any(Value::is_everything),
            // Every path begins with a slash.
            Self::PathPattern(values) => values.iter().any(Value::is_every_path),
            // An address of version 4 is never one of version 6: `source_ip` sees no mapped addresses.
            Self::SourceIp(networks) => {
                let has_all_of = |v4: bool| {
                    networks.iter().any(|network| network.prefix_len() == 0 && network.addr().is_ipv4() == v4)
                };
                has_all_of(true) && has_all_of(false)
            }
            Self::HttpRequestMethod(_) | Self::HttpHeader(..) | Self::QueryString(_) => false,
        }
    }

    /// The values of a `host_header` condition that are names, including wildcards. Of regular expressions, only those that match
    /// exactly one name.
    pub fn host_names(&self) -> Vec<String> {
        let Self::HostHeader(values) = self else { return Vec::new() };
        let is_name = |host: &String| !host.starts_with('[') && host.parse::<IpAddr>().is_err() && host != "*";
        let names = values.iter().filter(|value| !value.is_regex() || value.literal().is_some());
        names.map(|value| value.hull().to_string()).filter(is_name).collect()
    }
}

impl QueryPattern {
    fn covers(&self, other: &Self) -> bool {
        let has_key = match (&self.key, &other.key) {
            (None, _) => true,
            (Some(ours), Some(other)) => ours.covers(other),
            (Some(_), None) => false,
        };
        has_key && self.value.covers(&other.value)
    }

    fn matches(&self, pair: &str) -> bool {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        self.key.as_ref().is_none_or(|pattern| pattern.matches(&decoded(key))) && self.value.matches(&decoded(value))
    }
}

/// Decodes a key or value of the query. Copies it only if it contains an encoded character.
fn decoded(text: &str) -> Cow<'_, str> {
    if text.contains(['+', '%']) {
        Cow::Owned(percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned())
    } else {
        Cow::Borrowed(text)
    }
}

fn header_name(name: &str) -> Result<HeaderName, Error> {
    bounded(name, NAME_LENGTH_MAX)?;
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Error::HeaderName(name.to_owned()))?;
    if name == header::HOST { Err(Error::HostHeader) } else { Ok(name) }
}

fn parsed(text: &str, case: Case) -> Result<Parsed<'_>, Error> {
    bounded(text, PATTERN_LENGTH_MAX)?;
    Ok(Parsed::new(text, case)?)
}

/// Why no path that rules see is equal to `path`. A rule whose pattern never matches would leave its paths to later rules, which may be
/// open.
fn never_canonical(path: &str) -> Option<&'static str> {
    let has_dot_segment = path.split('/').any(|segment| segment == "." || segment == "..");
    never_in_a_path(path).or(has_dot_segment.then_some(DOT_SEGMENT))
}

const DOT_SEGMENT: &str = "dot segments are refused before rules are matched";

/// Why no path that rules see has this text in it.
fn never_in_a_path(text: &str) -> Option<&'static str> {
    if text.contains(';') {
        Some("path parameters (`;…`) are left out before rules are matched")
    } else if text.contains(char::is_control) {
        Some("control characters are refused before rules are matched")
    } else if text.contains('\\') {
        Some("a backslash is refused before rules are matched")
    } else if text.contains("//") {
        Some("empty segments are merged before rules are matched")
    } else if text.contains("/./") || text.contains("/../") {
        Some(DOT_SEGMENT)
    } else if text.contains("%2f") {
        Some("an encoded slash is written `%2F` before rules are matched")
    } else if is_encoded(&text.replace("%2F", "")) {
        Some("write it decoded, as in `/my docs/*`; only an encoded slash stays `%2F`")
    } else {
        None
    }
}

fn is_encoded(text: &str) -> bool {
    percent_decode_str(text).decode_utf8().is_ok_and(|decoded| decoded != *text)
}

/// Converts an IPv4-mapped IPv6 address to the IPv4 address.
fn unmapped(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn insensitive(text: &str) -> Result<Pattern, Error> {
    bounded(text, PATTERN_LENGTH_MAX)?;
    Ok(Pattern::new(text, Case::Insensitive))
}

fn bounded(text: &str, length_max: usize) -> Result<(), Error> {
    if text.chars().count() > length_max { Err(Error::TooLong(text.to_owned(), length_max)) } else { Ok(()) }
}

fn all<V, P>(values: &[V], parse: impl Fn(&V) -> Result<P, Error>) -> Result<Vec<P>, Error> {
    if values.is_empty() {
        return Err(Error::Empty);
    }
    values.iter().map(parse).collect()
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list<T: fmt::Display>(values: &[T]) -> String {
            values.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
        }
        match self {
            Self::HostHeader(patterns) => write!(f, "host_header [{}]", list(patterns)),
            Self::PathPattern(patterns) => write!(f, "path_pattern [{}]", list(patterns)),
            Self::HttpRequestMethod(methods) => write!(f, "http_request_method [{}]", list(methods)),
            Self::SourceIp(networks) => write!(f, "source_ip [{}]", list(networks)),
            Self::HttpHeader(name, patterns) => write!(f, "http_header {name} [{}]", list(patterns)),
            Self::QueryString(pairs) => write!(f, "query_string [{}]", list(pairs)),
        }
    }
}

impl fmt::Display for QueryPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{key}={}", self.value),
            None => write!(f, "{}", self.value),
        }
    }
}

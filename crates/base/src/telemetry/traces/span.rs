//! A span that has ended, and its attributes.

use std::borrow::Cow;
use std::time::Instant;

use crate::clock::Timestamp;

/// A span that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The trace and the span. Neither is 0.
    pub context: Context,
    /// The span that caused this one. `None` at the root of a trace.
    pub parent: Option<u64>,
    /// Whether the parent is a span of another process.
    pub has_remote_parent: bool,
    /// A span of another trace that this one has to do with.
    pub link: Option<Context>,
    /// One of few, so that spans can be grouped by it.
    pub name: Cow<'static, str>,
    pub kind: Kind,
    /// Nanoseconds since 1970.
    pub start: u64,
    /// Nanoseconds since 1970.
    pub end: u64,
    pub attributes: Attributes,
    pub is_error: bool,
}

/// Which span of which trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    pub trace: u128,
    pub span: u64,
}

/// The role of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Internal,
    Server,
    Client,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(Cow<'static, str>),
    Texts(Vec<&'static str>),
    Number(i64),
}

/// Maximum length of a text in an attribute, in bytes. Longer ones are cut, because a client chooses some of them.
const TEXT_BYTES_MAX: usize = 1024;

/// The attributes of a span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(pub Vec<(&'static str, Value)>);

impl Attributes {
    /// Adds a text. It is cut if it is long.
    pub fn text(&mut self, key: &'static str, text: &str) {
        let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
        self.0.push((key, Value::Text(text.to_owned().into())));
    }

    /// Adds a text of a fixed list.
    pub fn word(&mut self, key: &'static str, word: &'static str) {
        self.0.push((key, Value::Text(word.into())));
    }

    /// Adds a number.
    pub fn number(&mut self, key: &'static str, number: impl TryInto<i64>) {
        self.0.push((key, Value::Number(number.try_into().unwrap_or(i64::MAX))));
    }

    /// Adds `server.address` and `server.port` from `host:port`, or from the path of a socket.
    pub fn server(&mut self, place: &str) {
        let parts = place.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        match parts {
            Some((host, port)) => {
                self.text("server.address", host.trim_start_matches('[').trim_end_matches(']'));
                self.number("server.port", port);
            }
            None => self.text("server.address", place),
        }
    }

    /// Adds `http.request.method`. A method that is not known has its own name in another attribute.
    pub fn method(&mut self, method: &str) {
        match known_method(method) {
            Some(known) => self.word("http.request.method", known),
            None => {
                self.word("http.request.method", "_OTHER");
                self.text("http.request.method_original", method);
            }
        }
    }
}

/// The methods that can be part of a name (semantic conventions of HTTP spans: RFC 9110 §9 and PATCH).
pub fn known_method(method: &str) -> Option<&'static str> {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    KNOWN.into_iter().find(|known| *known == method)
}

/// One moment on both clocks, so that all spans of an exchange are on one time line.
#[derive(Clone, Copy, Debug)]
pub struct Base {
    pub at: Timestamp,
    pub instant: Instant,
}

impl Base {
    /// Nanoseconds since 1970. What is before the base counts as the base.
    pub fn nanos(self, instant: Instant) -> u64 {
        let since = u64::try_from(instant.saturating_duration_since(self.instant).as_nanos()).unwrap_or(u64::MAX);
        self.at.millis().saturating_mul(1_000_000).saturating_add(since)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;

    fn of(make: impl FnOnce(&mut Attributes)) -> Vec<(&'static str, Value)> {
        let mut attributes = Attributes::default();
        make(&mut attributes);
        attributes.0
    }

    fn text(key: &'static str, text: &str) -> (&'static str, Value) {
        (key, Value::Text(text.to_owned().into()))
    }

    #[test]
    fn what_a_client_chooses_is_cut() {
        let long = "ä".repeat(TEXT_BYTES_MAX);
        let cut = of(|attributes| attributes.text("url.path", &long));
        assert_eq!(cut, [text("url.path", &"ä".repeat(TEXT_BYTES_MAX / 2))]);
        assert_eq!(of(|attributes| attributes.number("n", u64::MAX)), [("n", Value::Number(i64::MAX))]);
    }

    #[test]
    fn a_server_is_a_host_and_a_port_or_a_socket() {
        let port = |port| ("server.port", Value::Number(port));
        assert_eq!(of(|attributes| attributes.server("a.test:80")), [text("server.address", "a.test"), port(80)]);
        assert_eq!(of(|attributes| attributes.server("[::1]:443")), [text("server.address", "::1"), port(443)]);
        assert_eq!(of(|attributes| attributes.server("/run/a.socket")), [text("server.address", "/run/a.socket")]);
    }

    #[test]
    fn a_method_that_is_not_known_is_no_name() {
        assert_eq!(of(|attributes| attributes.method("GET")), [text("http.request.method", "GET")]);
        let other = [text("http.request.method", "_OTHER"), text("http.request.method_original", "get")];
        assert_eq!(of(|attributes| attributes.method("get")), other);
    }

    #[test]
    fn spans_of_an_exchange_are_on_one_time_line() {
        let base = Base { at: Timestamp::from_millis(1_800_000_000_123), instant: Clock::system().instant() };
        assert_eq!(base.nanos(base.instant + Duration::from_nanos(77)), 1_800_000_000_123_000_077);
        assert_eq!(base.nanos(base.instant - Duration::from_nanos(77)), 1_800_000_000_123_000_000);
    }
}

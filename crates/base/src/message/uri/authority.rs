//! The host and port that a request names, in their canonical spelling.

use std::net::Ipv4Addr;

use http::uri::Authority as Parsed;
use http::{HeaderMap, HeaderValue, Uri, header};

use crate::message::uri::error::Error;

/// The scheme that the client used, as seen on our own connection or as a trusted proxy says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    #[default]
    Http,
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// 80 or 443.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The host, and the port if it is not the scheme's default. This is the form in a browser's address bar.
#[derive(Clone, Debug)]
pub struct Authority {
    /// `host` or `host:port`. Stored as a header value, because it is mostly used as one.
    text: HeaderValue,
    /// The length of the host in `text`, in bytes.
    host_length: usize,
    port: Option<u16>,
    /// The scheme's default port, if the client wrote it although it is not needed.
    written_default: Option<u16>,
}

impl Authority {
    /// The host in lower case, without port and without a trailing dot. An IP address has its canonical spelling.
    pub(crate) fn host(&self) -> &str {
        &self.as_str()[..self.host_length]
    }

    /// The port, if it is not the scheme's default.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Host and port, without the scheme's default port.
    pub fn as_str(&self) -> &str {
        self.text.to_str().expect("made of ASCII")
    }

    /// The same, as a header value.
    pub fn value(&self) -> &HeaderValue {
        &self.text
    }

    /// Host and port, with the scheme's default port if the client wrote it.
    pub fn as_written(&self) -> HeaderValue {
        match self.written_default {
            None => self.text.clone(),
            Some(port) => HeaderValue::try_from(format!("{}:{port}", self.host())).expect("made of ASCII"),
        }
    }

    /// The authority that the request names in its target or in its `Host` (RFC 9112 §3.2, RFC 9113 §8.3.1).
    pub(super) fn of(scheme: Scheme, uri: &Uri, headers: &HeaderMap) -> Result<Self, Error> {
        let mut fields = headers.get_all(header::HOST).iter();
        let field = match (fields.next(), fields.next()) {
            (_, Some(_)) => return Err(Error::Host),
            (Some(value), None) => {
                Some(Self::parse(scheme, value.to_str().map_err(|_| Error::Host)?, || value.clone())?)
            }
            (None, None) => None,
        };
        let parse = |given: &str| Self::parse(scheme, given, || HeaderValue::from_str(given).expect("of an authority"));
        let target = uri.authority().map(|given| parse(given.as_str())).transpose()?;
        match (target, field) {
            // RFC 9112 §3.2.2 lets the target override `Host`. We refuse two different hosts instead (attacks P-15, G-14).
            (Some(target), Some(field)) if target.text != field.text => Err(Error::Host),
            (Some(named), _) | (None, Some(named)) => Ok(named),
            (None, None) => Err(Error::Host),
        }
    }

    /// Parses `text`. `as_it_is` returns the same text as a header value. It is used if the text is already canonical.
    fn parse(scheme: Scheme, text: &str, as_it_is: impl FnOnce() -> HeaderValue) -> Result<Self, Error> {
        if let Some((host_length, port)) = plain(text.as_bytes())
            && port != Some(scheme.default_port())
        {
            return Ok(Self { text: as_it_is(), host_length, port, written_default: None });
        }
        let (host, port) = canonical(text)?;
        let host_length = host.len();
        let written_default = port.filter(|port| *port == scheme.default_port());
        let port = port.filter(|_| written_default.is_none());
        let text = match port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        };
        let text = HeaderValue::try_from(text).map_err(|_| Error::Host)?;
        Ok(Self { text, host_length, port, written_default })
    }
}

/// The length of the host, and the port, of an authority that is already canonical: a name in lower case or an IPv4 address.
/// Nearly all authorities are canonical. [`canonical`] gives the same result for everything that this function accepts.
fn plain(text: &[u8]) -> Option<(usize, Option<u16>)> {
    let is_plain = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_');
    let host_length = text.iter().position(|byte| !is_plain(byte)).unwrap_or(text.len());
    if host_length == 0 || text[0] == b'.' || text[host_length - 1] == b'.' {
        return None;
    }
    let host = &text[..host_length];
    if may_be_an_ipv4_address(host) && !is_dotted_quad(host) {
        return None;
    }
    match &text[host_length..] {
        [] => Some((host_length, None)),
        [b':', digits @ ..] if digits.len() <= 5 && digits.first().is_some_and(|first| *first != b'0') => {
            let number = digits
                .iter()
                .try_fold(0_u32, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))?;
            Some((host_length, Some(u16::try_from(number).ok()?)))
        }
        _ => None,
    }
}

/// Whether the last label begins with a digit. Only then can a host be one of the forms of an IPv4 address (WHATWG URL
/// §3.5, "ends in a number").
fn may_be_an_ipv4_address(host: &[u8]) -> bool {
    let label = host.iter().rposition(|byte| *byte == b'.').map_or(0, |dot| dot + 1);
    host.get(label).is_some_and(u8::is_ascii_digit)
}

/// Whether the host is an IPv4 address in canonical spelling: four decimal numbers without leading zeros.
fn is_dotted_quad(host: &[u8]) -> bool {
    std::str::from_utf8(host).is_ok_and(|host| host.parse::<Ipv4Addr>().is_ok())
}

/// Turns the host into lower case, removes one trailing dot, writes IP addresses in canonical spelling, and parses the port.
fn canonical(text: &str) -> Result<(String, Option<u16>), Error> {
    // The characters of RFC 3986 §3.2.2 without percent-encoding and sub-delimiters, which no DNS name has. So userinfo,
    // paths, lists and wildcards are refused.
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':' | b'[' | b']');
    if text.is_empty() || !text.bytes().all(allowed) {
        return Err(Error::Host);
    }
    let parsed: Parsed = text.parse().map_err(|_| Error::Host)?;
    let name = parsed.host();
    let port = match text.get(name.len()..) {
        Some("" | ":") => None,
        Some(rest) => {
            let digits = rest.strip_prefix(':').ok_or(Error::Host)?;
            let number =
                digits.parse().ok().filter(|number| *number != 0 && digits.bytes().all(|b| b.is_ascii_digit()));
            Some(number.ok_or(Error::Host)?)
        }
        None => return Err(Error::Host),
    };
    Ok((canonical_host(name).ok_or(Error::Host)?, port))
}

/// The value of a `Host` field that no client has sent: a host and perhaps a port, in the canonical spelling.
///
/// # Errors
///
/// [`Error::Host`].
pub fn host_field(text: &str) -> Result<HeaderValue, Error> {
    let (host, port) = canonical(text)?;
    let text = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
    HeaderValue::try_from(text).map_err(|_| Error::Host)
}

/// The canonical spelling of a host. The host may have letters, digits, `-`, `_` and `.`, and an IPv6 address may have
/// brackets and colons. An IPv6 address is written in the form of RFC 5952. Every form of an IPv4 address (`0x7f.1`,
/// `2130706433`) becomes four decimal numbers, as in browsers (WHATWG URL §3.5). `None` if the text is not a host.
pub fn canonical_host(name: &str) -> Option<String> {
    if name.starts_with('[') {
        return url::Host::parse(name).ok().map(|address| address.to_string());
    }
    if name.contains(['[', ']', ':']) {
        return None;
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() || name.starts_with('.') || name.ends_with('.') {
        return None;
    }
    if !may_be_an_ipv4_address(name.as_bytes()) {
        return Some(name.to_ascii_lowercase());
    }
    match url::Host::parse(name).ok()? {
        url::Host::Ipv4(address) => Some(address.to_string()),
        // The last label of `app.3com` begins with a digit, but the host is a name.
        url::Host::Domain(_) => Some(name.to_ascii_lowercase()),
        url::Host::Ipv6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_plain_needs_no_other_spelling() {
        assert_eq!(plain(b"app.test"), Some((8, None)));
        assert_eq!(plain(b"app.test:8443"), Some((8, Some(8443))));
        assert_eq!(plain(b"127.0.0.1:80"), Some((9, Some(80))));
        for text in [
            "App.test",
            "app.test.",
            ".app",
            "a:",
            "a:08",
            "a:0",
            "a:65536",
            "a:+1",
            "a:1a",
            "[::1]",
            "",
            "a b",
            "127.1",
        ] {
            assert_eq!(plain(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn an_address_has_one_spelling() {
        for (written, one) in [
            ("[0:0:0:0:0:0:0:1]", "[::1]"),
            ("[::0001]", "[::1]"),
            ("[0::1]", "[::1]"),
            ("[2001:DB8::A]", "[2001:db8::a]"),
            ("[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
            ("[::ffff:7F00:0001]", "[::ffff:7f00:1]"),
            ("127.1", "127.0.0.1"),
            ("127.0.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("0x7f000001", "127.0.0.1"),
            ("0X7F.1", "127.0.0.1"),
            ("0177.0.0.01", "127.0.0.1"),
            ("127.0.0.1.", "127.0.0.1"),
            ("1.2.3.0x", "1.2.3.0"),
            ("127.0.0.1", "127.0.0.1"),
            ("APP.3Com", "app.3com"),
            ("1.app", "1.app"),
        ] {
            assert_eq!(canonical_host(written).as_deref(), Some(one), "{written}");
            assert_eq!(canonical_host(one).as_deref(), Some(one), "{one}");
        }
        for text in ["1.2.3.4.5", "256.0.0.1", "app.09", "[::1", "[::g]", "[1.2.3.4]", "app.256.", "::1"] {
            assert_eq!(canonical_host(text), None, "{text}");
        }
    }

    #[test]
    fn the_port_of_the_scheme_is_left_out() {
        let read = |scheme, text: &'static str| {
            Authority::parse(scheme, text, || HeaderValue::from_static(text)).expect("an authority")
        };
        let authority = read(Scheme::Https, "app.test:443");
        assert_eq!((authority.as_str(), authority.port(), authority.host()), ("app.test", None, "app.test"));
        assert_eq!(authority.as_written(), "app.test:443");
        assert_eq!(read(Scheme::Http, "app.test:80").as_str(), "app.test");
        assert_eq!(read(Scheme::Http, "app.test:443").as_str(), "app.test:443");
        assert_eq!(read(Scheme::Https, "app.test:80").as_written(), "app.test:80");
    }

    proptest! {
        /// Every spelling of an address that a browser accepts gives the same host here as in the browser.
        #[test]
        fn hosts_are_read_as_browsers_read_them(text in "(0x)?[0-9a-f]{1,4}(\\.(0x)?[0-9a-f]{1,4}){0,4}\\.?") {
            let browser = url::Url::parse(&format!("https://{text}/"));
            if let Some(url::Host::Ipv4(address)) = browser.as_ref().ok().and_then(url::Url::host) {
                prop_assert_eq!(canonical_host(&text), Some(address.to_string()));
            } else if browser.is_err() {
                prop_assert_eq!(canonical_host(&text), None);
            }
        }

        #[test]
        fn the_short_way_and_the_long_one_agree(text in "[a-c0-9.:_\\-\\[\\]A]{0,8}(:[0-9]{0,6})?") {
            if let Some((host_length, port)) = plain(text.as_bytes()) {
                prop_assert_eq!(canonical(&text), Ok((text[..host_length].to_owned(), port)));
            }
        }

        #[test]
        fn the_text_is_the_host_and_the_port(text in "[a-cA-C0-9.\\-]{1,8}(:[0-9]{1,5})?") {
            let Ok(read) = Authority::parse(Scheme::Https, &text, || HeaderValue::from_str(&text).expect("a value")) else { return Ok(()) };
            let (host, port) = canonical(&text).expect("it was read");
            let port = port.filter(|port| *port != 443);
            prop_assert_eq!((read.host(), read.port()), (&*host, port));
            prop_assert_eq!(read.as_str(), port.map_or(host.clone(), |port| format!("{host}:{port}")));
        }
    }
}

//! The host and port that a request names, in one spelling.

use http::uri::Authority as Parsed;
use http::{HeaderMap, HeaderValue, Uri, header};

use crate::message::uri::Error;

/// Host and, where the client named one, port: what a browser's address bar shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    /// `host` or `host:port`. A header value, because that is what most of it becomes.
    text: HeaderValue,
    /// How much of the text is the host.
    host_length: usize,
    port: Option<u16>,
}

impl Authority {
    /// The host: lower case, without port and without a trailing dot.
    pub(crate) fn host(&self) -> &str {
        &self.as_str()[..self.host_length]
    }

    /// The port, where the client named one.
    pub(crate) fn port(&self) -> Option<u16> {
        self.port
    }

    /// Both, as `host:port`.
    pub(crate) fn as_str(&self) -> &str {
        self.text.to_str().expect("made of ASCII")
    }

    /// Both, as a header's value.
    pub(crate) fn value(&self) -> &HeaderValue {
        &self.text
    }

    /// The one authority that the request names, by its target or by its `Host` (RFC 9112 §3.2, RFC 9113 §8.3.1).
    pub(super) fn of(uri: &Uri, headers: &HeaderMap) -> Result<Self, Error> {
        let mut fields = headers.get_all(header::HOST).iter();
        let field = match (fields.next(), fields.next()) {
            (_, Some(_)) => return Err(Error::Host),
            (Some(value), None) => Some(Self::parse(value.to_str().map_err(|_| Error::Host)?, || value.clone())?),
            (None, None) => None,
        };
        let parse = |given: &str| Self::parse(given, || HeaderValue::from_str(given).expect("of an authority"));
        let target = uri.authority().map(|given| parse(given.as_str())).transpose()?;
        match (target, field) {
            // RFC 9112 §3.2.2 lets the target win; two hosts in one request are refused instead (attacks P-15, G-14).
            (Some(target), Some(field)) if target != field => Err(Error::Host),
            (Some(named), _) | (None, Some(named)) => Ok(named),
            (None, None) => Err(Error::Host),
        }
    }

    /// Reads `text`; `as_it_is` gives the same as a header value, for the case that it has the one spelling already.
    fn parse(text: &str, as_it_is: impl FnOnce() -> HeaderValue) -> Result<Self, Error> {
        if let Some((host_length, port)) = plain(text.as_bytes()) {
            return Ok(Self { text: as_it_is(), host_length, port });
        }
        let (host, port) = canonical(text)?;
        let host_length = host.len();
        let text = match port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        };
        Ok(Self { text: HeaderValue::try_from(text).map_err(|_| Error::Host)?, host_length, port })
    }
}

/// Length of the host, and port, of an authority that is canonical as it stands: a name or an IPv4 address in lower case.
/// Nearly all are. Whatever this accepts, [`canonical`] reads in the same way.
fn plain(text: &[u8]) -> Option<(usize, Option<u16>)> {
    let is_plain = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_');
    let host_length = text.iter().position(|byte| !is_plain(byte)).unwrap_or(text.len());
    if host_length == 0 || text[0] == b'.' || text[host_length - 1] == b'.' {
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

/// Lower-cases the host, drops one trailing dot, and parses the port.
fn canonical(text: &str) -> Result<(String, Option<u16>), Error> {
    // The characters of RFC 3986 §3.2.2 but for percent-encoding and sub-delimiters, which no DNS name has; so no
    // userinfo, no path, no list, no wildcard.
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
    if let Some(inner) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        inner.parse::<std::net::Ipv6Addr>().map_err(|_| Error::Host)?;
    } else if name.contains(['[', ']', ':']) {
        return Err(Error::Host);
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() || name.starts_with('.') || name.ends_with('.') {
        return Err(Error::Host);
    }
    Ok((name.to_ascii_lowercase(), port))
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
        for text in
            ["App.test", "app.test.", ".app", "a:", "a:08", "a:0", "a:65536", "a:+1", "a:1a", "[::1]", "", "a b"]
        {
            assert_eq!(plain(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_short_way_and_the_long_one_agree(text in "[a-c0-9.:_\\-\\[\\]A]{0,8}(:[0-9]{0,6})?") {
            if let Some((host_length, port)) = plain(text.as_bytes()) {
                prop_assert_eq!(canonical(&text), Ok((text[..host_length].to_owned(), port)));
            }
        }

        #[test]
        fn the_text_is_the_host_and_the_port(text in "[a-cA-C0-9.\\-]{1,8}(:[0-9]{1,5})?") {
            let Ok(read) = Authority::parse(&text, || HeaderValue::from_str(&text).expect("a value")) else { return Ok(()) };
            let (host, port) = canonical(&text).expect("it was read");
            prop_assert_eq!((read.host(), read.port()), (&*host, port));
            prop_assert_eq!(read.as_str(), port.map_or(host.clone(), |port| format!("{host}:{port}")));
        }
    }
}

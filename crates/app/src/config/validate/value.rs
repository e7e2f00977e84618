//! Parses values that several sections use: names, durations, addresses, networks, URLs.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use url::{Host, Url};

use crate::backchannel::network;
use crate::clock::period_text;
use crate::config::document::findings::{Findings, Reported};
use crate::config::document::path::Path;
use crate::config::raw::value::{List, OneOrMany, Period};

/// Maximum length of a name.
const NAME_LENGTH_MAX: usize = 64;

/// Checks that a name is usable in logs, metrics and tokens.
pub(crate) fn name(name: &str, at: &Path, found: &mut Findings) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > NAME_LENGTH_MAX || !name.bytes().all(plain) {
        let message = format!("`{name}` is not a valid name");
        found
            .problem(at, message)
            .hint(format!("use letters, digits, `-`, `_` and `.`, at most {NAME_LENGTH_MAX} characters"));
    }
}

/// A duration within bounds.
pub(crate) fn period(
    raw: &Period,
    (least, most): (Duration, Duration),
    at: &Path,
    found: &mut Findings,
) -> Result<Duration, Reported> {
    let period = match raw {
        Period::Seconds(seconds) => Duration::from_secs(*seconds),
        Period::Text(text) => parse_period(text).ok_or_else(|| {
            let problem = found.problem(at, format!("`{text}` is not a duration"));
            problem.hint("write `500ms`, `30s`, `15m`, `8h`, `7d`, or a number of seconds").reported()
        })?,
    };
    if period < least || period > most {
        let (period, least, most) = (period_text(period), period_text(least), period_text(most));
        return found.problem(at, format!("{period} is out of range: {least} to {most}")).fail();
    }
    Ok(period)
}

/// Parses `1h30m`. `None` if the text is not a duration, or if the duration overflows.
pub(crate) fn parse_period(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_lowercase()).len();
        let unit = match &rest[..letters] {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number.checked_mul(60)?),
            "h" => Duration::from_secs(number.checked_mul(3600)?),
            "d" => Duration::from_secs(number.checked_mul(86_400)?),
            _ => return None,
        };
        total = total.checked_add(unit)?;
        rest = &rest[letters..];
    }
    Some(total)
}

/// An address and a port to listen on.
pub(crate) fn address(text: &str, at: &Path, found: &mut Findings) -> Result<SocketAddr, Reported> {
    match text.parse() {
        Ok(address) => Ok(address),
        Err(_) => {
            let hint = match text.strip_prefix(':').or_else(|| text.strip_prefix("localhost:")) {
                Some(port) if text.starts_with(':') => format!("write `0.0.0.0:{port}` or `[::]:{port}`"),
                Some(port) => format!("write `127.0.0.1:{port}`"),
                None => "write an address and a port: `0.0.0.0:8443`, `[::]:8443`".to_owned(),
            };
            found.problem(at, format!("`{text}` is not an address and port")).hint(hint).fail()
        }
    }
}

/// Networks in CIDR form.
pub(crate) fn networks(raw: &List<String>, at: &Path, found: &mut Findings) -> Result<Vec<IpNet>, Reported> {
    each(raw, at, found, |text, at, found| match text.parse::<IpNet>() {
        // `10.0.0.1/8` is ambiguous: an address or a network.
        Ok(network) if network.addr() != network.network() => {
            let problem = found.problem(at, format!("`{text}` has address bits after the prefix"));
            problem.hint(format!("did you mean `{}`?", network.trunc())).fail()
        }
        Ok(network) => Ok(network),
        Err(_) => {
            let hint = match text.parse::<IpAddr>() {
                Ok(IpAddr::V4(_)) => format!("write `{text}/32`"),
                Ok(IpAddr::V6(_)) => format!("write `{text}/128`"),
                Err(_) => "write `10.0.0.0/8` or `2001:db8::/32`".to_owned(),
            };
            found.problem(at, format!("`{text}` is not a network")).hint(hint).fail()
        }
    })
}

/// Checks every item of a list, so that all problems are found. Fails if one is invalid, or was already when the shape of the file was
/// checked.
pub(crate) fn each<R, S>(
    raw: &List<R>,
    at: &Path,
    found: &mut Findings,
    mut check: impl FnMut(&R, &Path, &mut Findings) -> Result<S, Reported>,
) -> Result<Vec<S>, Reported> {
    let checked: Vec<_> = raw.iter().map(|(index, item)| check(item, &at.index(index), found)).collect();
    complete(raw, at, found)?;
    checked.into_iter().collect()
}

/// Fails if an item of the list was skipped because of its shape.
pub(crate) fn complete<R>(raw: &List<R>, at: &Path, found: &mut Findings) -> Result<(), Reported> {
    if raw.is_complete() {
        return Ok(());
    }
    let known = found.concern(at).or_else(|| found.concern_keys_of(at));
    Err(known.unwrap_or_else(|| found.problem(at, "an item of this list is invalid").reported()))
}

/// Parses a URL that is `https`, or `http` with a loopback host.
pub(crate) fn secure_url(text: &str, at: &Path, found: &mut Findings) -> Result<Url, Reported> {
    web_address(text, |_| false, at, found)
}

/// Like [`secure_url`], for a URL of a provider. It may also be `http` with a host of `plain_hosts`.
pub(crate) fn provider_url(
    text: &str,
    plain_hosts: &[Box<str>],
    at: &Path,
    found: &mut Findings,
) -> Result<Url, Reported> {
    let is_named = |url: &Url| network::authority(url).is_some_and(|authority| plain_hosts.contains(&authority));
    web_address(text, is_named, at, found)
}

fn web_address(
    text: &str,
    may_be_plain: impl Fn(&Url) -> bool,
    at: &Path,
    found: &mut Findings,
) -> Result<Url, Reported> {
    let hint = "write `https://host/path`";
    let Ok(url) = Url::parse(text) else {
        return found.problem(at, format!("`{text}` is not a URL")).hint(hint).fail();
    };
    let problem = if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
        format!("`{text}` is not an `https` URL")
    } else if url.scheme() == "http" && !is_loopback(&url) && !may_be_plain(&url) {
        format!("`{text}` is not `https`: tokens and keys would be sent unencrypted")
    } else if !url.username().is_empty() || url.password().is_some() {
        "the URL must not contain a user name or password".to_owned()
    } else if url.fragment().is_some() {
        format!("`{text}` has a fragment (`#`)")
    } else {
        return Ok(url);
    };
    found.problem(at, problem).hint(hint).fail()
}

/// Parses a URL with only a scheme, a host and an optional port, without a trailing slash.
pub(crate) fn origin(text: &str, at: &Path, found: &mut Findings) -> Result<Url, Reported> {
    let url = secure_url(text, at, found)?;
    if url.path() != "/" || url.query().is_some() || text.ends_with('/') {
        let problem = found.problem(at, format!("`{text}` must have only a scheme, a host and a port"));
        return problem.hint(format!("write `{}`", url.origin().ascii_serialization())).fail();
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether a text is one scope (RFC 6749 §3.3).
pub(crate) fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// The path of a claim, written as `email`, `realm_access.roles` or `["a.b", c]`.
pub(crate) fn claim_path(raw: &OneOrMany, at: &Path, found: &mut Findings) -> Result<Vec<String>, Reported> {
    let path: Vec<String> = match raw {
        OneOrMany::One(path) => path.split('.').map(str::to_owned).collect(),
        OneOrMany::Many(steps) => steps.clone(),
    };
    if path.is_empty() || path.iter().any(String::is_empty) {
        let problem = found.problem(at, "this is not the name of a claim");
        return problem.hint("write `email`, `realm_access.roles` or `[\"a.b\", c]`").fail();
    }
    Ok(path)
}

/// `host:port`.
pub(crate) fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok().filter(|port| *port != 0 && !port_is_padded(text))?;
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: std::net::Ipv6Addr = inner.parse().ok()?;
        return Some((address.to_string(), port));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let sound = !host.is_empty() && host.len() <= 253 && host.bytes().all(plain) && !host.starts_with('.');
    sound.then(|| (host.to_owned(), port))
}

fn port_is_padded(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(_, port)| !port.bytes().all(|byte| byte.is_ascii_digit()))
}

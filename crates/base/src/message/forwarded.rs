//! `X-Forwarded-*`: reads the client's address from a trusted proxy, and writes the headers for the target.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use ipnet::IpNet;

use crate::message::header::{
    FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PORT, FORWARDED_PREFIX, FORWARDED_PROTO, TRACE_ID,
};
use crate::message::own_fields::OwnFields;
use crate::message::uri::Scheme;

/// Maximum number of addresses in the list (ALB §10.2).
const ADDRESSES_MAX: usize = 30;

/// Which peers are trusted, and what is written for the target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Peers whose `X-Forwarded-*` headers are trusted. Empty by default, so no peer is trusted (attacks F-03).
    pub trusted: Vec<IpNet>,
    /// Peers that say which trace a request belongs to. Not those that only ask about requests: their questions have the headers of clients.
    pub of_traces: Vec<IpNet>,
    /// What happens to the client's `X-Forwarded-For`.
    pub mode: Mode,
    /// Which header of a trusted peer names the host.
    pub host_from: HostFrom,
    /// Whether `X-Forwarded-For` gets the port of the peer, too (ALB §10.2).
    pub has_client_port: bool,
    /// Whether a request without a valid `traceparent` gets one, and whether that says `sampled`: not if Vestibule samples, and has not taken the
    /// request.
    pub begins_traces: Option<bool>,
    /// The headers that tell the version and the cipher suite of TLS. `None` if they are not sent.
    pub tls_headers: Option<TlsHeaders>,
}

/// The names of the headers that tell the TLS of the client's connection (ALB §10.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsHeaders {
    pub version: HeaderName,
    pub cipher_suite: HeaderName,
}

/// Which header of a trusted peer names the host that the client asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostFrom {
    #[default]
    Host,
    /// `X-Forwarded-Host` if the request has it, otherwise `Host`.
    ForwardedHost,
}

/// The network of an address, for limits that count addresses. An IPv4 address counts alone. An IPv6 address counts with the
/// whole network that one customer gets (RFC 6177).
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

/// The facts that a trusted peer sends about the request that it received.
#[derive(Debug, Default)]
pub struct Told {
    /// `X-Forwarded-Proto`, if it is `http` or `https`.
    pub scheme: Option<Scheme>,
    /// `X-Forwarded-Host`, if the configuration says that it names the host.
    pub host: Option<HeaderValue>,
    /// `X-Forwarded-Port`, if it is a port.
    pub port: Option<u16>,
    /// `X-Forwarded-Prefix`, if it is a plain path.
    pub prefix: Option<HeaderValue>,
}

/// What happens to the client's `X-Forwarded-For` (ALB §10.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The peer's address is added at the end.
    #[default]
    Append,
    /// The header is passed on unchanged.
    Preserve,
    /// The header is removed.
    Remove,
}

/// The list has more than 30 addresses. The status is 463 (ALB §6.1).
#[derive(Debug, thiserror::Error)]
#[error("X-Forwarded-For has more than {ADDRESSES_MAX} addresses")]
pub struct TooMany;

impl Policy {
    /// The client's address. If the peer is not trusted, it is the peer's address. If the peer is trusted, `X-Forwarded-For` is
    /// read from the right, and the client is the first address that is not trusted (attacks F-06), or the last one
    /// that is read. An entry that cannot be parsed ends the search, and the client is the last address that could be parsed (F-08).
    pub fn client(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        if self.is_trusted(peer) { self.named_client(headers).unwrap_or(peer) } else { peer }
    }

    /// Whether a `traceparent` of the peer is its own.
    pub fn is_of_trace(&self, peer: IpAddr) -> bool {
        self.of_traces.iter().any(|network| network.contains(&peer))
    }

    /// The client's address that `X-Forwarded-For` of a trusted peer names. `None` if its last entry is not an address.
    pub fn named_client(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = None;
        let fields: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
        let hops = fields.iter().rev().flat_map(|field| field.as_bytes().rsplit(|byte| *byte == b','));
        for hop in hops.take(ADDRESSES_MAX) {
            let Some(address) = address(hop) else { break };
            client = Some(address);
            if !self.is_trusted(address) {
                break;
            }
        }
        client
    }

    /// Whether `address` belongs to a trusted proxy.
    pub fn is_trusted(&self, address: IpAddr) -> bool {
        !self.trusted.is_empty() && self.trusted.iter().any(|network| network.contains(&address))
    }

    /// The facts that a trusted peer sends about the request. `None` if the peer is not trusted. Must be called before
    /// [`Protected::strip`](crate::message::header::Protected::strip), which removes these headers whoever sent them.
    pub fn told(&self, headers: &HeaderMap, peer: IpAddr) -> Option<Told> {
        if !self.is_trusted(peer) {
            return None;
        }
        Some(Told {
            scheme: scheme(headers),
            host: (self.host_from == HostFrom::ForwardedHost).then(|| host(headers)).flatten(),
            port: only(headers, &FORWARDED_PORT).and_then(|port| port.to_str().ok()?.parse().ok()).map(NonZeroU16::get),
            prefix: only(headers, &FORWARDED_PREFIX).filter(|prefix| is_plain_path(prefix.as_bytes())).cloned(),
        })
    }

    /// The peer as `X-Forwarded-For` names it, if that is not the bare address: `192.0.2.1:8080`, `[2001:db8::1]:8080`.
    pub fn hop(&self, address: IpAddr, port: u16) -> Option<HeaderValue> {
        let hop = || HeaderValue::try_from(SocketAddr::new(address, port).to_string()).expect("an address is ASCII");
        (self.has_client_port && self.mode == Mode::Append).then(hop)
    }

    /// The header names that this policy writes and that no client may set, besides those that no client ever may.
    pub fn owned_names(&self) -> impl Iterator<Item = &HeaderName> {
        self.tls_headers.iter().flat_map(|names| [&names.version, &names.cipher_suite])
    }

    /// Adds `X-Forwarded-For` to the fields for the target. `peer` is the peer as it is named there.
    ///
    /// # Errors
    ///
    /// [`TooMany`] if the list has too many addresses.
    pub fn write(&self, headers: &HeaderMap, peer: &HeaderValue, fields: &mut OwnFields) -> Result<(), TooMany> {
        let given = headers.get_all(FORWARDED_FOR);
        let is_given = given.iter().next().is_some();
        let count = |field: &HeaderValue| field.as_bytes().iter().filter(|byte| **byte == b',').count() + 1;
        if is_given && given.iter().map(count).sum::<usize>() > ADDRESSES_MAX {
            return Err(TooMany);
        }
        match self.mode {
            Mode::Preserve => {}
            Mode::Remove => fields.omit(FORWARDED_FOR),
            Mode::Append if !is_given => fields.add(FORWARDED_FOR, peer.clone()),
            Mode::Append => {
                let mut list = Vec::new();
                for field in given {
                    list.extend_from_slice(field.as_bytes());
                    list.extend_from_slice(b", ");
                }
                list.extend_from_slice(peer.as_bytes());
                let value = HeaderValue::from_bytes(&list).expect("joined of header values and an address");
                fields.add(FORWARDED_FOR, value);
            }
        }
        Ok(())
    }
}

/// Adds `X-Forwarded-Proto`, `-Port` and `-Host` with the scheme, port and host that the client used.
pub fn write_origin(fields: &mut OwnFields, scheme: Scheme, port: HeaderValue, host: &HeaderValue) {
    fields.add(FORWARDED_PROTO, HeaderValue::from_static(scheme.as_str()));
    fields.add(FORWARDED_PORT, port);
    fields.add(FORWARDED_HOST, host.clone());
}

/// A port as a header value. The values of the two usual ports are constants.
pub fn port(port: u16) -> HeaderValue {
    match port {
        443 => HeaderValue::from_static("443"),
        80 => HeaderValue::from_static("80"),
        other => HeaderValue::from(other),
    }
}

/// The field with this name, if there is exactly one.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut fields = headers.get_all(name).iter();
    let first = fields.next()?;
    fields.next().is_none().then_some(first)
}

/// The scheme in `X-Forwarded-Proto`. Several proxies may have written a list: all entries must be the same.
fn scheme(headers: &HeaderMap) -> Option<Scheme> {
    let mut schemes =
        headers.get_all(FORWARDED_PROTO).iter().flat_map(|field| field.as_bytes().split(|byte| *byte == b',')).map(
            |name| match name.trim_ascii() {
                name if name.eq_ignore_ascii_case(b"https") => Some(Scheme::Https),
                name if name.eq_ignore_ascii_case(b"http") => Some(Scheme::Http),
                _ => None,
            },
        );
    let first = schemes.next()??;
    schemes.all(|other| other == Some(first)).then_some(first)
}

/// `X-Forwarded-Host`. If the header comes twice, the result is a value that is not a valid host, so the request is refused.
fn host(headers: &HeaderMap) -> Option<HeaderValue> {
    match headers.get_all(FORWARDED_HOST).iter().count() {
        0 => None,
        1 => headers.get(FORWARDED_HOST).cloned(),
        _ => Some(HeaderValue::from_static(",")),
    }
}

/// Whether a value is an absolute path that every server reads in the same way.
fn is_plain_path(path: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~');
    path.first() == Some(&b'/')
        && path.iter().all(is_plain)
        && !path.windows(2).any(|pair| pair == b"//" || pair == b"..")
}

/// Parses one entry of the list, with or without a port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    // `SocketAddr` reads a zone (`fe80::1%1`). A zone means something on the machine that wrote it only.
    if text.contains('%') {
        return None;
    }
    let bare = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    // RFC 3986 §3.2.2: what is in brackets is an IPv6 address.
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    bare.or_else(with_port).or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

/// The trace id for the target (ALB §10.3). Ours is `Root` if there is no [`given_trace`]. Otherwise ours is `Self`, before the
/// client's `Root`.
pub fn trace_id(given: Option<&HeaderValue>, id: &str) -> HeaderValue {
    let given = given.and_then(|value| value.to_str().ok());
    let value = match given.filter(|given| given.contains("Root=")) {
        None => ["Root=", id].concat(),
        Some(kept) => {
            let rest: Vec<&str> = kept.split(';').filter(|part| !part.trim_start().starts_with("Self=")).collect();
            format!("Self={id};{}", rest.join(";"))
        }
    };
    HeaderValue::try_from(value).expect("made of an id and a header value")
}

/// The trace id that a client has sent. `None` if its headers are longer than [`TRACED_BYTES_MAX`].
pub fn given_trace(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(TRACE_ID).filter(|_| head_bytes(headers) <= TRACED_BYTES_MAX)
}

/// Maximum size of all headers of a request whose trace id is kept (ALB §10.3).
const TRACED_BYTES_MAX: usize = 7 * 1024;

/// The size of the headers without `Cookie`. A session takes up to four cookies, and the target does not get them. With them, the traces
/// of users with many claims would end here.
fn head_bytes(headers: &HeaderMap) -> usize {
    let fields = headers.iter().filter(|(name, _)| *name != header::COOKIE);
    // `name: value`, CR LF.
    fields.map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

#[cfg(test)]
mod tests;

//! The PROXY protocol: a proxy that passes bytes on says who the client is, before the first byte of the client.
//!
//! Versions 1 (a line of text) and 2 (binary) of HAProxy's `doc/proxy-protocol.txt`. The reader is strict: each header has one
//! spelling, and what is no header is never passed on as if it were the client's bytes (attacks G-13).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::AsyncReadExt as _;

use crate::listener::settings::ProxyProtocol;
use crate::socket::stream::Socket;

/// Maximum length of a header of version 1, with its line end (§2.1).
const LINE_BYTES_MAX: usize = 107;
/// The first bytes of a header of version 2 (§2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The first bytes of a header of version 1.
const PREFIX: &[u8; 6] = b"PROXY ";
/// Length of the fixed part of a header of version 2.
const FIXED_BYTES: usize = 16;
/// Maximum length of the rest of a header of version 2. Its addresses take 36 bytes; what follows are additions (TLVs).
const REST_BYTES_MAX: usize = 4096;
/// Bytes that one read looks at.
const PEEK_BYTES: usize = 256;

/// Who the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// The proxy itself, which checks the health of this listener (`LOCAL`).
    Proxy,
    /// A client at this address. IPv4 addresses in IPv6 are IPv4.
    At(SocketAddr),
    /// A client without an IP address (`UNKNOWN`, `UNSPEC`).
    Unknown,
}

impl Client {
    /// The address of the client. `proxy` is the peer of the connection.
    ///
    /// An unknown client has the unspecified address, which is no trusted proxy. With the address of the proxy, its
    /// `X-Forwarded-*` headers would be believed.
    pub(crate) fn address(self, proxy: SocketAddr) -> SocketAddr {
        match self {
            Self::Proxy => proxy,
            Self::At(address) => address,
            Self::Unknown => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        }
    }
}

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// The beginning of a header.
    Partial,
    /// A header of `length` bytes.
    Whole { length: usize, client: Client },
}

/// The first bytes of a connection are no header that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error(
        "the connection does not begin with a header of the PROXY protocol in the version that the listener accepts"
    )]
    Signature,
    #[error("the header of the PROXY protocol is too long")]
    TooLong,
    #[error("the header of the PROXY protocol has an unknown version, command or address family")]
    Unsupported,
    #[error("the header of the PROXY protocol has an invalid address or port")]
    Address,
}

/// Parses the first bytes of a connection.
///
/// # Errors
///
/// See [`Malformed`]. Bytes that cannot become a header are refused at once.
pub(crate) fn parse(bytes: &[u8], accepted: ProxyProtocol) -> Result<Parsed, Malformed> {
    let begins = |whole: &[u8]| bytes.iter().zip(whole).all(|(left, right)| left == right);
    if accepted != ProxyProtocol::V2 && begins(PREFIX) {
        return line(bytes);
    }
    if accepted != ProxyProtocol::V1 && begins(SIGNATURE) {
        return binary(bytes);
    }
    Err(Malformed::Signature)
}

/// Version 1: `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443`, ended by CR LF.
fn line(bytes: &[u8]) -> Result<Parsed, Malformed> {
    let seen = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    let Some(end) = memchr::memchr2(b'\r', b'\n', seen) else {
        return if seen.len() == LINE_BYTES_MAX { Err(Malformed::TooLong) } else { Ok(Parsed::Partial) };
    };
    match seen[end..] {
        [b'\r', b'\n', ..] => {}
        [b'\r'] if seen.len() < LINE_BYTES_MAX => return Ok(Parsed::Partial),
        _ => return Err(Malformed::Address),
    }
    let text = std::str::from_utf8(&seen[PREFIX.len()..end]).map_err(|_| Malformed::Address)?;
    let length = end + 2;
    let mut words = text.split(' ');
    let client = match words.next() {
        // What follows is ignored (§2.1).
        Some("UNKNOWN") => Client::Unknown,
        Some("TCP4") => Client::At(addresses(words, |text| text.parse::<Ipv4Addr>().ok().map(IpAddr::V4))?),
        Some("TCP6") => Client::At(addresses(words, |text| text.parse::<Ipv6Addr>().ok().map(IpAddr::V6))?),
        _ => return Err(Malformed::Unsupported),
    };
    Ok(Parsed::Whole { length, client })
}

/// The source of a line: both addresses and both ports must be valid.
fn addresses<'t>(
    mut words: impl Iterator<Item = &'t str>,
    address: impl Fn(&str) -> Option<IpAddr>,
) -> Result<SocketAddr, Malformed> {
    let mut next = || words.next().ok_or(Malformed::Address);
    let (source, destination, source_port, destination_port) = (next()?, next()?, next()?, next()?);
    let (Some(source), Some(_), Some(port), Some(_), None) =
        (address(source), address(destination), port(source_port), port(destination_port), words.next())
    else {
        return Err(Malformed::Address);
    };
    Ok(SocketAddr::new(source.to_canonical(), port))
}

/// A port in decimal, without leading zeros.
fn port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

/// Version 2.
fn binary(bytes: &[u8]) -> Result<Parsed, Malformed> {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED_BYTES>() else { return Ok(Parsed::Partial) };
    let [version_and_command, family, high, low] = fixed[SIGNATURE.len()..] else { return Err(Malformed::Unsupported) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > REST_BYTES_MAX {
        return Err(Malformed::TooLong);
    }
    let is_local = match version_and_command {
        0x20 => true,
        0x21 => false,
        _ => return Err(Malformed::Unsupported),
    };
    let Some(rest) = rest.get(..length) else { return Ok(Parsed::Partial) };
    // Source, destination, source port, destination port. What follows the addresses is ignored.
    let client = match (is_local, family, rest) {
        (true, ..) => Client::Proxy,
        (_, 0x00, _) => Client::Unknown,
        (_, 0x11, [a, b, c, d, _, _, _, _, high, low, _, _, ..]) => {
            at(IpAddr::V4(Ipv4Addr::new(*a, *b, *c, *d)), [*high, *low])
        }
        (_, 0x21, _) => {
            let (source, rest) = rest.split_first_chunk::<16>().ok_or(Malformed::Address)?;
            let [high, low, _, _, ..] = rest.get(16..).unwrap_or_default() else { return Err(Malformed::Address) };
            at(IpAddr::V6(Ipv6Addr::from(*source)), [*high, *low])
        }
        (_, 0x11, _) => return Err(Malformed::Address),
        // Datagrams and Unix sockets: no client of a listener of ours has used them.
        _ => return Err(Malformed::Unsupported),
    };
    Ok(Parsed::Whole { length: FIXED_BYTES + length, client })
}

fn at(address: IpAddr, port: [u8; 2]) -> Client {
    Client::At(SocketAddr::new(address.to_canonical(), u16::from_be_bytes(port)))
}

/// Reads the header from a connection, and not a byte more. The caller limits the time.
///
/// # Errors
///
/// [`Malformed`] in the error if the connection does not begin with a header. An error of the connection, or its end.
pub(crate) async fn read(socket: &mut Socket, accepted: ProxyProtocol) -> io::Result<Client> {
    let mut header = Vec::new();
    let mut seen = [0; PEEK_BYTES];
    loop {
        let count = socket.peek(&mut seen).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let before = header.len();
        // `parse` answers `Partial` for less than the longest header only.
        header.extend_from_slice(&seen[..count]);
        let parsed = parse(&header, accepted).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let taken = match parsed {
            Parsed::Partial => count,
            Parsed::Whole { length, .. } => length - before,
        };
        // These bytes have arrived.
        socket.read_exact(&mut seen[..taken]).await?;
        if let Parsed::Whole { client, .. } = parsed {
            return Ok(client);
        }
    }
}

#[cfg(test)]
mod tests;

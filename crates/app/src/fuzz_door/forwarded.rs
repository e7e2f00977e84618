//! `X-Forwarded-*` and the trace id.

use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderMap, HeaderValue};

use crate::message::forwarded::{HostFrom, Mode, Policy, trace_id};
use crate::message::header::{FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PORT, FORWARDED_PREFIX, FORWARDED_PROTO};
use crate::message::own_fields::OwnFields;

/// The first byte chooses whether the peer is trusted and what becomes of the list. Each line after it is a field, of a name that its
/// first byte chooses.
pub fn forwarded(input: &[u8]) {
    let Some((&how, text)) = input.split_first() else { return };
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let Some((name, value)) = line.split_first() else { continue };
        let Ok(value) = HeaderValue::from_bytes(value) else { continue };
        let name = match name % 8 {
            0 => FORWARDED_PROTO,
            1 => FORWARDED_HOST,
            2 => FORWARDED_PORT,
            3 => FORWARDED_PREFIX,
            _ => FORWARDED_FOR,
        };
        headers.append(name, value);
    }
    let policy = Policy {
        trusted: ["10.0.0.0/8", "fd00::/8"].iter().map(|text| text.parse().expect("a network")).collect(),
        mode: [Mode::Append, Mode::Preserve, Mode::Remove][usize::from(how >> 1) % 3],
        host_from: if how & 0x80 == 0 { HostFrom::ForwardedHost } else { HostFrom::Host },
        ..Policy::default()
    };
    let peer = IpAddr::V4(if how & 1 == 0 { Ipv4Addr::new(10, 0, 0, 1) } else { Ipv4Addr::new(192, 0, 2, 1) });
    client(&policy, &headers, peer);
    told(&policy, &headers, peer);
    written(&policy, &headers, peer);
    trace(text);
}

fn is_trusted(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[0] == 10,
        IpAddr::V6(address) => address.octets()[0] == 0xfd,
    }
}

/// Walks the whole list from the right, as the rule says.
fn client(policy: &Policy, headers: &HeaderMap, peer: IpAddr) {
    let found = policy.client(headers, peer);
    if !is_trusted(peer) {
        assert_eq!(found, peer, "a stranger says who it is");
        return;
    }
    let list: Vec<&[u8]> = headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes).collect();
    let list = list.join(&b","[..]);
    let mut expected = peer;
    for hop in list.rsplit(|byte| *byte == b',').take(30) {
        let Some(address) = address(hop) else { break };
        expected = address;
        if !is_trusted(address) {
            break;
        }
    }
    assert_eq!(found, expected, "{}", list.escape_ascii());
}

/// `address`, `address:port`, `[address]`, `[address]:port`; IPv4 in IPv6 is IPv4.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let host = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            return (is_port && host.contains(':'))
                .then(|| host.parse().ok())
                .flatten()
                .map(|ip: IpAddr| ip.to_canonical());
        }
        None if text.matches(':').count() == 1 => {
            let (host, port) = text.split_once(':')?;
            is_port(port).then_some(host)?
        }
        None => text,
    };
    host.parse().ok().map(|address: IpAddr| address.to_canonical())
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn told(policy: &Policy, headers: &HeaderMap, peer: IpAddr) {
    let Some(told) = policy.told(headers, peer) else {
        assert!(!is_trusted(peer));
        return;
    };
    assert!(is_trusted(peer), "a stranger is believed");
    assert!(told.host.is_none() || policy.host_from == HostFrom::ForwardedHost);
    if let Some(prefix) = told.prefix {
        let prefix = prefix.to_str().expect("a plain path");
        assert!(prefix.starts_with('/') && !prefix.contains("//") && !prefix.contains(".."), "{prefix}");
        assert!(!prefix.contains(['%', '\\', '?', '#', ' ', '<', '"', ':', '@']), "{prefix}");
    }
    if let Some(scheme) = told.scheme {
        for field in headers.get_all(FORWARDED_PROTO) {
            for part in field.to_str().expect("it was read").split(',') {
                assert!(part.trim().eq_ignore_ascii_case(scheme.as_str()), "two schemes, and one is chosen");
            }
        }
    }
}

/// A target finds the peer at the end of the list, or nothing, or what the client sent.
fn written(policy: &Policy, headers: &HeaderMap, peer: IpAddr) {
    let peer = HeaderValue::try_from(peer.to_string()).expect("an address");
    let mut own = OwnFields::with_room();
    if policy.write(headers, &peer, &mut own).is_err() {
        return;
    }
    let mut sent = headers.clone();
    own.write_into(&mut sent);
    let fields: Vec<&[u8]> = sent.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes).collect();
    match policy.mode {
        Mode::Remove => assert!(fields.is_empty()),
        Mode::Preserve => {
            assert!(fields.iter().copied().eq(headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes)))
        }
        Mode::Append => {
            let [list] = fields[..] else { panic!("{} lists", fields.len()) };
            assert_eq!(list.rsplit(|byte| *byte == b',').next().map(<[u8]>::trim_ascii), Some(peer.as_bytes()));
            assert!(list.split(|byte| *byte == b',').count() <= 31);
        }
    }
}

/// Ours is in what the target gets, once, and the client's `Self` is not.
fn trace(text: &[u8]) {
    let Ok(given) = HeaderValue::from_bytes(text) else { return };
    let written = trace_id(Some(&given), "1-id");
    let written = written.to_str().expect("text");
    assert!(written == "Root=1-id" || written.starts_with("Self=1-id;"), "{written}");
    assert!(written.split(';').skip(1).all(|part| !part.trim_start().starts_with("Self=")), "{written}");
}

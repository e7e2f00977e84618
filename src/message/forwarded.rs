//! `X-Forwarded-*`: who the client is, where a trusted peer says so, and what the target is told.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

use crate::message::header::{FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PORT, FORWARDED_PROTO};

/// Most addresses that the list may have (spec §10.2).
const ADDRESSES_MAX: usize = 30;

/// Whom to believe, and what to write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    /// Peers whose `X-Forwarded-For` says who the client is. Empty by default: nobody's does (attacks F-03).
    pub(crate) trusted: Vec<IpNet>,
    /// What becomes of the client's `X-Forwarded-For`.
    pub(crate) mode: Mode,
}

/// What becomes of the client's `X-Forwarded-For` (spec §10.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The peer's address is added at the end.
    #[default]
    Append,
    /// It passes untouched.
    Preserve,
    /// It is taken out.
    Remove,
}

/// The list has more than 30 addresses: 463 (spec §6.1).
#[derive(Debug, thiserror::Error)]
#[error("X-Forwarded-For has more than {ADDRESSES_MAX} addresses")]
pub(crate) struct TooMany;

impl Policy {
    /// Who sent the request: the peer, unless it is trusted; then whom the list names, walked from the right past trusted
    /// addresses (attacks F-06). What cannot be read ends the walk at the last address that could (F-08).
    pub(crate) fn client(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        let is_trusted = |address: IpAddr| self.trusted.iter().any(|network| network.contains(&address));
        let mut client = peer;
        if self.trusted.is_empty() || !is_trusted(peer) {
            return peer;
        }
        let fields: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
        let hops = fields.iter().rev().flat_map(|field| field.as_bytes().rsplit(|byte| *byte == b','));
        for hop in hops.take(ADDRESSES_MAX) {
            let Some(address) = address(hop) else { break };
            client = address;
            if !is_trusted(address) {
                break;
            }
        }
        client
    }

    /// Writes `X-Forwarded-For` for the target. `peer` is the peer's address as it is written.
    ///
    /// # Errors
    ///
    /// [`TooMany`].
    pub(crate) fn write(&self, headers: &mut HeaderMap, peer: &HeaderValue) -> Result<(), TooMany> {
        let is_given = headers.contains_key(FORWARDED_FOR);
        let count = |field: &HeaderValue| field.as_bytes().iter().filter(|byte| **byte == b',').count() + 1;
        if is_given && headers.get_all(FORWARDED_FOR).iter().map(count).sum::<usize>() > ADDRESSES_MAX {
            return Err(TooMany);
        }
        match self.mode {
            Mode::Preserve => {}
            Mode::Remove => {
                headers.remove(FORWARDED_FOR);
            }
            Mode::Append if !is_given => drop(headers.insert(FORWARDED_FOR, peer.clone())),
            Mode::Append => {
                let mut list = Vec::new();
                for field in headers.get_all(FORWARDED_FOR) {
                    list.extend_from_slice(field.as_bytes());
                    list.extend_from_slice(b", ");
                }
                list.extend_from_slice(peer.as_bytes());
                let value = HeaderValue::from_bytes(&list).expect("joined of header values and an address");
                headers.insert(FORWARDED_FOR, value);
            }
        }
        Ok(())
    }
}

/// Writes `X-Forwarded-Proto`, `-Port` and `-Host`. The port is our own (spec §10.2); a client's values are gone already.
pub(crate) fn write_origin(headers: &mut HeaderMap, scheme: &'static str, port: &HeaderValue, host: &HeaderValue) {
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
    headers.insert(FORWARDED_PORT, port.clone());
    headers.insert(FORWARDED_HOST, host.clone());
}

/// One hop, with or without a port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let bare = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    bare.or_else(with_port).or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

/// The trace id for the target (spec §10.3): ours as `Root` where the client has none, else as `Self` before its `Root`.
pub(crate) fn trace_id(given: Option<&HeaderValue>, id: &str) -> HeaderValue {
    let given = given.and_then(|value| value.to_str().ok()).filter(|value| value.len() < 1024);
    let value = match given.filter(|given| given.contains("Root=")) {
        None => ["Root=", id].concat(),
        Some(kept) => {
            let rest: Vec<&str> = kept.split(';').filter(|part| !part.trim_start().starts_with("Self=")).collect();
            format!("Self={id};{}", rest.join(";"))
        }
    };
    HeaderValue::try_from(value).expect("made of an id and a header value")
}

#[cfg(test)]
mod tests;

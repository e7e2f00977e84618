//! The networks of proxies in front of a listener.

use std::net::Ipv6Addr;

use ipnet::{IpNet, Ipv6Net};

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::value::List;
use crate::config::validate::context::Context;
use crate::config::validate::value;

/// The networks of proxies that are believed.
pub(super) fn trusted(raw: &List<String>, at: &Path, context: &mut Context<'_>) -> Result<Vec<IpNet>, Reported> {
    let networks = value::networks(raw, at, &mut context.found);
    for (index, text) in raw.iter() {
        let at = at.index(index);
        // attacks F-03: otherwise any client could choose the address that `source_ip` and the access log use.
        let Ok(network) = text.parse::<IpNet>() else { continue };
        if context.found.concern(&at).is_some() {
            continue;
        }
        if network.prefix_len() == 0 {
            let problem = context.found.problem(&at, format!("`{text}` would let every client set its own address"));
            problem.hint("list the networks of your proxies");
        } else if is_wide(&network) {
            let message =
                format!("`{text}` is a large part of the Internet: every client in it can set its own address");
            context.found.warning(&at, message).hint("list the networks of your proxies");
        }
    }
    networks
}

/// Whether a network is larger than any operator's. A few of these are everybody: `0.0.0.0/1` and `128.0.0.0/1`.
fn is_wide(network: &IpNet) -> bool {
    match network {
        IpNet::V4(network) => network.prefix_len() < 8,
        // RFC 4193 and RFC 4291 §2.5.6: addresses that the Internet does not route.
        IpNet::V6(network) => network.prefix_len() < 16 && !PRIVATE.iter().any(|private| private.contains(network)),
    }
}

const PRIVATE: [Ipv6Net; 2] = [
    Ipv6Net::new_assert(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
];

//! `trusted_ips`: clients that need no sign-in. Which address a client has depends on the proxy in front, so a network counts only where
//! both programs see the same address.

use std::net::IpAddr;

use crate::import::ledger::Ledger;
use crate::import::oauth2_proxy::options::Options;

/// Why a network needs a sign-in now.
const NO_TLS: &str = "clients of these networks need a sign-in: the address of a client is that of a proxy in front. Write a rule with source_ip";

/// The networks whose clients need no sign-in.
pub(super) fn networks(options: &Options, ledger: &mut Ledger) -> Vec<String> {
    let Some(setting) = options.get("trusted_ips") else { return Vec::new() };
    let ends_tls = options.text("tls_cert_file").is_some() && options.text("tls_key_file").is_some();
    let proxies = match (ends_tls, options.is_on("reverse_proxy")) {
        (true, false) => Vec::new(),
        // A proxy that sends another header may pass on what a client has written into X-Forwarded-For.
        (false, true) if is_forwarded_for(options) => trusted_proxies(options),
        _ => {
            ledger.dropped(&setting.path, NO_TLS);
            return Vec::new();
        }
    };
    let proxies: Vec<Network> = proxies.iter().filter_map(|text| Network::read(text)).collect();
    let (mut kept, mut lost) = (Vec::new(), Vec::new());
    for text in &setting.values {
        match Network::read(text) {
            Some(network) if !proxies.iter().any(|proxy| proxy.overlaps(&network)) => kept.push(network.text()),
            _ => lost.push(text.as_str()),
        }
    }
    if lost.is_empty() {
        ledger.kept(&setting.path, "rules with source_ip, without a sign-in");
    } else {
        let why = format!("rules with source_ip, without {}: no network, or one of a proxy in front", lost.join(", "));
        ledger.changed(&setting.path, &why);
    }
    kept
}

fn is_forwarded_for(options: &Options) -> bool {
    options.text("real_client_ip_header").is_some_and(|name| name.eq_ignore_ascii_case("x-forwarded-for"))
}

/// The networks of the proxies in front of an `http` listener.
pub(super) fn trusted_proxies(options: &Options) -> Vec<String> {
    let proxies = options.values("trusted_proxy_ips");
    if proxies.is_empty() { vec!["127.0.0.0/8".to_owned(), "::1/128".to_owned()] } else { proxies }
}

/// An address with the length of its prefix.
#[derive(Clone, Copy)]
struct Network(IpAddr, u8);

impl Network {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let length = length.map_or(Some(longest), |length| length.parse().ok().filter(|length| *length <= longest))?;
        Some(Self(address, length))
    }

    fn text(&self) -> String {
        format!("{}/{}", self.0, self.1)
    }

    fn overlaps(&self, other: &Self) -> bool {
        let bits = |address: IpAddr| match address {
            IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
            IpAddr::V6(address) => address.to_bits(),
        };
        let common = self.1.min(other.1);
        let first = |address| if common == 0 { 0 } else { bits(address) >> (128 - u32::from(common)) };
        self.0.is_ipv4() == other.0.is_ipv4() && first(self.0) == first(other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_that_have_an_address_in_common_overlap() {
        let network = |text| Network::read(text).unwrap();
        for (one, other, expected) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.1.2.3", "10.0.0.0/8", true),
            ("10.0.0.0/8", "11.0.0.0/8", false),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8::1", true),
            ("2001:db8::1", "2001:db8::2", false),
        ] {
            assert_eq!(network(one).overlaps(&network(other)), expected, "{one} {other}");
        }
        for none in ["", "x", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::/129"] {
            assert!(Network::read(none).is_none(), "{none}");
        }
    }
}

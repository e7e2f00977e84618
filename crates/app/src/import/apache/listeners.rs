//! Listeners: the addresses of the hosts, and what holds for all hosts of one.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::import::apache::access::network;
use crate::import::apache::client_certificates::client_certificates;
use crate::import::apache::headers;
use crate::import::apache::rewrite;
use crate::import::apache::rules::{Found, Front, Reader};
use crate::import::apache::scope::Host;
use crate::import::apache::sockets::Socket;
use crate::import::apache::tree::Directive;
use crate::import::draft::{Chain, Listener, Rule, everything, free_name, name_like};
use crate::import::ledger::Ledger;
use crate::import::yaml::{Map, Yaml};

fn is_https(host: &Host<'_>, port: u16) -> bool {
    match host.text("sslengine") {
        Some(word) => word.eq_ignore_ascii_case("on"),
        None => port == 443 || host.last("sslcertificatefile").is_some(),
    }
}

/// The listener of a socket.
pub(super) fn listener(
    (address, port): &Socket,
    hosts: &mut [&mut Host<'_>],
    reader: &mut Reader<'_>,
) -> Result<Listener, String> {
    let first_is_https = hosts.first().is_some_and(|host| is_https(host, *port));
    if hosts.iter().any(|host| is_https(host, *port) != first_is_https) {
        return Err(format!("port {port} has hosts with TLS and without"));
    }
    let scheme = if first_is_https { "https" } else { "http" };
    let mut settings = Map::default().with("address", format!("{address}:{port}")).with("protocol", scheme);
    if first_is_https {
        certificates(hosts, &mut settings, reader);
        client_certificates(hosts, &mut settings, reader);
    }
    let proxies = proxies_in_front(hosts, reader.ledger);
    let is_behind = !first_is_https && hosts.iter().any(|host| says_that_tls_is_in_front(host));
    let has_address = proxies.is_some() || !is_behind;
    if let Some(proxies) = &proxies {
        settings.set("trusted_proxies", &proxies[..]);
    } else if is_behind {
        settings.set("trusted_proxies", &["127.0.0.0/8".to_owned(), "::1/128".to_owned()][..]);
        settings.comment(
            "trusted_proxies",
            "The proxy in front that ends TLS. It has to send X-Forwarded-Proto: https. Replace this by its networks.",
        );
    }
    response_headers(hosts, &mut settings, reader.ledger);
    let front = Front { has_tls: first_is_https || is_behind, is_https: first_is_https, has_address };
    let is_taken = |name: &str| reader.draft.listeners.iter().any(|other| other.name == name);
    let mut listener = Listener {
        name: free_name(&format!("{scheme}-{port}"), is_taken),
        settings,
        rules: Vec::new(),
        default: Chain::Closed("there is no host".to_owned()),
        source: "the server".to_owned(),
    };
    // Apache asks the hosts in their order. Of two names, the first counts.
    let mut taken: Vec<String> = Vec::new();
    let mut names_of: Vec<Vec<String>> = Vec::new();
    for host in hosts.iter() {
        let mut own = names(host);
        own.retain(|name| !taken.contains(&name.to_ascii_lowercase()));
        taken.extend(own.iter().map(|name| name.to_ascii_lowercase()));
        names_of.push(own);
    }
    let has_patterns = hosts.len() > 1 && taken.iter().any(|name| name.contains(['*', '?']));
    let redirects: Vec<Option<Map>> =
        hosts.iter_mut().map(|host| rewrite::redirect(host, first_is_https, reader.ledger)).collect();
    let mut rules = |index: usize| match &redirects[index] {
        Some(redirect) if hosts[index].closed.is_none() => vec![Found::redirect(redirect.clone())],
        _ => reader.rules(hosts[index], front),
    };
    for (index, names) in names_of.iter().enumerate() {
        // The first host has all names that no other has. Names with `*` of others could be its own.
        if !names.is_empty() && (index > 0 || has_patterns) {
            add(&mut listener, rules(index), names);
        }
    }
    add(&mut listener, rules(0), &[]);
    for (host, names) in hosts.iter().zip(&names_of).skip(1) {
        if let Some(section) = host.section.filter(|_| names.is_empty()) {
            reader.ledger.revoke(&section.path, "the host has no name of its own, so no request is for it");
        }
    }
    Ok(listener)
}

/// The names of a host.
fn names(host: &Host<'_>) -> Vec<String> {
    let own = &host.directives[host.inherited..];
    let of = |name: &'static str| own.iter().filter(move |directive| directive.name == name);
    let name = of("servername").next_back().map(|directive| directive.word(0)).into_iter();
    let aliases = of("serveralias").flat_map(|directive| directive.words.iter().map(String::as_str));
    // `https://app.example.com:443`
    let plain = |name: &str| {
        let name = name.rsplit_once("://").map_or(name, |(_, name)| name);
        name.rsplit_once(':').map_or(name, |(name, _)| name).to_owned()
    };
    name.chain(aliases).map(plain).collect()
}

/// Adds the rules of a host. Without names, its last rule is what the listener does by default.
fn add(listener: &mut Listener, found: Vec<Found>, names: &[String]) {
    for found in found {
        let Found { paths, networks, chain, transforms, source } = found;
        let is_default = names.is_empty() && paths.is_all() && networks.is_none();
        if is_default && transforms.is_empty() {
            (listener.default, listener.source) = (chain, source);
            continue;
        }
        if is_default {
            // Default actions have no transforms.
            let nothing = Map::default().with("type", "fixed-response").with("status_code", 404);
            listener.default = Chain::terminal(nothing);
        }
        let mut conditions: Vec<Map> = Vec::new();
        if !names.is_empty() {
            conditions.push(Map::default().with("host_header", names));
        }
        conditions.extend(paths.condition());
        conditions.extend(networks.map(|networks| Map::default().with("source_ip", &networks[..])));
        if conditions.is_empty() {
            conditions.push(everything());
        }
        let wanted = name_like(&format!("{}{}", names.first().map_or("", String::as_str), paths.shown()));
        let name = free_name(&wanted, |name| listener.rules.iter().any(|rule| rule.name == name));
        let mut settings = Map::default();
        if !transforms.is_empty() {
            settings.set("transforms", transforms);
        }
        let priority = 10 * (listener.rules.len() as u64 + 1);
        listener.rules.push(Rule { name, priority, conditions, chain, settings, source });
    }
}

fn certificates(hosts: &[&mut Host<'_>], settings: &mut Map, reader: &mut Reader<'_>) {
    let mut files: Vec<Yaml> = Vec::new();
    for host in hosts {
        let name =
            names(host).first().map_or_else(|| "default".to_owned(), |name| name_like(&name.replace('*', "any")));
        let certificate = host.text("sslcertificatefile").map_or_else(|| format!("certs/{name}.pem"), str::to_owned);
        let key = host.text("sslcertificatekeyfile").map_or_else(|| format!("{certificate}.key"), str::to_owned);
        for directive in ["sslcertificatefile", "sslcertificatekeyfile"].iter().filter_map(|name| host.last(name)) {
            if host.last("sslcertificatekeyfile").is_some() {
                reader.ledger.kept(&directive.path, "certificates");
            } else {
                reader.ledger.changed(&directive.path, "certificates: write the private key into a file of its own");
            }
        }
        if let Some(directive) = host.last("sslcertificatechainfile") {
            reader.ledger.changed(&directive.path, "append its certificates to the file of the certificate");
        }
        let file = Yaml::Map(reader.draft.certificate(&certificate, &key));
        if !files.contains(&file) {
            files.push(file);
        }
    }
    settings.set("certificates", Yaml::List(files));
    settings.set("tls_policy", "TLS13-1-2-Res");
}

/// The networks of `RemoteIPHeader X-Forwarded-For`. Closes hosts whose addresses are not known.
fn proxies_in_front(hosts: &mut [&mut Host<'_>], ledger: &mut Ledger) -> Option<Vec<String>> {
    let mut all: Option<Vec<String>> = None;
    let mut of_hosts: BTreeSet<Option<BTreeSet<String>>> = BTreeSet::new();
    for host in hosts.iter_mut() {
        let Some(header) = host.last("remoteipheader") else {
            of_hosts.insert(None);
            continue;
        };
        let lists = trusted_by(host);
        let words: Vec<&String> = lists.iter().flat_map(|directive| &directive.words).collect();
        let networks: Option<Vec<String>> = words.iter().map(|word| network(word)).collect();
        let is_known = header.word(0).eq_ignore_ascii_case("x-forwarded-for");
        match networks.filter(|networks| is_known && !networks.is_empty()) {
            Some(networks) => {
                ledger.kept(&header.path, "trusted_proxies");
                lists.iter().for_each(|directive| ledger.kept(&directive.path, "trusted_proxies"));
                of_hosts.insert(Some(networks.iter().cloned().collect()));
                let all = all.get_or_insert_default();
                all.extend(networks.into_iter().filter(|network| !all.contains(network)).collect::<Vec<_>>());
            }
            None => {
                let why = "the address of a client is not that of X-Forwarded-For, by proxies of known networks";
                ledger.dropped(&header.path, why);
                host.close(format!("{}: {why}", header.path));
            }
        }
    }
    if of_hosts.len() > 1 {
        let why = "a listener trusts the same proxies for all its hosts, and their RemoteIP settings differ: the address of a client is not known";
        hosts.iter_mut().filter(|host| !networks_asked(host).is_empty()).for_each(|host| host.close(why.to_owned()));
    }
    for host in hosts.iter_mut() {
        let of_strangers = trusted_by(host).into_iter().find(|list| list.name == "remoteiptrustedproxy");
        let Some(list) = of_strangers.filter(|_| networks_asked(host).iter().any(|network| is_private(network))) else {
            continue;
        };
        let why = "Apache takes no private address from such a proxy, and a Require is about one: if it should, write RemoteIPInternalProxy";
        ledger.dropped(&list.path, why);
        host.close(format!("{}: {why}", list.path));
    }
    all
}

/// The lists of proxies that count for a host: its own take the place of those outside of it.
fn trusted_by<'t>(host: &Host<'t>) -> Vec<&'t Directive> {
    let (outside, own) = host.directives.split_at(host.inherited);
    let lists = |part: &[&'t Directive]| -> Vec<&'t Directive> {
        let is_list = |name: &str| matches!(name, "remoteiptrustedproxy" | "remoteipinternalproxy");
        part.iter().filter(|directive| is_list(&directive.name)).copied().collect()
    };
    let own = lists(own);
    if own.is_empty() { lists(outside) } else { own }
}

/// The networks that decide about requests. One that is not known is all of them.
fn networks_asked(host: &Host<'_>) -> Vec<String> {
    let trees = host.places.iter().chain(&host.proxies).filter_map(|place| place.require.as_ref());
    trees
        .flat_map(|tree| match tree.networks() {
            Ok(networks) => networks.unwrap_or_default().to_vec(),
            Err(_) => vec!["0.0.0.0/0".to_owned()],
        })
        .collect()
}

/// Whether a network has an address that `mod_remoteip` takes for a private one: outside of 2000::/3, or in one of five blocks.
fn is_private(network: &str) -> bool {
    const BLOCKS: [(u32, u32); 5] =
        [(0x0a00_0000, 8), (0xac10_0000, 12), (0xc0a8_0000, 16), (0xa9fe_0000, 16), (0x7f00_0000, 8)];
    let Some((address, length)) = network.split_once('/') else { return true };
    let Ok(length) = length.parse::<u32>() else { return true };
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => BLOCKS.iter().any(|(block, own)| {
            let shift = 32 - (*own).min(length).min(32);
            (u64::from(address.to_bits()) >> shift) == (u64::from(*block) >> shift)
        }),
        Ok(IpAddr::V6(address)) => length < 3 || address.segments()[0] >> 13 != 1,
        Err(_) => true,
    }
}

/// Whether a host without TLS is behind a proxy that ends it.
fn says_that_tls_is_in_front(host: &Host<'_>) -> bool {
    let forwarded = host.last("oidcxforwardedheaders");
    forwarded.is_some_and(|directive| directive.words.iter().any(|word| word.eq_ignore_ascii_case("x-forwarded-proto")))
        || host.text("oidcredirecturi").is_some_and(|uri| uri.starts_with("https://"))
}

fn response_headers(hosts: &[&mut Host<'_>], settings: &mut Map, ledger: &mut Ledger) {
    let [host] = hosts else {
        for directive in hosts.iter().flat_map(|host| host.all("header")) {
            ledger.dropped(&directive.path, "response_headers are for a whole listener, which has several hosts");
        }
        return;
    };
    let mut headers = Map::default();
    host.all("header").iter().for_each(|directive| headers.extend(&headers::response_header(directive, ledger)));
    // Without TLS, it would be refused.
    if settings.get("certificates").is_none() && headers.get("strict_transport_security").is_some() {
        return;
    }
    if !headers.is_empty() {
        settings.set("response_headers", headers);
    }
}

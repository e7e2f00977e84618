//! Listeners: the addresses of the hosts, and what holds for all hosts of one.

use std::collections::BTreeMap;

use crate::import::apache::access::network;
use crate::import::apache::headers;
use crate::import::apache::paths::Paths;
use crate::import::apache::rewrite;
use crate::import::apache::rules::{Found, Front, Reader};
use crate::import::apache::scope::Host;
use crate::import::draft::{Chain, Listener, Need, Rule, everything, free_name, name_like};
use crate::import::ledger::Ledger;
use crate::import::yaml::{Map, Yaml};

/// An address and a port.
type Socket = (String, u16);

/// The hosts of each socket, in their order.
pub(super) fn sockets(hosts: &[Host<'_>], ledger: &mut Ledger) -> Result<BTreeMap<Socket, Vec<usize>>, String> {
    let (main, own) = hosts.split_first().ok_or("there is no server")?;
    let mut listened = Vec::new();
    for directive in main.all("listen") {
        let text = directive.word(0);
        listened.push(socket(text).ok_or_else(|| format!("{}: no port", directive.path))?);
        ledger.kept(&directive.path, "listeners, if a host has the port");
    }
    let mut sockets: BTreeMap<Socket, Vec<usize>> = BTreeMap::new();
    for (index, host) in own.iter().enumerate() {
        let Some(section) = host.section else { continue };
        for word in &section.words {
            let named: Vec<Socket> = match socket(word) {
                Some(socket) => vec![socket],
                None if matches!(word.as_str(), "*" | "_default_") => {
                    let all = |(_, port): &Socket| (ANY.to_owned(), *port);
                    if listened.is_empty() { vec![(ANY.to_owned(), 80)] } else { listened.iter().map(all).collect() }
                }
                None => return Err(format!("{}: `{word}` is no address with a port", section.path)),
            };
            named.into_iter().for_each(|socket| sockets.entry(socket).or_default().push(index + 1));
        }
    }
    // The server outside of all sections answers where no host does.
    if own.is_empty() && listened.is_empty() {
        listened.push((ANY.to_owned(), 80));
    }
    let has_rules =
        !main.places.is_empty() || main.directives.iter().any(|directive| directive.name.starts_with("proxypass"));
    for (address, port) in listened {
        let is_served = sockets.keys().any(|(_, served)| *served == port);
        if !is_served && (own.is_empty() || has_rules) {
            sockets.insert((address, port), vec![0]);
        }
    }
    for (address, port) in sockets.keys().filter(|(address, _)| address != ANY) {
        if sockets.contains_key(&(ANY.to_owned(), *port)) {
            return Err(format!("port {port} has hosts for all addresses and for {address}: import them one by one"));
        }
    }
    if sockets.is_empty() { Err("there is no host".to_owned()) } else { Ok(sockets) }
}

const ANY: &str = "0.0.0.0";

/// `443`, `*:443`, `_default_:443`, `10.0.0.1:443`, `[::]:443`.
fn socket(text: &str) -> Option<Socket> {
    let (address, port) = text.rsplit_once(':').unwrap_or(("*", text));
    let port: u16 = port.parse().ok()?;
    let address = match address {
        "*" | "_default_" => ANY.to_owned(),
        other if other.starts_with('[') => {
            other.trim_start_matches('[').trim_end_matches(']').parse::<std::net::Ipv6Addr>().ok()?;
            other.to_owned()
        }
        other => other.parse::<std::net::Ipv4Addr>().ok()?.to_string(),
    };
    Some((address, port))
}

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
    let mut listener = Listener {
        name: format!("{scheme}-{port}"),
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
        let wanted = name_like(&format!("{}{}", names.first().map_or("", String::as_str), shown(&paths)));
        let name = free_name(&wanted, |name| listener.rules.iter().any(|rule| rule.name == name));
        let mut settings = Map::default();
        if !transforms.is_empty() {
            settings.set("transforms", transforms);
        }
        let priority = 10 * (listener.rules.len() as u64 + 1);
        listener.rules.push(Rule { name, priority, conditions, chain, settings, source });
    }
}

fn shown(paths: &Paths) -> String {
    match paths {
        Paths::Below(text) | Paths::Begin(text) | Paths::One(text) => text.clone(),
        Paths::Expression { begin, .. } => format!("{begin}-expression"),
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

/// `SSLVerifyClient`. In Vestibule, it is asked by the listener: hosts that differ are closed.
fn client_certificates(hosts: &mut [&mut Host<'_>], settings: &mut Map, reader: &mut Reader<'_>) {
    let asks = |host: &Host<'_>| host.text("sslverifyclient").is_some_and(|word| word.eq_ignore_ascii_case("require"));
    let all = hosts.iter().all(|host| asks(host));
    let files = |host: &Host<'_>| {
        ["sslcacertificatefile", "sslcarevocationfile", "sslcarevocationcheck"]
            .map(|name| host.text(name).map(str::to_owned))
    };
    let first = hosts.first().map(|host| files(host)).unwrap_or_default();
    let is_one = hosts.iter().all(|host| files(host) == first);
    for host in hosts.iter_mut() {
        let Some(directive) = host.last("sslverifyclient") else { continue };
        if !asks(host) {
            reader.ledger.kept(&directive.path, "clients are not asked: who has no certificate comes in, as before");
        } else if !all || !is_one || first[0].is_none() {
            let why = "client certificates are for a whole listener, with one SSLCACertificateFile: see mutual_authentication";
            reader.ledger.dropped(&directive.path, why);
            host.close(format!("{}: {why}", directive.path));
        } else {
            reader.ledger.kept(&directive.path, "mutual_authentication");
        }
    }
    let ([Some(authorities), lists, check], true, true) = (first, all, is_one) else { return };
    let is_checked = check.as_deref().is_some_and(|check| !check.eq_ignore_ascii_case("none"));
    let lists: Vec<String> = lists.into_iter().filter(|_| is_checked).collect();
    let file = |name: &String| Yaml::File(name.clone());
    let mut store = Map::default().with("ca_files", Yaml::List(vec![file(&authorities)]));
    if !lists.is_empty() {
        store.set("crl_files", Yaml::List(lists.iter().map(file).collect()));
    }
    for list in &lists {
        reader.draft.needs(list, Need::Revoked { what: "that of SSLCARevocationFile".to_owned() });
    }
    if is_checked && lists.is_empty() {
        hosts.iter_mut().for_each(|host| host.close("revoked certificates are looked up in a folder".to_owned()));
    }
    let what = "those of SSLCACertificateFile".to_owned();
    reader.draft.needs(&authorities, Need::Authorities { lists, what });
    let name = name_like(authorities.rsplit('/').next().unwrap_or(&authorities).trim_end_matches(".pem"));
    reader.draft.trust_store(&name, store);
    settings.set("mutual_authentication", Map::default().with("mode", "verify").with("trust_store", name));
    for host in hosts.iter() {
        for name in ["sslcacertificatefile", "sslcarevocationfile", "sslcarevocationcheck"] {
            host.last(name).into_iter().for_each(|directive| reader.ledger.kept(&directive.path, "trust_stores"));
        }
    }
}

/// The networks of `RemoteIPHeader X-Forwarded-For`. Closes hosts whose addresses are not known.
fn proxies_in_front(hosts: &mut [&mut Host<'_>], ledger: &mut Ledger) -> Option<Vec<String>> {
    let mut all: Option<Vec<String>> = None;
    for host in hosts.iter_mut() {
        let Some(header) = host.last("remoteipheader") else { continue };
        let mut lists = host.all("remoteiptrustedproxy");
        lists.extend(host.all("remoteipinternalproxy"));
        let words: Vec<&String> = lists.iter().flat_map(|directive| &directive.words).collect();
        let networks: Option<Vec<String>> = words.iter().map(|word| network(word)).collect();
        let is_known = header.word(0).eq_ignore_ascii_case("x-forwarded-for");
        match networks.filter(|networks| is_known && !networks.is_empty()) {
            Some(networks) => {
                ledger.kept(&header.path, "trusted_proxies");
                lists.iter().for_each(|directive| ledger.kept(&directive.path, "trusted_proxies"));
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
    all
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

//! Where the hosts are: what `<VirtualHost>` names, as far as Apache listens there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::import::apache::scope::Host;
use crate::import::apache::tree::Node;
use crate::import::ledger::Ledger;

/// An address and a port, as a listener has them.
pub(super) type Socket = (String, u16);

const ANY: &str = "0.0.0.0";

/// What `Listen` or `<VirtualHost>` names. Without an address, it is all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Named {
    address: Option<IpAddr>,
    port: u16,
}

/// The hosts of each socket, in their order.
///
/// # Errors
///
/// In a sentence: a host is where Apache does not listen, or it is not known which hosts Apache asks.
pub(super) fn sockets(
    nodes: &[Node],
    hosts: &[Host<'_>],
    ledger: &mut Ledger,
) -> Result<BTreeMap<Socket, Vec<usize>>, String> {
    let (main, own) = hosts.split_first().ok_or("there is no server")?;
    let mut listened = Vec::new();
    for directive in main.all("listen") {
        listened.push(Named::of(directive.word(0)).ok_or_else(|| format!("{}: no port", directive.path))?);
        ledger.kept(&directive.path, "listeners, if a host has the port");
    }
    // A file of one site: another file says where Apache listens.
    if listened.is_empty() && !nodes.iter().any(says_where) {
        listened = own_ports(own);
    }
    let mut sockets: BTreeMap<Socket, Vec<usize>> = BTreeMap::new();
    for (index, host) in own.iter().enumerate() {
        let Some(section) = host.section else { continue };
        for word in &section.words {
            let found = of_word(word, &listened).map_err(|problem| format!("{}: {problem}", section.path))?;
            for socket in found {
                let of_socket = sockets.entry(socket).or_default();
                if of_socket.last() != Some(&(index + 1)) {
                    of_socket.push(index + 1);
                }
            }
        }
    }
    one_by_one(own, &listened)?;
    // The server outside of all sections answers where no host does.
    let has_rules =
        !main.places.is_empty() || main.directives.iter().any(|directive| directive.name.starts_with("proxypass"));
    if own.is_empty() || has_rules {
        let served: BTreeSet<u16> = sockets.keys().map(|(_, port)| *port).collect();
        let alone = listened.iter().filter(|named| !served.contains(&named.port));
        alone.for_each(|named| drop(sockets.insert(named.socket(), vec![0])));
    }
    // All addresses include each of them.
    let all: BTreeSet<u16> = sockets.keys().filter(|(address, _)| address == ANY).map(|(_, port)| *port).collect();
    sockets.retain(|(address, port), _| address == ANY || !all.contains(port));
    match (sockets.is_empty(), own.is_empty()) {
        (true, true) => Err(format!("the server: {NOWHERE}")),
        (true, false) => Err("there is no host".to_owned()),
        (false, _) => Ok(sockets),
    }
}

/// The sockets of a word of `<VirtualHost>`.
fn of_word(word: &str, listened: &[Named]) -> Result<Vec<Socket>, String> {
    let found: Vec<Socket> = match Named::of(word) {
        Some(named) if named.is_wildcard() => {
            listened.iter().filter(|listen| listen.port == named.port).map(|listen| listen.socket()).collect()
        }
        Some(named) if listened.iter().any(|listen| listen.has(named)) => vec![named.socket()],
        Some(_) => Vec::new(),
        None if is_every_port(word) => listened.iter().map(|listen| listen.socket()).collect(),
        None => return Err(format!("`{word}` is no address with a port")),
    };
    if found.is_empty() { Err(format!("`{word}`: {NOWHERE}")) } else { Ok(found) }
}

const NOWHERE: &str = "no `Listen` is for it, so Apache does not serve it, or where it does is said in another file: give that file, too, or \
    remove the host. One in a section like <IfDefine> counts only if the section is in force (--define)";

/// What the hosts of one site name, as if Apache listened there on all addresses.
fn own_ports(own: &[Host<'_>]) -> Vec<Named> {
    let words: Vec<&String> = own.iter().filter_map(|host| host.section).flat_map(|section| &section.words).collect();
    let mut ports: BTreeSet<u16> = words.iter().filter_map(|word| Named::of(word)).map(|named| named.port).collect();
    if words.is_empty() || words.iter().any(|word| is_every_port(word)) {
        ports.insert(80);
    }
    ports.into_iter().map(|port| Named { address: None, port }).collect()
}

/// Apache asks the hosts for all addresses only where no host is for the address. That is not carried over.
fn one_by_one(own: &[Host<'_>], listened: &[Named]) -> Result<(), String> {
    let words: Vec<&String> = own.iter().filter_map(|host| host.section).flat_map(|section| &section.words).collect();
    let is_for_all = |port: u16| {
        let has = |word: &&String| match Named::of(word) {
            Some(named) => named.is_wildcard() && named.port == port,
            None => is_every_port(word) && listened.iter().any(|listen| listen.port == port),
        };
        words.iter().copied().any(|word| has(&word))
    };
    for named in words.iter().filter_map(|word| Named::of(word)).filter(|named| !named.is_wildcard()) {
        if is_for_all(named.port) {
            let (address, port) = named.socket();
            return Err(format!("port {port} has hosts for all addresses and for {address}: import them one by one"));
        }
    }
    Ok(())
}

/// Whether there is a `Listen` that may be in force. None is in a host.
fn says_where(node: &Node) -> bool {
    match node {
        Node::Directive(directive) => directive.name == "listen",
        Node::Section(directive, nodes) => directive.name != "virtualhost" && nodes.iter().any(says_where),
    }
}

fn is_every_port(word: &str) -> bool {
    matches!(word, "*" | "_default_")
}

impl Named {
    /// `443`, `*:443`, `_default_:443`, `10.0.0.1:443`, `[::]:443`.
    fn of(text: &str) -> Option<Self> {
        let (address, port) = text.rsplit_once(':').unwrap_or(("*", text));
        let port: u16 = port.parse().ok()?;
        let address = match address {
            every if is_every_port(every) => None,
            other => Some(match other.strip_prefix('[').and_then(|other| other.strip_suffix(']')) {
                Some(inside) => IpAddr::V6(inside.parse::<Ipv6Addr>().ok()?),
                None => IpAddr::V4(other.parse::<Ipv4Addr>().ok()?),
            }),
        };
        Some(Self { address, port })
    }

    fn is_wildcard(self) -> bool {
        self.address.is_none_or(|address| address == IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// Whether a `Listen` takes the connections to what a host names.
    fn has(self, named: Self) -> bool {
        let is_in = match (self.address, named.address) {
            (None, _) => true,
            (Some(own), Some(other)) if own.is_unspecified() => own.is_ipv4() == other.is_ipv4(),
            (own, other) => own == other,
        };
        is_in && self.port == named.port
    }

    fn socket(self) -> Socket {
        let address = match self.address {
            None => ANY.to_owned(),
            Some(IpAddr::V4(address)) => address.to_string(),
            Some(IpAddr::V6(address)) => format!("[{address}]"),
        };
        (address, self.port)
    }
}

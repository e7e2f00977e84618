//! The hosts of a configuration, and the sections that are about paths, with what is in each.

use crate::import::apache::access::{self, Tree};
use crate::import::apache::known;
use crate::import::apache::paths::Paths;
use crate::import::apache::tree::{Directive, Node};
use crate::import::ledger::Ledger;

/// Directives of hosts that this importer carries over.
const OF_HOSTS: &[&str] = &[
    "servername",
    "serveralias",
    "serverpath",
    "listen",
    "sslengine",
    "sslcertificatefile",
    "sslcertificatekeyfile",
    "sslcertificatechainfile",
    "sslverifyclient",
    "sslcacertificatefile",
    "sslcarevocationfile",
    "sslcarevocationpath",
    "sslcarevocationcheck",
    "sslverifydepth",
    "sslproxyverify",
    "sslproxycacertificatefile",
    "proxypass",
    "proxypassmatch",
    "proxypreservehost",
    "proxytimeout",
    "redirect",
    "redirectmatch",
    "redirectpermanent",
    "redirecttemp",
    "alias",
    "aliasmatch",
    "scriptalias",
    "scriptaliasmatch",
    "rewriterule",
    "rewritecond",
    "rewriteengine",
    "requestheader",
    "header",
    "remoteipheader",
    "remoteiptrustedproxy",
    "remoteipinternalproxy",
    "oidcprovidermetadataurl",
    "oidcproviderissuer",
    "oidcproviderauthorizationendpoint",
    "oidcprovidertokenendpoint",
    "oidcprovidertokenendpointauth",
    "oidcprovideruserinfoendpoint",
    "oidcproviderjwksuri",
    "oidcproviderendsessionendpoint",
    "oidcclientid",
    "oidcclientsecret",
    "oidcredirecturi",
    "oidcscope",
    "oidcauthrequestparams",
    "oidcpkcemethod",
    "oidccabundlepath",
    "oidcsessionmaxduration",
    "oidccookie",
    "oidccookiesamesite",
    "oidcclaimprefix",
    "oidcremoteuserclaim",
    "oidcauthnheader",
    "oidcpassidtokenas",
    "oidcpassuserinfoas",
    "oidcpassclaimsas",
    "oidcwhitelistedclaims",
    "oidcblacklistedclaims",
    "oidcxforwardedheaders",
    "oidcmetadatadir",
    "oidcunauthaction",
    "oidcpathscope",
    "oidcpathauthrequestparams",
    "sslrequiressl",
    "authtype",
    "secrule",
    "secaction",
    "secrulescript",
    "secruleengine",
    "oidcoauthaccesstokenbindingpolicy",
    "oidcoauthclientid",
    "oidcoauthclientsecret",
    "oidcoauthintrospectionclientauthbearertoken",
    "oidcoauthintrospectionendpoint",
    "oidcoauthintrospectionendpointauth",
    "oidcoauthintrospectionendpointcert",
    "oidcoauthintrospectionendpointkey",
    "oidcoauthintrospectionendpointparams",
    "oidcoauthintrospectiontokenparamname",
    "oidcoauthtokenintrospectioninterval",
    "oidcoauthservermetadataurl",
    "oidcoauthverifyaudience",
    "oidcoauthverifycertfiles",
    "oidcoauthverifyissuer",
    "oidcoauthverifyjwksuri",
    "oidcoauthverifysharedkeys",
    "oidcoauthremoteuserclaim",
];

/// Those of which only counts whether they are there.
const SECRETS: &[&str] = &["oidcclientsecret", "oidcoauthclientsecret"];

/// Directives of sections about paths that this importer carries over.
const OF_PLACES: &[&str] = &[
    "authtype",
    "require",
    "authmerging",
    "order",
    "allow",
    "deny",
    "oidcunauthaction",
    "oidcpathscope",
    "oidcpathauthrequestparams",
    "oidccookie",
    "oidcauthnheader",
    "oidcpassidtokenas",
    "oidcpassuserinfoas",
    "oidcpassclaimsas",
    "proxypass",
    "proxypreservehost",
    "redirect",
    "redirectmatch",
    "requestheader",
    "header",
    "sslrequiressl",
    "sslverifyclient",
    "rewriteengine",
    "secrule",
    "secaction",
    "secrulescript",
    "secruleengine",
];

/// A host: what is in its section, and what is outside of all sections.
#[derive(Debug)]
pub(super) struct Host<'t> {
    /// `None` for the server outside of all sections.
    pub(super) section: Option<&'t Directive>,
    /// Those outside of sections first.
    pub(super) directives: Vec<&'t Directive>,
    /// How many of them are outside of its section.
    pub(super) inherited: usize,
    pub(super) places: Vec<Place<'t>>,
    pub(super) proxies: Vec<Place<'t>>,
    /// Sections about files: `<Directory>`, `<Files>`.
    pub(super) files: Vec<&'t Node>,
    /// Sections of which it is not known whether they are in force, and that say nothing but of files.
    pub(super) uncertain: Vec<&'t Node>,
    /// Why all its rules are closed.
    pub(super) closed: Option<String>,
}

/// A `<Location>`, or a `<Proxy>`.
#[derive(Clone, Debug)]
pub(super) struct Place<'t> {
    pub(super) section: &'t Directive,
    pub(super) paths: Paths,
    pub(super) directives: Vec<&'t Directive>,
    pub(super) require: Option<Tree>,
    /// A section in it of which it is not known whether it is in force, and that says something of files.
    pub(super) uncertain: Option<&'t Directive>,
    pub(super) closed: Option<String>,
}

impl<'t> Host<'t> {
    /// The last directive of this name.
    pub(super) fn last(&self, name: &str) -> Option<&'t Directive> {
        self.directives.iter().rev().find(|directive| directive.name == name).copied()
    }

    /// The first word of the last directive of this name.
    pub(super) fn text(&self, name: &str) -> Option<&'t str> {
        self.last(name).map(|directive| directive.word(0)).filter(|text| !text.is_empty())
    }

    pub(super) fn all(&self, name: &str) -> Vec<&'t Directive> {
        self.directives.iter().filter(|directive| directive.name == name).copied().collect()
    }

    pub(super) fn close(&mut self, why: String) {
        self.closed.get_or_insert(why);
    }
}

impl<'t> Place<'t> {
    pub(super) fn last(&self, name: &str) -> Option<&'t Directive> {
        self.directives.iter().rev().find(|directive| directive.name == name).copied()
    }
}

/// All hosts: the server outside of all sections first.
pub(super) fn hosts<'t>(nodes: &'t [Node], ledger: &mut Ledger) -> Vec<Host<'t>> {
    let mut main = Host {
        section: None,
        directives: Vec::new(),
        inherited: 0,
        places: Vec::new(),
        proxies: Vec::new(),
        files: Vec::new(),
        uncertain: Vec::new(),
        closed: None,
    };
    let mut own = Vec::new();
    for node in nodes {
        match node {
            Node::Section(directive, nodes) if directive.name == "virtualhost" => own.push((directive, nodes)),
            other => add(other, &mut main, ledger),
        }
    }
    let mut hosts = vec![main];
    for (section, nodes) in own {
        let main = &hosts[0];
        let mut host = Host {
            section: Some(section),
            directives: main.directives.clone(),
            inherited: main.directives.len(),
            places: main.places.clone(),
            proxies: main.proxies.clone(),
            files: main.files.clone(),
            uncertain: main.uncertain.clone(),
            closed: main.closed.clone().or_else(|| section.problem.clone()),
        };
        nodes.iter().for_each(|node| add(node, &mut host, ledger));
        ledger.kept_itself(&section.path, "a listener, and rules for its names");
        hosts.push(host);
    }
    hosts
}

fn add<'t>(node: &'t Node, host: &mut Host<'t>, ledger: &mut Ledger) {
    let directive = node.directive();
    let nodes = match node {
        Node::Directive(_) => {
            if let Some(why) = unknown(directive, OF_HOSTS) {
                ledger.dropped(&directive.path, &why);
                host.close(format!("{}: {why}", directive.path));
            }
            return host.directives.push(directive);
        }
        Node::Section(_, nodes) => nodes,
    };
    match directive.name.as_str() {
        "location" | "locationmatch" => host.places.push(place(directive, nodes, ledger)),
        "proxy" | "proxymatch" => host.proxies.push(place(directive, nodes, ledger)),
        name if known::is_of_files(name) => host.files.push(node),
        _ => {
            let mut aliases = Vec::new();
            if is_of_files(nodes, &mut aliases) {
                let why = match aliases.is_empty() {
                    true => "nothing in it is about who comes in",
                    false => "it is not known whether the section is in force, so its paths are closed",
                };
                drop_all(node, why, ledger);
                host.directives.extend(aliases);
                host.uncertain.push(node);
            } else {
                let why = "it is not known whether the section is in force";
                drop_all(node, why, ledger);
                host.close(format!("{}: {why}", directive.path));
            }
        }
    }
}

/// Whether nothing in these nodes says who comes in or where requests go, but for directives that close the paths that they name.
fn is_of_files<'t>(nodes: &'t [Node], aliases: &mut Vec<&'t Directive>) -> bool {
    nodes.iter().all(|node| match node {
        Node::Directive(directive) if matches!(directive.name.as_str(), "alias" | "scriptalias") => {
            aliases.push(directive);
            directive.problem.is_none()
        }
        Node::Directive(_) => is_without_effect(std::slice::from_ref(node)),
        Node::Section(directive, _) if known::is_of_files(&directive.name) => true,
        Node::Section(directive, nodes) => !is_about_paths(&directive.name) && is_of_files(nodes, aliases),
    })
}

/// Why a directive cannot be carried over. `None` if it can, or says nothing about who comes in.
fn unknown(directive: &Directive, known: &[&str]) -> Option<String> {
    let name = directive.name.as_str();
    match (known.contains(&name), known::dropped(name), &directive.problem) {
        // Nobody reads its value.
        (true, _, Some(_)) if SECRETS.contains(&name) => None,
        (true, _, Some(problem)) => Some(problem.clone()),
        (true, _, None) | (false, Some(_), _) => None,
        (false, None, Some(problem)) => Some(problem.clone()),
        (false, None, None) => {
            let why = known::closes(name)
                .unwrap_or("this importer does not know the directive, and it may restrict who comes in");
            Some(why.to_owned())
        }
    }
}

/// Whether nothing in these nodes says who comes in or where requests go.
fn is_without_effect(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| match node {
        // `sockets` knows that a `Listen` may not be in force.
        Node::Directive(directive) => {
            let name = directive.name.as_str();
            let is_carried_over = OF_HOSTS.contains(&name) || OF_PLACES.contains(&name);
            name == "listen" || known::dropped(name).is_some() && !is_carried_over
        }
        Node::Section(directive, nodes) => {
            known::is_of_files(&directive.name) || !is_about_paths(&directive.name) && is_without_effect(nodes)
        }
    })
}

fn is_about_paths(name: &str) -> bool {
    matches!(name, "virtualhost" | "location" | "locationmatch" | "proxy" | "proxymatch") || access::is_block(name)
}

pub(super) fn drop_all(node: &Node, why: &str, ledger: &mut Ledger) {
    // What is in a section has a place that begins with that of the section.
    ledger.dropped(&node.directive().path, why);
}

fn place<'t>(section: &'t Directive, nodes: &'t [Node], ledger: &mut Ledger) -> Place<'t> {
    let is_expression = section.name.ends_with("match") || section.word(0) == "~";
    let argument = if section.word(0) == "~" { section.word(1) } else { section.word(0) };
    let is_proxy = section.name.starts_with("proxy");
    let mut closed = section.problem.clone();
    let paths = match is_expression {
        // What a `<Proxy>` is about is no path.
        _ if is_proxy => Paths::Below("/".to_owned()),
        true => Paths::expression(argument).unwrap_or_else(|unread| {
            closed.get_or_insert(unread.why);
            unread.within
        }),
        false => Paths::location(argument).unwrap_or_else(|why| {
            closed.get_or_insert(why);
            // Everything that it can be about.
            let begin = argument.find(|letter: char| !(letter.is_ascii_alphanumeric() || "/-_".contains(letter)));
            let begin = &argument[..begin.unwrap_or(argument.len())];
            Paths::Begin(begin.rfind('/').map_or("/", |at| &begin[..=at]).to_owned())
        }),
    };
    built(section, nodes, paths, closed, ledger)
}

/// The place of a section that is about these paths.
pub(super) fn built<'t>(
    section: &'t Directive,
    nodes: &'t [Node],
    paths: Paths,
    mut closed: Option<String>,
    ledger: &mut Ledger,
) -> Place<'t> {
    let is_proxy = section.name.starts_with("proxy");
    let mut uncertain = None;
    let mut directives = Vec::new();
    for node in nodes {
        match node {
            Node::Directive(directive) => {
                let known: &[&str] = if is_proxy { OF_PROXIES } else { OF_PLACES };
                if let Some(why) = unknown(directive, known) {
                    ledger.dropped(&directive.path, &why);
                    closed.get_or_insert(format!("{}: {why}", directive.path));
                }
                directives.push(directive);
            }
            Node::Section(directive, _) if access::is_block(&directive.name) => {}
            Node::Section(directive, inner) if is_without_effect(inner) => {
                if inner.iter().any(known::is_about_files) {
                    uncertain = Some(directive);
                }
                drop_all(node, "nothing in it is about who comes in", ledger);
            }
            Node::Section(directive, _) => {
                let why = "it is not known whether the section is in force";
                drop_all(node, why, ledger);
                closed.get_or_insert(format!("{}: {why}", directive.path));
            }
        }
    }
    if let Some(why) = compatible(&directives, ledger) {
        closed.get_or_insert(why);
    }
    ledger.kept_itself(&section.path, if is_proxy { "target_groups" } else { "rules" });
    Place { section, paths, directives, require: access::tree(nodes, ledger), uncertain, closed }
}

/// Directives of `<Proxy>`.
const OF_PROXIES: &[&str] = &["require", "authtype", "order", "allow", "deny", "balancermember", "proxyset"];

/// `Order`, `Allow` and `Deny` of Apache 2.2. A reason, if they restrict who comes in.
fn compatible(directives: &[&Directive], ledger: &mut Ledger) -> Option<String> {
    let of = |name: &'static str| directives.iter().filter(move |directive| directive.name == name);
    let says = |directive: &&&Directive, text: &str| directive.words.join(" ").eq_ignore_ascii_case(text);
    let allows_all = of("allow").any(|directive| says(&directive, "from all"));
    let restricts = of("deny").next().is_some()
        || of("allow").any(|directive| !says(&directive, "from all"))
        || of("order").any(|directive| !says(&directive, "deny,allow") && !allows_all);
    for directive in ["order", "allow", "deny"].into_iter().flat_map(of) {
        if restricts {
            ledger.dropped(&directive.path, RESTRICTS);
        } else {
            ledger.kept(&directive.path, "everybody, as without it");
        }
    }
    restricts.then(|| RESTRICTS.to_owned())
}

const RESTRICTS: &str = "Order, Allow and Deny restrict who comes in: write them as Require";

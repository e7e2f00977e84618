//! What answers a request: targets of `ProxyPass`, a `Redirect`, or files.

use std::time::Duration;

use url::Url;

use crate::import::apache::paths::Paths;
use crate::import::apache::scope::{Host, Place};
use crate::import::apache::tree::Directive;
use crate::import::draft::{Draft, Need, free_name, name_like};
use crate::import::ledger::Ledger;
use crate::import::yaml::{Map, Yaml};

/// What answers the requests of a path.
#[derive(Clone, Debug)]
pub(super) enum End<'t> {
    /// With the path of the request that the address of the target takes the place of.
    Proxy {
        directive: &'t Directive,
        from: String,
        to: String,
    },
    Redirect {
        directive: &'t Directive,
        from: String,
        status: String,
        to: String,
    },
    /// A directive that this importer does not carry over.
    Unknown(String),
}

/// Something that takes requests, and the paths that it takes.
#[derive(Clone, Debug)]
pub(super) struct Taker<'t> {
    pub(super) paths: Paths,
    pub(super) end: End<'t>,
    /// Where it is in the input.
    pub(super) source: String,
}

/// What takes requests of a host, in the order in which Apache asks it: all `ProxyPass` before all others.
pub(super) fn takers<'t>(host: &Host<'t>) -> Vec<Taker<'t>> {
    let mut takers = Vec::new();
    for directive in &host.directives {
        let (from, to) = (directive.word(0).to_owned(), directive.word(1).to_owned());
        match directive.name.as_str() {
            "proxypass" => takers.push(proxy(directive, Paths::location(&from), from.clone(), to)),
            "proxypassmatch" => takers.push(proxy_match(directive)),
            _ => {}
        }
    }
    for directive in &host.directives {
        match directive.name.as_str() {
            "redirect" | "redirectpermanent" | "redirecttemp" => takers.push(redirect(directive, None)),
            "redirectmatch" => takers.push(redirect_match(directive)),
            "alias" | "scriptalias" | "aliasmatch" | "scriptaliasmatch" => {
                let end = End::Unknown(format!(
                    "{}: files of another directory, or a program: write a rule with `static` or `forward`",
                    directive.path
                ));
                let from = directive.word(0);
                let paths = if directive.name.ends_with("match") { Ok(within(from)) } else { Paths::location(from) };
                let paths = paths.unwrap_or(Paths::Below("/".to_owned()));
                takers.push(Taker { paths, end, source: directive.path.clone() });
            }
            _ => {}
        }
    }
    takers
}

/// What takes the requests of a place itself.
pub(super) fn of_place<'t>(place: &Place<'t>) -> Option<End<'t>> {
    if let Some(directive) = place.last("proxypass") {
        let Paths::Below(from) = &place.paths else {
            return Some(End::Unknown(format!("{}: not in a Location with a path", directive.path)));
        };
        return Some(proxy(directive, Ok(place.paths.clone()), from.clone(), directive.word(0).to_owned()).end);
    }
    let directive = place.last("redirect").or(place.last("redirectmatch"))?;
    if directive.name == "redirectmatch" {
        return Some(End::Unknown(format!("{}: in a Location", directive.path)));
    }
    let Paths::Below(from) = &place.paths else {
        return Some(End::Unknown(format!("{}: not in a Location with a path", directive.path)));
    };
    Some(redirect(directive, Some(from)).end)
}

fn proxy<'t>(directive: &'t Directive, paths: Result<Paths, String>, from: String, to: String) -> Taker<'t> {
    match paths {
        Ok(paths) => Taker { paths, end: End::Proxy { directive, from, to }, source: directive.path.clone() },
        Err(why) => Taker {
            paths: Paths::Below("/".to_owned()),
            end: End::Unknown(format!("{}: {why}", directive.path)),
            source: directive.path.clone(),
        },
    }
}

/// `^/app/(.*)$` to `http://target/$1` is a `ProxyPass` of `/app/`.
fn proxy_match(directive: &Directive) -> Taker<'_> {
    let (regex, to) = (directive.word(0), directive.word(1));
    let before = regex.strip_prefix('^').and_then(|body| body.strip_suffix("(.*)$").or(body.strip_suffix("(.*)")));
    let before = before.and_then(crate::import::apache::access::literal);
    match (before, to.strip_suffix("$1")) {
        (Some(from), Some(to)) if from.ends_with('/') && !to.contains('$') => {
            proxy(directive, Paths::location(&from), from.clone(), to.to_owned())
        }
        _ => {
            let end = End::Unknown(format!("{}: the expression cannot be carried over", directive.path));
            Taker { paths: within(regex), end, source: directive.path.clone() }
        }
    }
}

/// The paths of an expression, or all that it can be about.
fn within(regex: &str) -> Paths {
    Paths::expression(regex).unwrap_or_else(|unread| unread.within)
}

/// `Redirect [STATUS] PATH URL`; in a place `Redirect [STATUS] URL`.
fn redirect<'t>(directive: &'t Directive, place: Option<&str>) -> Taker<'t> {
    let mut words = directive.words.iter().map(String::as_str).peekable();
    let is_status =
        |word: &str| matches!(word, "permanent" | "temp" | "seeother" | "gone") || word.parse::<u16>().is_ok();
    let status = match directive.name.as_str() {
        "redirectpermanent" => "permanent",
        "redirecttemp" => "temp",
        _ => words.next_if(|word| is_status(word)).unwrap_or("temp"),
    };
    let from = place.or_else(|| words.next()).unwrap_or_default().to_owned();
    let end = End::Redirect {
        directive,
        from: from.clone(),
        status: status.to_owned(),
        to: words.next().unwrap_or_default().to_owned(),
    };
    match Paths::location(&from) {
        Ok(paths) => Taker { paths, end, source: directive.path.clone() },
        Err(why) => Taker {
            paths: Paths::Below("/".to_owned()),
            end: End::Unknown(format!("{}: {why}", directive.path)),
            source: directive.path.clone(),
        },
    }
}

/// `RedirectMatch ^/$ /app/`: of one path, to one address.
fn redirect_match(directive: &Directive) -> Taker<'_> {
    let has_status = directive.words.len() > 2;
    let (regex, to) = (directive.word(usize::from(has_status)), directive.word(1 + usize::from(has_status)));
    let paths = within(regex);
    let end = match &paths {
        Paths::One(from) if !to.contains('$') => End::Redirect {
            directive,
            from: from.clone(),
            status: if has_status { directive.word(0).to_owned() } else { "temp".to_owned() },
            to: to.to_owned(),
        },
        _ => End::Unknown(format!("{}: the expression cannot be carried over", directive.path)),
    };
    Taker { paths, end, source: directive.path.clone() }
}

/// The terminal of a redirect.
pub(super) fn redirect_terminal(
    directive: &Directive,
    paths: &Paths,
    (from, status, to): (&str, &str, &str),
    ledger: &mut Ledger,
) -> Result<Map, String> {
    let code = match status {
        "permanent" | "301" | "308" => "HTTP_301",
        "temp" | "302" | "303" | "307" | "seeother" => "HTTP_302",
        "gone" => return Ok(fixed(410, directive, ledger)),
        other => match other.parse::<u64>() {
            Ok(code) if (400..600).contains(&code) => return Ok(fixed(code, directive, ledger)),
            _ => return Err(format!("{}: a redirect with `{other}`", directive.path)),
        },
    };
    let mut redirect = Map::default().with("type", "redirect");
    let (path, query) = match Url::parse(to) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {
            redirect.set("protocol", url.scheme().to_ascii_uppercase());
            redirect.set("host", url.host_str().unwrap_or_default());
            redirect.set("port", url.port_or_known_default().unwrap_or_default().to_string());
            (url.path().to_owned(), url.query().map(str::to_owned))
        }
        _ if to.starts_with('/') => match to.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (to.to_owned(), None),
        },
        _ => return Err(format!("{}: `{to}` is no address", directive.path)),
    };
    // What is behind the path of the directive is put behind that of the address.
    let path = match paths {
        Paths::One(_) => path,
        _ if from == "/" && path.ends_with('/') => format!("{path}#{{path}}"),
        _ if from == path => "/#{path}".to_owned(),
        _ => return Err(format!("{}: what is behind {from} cannot be put behind {path}", directive.path)),
    };
    redirect.set("path", path);
    if let Some(query) = query {
        redirect.set("query", query);
    }
    redirect.set("status_code", code);
    if matches!(status, "303" | "307" | "308" | "seeother") {
        ledger.changed(&directive.path, &format!("redirect, with {}", &code[5..]));
    } else {
        ledger.kept(&directive.path, "redirect");
    }
    Ok(redirect)
}

fn fixed(status: u64, directive: &Directive, ledger: &mut Ledger) -> Map {
    ledger.kept(&directive.path, "fixed-response");
    Map::default().with("type", "fixed-response").with("status_code", status)
}

/// The address of a target, as `ProxyPass` and `BalancerMember` have it.
struct Address {
    scheme: &'static str,
    target: String,
    /// The name of the host, if it is none of this machine.
    host: Option<String>,
    path: String,
}

fn address(text: &str) -> Result<Address, String> {
    let (socket, text) = match text.strip_prefix("unix:") {
        Some(rest) => {
            rest.split_once('|').map(|(socket, url)| (Some(socket), url)).ok_or("a socket without an address")?
        }
        None => (None, text),
    };
    let url = Url::parse(text).map_err(|_| "the target is no address".to_owned())?;
    let scheme = match url.scheme() {
        "http" | "ws" => "http",
        "https" | "wss" => "https",
        other => return Err(format!("targets of `{other}` cannot be carried over")),
    };
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err("the address of the target has a query or a user".to_owned());
    }
    let host = url.host_str().ok_or("the target has no host")?.to_owned();
    let port = url.port().unwrap_or(if scheme == "https" { 443 } else { 80 });
    let is_name = host.parse::<std::net::IpAddr>().is_err() && !host.starts_with('[') && host != "localhost";
    let given = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
    Ok(Address {
        scheme,
        target: socket.map_or_else(|| format!("{host}:{port}"), |socket| format!("unix:{socket}")),
        host: (is_name && socket.is_none()).then_some(given),
        path: url.path().to_owned(),
    })
}

/// The terminal of a `ProxyPass`, and the transforms of its rule.
pub(super) fn proxy_terminal(
    host: &Host<'_>,
    directive: &Directive,
    (from, to): (&str, &str),
    keeps_host: bool,
    draft: &mut Draft,
    ledger: &mut Ledger,
) -> Result<(Map, Map), String> {
    let parameters: Vec<&str> =
        directive.words.iter().map(String::as_str).filter(|word| word.contains('=') && *word != to).collect();
    let (group, address) = match to.strip_prefix("balancer://") {
        Some(balancer) => self::balancer(host, balancer, &parameters, draft, ledger)?,
        None => {
            let address = address(to)?;
            let name = group(host, &[(address.target.clone(), 1)], &address, &parameters, "round_robin", draft, ledger);
            (name, address)
        }
    };
    let mut terminal = Map::default().with("type", "forward").with("target_group", group);
    if keeps_host {
        terminal.set("preserve_host_header", true);
    }
    let mut transforms = Map::default();
    if let Some(name) = address.host.filter(|_| !keeps_host) {
        let rewrite = Map::default().with("regex", "^.*$").with("replace", name.replace('$', "$$"));
        transforms.set("host_header_rewrite", rewrite);
    }
    let (front, back) = (from.trim_end_matches('/'), address.path.trim_end_matches('/'));
    // `/app/x` to `/other/x`. A slash that is at one end only is what Apache warns of.
    if from.ends_with('/') != address.path.ends_with('/') && !back.is_empty() {
        return Err(format!("{}: only one of the paths ends with a slash", directive.path));
    }
    if front != back {
        let rewrite = Map::default()
            .with("regex", format!("^{}/?", escaped(front)))
            .with("replace", format!("{}/", back.replace('$', "$$")));
        transforms.set("url_rewrite", rewrite);
    }
    if parameters.is_empty() {
        ledger.kept(&directive.path, "forward and target_groups");
    } else {
        ledger.changed(&directive.path, "forward and target_groups: of the parameters, timeouts and weights only");
    }
    Ok((terminal, transforms))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        if !letter.is_ascii_alphanumeric() && !"/-_~".contains(letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// The targets of `<Proxy "balancer://NAME">`.
fn balancer(
    host: &Host<'_>,
    text: &str,
    parameters: &[&str],
    draft: &mut Draft,
    ledger: &mut Ledger,
) -> Result<(String, Address), String> {
    let (name, path) = text.find('/').map_or((text, "/"), |at| text.split_at(at));
    let whole = format!("balancer://{name}");
    let place = host
        .proxies
        .iter()
        .rev()
        .find(|place| place.section.word(0).trim_end_matches('/').eq_ignore_ascii_case(&whole));
    let place = place.ok_or_else(|| format!("there is no <Proxy {whole}>"))?;
    let (mut targets, mut first): (Vec<(String, u64)>, Option<Address>) = (Vec::new(), None);
    for member in place.directives.iter().filter(|directive| directive.name == "balancermember") {
        let is_spare = member
            .words
            .iter()
            .any(|word| word.strip_prefix("status=").is_some_and(|status| status.contains(['H', 'D', 'S', 'R'])));
        if is_spare {
            ledger.dropped(&member.path, "a spare or disabled target");
            continue;
        }
        let mut address = address(member.word(0))?;
        let factor = member.words.iter().find_map(|word| word.strip_prefix("loadfactor="));
        let weight = factor.map_or(Ok(1), |factor| factor.parse::<f64>().map(|factor| (factor * 10.0) as u64));
        targets.push((address.target.clone(), weight.map_err(|_| "a loadfactor is no number")?));
        if first.as_ref().is_some_and(|first| (first.scheme, &first.path) != (address.scheme, &address.path)) {
            return Err(format!("{}: its protocol or path is another one than that of the others", member.path));
        }
        ledger.changed(&member.path, "targets");
        // Several targets can have several names.
        address.host = None;
        first.get_or_insert(address);
    }
    let mut address = first.ok_or_else(|| format!("{whole} has no BalancerMember"))?;
    // A factor of 1 is the default, and weights have no fractions.
    if targets.iter().any(|(_, weight)| *weight != 1) {
        targets.iter_mut().filter(|(_, weight)| *weight == 1).for_each(|(_, weight)| *weight = 10);
    }
    address.path = format!("{}{path}", address.path.trim_end_matches('/'));
    let method =
        place.directives.iter().flat_map(|directive| &directive.words).find_map(|word| word.strip_prefix("lbmethod="));
    let algorithm = if method == Some("bybusyness") { "least_outstanding_requests" } else { "round_robin" };
    for set in place.directives.iter().filter(|directive| directive.name == "proxyset") {
        ledger.changed(&set.path, &format!("algorithm: {algorithm}; for stickysession, set stickiness"));
    }
    let group = group(host, &targets, &address, parameters, algorithm, draft, ledger);
    Ok((group, address))
}

fn group(
    host: &Host<'_>,
    targets: &[(String, u64)],
    address: &Address,
    parameters: &[&str],
    algorithm: &str,
    draft: &mut Draft,
    ledger: &mut Ledger,
) -> String {
    let mut group = Map::default().with("protocol", address.scheme);
    let target = |(target, weight): &(String, u64)| match weight {
        1 => Yaml::from(target.as_str()),
        weight => Yaml::Map(Map::default().with("address", target.as_str()).with("weight", *weight)),
    };
    group.set("targets", Yaml::List(targets.iter().map(target).collect()));
    if address.scheme == "https" {
        verification(host, &mut group, draft, ledger);
    }
    let seconds = |name: &str| {
        let text = parameters.iter().find_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('='));
        text.and_then(|text| text.parse::<u64>().ok()).map(Duration::from_secs)
    };
    let of_host = |name: &str| host.text(name).and_then(|text| text.parse().ok()).map(Duration::from_secs);
    if let Some(directive) = host.last("proxytimeout") {
        ledger.kept(&directive.path, "response_timeout");
    }
    let timeout = seconds("timeout").or_else(|| of_host("proxytimeout")).or_else(|| of_host("timeout"));
    if let Some(timeout) = timeout {
        group.set("response_timeout", timeout);
    }
    if let Some(timeout) = seconds("connectiontimeout") {
        group.set("connect_timeout", timeout);
    }
    if algorithm != "round_robin" {
        group.set("algorithm", algorithm);
    }
    if let Some((name, _)) = draft.target_groups.iter().find(|(_, known)| *known == group) {
        return name.clone();
    }
    let wanted = name_like(targets[0].0.trim_start_matches("unix:").trim_start_matches('/'));
    let name = free_name(&wanted, |name| draft.target_groups.iter().any(|(known, _)| known == name));
    draft.target_groups.push((name.clone(), group));
    name
}

fn verification(host: &Host<'_>, group: &mut Map, draft: &mut Draft, ledger: &mut Ledger) {
    if let Some(directive) = host.last("sslproxyverify").filter(|directive| directive.word(0) == "require") {
        ledger.kept(&directive.path, "verify, which is the default");
        if let Some(directive) = host.last("sslproxycacertificatefile") {
            let file = directive.word(0).to_owned();
            let what = "those of SSLProxyCACertificateFile".to_owned();
            draft.needs(&file, Need::Authorities { lists: Vec::new(), what });
            group.set("ca_file", Yaml::File(file));
            ledger.kept(&directive.path, "ca_file");
        }
    } else {
        group.set("verify", false);
        group.comment("verify", "As Apache did without SSLProxyVerify. Better: true, with ca_file.");
    }
}

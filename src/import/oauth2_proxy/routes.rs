//! Upstreams, and what comes in without a sign-in.

use std::cmp::Reverse;
use std::time::Duration;

use url::Url;

use crate::import::draft::{Chain, Draft, Need, Rule, name_like};
use crate::import::ledger::Ledger;
use crate::import::oauth2_proxy::alpha;
use crate::import::oauth2_proxy::gate::{Gate, duration};
use crate::import::oauth2_proxy::options::Options;
use crate::import::oauth2_proxy::trusted;
use crate::import::yaml::{Map, Yaml};

/// An upstream: the path that it has, and its terminal.
struct Upstream {
    path: String,
    end: Result<Map, String>,
}

impl Upstream {
    /// `None` if it has all paths.
    fn condition(&self) -> Option<Map> {
        let pattern = if self.path.ends_with('/') { format!("{}*", self.path) } else { self.path.clone() };
        (self.path != "/").then(|| Map::default().with("path_pattern", &[pattern][..]))
    }
}

/// The rules, and the default actions.
pub(super) fn routes(options: &Options, gate: &Gate, draft: &mut Draft, ledger: &mut Ledger) -> (Vec<Rule>, Chain) {
    let mut upstreams: Vec<Upstream> = Vec::new();
    if let Some(setting) = options.get("upstreams") {
        for text in &setting.values {
            upstreams.push(upstream(text, options, draft));
        }
        if setting.values.iter().any(|text| text.starts_with("file:")) {
            ledger.changed(
                &setting.path,
                "directories have no listings, serve no names that begin with a dot, and no links that lead out",
            );
        } else {
            ledger.kept(&setting.path, "target_groups");
        }
    }
    for name in ["upstream_timeout", "pass_host_header", "ssl_upstream_insecure_skip_verify"] {
        options.get(name).into_iter().for_each(|setting| ledger.kept(&setting.path, "target_groups and forward"));
    }
    // The longest path is the one that counts.
    upstreams.sort_by_key(|upstream| Reverse(upstream.path.len()));
    let mut rules = Vec::new();
    open_routes(options, &upstreams, &mut rules, ledger);
    for (index, upstream) in upstreams.iter().filter(|upstream| upstream.path != "/").enumerate() {
        let name = format!("upstream-{}", index + 1);
        let conditions = upstream.condition().into_iter().collect();
        rules.push(rule(&name, 1000 + index as u64, conditions, guarded(gate, upstream.end.clone())));
    }
    let root = upstreams.iter().find(|upstream| upstream.path == "/").map(|upstream| upstream.end.clone());
    let none =
        "there is no upstream for it: oauth2-proxy was asked by another proxy (auth_request), or it answered 404";
    (rules, guarded(gate, root.unwrap_or_else(|| Err(none.to_owned()))))
}

fn guarded(gate: &Gate, end: Result<Map, String>) -> Chain {
    match (&gate.closed, end) {
        (Some(why), _) => Chain::Closed(why.clone()),
        (None, Err(why)) => Chain::Closed(why),
        (None, Ok(terminal)) => Chain::Open { login: Some(gate.login.clone()), gates: gate.gates.clone(), terminal },
    }
}

fn rule(name: &str, priority: u64, conditions: Vec<Map>, chain: Chain) -> Rule {
    let (name, source) = (name.to_owned(), format!("rule {name}"));
    Rule { name, priority, conditions, chain, settings: Map::default(), source }
}

fn upstream(text: &str, options: &Options, draft: &mut Draft) -> Upstream {
    let Ok(url) = Url::parse(text) else {
        return Upstream { path: "/".to_owned(), end: Err("an upstream is no URL".to_owned()) };
    };
    let path = match url.scheme() {
        "http" | "https" | alpha::UNVERIFIED => url.path().to_owned(),
        // `file:///var/www#/static/`. Without a fragment, the path of the directory is the path of the site, too.
        "file" => url.fragment().filter(|path| path.starts_with('/')).unwrap_or(url.path()).to_owned(),
        _ => url.fragment().filter(|path| path.starts_with('/')).unwrap_or("/").to_owned(),
    };
    let end = match (url.scheme(), url.host(), url.port_or_known_default()) {
        ("http" | "https", Some(host), Some(port)) => {
            Ok(forward(draft, options, url.scheme(), &format!("{host}:{port}")))
        }
        (alpha::UNVERIFIED, Some(host), Some(port)) => {
            Ok(forward(draft, options, alpha::UNVERIFIED, &format!("{host}:{port}")))
        }
        ("unix", ..) => Ok(forward(draft, options, "http", &format!("unix:{}", url.path()))),
        ("static", Some(code), _) => match code.to_string().parse::<u64>() {
            Ok(code) => {
                let fixed = Map::default().with("type", "fixed-response").with("status_code", code);
                Ok(if matches!(code, 204 | 205) { fixed } else { fixed.with("body", "Authenticated") })
            }
            Err(_) => Err("a static upstream without a status".to_owned()),
        },
        ("file", ..) => files(draft, url.path(), &path),
        (other, ..) => Err(format!("upstreams of `{other}` cannot be carried over")),
    };
    Upstream { path, end }
}

/// The files of a directory, at a path that ends with a slash. At any other path oauth2-proxy serves one page: the index or a listing.
fn files(draft: &mut Draft, directory: &str, path: &str) -> Result<Map, String> {
    let directory =
        percent_encoding::percent_decode_str(directory).decode_utf8().map_err(|_| "a directory that is not UTF-8")?;
    let Some(prefix) = path.strip_suffix('/') else {
        return Err(format!("a directory at the one path `{path}`: write it with a slash at its end"));
    };
    draft.needs(&directory, Need::Directory);
    let files = Map::default().with("type", "static").with("directory", Yaml::File(directory.into_owned()));
    Ok(if prefix.is_empty() { files } else { files.with("path_prefix", prefix) })
}

fn forward(draft: &mut Draft, options: &Options, scheme: &str, address: &str) -> Map {
    let name = name_like(address.trim_start_matches("unix:").trim_start_matches('/'));
    if !draft.target_groups.iter().any(|(known, _)| *known == name) {
        let is_unverified = scheme == alpha::UNVERIFIED;
        let scheme = if is_unverified { "https" } else { scheme };
        let mut group = Map::default().with("protocol", scheme).with("targets", &[address.to_owned()][..]);
        if is_unverified || scheme == "https" && options.is_on("ssl_upstream_insecure_skip_verify") {
            group.set("verify", false);
        }
        let timeout = options.text("upstream_timeout").and_then(duration).unwrap_or(Duration::from_secs(30));
        draft.target_groups.push((name.clone(), group.with("response_timeout", timeout)));
    }
    let forward = Map::default().with("type", "forward").with("target_group", name);
    let keeps_host = options.text("pass_host_header").is_none_or(|text| text == "true");
    if keeps_host { forward.with("preserve_host_header", true) } else { forward }
}

/// What oauth2-proxy lets pass without a sign-in. What cannot be said exactly, or in fewer requests, is not let pass.
fn open_routes(options: &Options, upstreams: &[Upstream], rules: &mut Vec<Rule>, ledger: &mut Ledger) {
    let mut priority = 1;
    for name in ["skip_auth_routes", "skip_auth_regexs", "skip_auth_regex"] {
        let Some(setting) = options.get(name) else { continue };
        let mut lost = Vec::new();
        for route in &setting.values {
            let found =
                conditions(route).and_then(|(conditions, literal)| Some((conditions, end_for(upstreams, &literal)?)));
            let Some((conditions, end)) = found else {
                lost.push(route.as_str());
                continue;
            };
            rules.push(rule(&format!("open-{priority}"), priority, conditions, Chain::terminal(end)));
            priority += 1;
        }
        if lost.is_empty() {
            ledger.kept(&setting.path, "rules without a sign-in");
        } else {
            ledger.changed(
                &setting.path,
                &format!("without {}: no pattern takes the same paths, so they need a sign-in", lost.join(", ")),
            );
        }
    }
    if let Some(setting) = options.get("skip_auth_preflight") {
        let end = end_for(upstreams, "/").filter(|_| upstreams.len() == 1);
        match (options.is_on("skip_auth_preflight"), end) {
            (false, _) => ledger.kept(&setting.path, "off"),
            (true, Some(end)) => {
                let condition = Map::default().with("http_request_method", &["OPTIONS".to_owned()][..]);
                rules.push(rule("preflight", 900, vec![condition], Chain::terminal(end)));
                ledger.kept(&setting.path, "a rule without a sign-in for OPTIONS");
            }
            (true, None) => {
                ledger.dropped(&setting.path, "several upstreams: set cors, with which Vestibule answers preflights")
            }
        }
    }
    if let Some(setting) = options.get("api_routes") {
        let why = "a program is answered 401 on every path, and a browser that navigates is redirected";
        ledger.dropped(&setting.path, why);
    }
    let networks = trusted::networks(options, ledger);
    for (index, upstream) in upstreams.iter().enumerate().filter(|_| !networks.is_empty()) {
        let Ok(end) = &upstream.end else { continue };
        let mut conditions: Vec<Map> = upstream.condition().into_iter().collect();
        conditions.push(Map::default().with("source_ip", &networks[..]));
        let name = format!("trusted-{}", index + 1);
        rules.push(rule(&name, 910 + index as u64, conditions, Chain::terminal(end.clone())));
    }
}

/// The terminal of the upstream that has all paths which begin like this.
fn end_for(upstreams: &[Upstream], literal: &str) -> Option<Map> {
    let has = |upstream: &&Upstream| {
        upstream.path == "/"
            || literal == upstream.path
            || (upstream.path.ends_with('/') && literal.starts_with(&upstream.path))
    };
    // One of several that begin with the literal could have the rest of its paths.
    if upstreams.iter().any(|upstream| upstream.path.starts_with(literal) && upstream.path != literal) {
        return None;
    }
    upstreams.iter().find(has)?.end.clone().ok()
}

/// `GET=^/path$`. The conditions take the same requests or fewer. `None` if there are none such.
fn conditions(route: &str) -> Option<(Vec<Map>, String)> {
    let (method, regex) = match route.split_once('=') {
        // `METHOD!=regex` is everything else, which no condition says.
        Some((method, _)) if method.ends_with('!') => return None,
        Some((method, regex)) if !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase()) => {
            (Some(method), regex)
        }
        _ => (None, route.strip_prefix('=').unwrap_or(route)),
    };
    let (patterns, literal) = patterns(regex)?;
    let mut conditions = vec![Map::default().with("path_pattern", &patterns[..])];
    conditions.extend(method.map(|method| Map::default().with("http_request_method", &[method.to_owned()][..])));
    Some((conditions, literal))
}

/// The patterns of a regular expression that is a path with an end: `^/a$`, `^/a/`, `^/a/.*`, `^/a(/|$)`.
pub(super) fn patterns(regex: &str) -> Option<(Vec<String>, String)> {
    let rest = regex.strip_prefix('^')?;
    let (body, ends): (&str, &[&str]) = [("(/|$)", &["", "/*"][..]), (".*$", &["*"]), (".*", &["*"]), ("$", &[""])]
        .into_iter()
        .find_map(|(end, patterns)| Some((rest.strip_suffix(end)?, patterns)))
        .unwrap_or((rest, &["*"]));
    let mut literal = String::new();
    let mut letters = body.chars();
    while let Some(letter) = letters.next() {
        match letter {
            // A dot stands for any character, and so for a dot: fewer requests.
            '.' => literal.push('.'),
            '\\' => literal.push(letters.next().filter(|next| matches!(next, '.' | '-' | '/' | '_'))?),
            letter if letter.is_ascii_alphanumeric() || "/-_~@:,".contains(letter) => literal.push(letter),
            _ => return None,
        }
    }
    literal.starts_with('/').then(|| (ends.iter().map(|end| format!("{literal}{end}")).collect(), literal))
}

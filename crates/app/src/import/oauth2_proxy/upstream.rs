//! Upstreams as terminals, and the rules that have them.

use std::time::Duration;

use url::Url;

use crate::import::draft::{Chain, Draft, Need, Rule, name_like};
use crate::import::oauth2_proxy::alpha;
use crate::import::oauth2_proxy::gate::{Gate, duration};
use crate::import::oauth2_proxy::options::Options;
use crate::import::yaml::{Map, Yaml};

/// An upstream: the path that it has, and its terminal.
pub(super) struct Upstream {
    pub(super) path: String,
    pub(super) end: Result<Map, String>,
}

impl Upstream {
    /// `None` if it has all paths.
    pub(super) fn condition(&self) -> Option<Map> {
        let pattern = if self.path.ends_with('/') { format!("{}*", self.path) } else { self.path.clone() };
        (self.path != "/").then(|| Map::default().with("path_pattern", &[pattern][..]))
    }
}

/// The actions behind the sign-in.
pub(super) fn guarded(gate: &Gate, end: Result<Map, String>) -> Chain {
    match (&gate.closed, end) {
        (Some(why), _) => Chain::Closed(why.clone()),
        (None, Err(why)) => Chain::Closed(why),
        (None, Ok(terminal)) => Chain::Open { login: Some(gate.login.clone()), gates: gate.gates.clone(), terminal },
    }
}

/// A rule of that name.
pub(super) fn rule(name: &str, priority: u64, conditions: Vec<Map>, chain: Chain) -> Rule {
    let (name, source) = (name.to_owned(), format!("rule {name}"));
    Rule { name, priority, conditions, chain, settings: Map::default(), source }
}

/// An upstream as the option `upstreams` has it.
pub(super) fn upstream(text: &str, options: &Options, draft: &mut Draft) -> Upstream {
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

//! What oauth2-proxy lets pass without a sign-in. What cannot be said exactly, or in fewer requests, needs one.

use crate::import::draft::{Chain, Rule, everything};
use crate::import::ledger::Ledger;
use crate::import::oauth2_proxy::asked::Asking;
use crate::import::oauth2_proxy::expression::{self, Translated};
use crate::import::oauth2_proxy::gate::Gate;
use crate::import::oauth2_proxy::options::Options;
use crate::import::oauth2_proxy::trusted;
use crate::import::oauth2_proxy::upstream::{Upstream, guarded, rule};
use crate::import::yaml::Map;

/// The priorities of routes that are not (`GET!=^/api/`). They take all other paths, so they come after the other rules without a sign-in.
const NEGATED_FROM: u64 = 950;

const PARAMETERS: &str =
    "they take `;…` behind the last segment, too, which oauth2-proxy has as a part of the path (docs/MIGRATION.md)";

/// Adds the rules without a sign-in.
pub(super) fn routes(
    options: &Options,
    upstreams: &[Upstream],
    (gate, asking): (&Gate, Option<Asking>),
    rules: &mut Vec<Rule>,
    ledger: &mut Ledger,
) {
    let mut opened = Opened { options, upstreams, gate, asking, rules, priority: 1, negated: NEGATED_FROM };
    for (name, has_methods) in [("skip_auth_routes", true), ("skip_auth_regexs", false)] {
        let Some(setting) = options.get(name) else { continue };
        let (mut lost, mut anywhere) = (Vec::new(), Vec::new());
        for text in &setting.values {
            let route = if has_methods { Route::read(text) } else { Ok(Route::of_path(text)) };
            match route.and_then(|route| opened.add(&route)) {
                Ok(is_anywhere) => anywhere.extend(is_anywhere.then_some(text.as_str())),
                Err(why) => lost.push(format!("{text} ({why})")),
            }
        }
        let mut parts = Vec::new();
        if !lost.is_empty() {
            parts.push(format!("these need one: {}", lost.join(", ")));
        }
        if !anywhere.is_empty() {
            let them = anywhere.join(", ");
            parts.push(format!("found anywhere in a path, as before: {them} (write ^ in front if that is not meant)"));
        }
        match parts.is_empty() {
            true => ledger.changed(&setting.path, &format!("rules without a sign-in; {PARAMETERS}")),
            false => {
                ledger.changed(&setting.path, &format!("rules without a sign-in; {}; {PARAMETERS}", parts.join("; ")));
            }
        }
    }
    if asking.is_none() {
        preflight(options, upstreams, rules, ledger);
    }
    if let Some(setting) = options.get("api_routes") {
        let why = "a program is answered 401 on every path, and a browser that navigates is redirected";
        ledger.dropped(&setting.path, why);
    }
    let networks = trusted::networks(options, ledger);
    for (index, upstream) in upstreams.iter().enumerate().filter(|_| !networks.is_empty()) {
        // Without a rule, those of another upstream would take its requests.
        let chain = match &upstream.end {
            Ok(end) => Chain::terminal(end.clone()),
            Err(why) => Chain::Closed(why.clone()),
        };
        let mut conditions: Vec<Map> = upstream.condition().into_iter().collect();
        conditions.push(Map::default().with("source_ip", &networks[..]));
        let name = format!("trusted-{}", index + 1);
        rules.push(rule(&name, 910 + index as u64, conditions, chain));
    }
}

fn preflight(options: &Options, upstreams: &[Upstream], rules: &mut Vec<Rule>, ledger: &mut Ledger) {
    let Some(setting) = options.get("skip_auth_preflight") else { return };
    let end = end_for(upstreams, "", false).ok();
    match (options.is_on("skip_auth_preflight"), end) {
        (false, _) => ledger.kept(&setting.path, "off"),
        (true, Some(end)) => {
            rules.push(rule("preflight", 900, vec![method("OPTIONS")], Chain::terminal(end)));
            ledger.kept(&setting.path, "a rule without a sign-in for OPTIONS");
        }
        (true, None) => {
            ledger.dropped(&setting.path, "several upstreams: set cors, with which Vestibule answers preflights");
        }
    }
}

/// A route without a sign-in.
#[derive(Debug)]
struct Route<'t> {
    method: Option<String>,
    /// All paths but these.
    is_negated: bool,
    regex: &'t str,
}

impl<'t> Route<'t> {
    fn of_path(regex: &'t str) -> Self {
        Self { method: None, is_negated: false, regex }
    }

    /// `regex`, `METHOD=regex` or `METHOD!=regex`. The first `=` separates, also one of the expression.
    fn read(text: &'t str) -> Result<Self, String> {
        let Some((method, regex)) = text.split_once('=') else { return Ok(Self::of_path(text)) };
        let (method, is_negated) = method.strip_suffix('!').map_or((method, false), |method| (method, true));
        if !is_negated && regex.contains("!=") {
            return Err("its `!=` is read in two ways".to_owned());
        }
        if !method.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err("what is before the `=` is no method, so it never let anything pass".to_owned());
        }
        let method = (!method.is_empty()).then(|| method.to_ascii_uppercase());
        Ok(Self { method, is_negated, regex })
    }

    fn condition_of_method(&self) -> Option<Map> {
        self.method.as_deref().map(method)
    }
}

fn method(name: &str) -> Map {
    Map::default().with("http_request_method", &[name.to_owned()][..])
}

/// The rules so far.
struct Opened<'r> {
    options: &'r Options,
    upstreams: &'r [Upstream],
    gate: &'r Gate,
    asking: Option<Asking>,
    rules: &'r mut Vec<Rule>,
    priority: u64,
    negated: u64,
}

impl Opened<'_> {
    /// Adds a route. Whether its expression is found anywhere in a path.
    fn add(&mut self, route: &Route<'_>) -> Result<bool, String> {
        self.asking.map_or(Ok(()), |asking| asking.lets_pass(route.method.as_deref(), self.options))?;
        if route.is_negated {
            return self.add_negated(route).map(|()| false);
        }
        let (condition, literal, is_anywhere, is_exact) = match patterns(route.regex) {
            Some((patterns, literal)) => {
                let is_exact = patterns == [literal.as_str()];
                (Map::default().with("path_pattern", &patterns[..]), literal, false, is_exact)
            }
            None => {
                let Translated { text, literal, is_anywhere } = expression::translate(route.regex)?;
                let regexes = Map::default().with("regex_values", &[text][..]);
                (Map::default().with("path_pattern", regexes), literal, is_anywhere, false)
            }
        };
        let end = end_for(self.upstreams, &literal, is_exact)?;
        let conditions = std::iter::once(condition).chain(route.condition_of_method()).collect();
        let name = format!("open-{}", self.priority);
        self.rules.push(rule(&name, self.priority, conditions, Chain::terminal(end)));
        self.priority += 1;
        Ok(is_anywhere)
    }

    /// All paths but those that begin with a literal. A rule with a sign-in takes those, and one without a sign-in the others. Any other
    /// expression could take fewer paths here, so that others would need no sign-in any more.
    fn add_negated(&mut self, route: &Route<'_>) -> Result<(), String> {
        let begin = route.regex.strip_prefix('^').filter(|rest| rest.starts_with('/'));
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_~".contains(&byte);
        let begin = begin.filter(|begin| begin.bytes().all(is_plain) && !begin.contains("//"));
        let begin = begin.ok_or("only `!=^/path` can be said, without signs of regular expressions behind it")?;
        let end = end_for(self.upstreams, "", false)?;
        let method = route.condition_of_method();
        let mut conditions = vec![Map::default().with("path_pattern", &[format!("{begin}*")][..])];
        conditions.extend(method.clone());
        let number = self.negated - NEGATED_FROM;
        let chain = guarded(self.gate, Ok(end.clone()));
        self.rules.push(rule(&format!("not-open-{number}"), self.negated, conditions, chain));
        let conditions = vec![method.unwrap_or_else(everything)];
        self.rules.push(rule(&format!("open-but-{number}"), self.negated + 1, conditions, Chain::terminal(end)));
        self.negated += 2;
        Ok(())
    }
}

/// The terminal of the upstream that has all paths which begin like this, or the one path that is this.
fn end_for(upstreams: &[Upstream], literal: &str, is_exact: bool) -> Result<Map, String> {
    let has = |upstream: &&Upstream| {
        upstream.path == "/"
            || (is_exact && literal == upstream.path)
            || (upstream.path.ends_with('/') && literal.starts_with(&upstream.path))
    };
    // One of several that begin with the literal could have the rest of its paths. Without a slash at its end, it has one path only.
    let is_inside = |upstream: &Upstream| {
        let is_whole = upstream.path == literal && literal.ends_with('/');
        upstream.path.starts_with(literal) && !is_exact && !is_whole
    };
    if upstreams.iter().any(|upstream| is_inside(upstream) && upstream.path != "/") {
        return Err("several upstreams have paths that it takes".to_owned());
    }
    upstreams.iter().find(has).ok_or("no upstream has paths that it takes")?.end.clone()
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

//! `RewriteRule`: only the redirect from HTTP to HTTPS that everybody writes. Any other closes its host, because it may refuse requests.

use crate::import::apache::scope::Host;
use crate::import::apache::tree::Directive;
use crate::import::ledger::Ledger;
use crate::import::yaml::Map;

/// Expressions that every path meets.
const ALL: [&str; 9] = ["^", ".*", "(.*)", "^(.*)$", "^(.*)", "^.*$", "^/?(.*)", "^/?(.*)$", "^/(.*)$"];

/// The redirect of all requests of a host, if it is one. Closes the host if its rules cannot be carried over.
pub(super) fn redirect(host: &mut Host<'_>, is_https: bool, ledger: &mut Ledger) -> Option<Map> {
    // The rules outside of all sections are not for hosts.
    let (outside, own) = host.directives.split_at(host.inherited);
    let of = |name: &'static str| own.iter().filter(move |directive| directive.name == name).copied();
    let inherits = own.iter().any(|directive| {
        directive.name == "rewriteoptions"
            && directive.words.iter().any(|word| word.to_ascii_lowercase().starts_with("inherit"))
    }) || outside.iter().any(|directive| {
        directive.name == "rewriteoptions"
            && directive.words.iter().any(|word| word.to_ascii_lowercase().contains("down"))
    });
    let mut rules: Vec<&Directive> = of("rewriterule").collect();
    if inherits {
        rules.extend(outside.iter().filter(|directive| directive.name == "rewriterule"));
    }
    // The state of the engine is inherited, also where the rules are not. One that is not known for off may be on.
    let mut engines = outside.iter().chain(own).filter(|directive| directive.name == "rewriteengine");
    let is_on = engines.next_back().is_some_and(|directive| !directive.word(0).eq_ignore_ascii_case("off"));
    if rules.is_empty() || !is_on {
        rules.iter().for_each(|directive| ledger.dropped(&directive.path, "RewriteEngine is off"));
        return None;
    }
    let conditions: Vec<&Directive> = of("rewritecond").collect();
    let found = match (rules.as_slice(), is_https) {
        ([rule], false) if conditions.iter().all(|condition| is_about_plain_http(condition)) => to_https(rule),
        _ => None,
    };
    let Some(redirect) = found else {
        let why =
            "rewriting may refuse requests, and is not carried over: write it as a rule, a `redirect` or `transforms`";
        let path = rules[0].path.clone();
        rules.iter().chain(&conditions).for_each(|directive| ledger.dropped(&directive.path, why));
        host.close(format!("{path}: {why}"));
        return None;
    };
    let engine = of("rewriteengine");
    rules
        .iter()
        .copied()
        .chain(conditions)
        .chain(engine)
        .for_each(|directive| ledger.kept(&directive.path, "redirect"));
    Some(redirect)
}

/// `%{HTTPS} off`, which holds for every request of a listener without TLS.
fn is_about_plain_http(condition: &Directive) -> bool {
    let words: Vec<&str> = condition.words.iter().map(String::as_str).collect();
    matches!(
        words.as_slice(),
        ["%{HTTPS}", "off" | "!=on" | "!on" | "=off" | "^off$"] | ["%{SERVER_PORT}", "80" | "^80$" | "!443" | "!^443$"]
    )
}

fn to_https(rule: &Directive) -> Option<Map> {
    let (pattern, to, flags) = (rule.word(0), rule.word(1), rule.word(2));
    let rest = to.strip_prefix("https://%{HTTP_HOST}").or(to.strip_prefix("https://%{SERVER_NAME}"))?;
    // `$1` begins with the slash or not; in both cases it is the path.
    if !ALL.contains(&pattern) || !matches!(rest, "%{REQUEST_URI}" | "/$1" | "$1" | "/%{REQUEST_URI}") {
        return None;
    }
    let flags: Vec<&str> = flags.trim_start_matches('[').trim_end_matches(']').split(',').map(str::trim).collect();
    let is_flag = |flag: &&str| {
        matches!(
            *flag,
            "L" | "NE" | "END" | "QSA" | "NC" | "last" | "R" | "R=301" | "R=302" | "R=permanent" | "R=307" | "R=308"
        )
    };
    let code = flags.iter().find(|flag| flag.starts_with('R'))?;
    let is_permanent = matches!(*code, "R=301" | "R=permanent" | "R=308");
    flags.iter().all(is_flag).then(|| {
        let redirect = Map::default().with("type", "redirect").with("protocol", "HTTPS").with("port", "443");
        redirect.with("status_code", if is_permanent { "HTTP_301" } else { "HTTP_302" })
    })
}

//! Rules of ModSecurity: there is no such firewall in Vestibule. They may refuse requests, so they close what they are in, as a `RewriteRule` does.

use crate::import::apache::scope::Host;
use crate::import::apache::tree::Directive;
use crate::import::ledger::Ledger;

/// Directives that may refuse a request. Others that nobody knows close what they are in anyway.
const RULES: [&str; 3] = ["secrule", "secaction", "secrulescript"];

/// Closes a host, and its places, if they have rules that are in force.
pub(super) fn close(host: &mut Host<'_>, ledger: &mut Ledger) {
    let is_rule = |directive: &&&Directive| RULES.contains(&directive.name.as_str());
    let of_host: Vec<&Directive> = host.directives.iter().filter(is_rule).copied().collect();
    let of_places = host.places.iter().flat_map(|place| &place.directives).filter(is_rule).copied();
    let all: Vec<&Directive> = of_host.iter().copied().chain(of_places).collect();
    let is_on = is_on(host, &all);
    let why = if is_on { "rules of ModSecurity may refuse requests" } else { "SecRuleEngine is not on" };
    all.iter().for_each(|directive| ledger.dropped(&directive.path, why));
    if !is_on {
        return;
    }
    if let Some(directive) = of_host.first() {
        host.close(format!("{}: {why}", directive.path));
    }
    for place in &mut host.places {
        if let Some(directive) = place.directives.iter().find(is_rule) {
            place.closed.get_or_insert(format!("{}: {why}", directive.path));
        }
    }
}

/// Whether the engine may be on for some request. It is off unless a directive says something else.
fn is_on(host: &Host<'_>, rules: &[&Directive]) -> bool {
    let of_places = host.places.iter().filter_map(|place| place.last("secruleengine"));
    let mut engines = host.last("secruleengine").into_iter().chain(of_places);
    // While it only reports, a rule may turn it on for its request.
    let is_turned_on =
        rules.iter().flat_map(|rule| &rule.words).any(|word| word.to_ascii_lowercase().contains("ctl:ruleengine"));
    engines.any(|engine| match engine.word(0).to_ascii_lowercase().as_str() {
        "off" => false,
        "detectiononly" => is_turned_on,
        _ => true,
    })
}

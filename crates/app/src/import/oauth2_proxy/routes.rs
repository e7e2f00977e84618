//! The rules behind the sign-in. What needs none is in [`open`].

use std::cmp::Reverse;

use crate::import::draft::{Chain, Draft, Rule};
use crate::import::ledger::Ledger;
use crate::import::oauth2_proxy::asked::Asking;
use crate::import::oauth2_proxy::gate::Gate;
use crate::import::oauth2_proxy::open;
use crate::import::oauth2_proxy::options::Options;
use crate::import::oauth2_proxy::upstream::{Upstream, guarded, rule, upstream};

/// The rules, and the default actions.
pub(super) fn routes(
    options: &Options,
    gate: &Gate,
    asking: Option<Asking>,
    draft: &mut Draft,
    ledger: &mut Ledger,
) -> (Vec<Rule>, Chain) {
    if let Some(asking) = asking {
        let mut rules = Vec::new();
        let everything = [Upstream { path: "/".to_owned(), end: Ok(asking.terminal()) }];
        open::routes(options, &everything, (gate, Some(asking)), &mut rules, ledger);
        return (rules, guarded(gate, Ok(asking.terminal())));
    }
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
    open::routes(options, &upstreams, (gate, None), &mut rules, ledger);
    for (index, upstream) in upstreams.iter().filter(|upstream| upstream.path != "/").enumerate() {
        let name = format!("upstream-{}", index + 1);
        let conditions = upstream.condition().into_iter().collect();
        rules.push(rule(&name, 1000 + index as u64, conditions, guarded(gate, upstream.end.clone())));
    }
    let root = upstreams.iter().find(|upstream| upstream.path == "/").map(|upstream| upstream.end.clone());
    let none = "there is no upstream for it: oauth2-proxy answered 404";
    (rules, guarded(gate, root.unwrap_or_else(|| Err(none.to_owned()))))
}

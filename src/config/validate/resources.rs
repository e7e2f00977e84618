//! Warns about rules that take tokens of different issuers and are one resource for clients (RFC 9728, decision 82).
//!
//! A client learns the issuer from the metadata of the resource, which is the host with `resource_path`. There is one such document at each
//! address, so two rules with different issuers cannot both have theirs there.

use std::collections::BTreeSet;

use crate::action::settings::{AuthenticateKind, BearerSettings, ChainSettings, GateSettings};
use crate::config::document::path::Path;
use crate::config::settled::{ListenerConfig, ProviderConfig};
use crate::config::validate::context::Context;
use crate::config::validate::shared_session::{hosts, may_meet};
use crate::rule::DEFAULT;
use crate::rule::value::Value;

/// A rule that takes tokens.
struct Place {
    /// The hosts of `host_header`; otherwise any host.
    hosts: Option<Vec<Value>>,
    resource_path: String,
    issuers: BTreeSet<String>,
    name: String,
    at: Path,
}

impl Place {
    /// Whether a client could take both for one resource.
    fn is_resource_of(&self, other: &Self) -> bool {
        let meets = match (&self.hosts, &other.hosts) {
            (Some(ours), Some(theirs)) => ours.iter().any(|ours| theirs.iter().any(|theirs| may_meet(ours, theirs))),
            _ => true,
        };
        meets && self.resource_path == other.resource_path
    }
}

/// Marks each action whose metadata would be those of an earlier rule with other issuers, and warns about it.
pub(super) fn check(listeners: &mut [ListenerConfig], providers: &[ProviderConfig], context: &mut Context<'_>) {
    // Indexes match the file only if the whole file is valid.
    if context.found.verdict().is_err() {
        return;
    }
    for (index, listener) in listeners.iter_mut().enumerate() {
        let at = Path::default().key("listeners").index(index);
        let mut order: Vec<usize> = (0..listener.rules.len()).collect();
        order.sort_by_key(|place| listener.rules[*place].priority);
        let mut announced = Vec::new();
        for place in order {
            let rule = &mut listener.rules[place];
            let hosts = hosts(rule).map(<[Value]>::to_vec);
            let (name, at) = (rule.name.to_string(), at.key("rules").index(place).key("actions"));
            mark(&mut rule.chain, (hosts, &name, &at), &mut announced, providers, context);
        }
        let at = at.key("default_actions");
        mark(&mut listener.default, (None, DEFAULT, &at), &mut announced, providers, context);
    }
}

/// `announced` are the places whose metadata are published, in the order of the rules.
fn mark(
    chain: &mut ChainSettings,
    (hosts, name, at): (Option<Vec<Value>>, &str, &Path),
    announced: &mut Vec<Place>,
    providers: &[ProviderConfig],
    context: &mut Context<'_>,
) {
    let gates = chain.gates.iter_mut().enumerate();
    for (index, bearer) in gates.filter_map(|(index, gate)| Some((index, bearer_of(gate)?))) {
        let issuers = bearer.issuers.iter().map(|issuer| issuer_of(issuer, providers)).collect();
        let (resource_path, at) = (bearer.resource_path.clone(), at.index(index));
        let place = Place { hosts: hosts.clone(), resource_path, issuers, name: name.to_owned(), at };
        let Some(first) = announced.iter().find(|first| first.is_resource_of(&place)) else {
            announced.push(place);
            continue;
        };
        if first.issuers == place.issuers {
            continue;
        }
        bearer.is_announced = false;
        let message = format!(
            "programs are not told who issues tokens for `{}`: at the same address, they are told the issuer of `{}`",
            place.name, first.name
        );
        let warning = context.found.warning(&place.at, message).label(&first.at, "told");
        warning.hint(
            "set `resource_path`, with another path at each of them: that of the part of the site that the rule is for",
        );
    }
}

const fn bearer_of(gate: &mut GateSettings) -> Option<&mut BearerSettings> {
    match gate {
        GateSettings::Bearer(bearer) | GateSettings::SessionOrBearer(_, bearer) => Some(bearer),
        GateSettings::Authenticate(_) | GateSettings::Authorize(_) => None,
    }
}

/// What clients are told: the issuer, whatever its name here. Of a user pool, the name says which it is.
fn issuer_of(kind: &AuthenticateKind, providers: &[ProviderConfig]) -> String {
    match kind {
        AuthenticateKind::Oidc(name) => {
            let provider = providers.iter().find(|provider| provider.settings.name == *name);
            provider.map_or_else(|| name.to_string(), |provider| provider.settings.issuer.clone())
        }
        AuthenticateKind::UserPool(name) => format!("user pool {name}"),
    }
}

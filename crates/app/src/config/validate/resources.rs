//! Warns about rules that take tokens of different issuers and are one resource for clients (RFC 9728, decision 82).
//!
//! A client learns the issuer from the metadata of the resource, which is the host with `resource_path`. There is one such document at each
//! address, so two rules with different issuers cannot both have theirs there. Then neither has: a client must not be led to an issuer whose tokens its
//! rule refuses, and clients also look at the address without being told it (RFC 9728 §3.1).

use std::collections::BTreeSet;

use crate::action::settings::{AuthenticateKind, BearerSettings, GateSettings};
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
    /// Its index among the rules. `None`: the default actions.
    rule: Option<usize>,
    /// The index of the gate in the chain.
    gate: usize,
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

/// Marks the actions that are one resource and have different issuers, and warns about them.
pub(super) fn check(listeners: &mut [ListenerConfig], providers: &[ProviderConfig], context: &mut Context<'_>) {
    // Indexes match the file only if the whole file is valid.
    if context.found.verdict().is_err() {
        return;
    }
    for (index, listener) in listeners.iter_mut().enumerate() {
        let places = places(listener, &Path::default().key("listeners").index(index), providers);
        for (number, place) in places.iter().enumerate() {
            let differs = |other: &&Place| other.is_resource_of(place) && other.issuers != place.issuers;
            if let Some(earlier) = places[..number].iter().find(differs) {
                warn(earlier, place, context);
            }
            if places.iter().any(|other| differs(&other)) {
                let chain = place.rule.map_or(&mut listener.default, |rule| &mut listener.rules[rule].chain);
                if let Some(bearer) = chain.gates.get_mut(place.gate).and_then(bearer_of) {
                    bearer.is_announced = false;
                }
            }
        }
    }
}

/// The rules of a listener that take tokens, in the order in which they are asked.
fn places(listener: &ListenerConfig, at: &Path, providers: &[ProviderConfig]) -> Vec<Place> {
    let mut order: Vec<usize> = (0..listener.rules.len()).collect();
    order.sort_by_key(|rule| listener.rules[*rule].priority);
    let of_rules = order.into_iter().map(|index| {
        let rule = &listener.rules[index];
        (Some(index), &rule.chain, hosts(rule), &*rule.name, at.key("rules").index(index).key("actions"))
    });
    let default = (None, &listener.default, None, DEFAULT, at.key("default_actions"));
    let mut places = Vec::new();
    for (rule, chain, hosts, name, at) in of_rules.chain([default]) {
        for (gate, bearer) in chain.gates.iter().enumerate().filter_map(|(gate, one)| Some((gate, one.bearer()?))) {
            places.push(Place {
                hosts: hosts.map(<[Value]>::to_vec),
                resource_path: bearer.resource_path.clone(),
                issuers: bearer.issuers.iter().map(|issuer| issuer_of(issuer, providers)).collect(),
                name: name.to_owned(),
                at: at.index(gate),
                rule,
                gate,
            });
        }
    }
    places
}

fn warn(earlier: &Place, later: &Place, context: &mut Context<'_>) {
    let message = format!(
        "`{}` and `{}` take tokens of different issuers at one address, so programs are told of neither",
        earlier.name, later.name
    );
    let warning = context.found.warning(&later.at, message).label(&earlier.at, "the other issuer");
    warning.hint("set `resource_path` at one of them, or another one at each: the path of the part of the site that the rule is for");
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

//! Warns about sessions that are accepted by an action other than the one that created them.
//!
//! A session is bound to its host, cookie name and provider (DESIGN §5), but not to the action that created it. If
//! two actions share all three, a session created by one may lack the scope and parameters of the other.

use crate::action::settings::{AuthenticateSettings, ChainSettings, OnExpired, OnUnauthenticated};
use crate::config::document::path::Path;
use crate::config::settled::{ListenerConfig, RuleConfig};
use crate::config::validate::context::Context;
use crate::rule::condition::Condition;
use crate::rule::value::Value;

/// An action that authenticates, and its place.
struct Place<'c> {
    gate: &'c AuthenticateSettings,
    /// The hosts of `host_header`; otherwise any host.
    hosts: Option<&'c [Value]>,
    at: Path,
}

/// Warns about each action that accepts sessions created with a smaller scope.
pub(super) fn check(listeners: &[ListenerConfig], context: &mut Context<'_>) {
    // Indexes match the file only if the whole file is valid.
    if context.found.verdict().is_err() {
        return;
    }
    let places = places(listeners);
    for place in &places {
        let mut lesser = places.iter().filter(|other| begins_sessions(other.gate) && other.shares_sessions_with(place));
        let found = lesser.find_map(|other| Some((other, lacks(other.gate, place.gate)?)));
        let Some((other, lacks)) = found else { continue };
        let message = format!("a session created at {} is also accepted here, but without {lacks}", other.at);
        let warning = context.found.warning(&place.at, message).label(&other.at, "created here");
        warning.hint("set the same at both, or set a different `session_cookie_name` at one of them");
    }
}

fn places(listeners: &[ListenerConfig]) -> Vec<Place<'_>> {
    let mut places = Vec::new();
    for (index, listener) in listeners.iter().enumerate() {
        let at = Path::default().key("listeners").index(index);
        for (index, rule) in listener.rules.iter().enumerate() {
            places.extend(places_in(&rule.chain, hosts(rule), at.key("rules").index(index).key("actions")));
        }
        places.extend(places_in(&listener.default, None, at.key("default_actions")));
    }
    places
}

/// The actions of a chain that use sessions. The gates come first in `actions`, so that their indexes are the same.
fn places_in<'c>(chain: &'c ChainSettings, hosts: Option<&'c [Value]>, at: Path) -> impl Iterator<Item = Place<'c>> {
    let gates = chain.gates.iter().enumerate();
    gates.filter_map(move |(index, gate)| Some(Place { gate: gate.authenticate()?, hosts, at: at.index(index) }))
}

/// The hosts that a rule is for. `None`: all.
pub(super) fn hosts(rule: &RuleConfig) -> Option<&[Value]> {
    rule.conditions.iter().find_map(|condition| match condition {
        Condition::HostHeader(patterns) => Some(patterns.as_slice()),
        _ => None,
    })
}

impl Place<'_> {
    fn shares_sessions_with(&self, other: &Self) -> bool {
        let same_host = match (self.hosts, other.hosts) {
            (Some(ours), Some(theirs)) => ours.iter().any(|ours| theirs.iter().any(|theirs| may_meet(ours, theirs))),
            _ => true,
        };
        self.gate.session_cookie_name == other.gate.session_cookie_name
            && self.gate.shares_provider_with(other.gate)
            && same_host
    }
}

/// Whether a host can match both values. True if both have wildcards.
pub(super) fn may_meet(one: &Value, other: &Value) -> bool {
    match (one.literal(), other.literal()) {
        (Some(host), _) => other.matches(host),
        (_, Some(host)) => one.matches(host),
        (None, None) => true,
    }
}

/// `deny` and `allow` never start a sign-in.
fn begins_sessions(gate: &AuthenticateSettings) -> bool {
    match gate.on_unauthenticated {
        OnUnauthenticated::Authenticate => true,
        OnUnauthenticated::Deny => gate.on_expired == OnExpired::Authenticate,
        OnUnauthenticated::Allow => false,
    }
}

/// The first setting that `wanted` requests and `asked` does not.
fn lacks(asked: &AuthenticateSettings, wanted: &AuthenticateSettings) -> Option<String> {
    let scope = wanted.scope.split(' ').find(|one| !asked.scope.split(' ').any(|other| other == *one));
    let parameter = || wanted.extra_params.iter().find(|(name, value)| asked.extra_params.get(*name) != Some(value));
    let scope = scope.map(|scope| format!("the scope `{scope}`"));
    scope.or_else(|| parameter().map(|(name, value)| format!("`{name}={value}`")))
}

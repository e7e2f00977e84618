//! Which providers the sessions of a cookie name are of.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::action::settings::{AuthenticateKind, ProviderChoice};
use crate::config::document::path::Path;
use crate::config::validate::choice::Shown;
use crate::config::validate::context::Context;

/// State shared by all actions that authenticate in the whole file.
pub(super) struct CookieOwners {
    /// How each provider is shown.
    pub(super) shown: Shown,
    pub(super) default_cookie_name: Arc<str>,
    /// The providers of the actions with each session cookie name, and their places. Providers that are the same are there once.
    by_cookie: HashMap<Arc<str>, Vec<(Vec<AuthenticateKind>, Path)>>,
    /// Each user pool that a rule references, and the place of the reference.
    pools: BTreeMap<Arc<str>, Path>,
}

impl CookieOwners {
    pub(super) fn new(default_cookie_name: Arc<str>, shown: Shown) -> Self {
        Self { shown, default_cookie_name, by_cookie: HashMap::new(), pools: BTreeMap::new() }
    }

    /// Whether no rule authenticates.
    pub(super) fn is_empty(&self) -> bool {
        self.by_cookie.is_empty()
    }

    /// The place where a rule first references that user pool.
    pub(super) fn pool(&self, name: &str) -> Option<&Path> {
        self.pools.get(name)
    }

    /// A session of one provider must not be accepted as a session of another (ALB §1.3.6). Actions that have a provider in common may
    /// share a cookie: a session counts where its provider is listed. Without one, each would only replace the session of the other.
    pub(super) fn add(
        &mut self,
        providers: &[ProviderChoice],
        cookie_name: &Arc<str>,
        at: &Path,
        context: &mut Context<'_>,
    ) {
        let kinds: Vec<AuthenticateKind> = providers.iter().map(|provider| provider.kind.clone()).collect();
        for kind in &kinds {
            if let AuthenticateKind::UserPool(name) = kind {
                self.pools.entry(Arc::clone(name)).or_insert_with(|| at.clone());
            }
        }
        let known = self.by_cookie.entry(Arc::clone(cookie_name)).or_default();
        // The providers of an action with a problem are not known.
        if kinds.is_empty() {
            return;
        }
        let has_none_of = |(other, _): &&(Vec<AuthenticateKind>, Path)| !other.iter().any(|kind| kinds.contains(kind));
        if let Some((other, first_at)) = known.iter().find(has_none_of) {
            // If a name does not resolve, that is already reported, and this check would only repeat it.
            if context.found.concern(at).or_else(|| context.found.concern(first_at)).is_none() {
                let message = format!("the session cookie `{cookie_name}` is already used by {}", issuers(other));
                let problem = context.found.problem(at, message).label(first_at, "first used here");
                let alike = if kinds.len() == 1 { "this provider" } else { "these providers" };
                let name = kinds.first().map_or("other", |kind| kind.name());
                problem.hint(format!(
                    "write `session_cookie_name: {cookie_name}-{name}` at `{at}`, and at each other action that has only {alike}"
                ));
            }
        }
        if !known.iter().any(|(other, _)| *other == kinds) {
            known.push((kinds, at.clone()));
        }
    }
}

fn issuers(kinds: &[AuthenticateKind]) -> String {
    let issuers = kinds.iter().map(|kind| match kind {
        AuthenticateKind::Oidc(name) => format!("the provider `{name}`"),
        AuthenticateKind::UserPool(name) => format!("the user pool `{name}`"),
    });
    issuers.collect::<Vec<_>>().join(" and ")
}

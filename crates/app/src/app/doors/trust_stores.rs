//! For `check`: trust stores with which clients are refused, or will be.

use std::collections::BTreeSet;

use crate::certificate::client::policy::{Mode, Policy};
use crate::certificate::client::trust_store::TrustStore;
use crate::clock::Timestamp;
use crate::config::Config;

/// Authorities and lists in one store of the AWS load balancer (ALB §10.8). More of them work here.
const AUTHORITIES_USUAL: usize = 25;
const LISTS_USUAL: usize = 30;

/// Warnings about each trust store that a listener uses.
pub(super) fn warnings(config: &Config, now: Timestamp, found: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for listener in &config.listeners {
        let policy = listener.settings.tls.as_ref().and_then(|tls| tls.clients.as_deref());
        let Some(Policy { mode: Mode::Verify(verify), .. }) = policy else { continue };
        if seen.insert(&verify.store.name) {
            of(&verify.store, now, found);
        }
    }
}

fn of(store: &TrustStore, now: Timestamp, found: &mut Vec<String>) {
    let name = &store.name;
    let outside = store.authorities.iter().filter(|authority| !authority.is_valid(now));
    for authority in outside {
        let when = if authority.expires_at() < now { "has expired" } else { "is not valid yet" };
        found.push(format!(
            "trust store `{name}`: the certificate of `{}` {when}; clients with its certificates are refused",
            authority.name
        ));
    }
    for list in store.lists.iter().filter(|list| list.next_update <= now) {
        found.push(format!(
            "trust store `{name}`: the list of revoked certificates of `{}` is out of date since {}; clients with its certificates are \
             refused until there is a newer one",
            list.issuer,
            list.next_update.to_text()
        ));
    }
    let counts =
        [("authorities", store.authorities.len(), AUTHORITIES_USUAL), ("lists", store.lists.len(), LISTS_USUAL)];
    for (what, count, usual) in counts.into_iter().filter(|(_, count, usual)| count > usual) {
        found.push(format!("trust store `{name}`: {count} {what}; the AWS load balancer allows {usual}"));
    }
}

//! `custom_domains` of pools.

use std::collections::BTreeSet;

use url::{Host, Url};

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw;
use crate::config::raw::listener::Listener;
use crate::config::raw::user_pool::UserPool;
use crate::config::settled::{ListenerConfig, UserPoolConfig};
use crate::config::validate::context::Context;
use crate::config::validate::value;
use crate::rule::condition::Condition;

const KEY: &str = "custom_domains";

/// The origins of the domains.
pub(super) fn domains(
    raw: &UserPool,
    issuer: Option<&Url>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Vec<Url>, Reported> {
    value::each(&raw.custom_domains, &at.key(KEY), &mut context.found, |text, at, found| {
        let name = match Host::parse(text) {
            Ok(Host::Domain(name))
                if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)) =>
            {
                Some(name)
            }
            _ => None,
        };
        let Some(name) = name else {
            return found.problem(at, format!("`{text}` is not a host name")).hint("write `auth.example.com`").fail();
        };
        // Without an issuer, that was told. The scheme and the port are those of the issuer.
        let mut url = issuer.cloned().unwrap_or_else(|| Url::parse("https://issuer.invalid").expect("a URL"));
        match url.set_host(Some(&name)) {
            Ok(()) => Ok(url),
            Err(error) => found.problem(at, format!("`{text}` is not a host name: {error}")).fail(),
        }
    })
}

/// Checks that nobody else uses a domain, and that clients can reach it by TLS.
pub(in crate::config::validate) fn together(
    raw: &raw::File,
    pools: &[UserPoolConfig],
    listeners: &[ListenerConfig],
    context: &mut Context<'_>,
) {
    let mut seen = BTreeSet::new();
    // A proxy in front may have the certificate.
    let is_behind = |listener: &Listener| !listener.trusted_proxies.is_empty() || listener.forward_auth.is_some();
    let is_alone = !raw.listeners.iter().any(|(_, listener)| is_behind(listener));
    let is_known = is_alone && raw.listeners.iter().count() == listeners.len();
    for pool in pools {
        let (at, issuer) = (Path::default().key("user_pools").key(&pool.settings.name), &pool.settings.issuer);
        if let Some(name) = issuer.domain().filter(|name| is_known && !is_covered(name, issuer, listeners)) {
            uncovered(name, &at.key("issuer"), context);
        }
        let at = at.key(KEY);
        for (index, domain) in pool.settings.brand.domains.iter().enumerate() {
            let (at, name) = (at.index(index), domain.host_str().unwrap_or_default());
            if let Some(other) = user(name, pools, listeners) {
                let problem = context.found.problem(&at, format!("{other} uses `{name}`"));
                problem.hint("a domain of the pool is for its pages only: use another name");
            } else if !seen.insert(name) {
                context.found.problem(&at, format!("`{name}` is already a domain of a pool"));
            } else if is_known && !is_covered(name, domain, listeners) {
                uncovered(name, &at, context);
            }
        }
    }
}

fn uncovered(name: &str, at: &Path, context: &mut Context<'_>) {
    let problem =
        context.found.problem(at, format!("no certificate of a listener covers `{name}`, so no browser opens it"));
    problem.hint("add one to `certificates` of a listener, or set `tls: auto` there; behind a proxy that has it, set `trusted_proxies`");
}

/// Who else uses a host name, in words.
fn user(name: &str, pools: &[UserPoolConfig], listeners: &[ListenerConfig]) -> Option<String> {
    let is_it = |url: &&Url| url.host_str() == Some(name);
    if let Some(pool) = pools.iter().find(|pool| is_it(&&pool.settings.issuer)) {
        return Some(format!("the issuer of the pool `{}`", pool.settings.name));
    }
    let clients = || pools.iter().flat_map(|pool| &pool.settings.clients);
    let of_clients = clients().flat_map(|client| client.redirect_uris.iter().chain(&client.resources));
    if let Some(url) = pools.iter().flat_map(|pool| &pool.applications).chain(of_clients).find(is_it) {
        return Some(format!("the application `{}`", url.origin().ascii_serialization()));
    }
    listeners.iter().find_map(|listener| {
        let is_for = |condition: &Condition| condition.host_names().iter().any(|host| host.eq_ignore_ascii_case(name));
        let rule = listener.rules.iter().find(|rule| rule.conditions.iter().any(is_for))?;
        Some(format!("the rule `{}` of the listener `{}`", rule.name, listener.settings.name))
    })
}

/// Whether a listener has a certificate for a domain. Where none ends TLS, a proxy in front has it.
fn is_covered(name: &str, domain: &Url, listeners: &[ListenerConfig]) -> bool {
    let mut with_tls = listeners.iter().filter_map(|listener| listener.settings.tls.as_ref()).peekable();
    domain.scheme() != "https"
        || with_tls.peek().is_none()
        || with_tls.any(|tls| {
            tls.certificates.iter().any(|table| table.is_for(name)) || tls.auto.iter().any(|known| &**known == name)
        })
}

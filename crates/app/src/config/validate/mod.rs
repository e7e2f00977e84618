//! Validates the raw sections and converts them to the settings of each room.
//!
//! Each section has a file. A function that fails returns [`Reported`], the proof that it has said why, and continues while
//! there is something left to check. Start at [`file()`].

mod acme;
mod action;
mod authorize;
mod bearer;
mod choice;
mod claims;
mod client_certificate;
pub(crate) mod context;
mod cookie_owners;
mod cors;
mod every_action;
mod fixed_response;
mod forward;
mod forward_auth;
mod health_check;
mod introspection;
mod keys;
mod listener;
mod mutual_authentication;
mod oidc;
mod pages;
mod process;
mod protocols;
mod proxies;
mod redirect;
mod resources;
mod response_headers;
mod rule;
mod session;
mod shared_session;
mod static_files;
mod stickiness;
mod target_group;
mod texts;
mod tls;
mod traces;
mod transforms;
mod trust_store;
mod user_pool;
mod value;

use http::HeaderName;

use crate::action::authenticate::paths::{Endpoint, Paths};
use crate::action::requirement::Requirement;
use crate::action::settings::{AuthenticateKind, GateSettings, TerminalSettings};
use crate::config::changes::Document;
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::document::report::Diagnostics;
use crate::config::raw;
use crate::config::settled::{Config, ListenerConfig, ProviderConfig};
use crate::config::validate::context::Context;
use crate::message::header::Protected;
use crate::oidc::settings as oidc_settings;
use crate::upstream::settings as upstream_settings;
use cookie_owners::CookieOwners;

/// The header names that are removed from every request before rules are evaluated. They are known even if the rest
/// of `claims` is invalid.
pub(crate) fn protected(raw: &raw::File) -> Protected {
    let mapped = raw.claims.iter().flat_map(|claims| claims.headers.keys());
    let tls = raw.listeners.iter().filter_map(|(_, listener)| listener.tls_headers.as_ref());
    let mapped = mapped.chain(tls.flat_map(|names| [&names.version, &names.cipher_suite]));
    let of_certificates =
        raw.listeners.iter().flat_map(|(_, listener)| listener.mutual_authentication.header_names.given());
    let mapped = mapped.chain(of_certificates.map(|(_, name)| name));
    let owned: Vec<HeaderName> = mapped.filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok()).collect();
    Protected::new(&owned)
}

/// Validates the whole file.
pub(crate) fn file(raw: &raw::File, context: &mut Context<'_>) -> Result<Config, Reported> {
    let root = Path::default();
    let session = raw.session.as_ref().map(|raw| session::session(raw, &root.key("session"), context));
    let cookie_name = session.as_ref().map_or_else(session::default_cookie_name, |session| session.cookie_name.clone());
    let shown = choice::shown(raw, context);
    let mut logins = CookieOwners::new(cookie_name, shown);
    let stores = trust_store::trust_stores(&raw.trust_stores, &root.key("trust_stores"), context);
    let mut listeners = listener::listeners(&raw.listeners, &root.key("listeners"), &stores, &mut logins, context);
    let claims = raw.claims.as_ref().map(|raw| claims::claims(raw, &root.key("claims"), context));
    needed_sections(&logins, raw, context);
    if raw.session.is_none() && forward::all(raw).any(|(forward, _)| forward.stickiness.is_some()) {
        let _ = needed("session", "a `forward` has `stickiness`", KEY_FILES, context);
    }
    let mut providers = context.each(&raw.identity_providers, &root.key("identity_providers"), oidc::provider);
    providers.extend(context.issuers.drain(..).map(|(issuer, _)| issuer));
    ask_for_groups(&mut providers, &listeners);
    introspection::mark(&mut providers, &listeners, context);
    let mut target_groups = context.each(&raw.target_groups, &root.key("target_groups"), |name, raw, path, context| {
        let keys = |context: &mut Context<'_>| match &session {
            Some(session) => {
                session.settings.as_ref().map(|settings| settings.keys.clone()).map_err(|reported| *reported)
            }
            None => Err(needed("session", "a target group has `stickiness`", KEY_FILES, context)),
        };
        target_group::target_group(name, raw, path, keys, context)
    });
    let pages = pages::pages(raw.pages.as_ref(), &Default::default(), &root.key("pages"), context);
    let usual_pages = pages.clone().unwrap_or_default();
    let user_pools = context.each(&raw.user_pools, &root.key("user_pools"), |name, raw, path, context| {
        let session = match &session {
            Some(session) => session.settings.as_ref().map_err(|reported| *reported),
            None => Err(needed("session", "there is a user pool", KEY_FILES, context)),
        };
        user_pool::user_pool(name, raw, path, session, (&usual_pages, &logins.shown), context)
    });
    let acme = acme::acme(raw, &mut listeners, &user_pools, context);
    let admin = process::admin(&raw.admin, &root.key("admin"), context);
    let access_log = process::access_log(&raw.access_log, &root.key("access_log"), context);
    let alb = process::alb(&raw.access_log, &root.key("access_log"), context);
    let traces = raw.traces.as_ref().map(|raw| traces::traces(raw, &root.key("traces"), context)).transpose();
    let log = process::log(&raw.log);
    let shutdown = process::shutdown(&raw.shutdown, &root.key("shutdown"), context);
    process::admin_apart(admin.as_ref().ok(), &listeners, context);
    user_pool::together(raw, &user_pools, &logins, context);
    user_pool::domains_together(raw, &user_pools, &listeners, context);
    if let Some(Ok(claims)) = &claims {
        user_pool::keys_apart(claims, &user_pools, context);
    }
    stickiness::together(&target_groups, &listeners, context);
    protocols::check(raw, context);
    forward::together(raw, context);
    unused(&listeners, raw, context);
    mark_used(&listeners, &mut target_groups);
    shared_session::check(&listeners, context);
    resources::check(&mut listeners, &providers, context);
    static_files::apart(raw, context);
    let paths = session.as_ref().map(|session| session.paths.clone()).unwrap_or_default();
    let paths = with_callbacks(paths, &providers, context);
    choice::callbacks(&listeners, &providers, &paths.callback, context);
    oidc::shared_callbacks(&used_providers(&listeners, &providers), &paths.callback, context);
    // Whatever was reported and not returned.
    context.found.verdict()?;
    Ok(Config {
        listeners,
        providers,
        user_pools,
        target_groups,
        paths: std::sync::Arc::new(paths),
        session: session.map(|session| session.settings).transpose()?,
        claims: claims.transpose()?,
        pages: pages?,
        acme: acme?,
        admin: admin?,
        access_log: access_log?,
        alb: alb?,
        traces: traces?,
        log,
        shutdown: shutdown?,
        watch: raw.watch,
        workers: process::workers(raw.workers),
        notes: Vec::new(),
        document: Document::default(),
        warnings: Diagnostics::default(),
    })
}

const KEY_FILES: &str = "add `session: { key_files: [FILE] }`; `vestibule keys session --out FILE` creates the file";
const SIGNING_KEY_FILE: &str =
    "add `claims: { signer: NAME, signing_key_file: FILE }`; `vestibule keys signing --out FILE` creates the file";

/// Sections that are optional in some files only.
fn needed_sections(logins: &CookieOwners, raw: &raw::File, context: &mut Context<'_>) {
    let authenticates = !logins.is_empty();
    if raw.session.is_none() && authenticates {
        let _ = needed("session", "a rule authenticates", KEY_FILES, context);
    }
    if raw.claims.is_none() && authenticates {
        let _ = needed("claims", "a rule authenticates", SIGNING_KEY_FILE, context);
    }
}

/// Reports that a section is missing, unless it has been reported, or the section is there and invalid.
fn needed(section: &str, reason: &str, hint: &str, context: &mut Context<'_>) -> Reported {
    let at = Path::default().key(section);
    let known = context.found.concern(&at).or_else(|| context.found.concern_keys_of(&at));
    known.unwrap_or_else(|| {
        context.found.problem(&at, format!("`{section}` is missing: {reason}")).hint(hint).reported()
    })
}

/// Adds the `callback_path` of each provider. It must not be another reserved path.
fn with_callbacks(mut paths: Paths, providers: &[ProviderConfig], context: &mut Context<'_>) -> Paths {
    for ProviderConfig { settings, .. } in providers {
        let Some(callback) = settings.callback_path.as_deref().filter(|path| *path != paths.callback) else { continue };
        if paths.find(callback).is_some_and(|endpoint| endpoint != Endpoint::Callback) {
            let at = Path::default().key("identity_providers").key(&settings.name).key("callback_path");
            context.found.problem(&at, format!("`{callback}` is already a reserved path")).hint("choose another path");
        }
        paths.provider_callbacks.push(callback.to_owned());
    }
    paths
}

/// The providers that a rule uses.
fn used_providers<'p>(
    listeners: &[ListenerConfig],
    providers: &'p [ProviderConfig],
) -> Vec<&'p oidc_settings::Settings> {
    providers.iter().map(|provider| &provider.settings).filter(|provider| signs_in(listeners, &provider.name)).collect()
}

/// Gives each provider that asks for groups those that a rule requires of its users.
fn ask_for_groups(providers: &mut [ProviderConfig], listeners: &[ListenerConfig]) {
    for provider in providers {
        let ProviderConfig { settings, .. } = provider;
        let Some(graph) = &mut settings.graph else { continue };
        let chains = listeners.iter().flat_map(ListenerConfig::chains);
        let gates = chains.filter(|chain| chain.gates.iter().any(|gate| is_of(gate, &settings.name)));
        let required = gates.flat_map(|chain| &chain.gates).filter_map(GateSettings::authorize);
        graph.wanted = required
            .filter_map(|gate| gate.requirement.as_ref())
            .flat_map(Requirement::groups)
            .map(str::to_owned)
            .collect();
    }
}

/// Whether the action signs users in at the provider of that name.
fn is_of(gate: &GateSettings, name: &str) -> bool {
    let providers = gate.authenticate().into_iter().flat_map(|gate| &gate.providers);
    providers.into_iter().any(|one| matches!(&one.kind, AuthenticateKind::Oidc(provider) if &**provider == name))
}

/// Whether a rule signs users in at the provider of that name.
fn signs_in(listeners: &[ListenerConfig], name: &str) -> bool {
    listeners.iter().flat_map(ListenerConfig::chains).any(|chain| chain.gates.iter().any(|gate| is_of(gate, name)))
}

/// Whether a rule takes tokens of the provider of that name.
fn takes_tokens(listeners: &[ListenerConfig], name: &str) -> bool {
    let gates = listeners.iter().flat_map(ListenerConfig::chains).flat_map(|chain| &chain.gates);
    let mut issuers = gates.filter_map(GateSettings::bearer).flat_map(|gate| &gate.issuers);
    issuers.any(|issuer| matches!(issuer, AuthenticateKind::Oidc(issuer) if &**issuer == name))
}

/// Whether a rule forwards to the target group of that name.
fn forwards(listeners: &[ListenerConfig], name: &str) -> bool {
    let mut chains = listeners.iter().flat_map(ListenerConfig::chains);
    chains.any(|chain| match &chain.terminal {
        TerminalSettings::Forward(forward) => forward.groups.iter().any(|(group, _)| &**group == name),
        TerminalSettings::Allow(_)
        | TerminalSettings::Redirect(_)
        | TerminalSettings::FixedResponse(_)
        | TerminalSettings::Static(_) => false,
    })
}

/// Targets of a group that no rule uses are not checked (ALB §9.3: unused).
fn mark_used(listeners: &[ListenerConfig], groups: &mut [upstream_settings::Settings]) {
    groups.iter_mut().for_each(|group| group.is_used = forwards(listeners, &group.name));
}

/// Warns about names that are never used: usually a typing error.
fn unused(listeners: &[ListenerConfig], raw: &raw::File, context: &mut Context<'_>) {
    if context.found.verdict().is_err() {
        return;
    }
    for name in raw.target_groups.keys().filter(|name| !forwards(listeners, name)) {
        context
            .found
            .warning(&Path::default().key("target_groups").key(name), "this target group is not used by any rule");
    }
    mutual_authentication::unused(&raw.trust_stores, &raw.listeners, context);
    for (name, provider) in &raw.identity_providers {
        oidc::placeholder(name, provider, context);
    }
    let is_used_by_a_pool = |name: &str| raw.user_pools.values().any(|pool| pool.identity_providers.contains_key(name));
    let names = raw.identity_providers.keys().filter(|name| !is_used_by_a_pool(name));
    for name in names.filter(|name| !signs_in(listeners, name) && !takes_tokens(listeners, name)) {
        let at = Path::default().key("identity_providers").key(name);
        context.found.warning(&at, "this provider is not used by any rule or user pool");
    }
}

//! `user_pools`.

mod account;
mod brand;
mod client_options;
mod clients;
mod directory;
mod domains;
mod login_page;
mod messages;
mod mfa;
mod password_policy;
mod providers;
mod retention;
mod self_service;
mod signing_keys;
mod users;

pub(super) use domains::together as domains_together;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::claims;
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::keys::Kind;
use crate::config::raw;
use crate::config::raw::user_pool::{Store, UserPool};
use crate::config::settled::UserPoolConfig;
use crate::config::validate::choice::Shown;
use crate::config::validate::context::{ClientSpeaks, Context};
use crate::config::validate::cookie_owners::CookieOwners;
use crate::config::validate::listener;
use crate::config::validate::{keys, process, value};
use crate::database::Vault;
use crate::page;
use crate::session;
use crate::user_pool::settings::{self, Settings};

const TOKEN_BOUNDS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(86_400));
const LONG_BOUNDS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3650 * 86_400));
const A_HOST_OF_ITS_OWN: &str = "use a separate host for the pool";

pub(super) fn user_pool(
    name: &str,
    raw: &UserPool,
    at: &Path,
    session: Result<&session::settings::Settings, Reported>,
    (usual_pages, shown): (&page::settings::Settings, &Shown),
    context: &mut Context<'_>,
) -> Result<UserPoolConfig, Reported> {
    let issuer = value::origin(&raw.issuer, &at.key("issuer"), &mut context.found);
    let signing = signing_keys::signing_keys(raw, at, context);
    let applications = applications(raw, issuer.as_ref().ok(), at, context);
    let users = users::users(&raw.users, &raw.issuer, &at.key("users"), context);
    let has_rs256 = raw.rs256_signing_key_file.is_some() || raw.signing_key_file.is_none();
    let known = client_options::known(raw, at, context);
    let clients = match &known {
        Ok(known) => clients::clients(&raw.clients, has_rs256, known, &at.key("clients"), context),
        Err(reported) => Err(*reported),
    };
    let directory = directory::directory(raw, users.as_deref().unwrap_or_default(), at, context);
    let self_service = self_service::self_service(raw, at, context);
    let account = account::account(raw, directory.as_deref().ok(), at, context);
    let brand = brand::brand(raw, issuer.as_ref().ok(), usual_pages, at, context);
    let store = raw.store.as_ref().map(|raw| store(raw, &at.key("store"), context)).transpose();
    let password_policy = password_policy::password_policy(raw, at, context);
    let mfa = mfa::mfa(raw, at, context);
    let recovery = match (&mfa, &self_service) {
        (Ok(mfa), Ok(settings)) => mfa::recovery_is_possible(mfa, &settings.recovery, at, context),
        _ => Ok(()),
    };
    let messages = messages::messages(raw, at, context);
    let retention = retention::retention(raw, at, context);
    let rules = directory.as_deref().ok();
    let providers = providers::providers(raw, at, shown, rules, context);
    let mut time = |written, bounds, key| value::period(written, bounds, &at.key(key), &mut context.found);
    let token_lifetime = time(&raw.token_lifetime, TOKEN_BOUNDS, "token_lifetime");
    let refresh_lifetime = time(&raw.refresh_lifetime, LONG_BOUNDS, "refresh_lifetime");
    let sso_lifetime = time(&raw.sso_lifetime, LONG_BOUNDS, "sso_lifetime");
    let settings = Settings {
        name: Arc::from(name),
        issuer: issuer?,
        title: raw.title.clone(),
        brand: brand?,
        signing_key: signing.signing_key?,
        rs256_signing_key: signing.rs256_signing_key?,
        other_keys: signing.other_keys?,
        seal_keys: Arc::clone(&session?.keys),
        users: users?,
        directory: directory?,
        self_service: self_service?,
        account: account?,
        store: store?,
        password_policy: password_policy?,
        mfa: recovery.and(mfa)?,
        messages: messages?,
        retention: retention?,
        providers: providers?,
        clients: clients?,
        token_lifetime: token_lifetime?,
        refresh_lifetime: refresh_lifetime?,
        sso_lifetime: sso_lifetime?,
        hashing_max: raw.hashing_max.unwrap_or_else(hashing_max),
    };
    Ok(UserPoolConfig { settings, applications: applications? })
}

/// How many passwords are hashed at a time. Only Linux has priorities of threads (`credential::hasher`): elsewhere, some cores are left to requests.
fn hashing_max() -> usize {
    let cores = process::cores();
    if cfg!(target_os = "linux") { cores } else { (cores / 2).max(1) }
}

fn store(raw: &Store, at: &Path, context: &mut Context<'_>) -> Result<settings::Store, Reported> {
    let keys = keys::secret_keys(&raw.key_files, Kind::Store, &at.key("key_files"), context);
    let (file, at) = (context.source.resolve(&raw.sqlite), at.key("sqlite"));
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty());
    let sqlite = if raw.sqlite.is_empty() || file.is_dir() || file.file_name().is_none() {
        context
            .found
            .problem(&at, "expected the name of a file")
            .hint("for example `/var/lib/vestibule/people.db`")
            .fail()
    } else if directory.is_some_and(|directory| !directory.is_dir()) {
        let message = format!("the directory of `{}` does not exist", file.display());
        context.found.problem(&at, message).hint("create it, so that the user of the process can write to it").fail()
    } else {
        Ok(file)
    };
    Ok(settings::Store { vault: Vault::new(keys?.into()), sqlite: sqlite? })
}

/// The claims for targets must not be tokens of a pool: an application could come back with them as a user (attacks B-10).
pub(super) fn keys_apart(claims: &claims::settings::Settings, pools: &[UserPoolConfig], context: &mut Context<'_>) {
    for pool in pools.iter().filter(|pool| pool.settings.signing_key.as_ref() == Some(&claims.signing_key)) {
        let at = Path::default().key("user_pools").key(&pool.settings.name).key("signing_key_file");
        let other = Path::default().key("claims").key("signing_key_file");
        let problem = context.found.problem(&at, "this key also signs the claims for targets");
        problem.label(&other, "the same key").hint("`vestibule keys signing --out FILE` creates another one");
    }
}

/// Checks that involve several pools, or a pool and the rules.
pub(super) fn together(raw: &raw::File, pools: &[UserPoolConfig], logins: &CookieOwners, context: &mut Context<'_>) {
    let at = Path::default().key("user_pools");
    let mut issuers = BTreeMap::new();
    for pool in pools {
        let at = at.key(&pool.settings.name).key("issuer");
        if let Some(first) = issuers.insert(pool.settings.issuer.as_str(), at.clone()) {
            let message = format!("the issuer `{}` is already used by another pool", pool.settings.issuer);
            context.found.problem(&at, message).label(&first, "first used here");
        }
    }
    hosts(pools, context);
    for (name, pool) in &raw.user_pools {
        let at = at.key(name);
        if let Some(rule) = logins.pool(name)
            && pool.applications.is_empty()
        {
            let problem = context.found.problem(&at, "`applications` is missing: a rule uses this pool");
            let problem = problem.lacks(&at.key("applications"));
            problem.label(rule, "used here").hint("add `applications: [https://app.example.com]`");
        }
        let is_https = pool.issuer.starts_with("https:");
        let serves = |listener| match listener::client_speaks(listener) {
            ClientSpeaks::Https => is_https,
            ClientSpeaks::Http => !is_https,
            ClientSpeaks::WhatTheProxySays => true,
        };
        let served = raw.listeners.iter().any(|(_, listener)| serves(listener));
        if !served
            && raw.listeners.is_complete()
            && !raw.listeners.is_empty()
            && context.found.concern(&at.key("issuer")).is_none()
        {
            let scheme = if is_https { "https" } else { "http" };
            context.found.problem(&at.key("issuer"), format!("no `{scheme}` listener serves this issuer"));
        }
    }
}

/// Reports hosts that would receive the cookies of a pool. Browsers store cookies per host and send them to every
/// port of the host (RFC 6265bis §8.5).
fn hosts(pools: &[UserPoolConfig], context: &mut Context<'_>) {
    for (index, pool) in pools.iter().enumerate() {
        let issuer = &pool.settings.issuer;
        let applications = pools.iter().flat_map(|other| &other.applications).map(|url| ("application", url));
        let before = pools[..index].iter().map(|other| ("pool", &other.settings.issuer));
        for (what, url) in applications.chain(before).filter(|(_, url)| url.host() == issuer.host()) {
            let at = Path::default().key("user_pools").key(&pool.settings.name).key("issuer");
            let other = format!("the {what} `{}`", url.origin().ascii_serialization());
            if !share_an_address(issuer, url) {
                let message = format!(
                    "{other} uses the host of this pool: browsers send it the cookies of the pool, on every port"
                );
                context.found.warning(&at, message).hint(A_HOST_OF_ITS_OWN);
            } else if what == "application" && !pool.applications.contains(url) {
                let message = format!("{other} of another pool uses the host of this pool");
                context.found.problem(&at, message).hint(A_HOST_OF_ITS_OWN);
            }
        }
    }
}

fn share_an_address(one: &Url, other: &Url) -> bool {
    one.host() == other.host() && one.port_or_known_default() == other.port_or_known_default()
}

/// A pool on the host of an application would share cookies and scripts with it (DESIGN §8).
fn applications(
    raw: &UserPool,
    issuer: Option<&Url>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Vec<Url>, Reported> {
    context.each_item(&raw.applications, &at.key("applications"), |text, at, context| {
        let url = value::origin(text, at, &mut context.found)?;
        if url.scheme() != "https" {
            return context
                .found
                .problem(at, format!("`{text}` is not `https`"))
                .hint("session cookies need TLS")
                .fail();
        }
        if issuer.is_some_and(|issuer| share_an_address(issuer, &url)) {
            let problem = context.found.problem(at, "this application uses the host of the pool");
            return problem.hint(A_HOST_OF_ITS_OWN).fail();
        }
        Ok(url)
    })
}

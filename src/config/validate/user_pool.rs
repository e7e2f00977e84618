//! `user_pools`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use url::Url;

use crate::config::document::path::Path;
use crate::config::raw;
use crate::config::raw::user_pool::{Client, ClientPkce, SignatureAlgorithm, User, UserPool};
use crate::config::raw::value::List;
use crate::config::settled::UserPoolConfig;
use crate::config::validate::action::Logins;
use crate::config::validate::context::Context;
use crate::config::validate::listener::{self, ClientSpeaks};
use crate::config::validate::{keys, process, value};
use crate::crypto::digest;
use crate::identity::Claims;
use crate::jose::signing_key::Algorithm;
use crate::secret::Secret;
use crate::session;
use crate::user_pool::credential::password;
use crate::user_pool::settings::{ClientSettings, Pkce, Settings, UserSettings};
use crate::user_pool::{UserName, check_redirect_uri};

const HOUR: Duration = Duration::from_secs(3600);
const TOKEN_LIFETIME: Duration = HOUR;
const REFRESH_LIFETIME: Duration = Duration::from_secs(30 * 86_400);
const SSO_LIFETIME: Duration = Duration::from_secs(8 * 3600);
const TOKEN_BOUNDS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(86_400));
const LONG_BOUNDS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3650 * 86_400));
/// The client ID used for `authenticate-user-pool`. It is reserved.
const OWN_CLIENT_ID: &str = "vestibule";
const A_HOST_OF_ITS_OWN: &str = "use a separate host for the pool";
/// Claims that the pool sets itself.
const RESERVED_CLAIMS: [&str; 12] =
    ["sub", "iss", "aud", "exp", "iat", "nbf", "nonce", "auth_time", "azp", "acr", "amr", "preferred_username"];

pub(super) fn user_pool(
    name: &str,
    raw: &UserPool,
    at: &Path,
    session: Option<&session::settings::Settings>,
    context: &mut Context<'_>,
) -> Option<UserPoolConfig> {
    let issuer = value::origin(&raw.issuer, &at.key("issuer"), &mut context.found);
    let signing_key = keys::signing_key(&raw.signing_key_file, Algorithm::Es256, &at.key("signing_key_file"), context);
    let rs256_at = at.key("rs256_signing_key_file");
    let rs256_signing_key =
        raw.rs256_signing_key_file.as_ref().map(|file| keys::signing_key(file, Algorithm::Rs256, &rs256_at, context));
    let other_keys = keys::public_keys(&raw.previous_key_files, None, &at.key("previous_key_files"), context);
    let applications = applications(raw, issuer.as_ref(), at, context);
    let users = users(&raw.users, &raw.issuer, &at.key("users"), context);
    let clients = clients(&raw.clients, rs256_signing_key.is_some(), &at.key("clients"), context);
    let mut time =
        |written, default, bounds, key| value::period(written, default, bounds, &at.key(key), &mut context.found);
    let token_lifetime = time(raw.token_lifetime.as_ref(), TOKEN_LIFETIME, TOKEN_BOUNDS, "token_lifetime");
    let refresh_lifetime = time(raw.refresh_lifetime.as_ref(), REFRESH_LIFETIME, LONG_BOUNDS, "refresh_lifetime");
    let sso_lifetime = time(raw.sso_lifetime.as_ref(), SSO_LIFETIME, LONG_BOUNDS, "sso_lifetime");
    let settings = Settings {
        name: Arc::from(name),
        issuer: issuer?,
        title: raw.title.clone().unwrap_or_else(|| "Sign in".to_owned()),
        signing_key: signing_key?,
        rs256_signing_key: rs256_signing_key.map_or(Some(None), |key| key.map(Some))?,
        other_keys,
        seal_keys: Arc::clone(&session?.keys),
        users,
        clients,
        token_lifetime: token_lifetime?,
        refresh_lifetime: refresh_lifetime?,
        sso_lifetime: sso_lifetime?,
        hashing_max: raw.hashing_max.unwrap_or_else(|| (process::cores() / 2).max(1)),
    };
    Some(UserPoolConfig { settings, applications })
}

/// Checks that involve several pools, or a pool and the rules.
pub(super) fn together(raw: &raw::File, pools: &[UserPoolConfig], logins: &Logins, context: &mut Context<'_>) {
    let at = Path::default().key("user_pools");
    let mut issuers = BTreeSet::new();
    for pool in pools {
        if !issuers.insert(pool.settings.issuer.as_str()) {
            let message = format!("the issuer `{}` is already used by another pool", pool.settings.issuer);
            context.found.problem(&at.key(&pool.settings.name).key("issuer"), message);
        }
    }
    hosts(pools, context);
    for (name, pool) in &raw.user_pools {
        let at = at.key(name);
        if let Some(rule) = logins.pool(name)
            && pool.applications.is_empty()
        {
            let problem = context.found.problem(&at, "`applications` is missing: a rule uses this pool");
            problem.hint(format!("add `applications: [https://app.example.com]`; the pool is used at {rule}"));
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
            && !context.found.concern(&at.key("issuer"))
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
fn applications(raw: &UserPool, issuer: Option<&Url>, at: &Path, context: &mut Context<'_>) -> Vec<Url> {
    let mut applications = Vec::with_capacity(raw.applications.len());
    for (index, text) in raw.applications.iter() {
        let at = at.key("applications").index(index);
        let Some(url) = value::origin(text, &at, &mut context.found) else { continue };
        if url.scheme() != "https" {
            context.found.problem(&at, format!("`{text}` is not `https`")).hint("session cookies need TLS");
        } else if issuer.is_some_and(|issuer| share_an_address(issuer, &url)) {
            context.found.problem(&at, "this application uses the host of the pool").hint(A_HOST_OF_ITS_OWN);
        }
        applications.push(url);
    }
    applications
}

fn users(raw: &List<User>, issuer: &str, at: &Path, context: &mut Context<'_>) -> Vec<UserSettings> {
    let mut names = BTreeSet::new();
    let mut subjects = BTreeSet::new();
    let mut users = Vec::with_capacity(raw.len());
    for (index, user) in raw.iter() {
        let at = at.index(index);
        let name = UserName::parse(&user.username);
        match &name {
            None => {
                context.found.problem(&at.key("username"), "this is not a valid user name");
            }
            // Compared case-insensitively: `ADA` is `ada` (attacks U-04).
            Some(name) if !names.insert(name.as_str().to_owned()) => {
                context.found.problem(&at.key("username"), format!("the user `{}` is defined twice", user.username));
            }
            Some(_) => {}
        }
        let folded = name.as_ref().map_or("", UserName::as_str);
        let subject = user.subject.clone().unwrap_or_else(|| made_subject(issuer, folded));
        // OIDC Core §2: at most 255 ASCII characters.
        if subject.is_empty() || subject.len() > 255 || !subject.bytes().all(|byte| byte.is_ascii_graphic()) {
            let problem = context.found.problem(&at.key("subject"), format!("`{subject}` is not a valid subject"));
            problem.hint("use at most 255 visible ASCII characters (OpenID Connect Core §2)");
        } else if !subjects.insert(subject.clone()) {
            context
                .found
                .problem(&at.key("subject"), format!("the subject `{subject}` is already used by another user"));
        }
        password_hash(&user.password_hash.0, &at.key("password_hash"), context);
        let claims = claims(user, &at, context);
        let password_hash = user.password_hash.0.clone();
        users.push(UserSettings { username: user.username.clone(), password_hash, subject, claims });
    }
    let costs = password::costs(users.iter().map(|user| &user.password_hash)).len();
    if costs > 1 {
        let message = format!("the password hashes have {costs} different costs; each sign-in computes all of them");
        let warning = context.found.warning(at, message);
        warning.hint(
            "otherwise the response time would reveal which users exist; hash all passwords with `vestibule users hash`",
        );
    }
    users
}

/// A stable subject for all restarts and replicas. It does not reveal the user name.
fn made_subject(issuer: &str, username: &str) -> String {
    let hash = digest::sha256(format!("vestibule subject\n{issuer}\n{username}").as_bytes());
    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn password_hash(hash: &Secret<String>, at: &Path, context: &mut Context<'_>) {
    if let Err(error) = password::check(hash) {
        context.found.problem(at, error.to_string()).hint("`vestibule users hash` prints one");
    }
}

fn claims(user: &User, at: &Path, context: &mut Context<'_>) -> Claims {
    let mut claims = Claims::new();
    for (name, value) in &user.claims {
        let at = at.key("claims").key(name);
        if RESERVED_CLAIMS.contains(&name.as_str()) {
            context.found.problem_at_key(&at, format!("the claim `{name}` is reserved: the pool sets it"));
        } else if matches!(name.as_str(), "email" | "name" | "groups") {
            context.found.problem_at_key(&at, format!("`{name}` is a setting of the user; set it there"));
        }
        claims.insert(name.clone(), value.clone());
    }
    let texts = [("name", &user.name), ("email", &user.email)];
    for (name, value) in texts {
        if let Some(value) = value {
            claims.insert(name.to_owned(), Value::from(value.as_str()));
        }
    }
    if !user.groups.is_empty() {
        claims.insert("groups".to_owned(), Value::from(user.groups.texts()));
    }
    claims
}

fn clients(raw: &List<Client>, has_rs256: bool, at: &Path, context: &mut Context<'_>) -> Vec<ClientSettings> {
    let rs256_default = raw.iter().any(|(_, client)| client.id_token_signed_response_alg.is_none());
    if rs256_default && !has_rs256 {
        let message = "ID tokens are signed only with ES256, but many relying parties support only RS256";
        let command = keys::signing_command(Algorithm::Rs256, "FILE");
        context.found.warning(at, message).hint(format!(
            "run `{command}` and set `rs256_signing_key_file: FILE`, or set `id_token_signed_response_alg: ES256` for each client"
        ));
    }
    let mut ids = BTreeSet::new();
    let mut clients = Vec::with_capacity(raw.len());
    for (index, client) in raw.iter() {
        let at = at.index(index);
        let id = client.client_id.as_str();
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            context.found.problem(&at.key("client_id"), format!("`{id}` is not a valid client ID"));
        } else if id == OWN_CLIENT_ID {
            let problem = context.found.problem(&at.key("client_id"), format!("the client ID `{id}` is reserved"));
            problem.hint("choose another one");
        } else if !ids.insert(id) {
            context.found.problem(&at.key("client_id"), format!("the client `{id}` is defined twice"));
        }
        let keys = ("client_secret", "client_secret_file");
        let secret =
            keys::secret(client.client_secret.as_ref(), client.client_secret_file.as_ref(), keys, &at, context);
        if client.redirect_uris.is_empty() {
            context.found.problem(&at.key("redirect_uris"), "expected at least one address");
        }
        let is_public = matches!(secret, Some(None));
        clients.push(ClientSettings {
            client_id: client.client_id.clone(),
            pkce: pkce(client.pkce, is_public, &at.key("pkce"), context),
            id_token_algorithm: id_token_algorithm(client, has_rs256, &at, context),
            begins_again: false,
            is_ours: false,
            client_secret: secret.flatten(),
            redirect_uris: urls(&client.redirect_uris, &at.key("redirect_uris"), context),
            post_logout_redirect_uris: urls(
                &client.post_logout_redirect_uris,
                &at.key("post_logout_redirect_uris"),
                context,
            ),
            name: client.name.clone(),
        });
    }
    clients
}

fn pkce(raw: Option<ClientPkce>, is_public: bool, at: &Path, context: &mut Context<'_>) -> Pkce {
    match raw {
        None if is_public => Pkce::Required,
        None | Some(ClientPkce::OrNonce) if !is_public => Pkce::OrNonce,
        Some(ClientPkce::Optional) if !is_public => {
            let warning = context.found.warning(at, "a stolen code is protected by the client secret only");
            warning.hint(
                "use `or_nonce`, the default, as soon as the relying party sends PKCE or a nonce (RFC 9700 §2.1.1)",
            );
            Pkce::Optional
        }
        Some(ClientPkce::Required) => Pkce::Required,
        _ => {
            let problem = context.found.problem(at, "a client without a secret must use PKCE");
            problem.hint("remove the setting, or set a client secret");
            Pkce::Required
        }
    }
}

fn id_token_algorithm(client: &Client, has_rs256: bool, at: &Path, context: &mut Context<'_>) -> Algorithm {
    match client.id_token_signed_response_alg {
        Some(SignatureAlgorithm::Es256) => Algorithm::Es256,
        Some(SignatureAlgorithm::Rs256) if !has_rs256 => {
            let at = at.key("id_token_signed_response_alg");
            let problem = context.found.problem(&at, "the pool has no key for RS256");
            problem.hint(format!(
                "add `rs256_signing_key_file: FILE`; `{}` creates the file",
                keys::signing_command(Algorithm::Rs256, "FILE")
            ));
            Algorithm::Es256
        }
        Some(SignatureAlgorithm::Rs256) => Algorithm::Rs256,
        // OpenID Connect Dynamic Client Registration §2: RS256 is the default.
        None if has_rs256 => Algorithm::Rs256,
        None => Algorithm::Es256,
    }
}

/// URLs that the pool redirects users to.
fn urls(raw: &List<String>, at: &Path, context: &mut Context<'_>) -> Vec<Url> {
    let mut urls = Vec::with_capacity(raw.len());
    for (index, text) in raw.iter() {
        let at = at.index(index);
        match Url::parse(text) {
            Ok(url) => {
                if let Err(error) = check_redirect_uri(&url) {
                    context
                        .found
                        .problem(&at, format!("`{text}` is not allowed as a redirect URI"))
                        .hint(error.to_string());
                }
                urls.push(url);
            }
            Err(_) => {
                context.found.problem(&at, format!("`{text}` is not a URL")).hint("write `https://host/path`");
            }
        }
    }
    urls
}

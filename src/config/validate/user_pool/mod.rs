//! `user_pools`.

mod account;
mod brand;
mod client_options;
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

pub(super) use domains::together as domains_together;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use url::Url;

use crate::claims;
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::keys::Kind;
use crate::config::raw;
use crate::config::raw::user_pool::{Client, ClientPkce, SignatureAlgorithm, Store, User, UserPool};
use crate::config::raw::value::List;
use crate::config::settled::UserPoolConfig;
use crate::config::validate::choice::Shown;
use crate::config::validate::context::{ClientSpeaks, Context};
use crate::config::validate::cookie_owners::CookieOwners;
use crate::config::validate::listener;
use crate::config::validate::user_pool::client_options::Known;
use crate::config::validate::{keys, process, value};
use crate::crypto::octets;
use crate::database::Vault;
use crate::identity::Claims;
use crate::jose::signing_key::Algorithm;
use crate::page;
use crate::secret::Secret;
use crate::session;
use crate::user_pool::credential::hasher::costs;
use crate::user_pool::credential::password;
use crate::user_pool::settings::{self, ClientSettings, Pkce, Settings, UserSettings};
use crate::user_pool::{UserName, check_redirect_uri};

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
    session: Result<&session::settings::Settings, Reported>,
    (usual_pages, shown): (&page::settings::Settings, &Shown),
    context: &mut Context<'_>,
) -> Result<UserPoolConfig, Reported> {
    let issuer = value::origin(&raw.issuer, &at.key("issuer"), &mut context.found);
    let signing = signing_keys::signing_keys(raw, at, context);
    let applications = applications(raw, issuer.as_ref().ok(), at, context);
    let users = users(&raw.users, &raw.issuer, &at.key("users"), context);
    let has_rs256 = raw.rs256_signing_key_file.is_some() || raw.signing_key_file.is_none();
    let known = client_options::known(raw, at, context);
    let clients = match &known {
        Ok(known) => clients(&raw.clients, has_rs256, known, &at.key("clients"), context),
        Err(reported) => Err(*reported),
    };
    let directory = directory::directory(raw, users.as_deref().unwrap_or_default(), at, context);
    let self_service = self_service::self_service(raw, at, context);
    let account = account::account(raw, directory.as_deref().ok(), at, context);
    let brand = brand::brand(raw, issuer.as_ref().ok(), usual_pages, at, context);
    let store = raw.store.as_ref().map(|raw| store(raw, &at.key("store"), context)).transpose();
    let policy_at = at.key("password_policy");
    let password_policy =
        password_policy::password_policy(raw.password_policy.as_ref(), raw.store.is_some(), &policy_at, context);
    let mfa = mfa::mfa(raw, at, context);
    let recovery = match (&mfa, &self_service) {
        (Ok(mfa), Ok(settings)) => mfa::recovery_is_possible(mfa, &settings.recovery, at, context),
        _ => Ok(()),
    };
    let messages = messages::messages(raw, at, context);
    let retention_at = at.key("retention");
    let retention = retention::retention(raw.retention.as_ref(), raw.store.is_some(), &retention_at, context);
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
        hashing_max: raw.hashing_max.unwrap_or_else(|| (process::cores() / 2).max(1)),
    };
    Ok(UserPoolConfig { settings, applications: applications? })
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

fn users(raw: &List<User>, issuer: &str, at: &Path, context: &mut Context<'_>) -> Result<Vec<UserSettings>, Reported> {
    let mut taken = Taken::default();
    let users = context.each_item(raw, at, |raw, at, context| user(raw, issuer, &mut taken, at, context))?;
    let costs = costs(users.iter().map(|user| &user.password_hash)).len();
    if costs > 1 {
        let message = format!("the password hashes have {costs} different costs; each sign-in computes all of them");
        let warning = context.found.warning(at, message);
        warning.hint(
            "otherwise the response time would reveal which users exist; hash all passwords with `vestibule users hash`",
        );
    }
    Ok(users)
}

/// Where each user name and each subject of a pool is first given.
#[derive(Default)]
struct Taken {
    names: BTreeMap<String, Path>,
    subjects: BTreeMap<String, Path>,
}

fn user(
    user: &User,
    issuer: &str,
    taken: &mut Taken,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<UserSettings, Reported> {
    let name = user_name(user, taken, &at.key("username"), context);
    let subject = match (&user.subject, &name) {
        (Some(subject), _) => Ok(subject.clone()),
        (None, Ok(name)) => Ok(made_subject(issuer, name.as_str())),
        (None, Err(reported)) => Err(*reported),
    };
    let subject = subject.and_then(|subject| self::subject(subject, taken, &at.key("subject"), context));
    let password_hash = password_hash(&user.password_hash.0, &at.key("password_hash"), context);
    let claims = claims(user, at, context);
    name?;
    Ok(UserSettings {
        username: user.username.clone(),
        password_hash: password_hash?,
        subject: subject?,
        claims: claims?,
    })
}

fn user_name(user: &User, taken: &mut Taken, at: &Path, context: &mut Context<'_>) -> Result<UserName, Reported> {
    let Some(name) = UserName::parse(&user.username) else {
        return context.found.problem(at, "this is not a valid user name").fail();
    };
    // Compared case-insensitively: `ADA` is `ada` (attacks U-04).
    match taken.names.insert(name.as_str().to_owned(), at.clone()) {
        None => Ok(name),
        Some(first) => {
            let problem = context.found.problem(at, format!("the user `{}` is defined twice", user.username));
            problem.label(&first, "first defined here").fail()
        }
    }
}

fn subject(subject: String, taken: &mut Taken, at: &Path, context: &mut Context<'_>) -> Result<String, Reported> {
    // OIDC Core §2: at most 255 ASCII characters.
    if subject.is_empty() || subject.len() > 255 || !subject.bytes().all(|byte| byte.is_ascii_graphic()) {
        let problem = context.found.problem(at, format!("`{subject}` is not a valid subject"));
        return problem.hint("use at most 255 visible ASCII characters (OpenID Connect Core §2)").fail();
    }
    match taken.subjects.insert(subject.clone(), at.clone()) {
        None => Ok(subject),
        Some(first) => {
            let message = format!("the subject `{subject}` is already used by another user");
            context.found.problem(at, message).label(&first, "first used here").fail()
        }
    }
}

/// A stable subject for all restarts and replicas. It does not reveal the user name.
fn made_subject(issuer: &str, username: &str) -> String {
    let hash = octets::sha256(format!("vestibule subject\n{issuer}\n{username}").as_bytes());
    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn password_hash(hash: &Secret<String>, at: &Path, context: &mut Context<'_>) -> Result<Secret<String>, Reported> {
    match password::check(hash) {
        Ok(()) => Ok(hash.clone()),
        Err(error) => context.found.problem(at, error.to_string()).hint("`vestibule users hash` prints one").fail(),
    }
}

fn claims(user: &User, at: &Path, context: &mut Context<'_>) -> Result<Claims, Reported> {
    let mut claims = Ok(Claims::new());
    for (name, value) in &user.claims {
        let at = at.key("claims").key(name);
        if RESERVED_CLAIMS.contains(&name.as_str()) {
            let message = format!("the claim `{name}` is reserved: the pool sets it");
            claims = context.found.problem_at_key(&at, message).fail();
        } else if matches!(name.as_str(), "email" | "name" | "groups") {
            let message = format!("`{name}` is a setting of the user; set it there");
            claims = context.found.problem_at_key(&at, message).fail();
        } else if let Ok(claims) = &mut claims {
            claims.insert(name.clone(), value.clone());
        }
    }
    let mut claims = claims?;
    let texts = [("name", &user.name), ("email", &user.email)];
    for (name, value) in texts {
        if let Some(value) = value {
            claims.insert(name.to_owned(), Value::from(value.as_str()));
        }
    }
    if !user.groups.is_empty() {
        claims.insert("groups".to_owned(), Value::from(user.groups.texts()));
    }
    Ok(claims)
}

fn clients(
    raw: &List<Client>,
    has_rs256: bool,
    known: &Known,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Vec<ClientSettings>, Reported> {
    let rs256_default = raw.iter().any(|(_, client)| client.id_token_signed_response_alg.is_none());
    if rs256_default && !has_rs256 {
        let message = "ID tokens are signed only with ES256, but many relying parties support only RS256";
        let command = Kind::Signing(Algorithm::Rs256).command("FILE");
        context.found.warning(at, message).hint(format!(
            "run `{command}` and set `rs256_signing_key_file: FILE`, or set `id_token_signed_response_alg: ES256` for each client"
        ));
    }
    let mut ids = BTreeMap::new();
    context.each_item(raw, at, |raw, at, context| client(raw, has_rs256, known, &mut ids, at, context))
}

fn client(
    client: &Client,
    has_rs256: bool,
    known: &Known,
    ids: &mut BTreeMap<String, Path>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<ClientSettings, Reported> {
    let id = client_id(&client.client_id, ids, &at.key("client_id"), context);
    let keys = ("client_secret", "client_secret_file");
    let secret = keys::secret(client.client_secret.as_ref(), client.client_secret_file.as_ref(), keys, at, context);
    let is_public = matches!(secret, Ok(None));
    let pkce = pkce(client.pkce, is_public, &at.key("pkce"), context);
    let id_token_algorithm = id_token_algorithm(client, has_rs256, at, context);
    let redirect_uris = urls(&client.redirect_uris, &at.key("redirect_uris"), context);
    let options = client_options::client_options(client, (known, is_public), at, context);
    if client.redirect_uris.is_empty() && options.as_ref().is_ok_and(|options| options.grant_types.has_code()) {
        context.found.problem(&at.key("redirect_uris"), "expected at least one address");
    }
    let resources = resources(&client.resources, &at.key("resources"), context);
    let after_sign_out = urls(&client.post_logout_redirect_uris, &at.key("post_logout_redirect_uris"), context);
    Ok(ClientSettings {
        client_id: id?,
        client_secret: secret?,
        pkce: pkce?,
        id_token_algorithm: id_token_algorithm?,
        begins_again: false,
        is_ours: false,
        redirect_uris: redirect_uris?,
        post_logout_redirect_uris: after_sign_out?,
        resources: resources?,
        name: client.name.clone(),
        options: options?,
    })
}

fn client_id(
    id: &str,
    ids: &mut BTreeMap<String, Path>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<String, Reported> {
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return context.found.problem(at, format!("`{id}` is not a valid client ID")).fail();
    }
    if id == OWN_CLIENT_ID {
        let problem = context.found.problem(at, format!("the client ID `{id}` is reserved"));
        return problem.hint("choose another one").fail();
    }
    match ids.insert(id.to_owned(), at.clone()) {
        None => Ok(id.to_owned()),
        Some(first) => {
            let problem = context.found.problem(at, format!("the client `{id}` is defined twice"));
            problem.label(&first, "first defined here").fail()
        }
    }
}

fn pkce(raw: Option<ClientPkce>, is_public: bool, at: &Path, context: &mut Context<'_>) -> Result<Pkce, Reported> {
    match raw {
        None if is_public => Ok(Pkce::Required),
        None | Some(ClientPkce::OrNonce) if !is_public => Ok(Pkce::OrNonce),
        Some(ClientPkce::Optional) if !is_public => {
            let warning = context.found.warning(at, "a stolen code is protected by the client secret only");
            warning.hint(
                "use `or_nonce`, the default, as soon as the relying party sends PKCE or a nonce (RFC 9700 §2.1.1)",
            );
            Ok(Pkce::Optional)
        }
        Some(ClientPkce::Required) => Ok(Pkce::Required),
        _ => {
            let problem = context.found.problem(at, "a client without a secret must use PKCE");
            problem.hint("remove the setting, or set a client secret").fail()
        }
    }
}

fn id_token_algorithm(
    client: &Client,
    has_rs256: bool,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Algorithm, Reported> {
    match client.id_token_signed_response_alg {
        Some(SignatureAlgorithm::Es256) => Ok(Algorithm::Es256),
        Some(SignatureAlgorithm::Rs256) if !has_rs256 => {
            let at = at.key("id_token_signed_response_alg");
            let problem = context.found.problem(&at, "the pool has no key for RS256");
            let command = Kind::Signing(Algorithm::Rs256).command("FILE");
            problem.hint(format!("add `rs256_signing_key_file: FILE`; `{command}` creates the file")).fail()
        }
        Some(SignatureAlgorithm::Rs256) => Ok(Algorithm::Rs256),
        // OpenID Connect Dynamic Client Registration §2: RS256 is the default.
        None if has_rs256 => Ok(Algorithm::Rs256),
        None => Ok(Algorithm::Es256),
    }
}

/// What a client may ask tokens for. RFC 8707 §2: absolute, and without a fragment.
fn resources(raw: &List<String>, at: &Path, context: &mut Context<'_>) -> Result<Vec<Url>, Reported> {
    value::each(raw, at, &mut context.found, |text, at, found| {
        let url = value::secure_url(text, at, found)?;
        if url.query().is_some() {
            let problem = found.problem(at, format!("`{text}` has a query"));
            return problem.hint("write the address of the application, as `https://app.example.com`").fail();
        }
        Ok(url)
    })
}

/// URLs that the pool redirects users to.
fn urls(raw: &List<String>, at: &Path, context: &mut Context<'_>) -> Result<Vec<Url>, Reported> {
    value::each(raw, at, &mut context.found, |text, at, found| {
        let Ok(url) = Url::parse(text) else {
            return found.problem(at, format!("`{text}` is not a URL")).hint("write `https://host/path`").fail();
        };
        match check_redirect_uri(&url) {
            Ok(()) => Ok(url),
            Err(error) => {
                let problem = found.problem(at, format!("`{text}` is not allowed as a redirect URI"));
                problem.hint(error.to_string()).fail()
            }
        }
    })
}

//! `authenticate-oidc` and `authenticate-cognito` (ALB §1.1, §1.2).

use std::time::Duration;

use url::Url;

use crate::import::draft::{Draft, Login, Need};
use crate::import::ledger::{At, Ledger};
use crate::import::yaml::{Map, Yaml};

/// ALB §1.1; also the longest session of Vestibule.
const TIMEOUT_MAX: u64 = 604_800;
/// The name of the session cookie that a load balancer uses if none is set.
const DEFAULT_COOKIE: &str = "AWSELBAuthSessionCookie";

/// Carries over an action that authenticates.
///
/// # Errors
///
/// In a sentence, if it cannot be carried over: the rule has to be closed.
pub(in crate::import) fn login(
    item: &At<'_>,
    kind: &str,
    draft: &mut Draft,
    ledger: &mut Ledger,
) -> Result<Login, String> {
    let (config, provider) = if kind == "authenticate-oidc" {
        let config = item.get("AuthenticateOidcConfig").ok_or("the action has no AuthenticateOidcConfig")?;
        let provider = oidc(&config, draft, ledger)?;
        (config, provider)
    } else {
        let config = item.get("AuthenticateCognitoConfig").ok_or("the action has no AuthenticateCognitoConfig")?;
        let provider = cognito(&config, draft, ledger)?;
        (config, provider)
    };
    session(&config, provider, ledger)
}

/// A provider of that name, whose secret is in a file.
pub(in crate::import) fn provider(draft: &mut Draft, wanted: &str, settings: Map) -> String {
    let name = draft.provider(wanted, settings);
    let file = format!("keys/{name}-client-secret");
    if let Some((_, settings)) = draft.providers.iter_mut().find(|(known, _)| *known == name)
        && settings.get("client_secret").is_none()
        && settings.get("client_secret_file").is_none()
    {
        settings.set("client_secret_file", Yaml::File(file.clone()));
        draft.needs(&file, Need::ClientSecret);
    }
    name
}

fn oidc(config: &At<'_>, draft: &mut Draft, ledger: &mut Ledger) -> Result<String, String> {
    let issuer = config.text("Issuer").ok_or("the provider has no Issuer")?;
    let mut settings = Map::default().with("issuer", issuer);
    for (key, name) in [
        ("Issuer", "issuer"),
        ("ClientId", "client_id"),
        ("AuthorizationEndpoint", "authorization_endpoint"),
        ("TokenEndpoint", "token_endpoint"),
        ("UserInfoEndpoint", "userinfo_endpoint"),
    ] {
        let Some(at) = config.get(key) else { continue };
        settings.set(name, at.value.as_str().ok_or_else(|| format!("{key} is no text"))?);
        ledger.kept(&at.path, &format!("identity_providers[].{name}"));
    }
    for key in ["ClientSecret", "UseExistingClientSecret"] {
        if let Some(at) = config.get(key) {
            ledger.changed(&at.path, "the client secret is read from a file, which you have to write");
        }
    }
    if settings.get("client_id").is_none() {
        return Err("the provider has no ClientId".to_owned());
    }
    Ok(provider_once(draft, &host_of(issuer), settings))
}

/// The same provider has the same name, although the first one got the file of its secret already.
fn provider_once(draft: &mut Draft, wanted: &str, settings: Map) -> String {
    let is_same = |known: &Map| {
        ["issuer", "client_id", "authorization_endpoint", "token_endpoint", "userinfo_endpoint"]
            .iter()
            .all(|key| known.get(key) == settings.get(key))
    };
    match draft.providers.iter().find(|(_, known)| is_same(known)) {
        Some((name, _)) => name.clone(),
        None => provider(draft, wanted, settings),
    }
}

/// `login.example.com` for `https://login.example.com/realms/a`.
pub(in crate::import) fn host_of(url: &str) -> String {
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_else(|| "provider".to_owned())
}

fn cognito(config: &At<'_>, draft: &mut Draft, ledger: &mut Ledger) -> Result<String, String> {
    let arn = config.get("UserPoolArn").ok_or("the user pool has no UserPoolArn")?;
    // arn:aws:cognito-idp:REGION:ACCOUNT:userpool/POOL
    let mut parts = arn.value.as_str().unwrap_or_default().splitn(6, ':').skip(3);
    let (region, pool) = (parts.next(), parts.nth(1).and_then(|resource| resource.strip_prefix("userpool/")));
    let (Some(region), Some(pool)) = (region, pool) else {
        return Err("UserPoolArn is no ARN of a user pool".to_owned());
    };
    let client = config.get("UserPoolClientId").ok_or("the user pool has no UserPoolClientId")?;
    let issuer = format!("https://cognito-idp.{region}.amazonaws.com/{pool}");
    let mut settings = Map::default().with("issuer", issuer.as_str());
    settings.set("client_id", client.value.as_str().ok_or("UserPoolClientId is no text")?);
    settings.set("logout", "cognito");
    ledger.kept(&arn.path, "identity_providers[].issuer");
    ledger.kept(&client.path, "identity_providers[].client_id");
    for key in ["UserPoolDomain", "UserPoolDomainName"] {
        if let Some(at) = config.get(key) {
            ledger.changed(&at.path, "read from the metadata of the user pool");
        }
    }
    Ok(provider_once(draft, &format!("cognito-{pool}"), settings))
}

fn session(config: &At<'_>, provider: String, ledger: &mut Ledger) -> Result<Login, String> {
    let mut login = Login { provider, ..Login::default() };
    let settings = &mut login.settings;
    if let Some(at) = config.get("Scope") {
        let scope = at.value.as_str().ok_or("Scope is no text")?;
        let words: Vec<&str> = scope.split_whitespace().collect();
        if words.contains(&"openid") {
            settings.set("scope", words.join(" "));
            ledger.kept(&at.path, "scope");
        } else {
            settings.set("scope", format!("openid {}", words.join(" ")).trim_end());
            ledger.changed(&at.path, "with `openid`: without it there is no ID token");
        }
    }
    if let Some(at) = config.get("SessionTimeout") {
        let seconds = config.number("SessionTimeout").ok_or("SessionTimeout is no number")?;
        settings.set("session_timeout", Duration::from_secs(seconds.clamp(1, TIMEOUT_MAX)));
        if seconds > TIMEOUT_MAX {
            ledger.changed(&at.path, "7 days, which is the longest session");
        } else {
            ledger.kept(&at.path, "session_timeout");
        }
    }
    if let Some(at) = config.get("OnUnauthenticatedRequest") {
        let choice = at.value.as_str().unwrap_or_default();
        if !matches!(choice, "authenticate" | "deny" | "allow") {
            return Err(format!("OnUnauthenticatedRequest is `{choice}`"));
        }
        settings.set("on_unauthenticated_request", choice);
        if choice == "deny" {
            // The load balancer answers an expired session with a redirect also with `deny` (ALB §2.1).
            settings.set("on_expired_session", "authenticate");
        }
        ledger.kept(&at.path, "on_unauthenticated_request");
    }
    if let Some(at) = config.get("SessionCookieName") {
        let name = at.value.as_str().ok_or("SessionCookieName is no text")?;
        if name == DEFAULT_COOKIE {
            ledger.changed(&at.path, "the cookie of Vestibule; users sign in once more");
        } else {
            login.cookie = Some(name.to_owned());
            ledger.kept(&at.path, "session_cookie_name; users sign in once more");
        }
    }
    if let Some(at) = config.get("AuthenticationRequestExtraParams") {
        let mut params = Map::default();
        for (name, value) in at.entries() {
            params.set(name, value.value.as_str().ok_or("an extra parameter is no text")?);
        }
        if !params.is_empty() {
            login.settings.set("authentication_request_extra_params", params);
        }
        ledger.kept(&at.path, "authentication_request_extra_params");
    }
    Ok(login)
}

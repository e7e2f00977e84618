//! The sign-in of a host: provider, session, and what targets are told of a user.

use std::time::Duration;

use crate::import::apache::scope::{Host, Place};
use crate::import::apache::tree::Directive;
use crate::import::draft::{Draft, Login, Need};
use crate::import::elbv2::login::{host_of, provider};
use crate::import::ledger::Ledger;
use crate::import::yaml::{Map, Yaml};

const WELL_KNOWN: &str = "/.well-known/openid-configuration";
/// `OIDCSessionMaxDuration` where none is set.
const SESSION: Duration = Duration::from_secs(8 * 3600);
/// The longest session of Vestibule.
const SESSION_MAX: Duration = Duration::from_secs(7 * 86_400);
/// In place of a session that ends with its ID token, whose lifetime is not known.
const SESSION_OF_A_TOKEN: Duration = Duration::from_secs(3600);

/// Providers that were made, by their settings without the secret.
#[derive(Debug, Default)]
pub(super) struct Providers {
    made: Vec<(Map, String)>,
}

impl Providers {
    /// The name of the provider of a host.
    ///
    /// # Errors
    ///
    /// In a sentence: nobody can sign in.
    pub(super) fn of(&mut self, host: &Host<'_>, draft: &mut Draft, ledger: &mut Ledger) -> Result<String, String> {
        for name in ["oidcmetadatadir", "oidcdiscoverurl"] {
            if let Some(directive) = host.last(name) {
                let why = "several providers: write them into identity_providers";
                ledger.dropped(&directive.path, why);
                return Err(why.to_owned());
            }
        }
        let mut settings = endpoints(host, ledger)?;
        callback(host, &mut settings, ledger)?;
        let is_public = client(host, &mut settings, draft, ledger)?;
        if let Some((_, name)) = self.made.iter().find(|(known, _)| *known == settings) {
            return Ok(name.clone());
        }
        let issuer = match settings.get("issuer") {
            Some(Yaml::Text(issuer)) => host_of(issuer),
            _ => "provider".to_owned(),
        };
        let name = if is_public {
            draft.provider(&issuer, settings.clone())
        } else {
            provider(draft, &issuer, settings.clone())
        };
        self.made.push((settings, name.clone()));
        Ok(name)
    }
}

/// The issuer and its endpoints.
fn endpoints(host: &Host<'_>, ledger: &mut Ledger) -> Result<Map, String> {
    let metadata = host.text("oidcprovidermetadataurl");
    let issuer = host.text("oidcproviderissuer").or(metadata.and_then(|url| url.strip_suffix(WELL_KNOWN)));
    let issuer = issuer.ok_or("the issuer is not known: set OIDCProviderIssuer")?;
    let mut settings = Map::default().with("issuer", issuer);
    if let Some(directive) = host.last("oidcprovidermetadataurl") {
        if metadata.is_some_and(|url| url != format!("{issuer}{WELL_KNOWN}")) {
            settings.set("discovery_url", directive.word(0));
            ledger.kept(&directive.path, "identity_providers[].discovery_url");
        } else {
            let what = "identity_providers[].issuer: it has to be exactly the issuer in the metadata, with a slash at its end if there is one";
            ledger.changed(&directive.path, what);
        }
    }
    for (directive, key) in [
        ("oidcproviderissuer", "issuer"),
        ("oidcproviderauthorizationendpoint", "authorization_endpoint"),
        ("oidcprovidertokenendpoint", "token_endpoint"),
        ("oidcprovideruserinfoendpoint", "userinfo_endpoint"),
        ("oidcproviderjwksuri", "jwks_uri"),
        ("oidcproviderendsessionendpoint", "end_session_endpoint"),
    ] {
        let Some(directive) = host.last(directive) else { continue };
        settings.set(key, directive.word(0));
        ledger.kept(&directive.path, &format!("identity_providers[].{key}"));
    }
    Ok(settings)
}

/// The redirect URI that is registered with the provider.
fn callback(host: &Host<'_>, settings: &mut Map, ledger: &mut Ledger) -> Result<(), String> {
    let directive = host.last("oidcredirecturi").ok_or("there is no OIDCRedirectURI")?;
    let text = directive.word(0);
    let (path, other) = match url::Url::parse(text) {
        Ok(url) => (url.path().to_owned(), url.host_str().map(str::to_owned)),
        Err(_) => (text.to_owned(), None),
    };
    if !path.starts_with('/') || path.len() < 2 {
        return Err("the path of OIDCRedirectURI is not known".to_owned());
    }
    settings.set("callback_path", path);
    match other.filter(|other| host.text("servername").is_some_and(|name| name != other)) {
        Some(other) => {
            let what = format!("callback_path, on every host: not only on {other}. Register it for each host");
            ledger.changed(&directive.path, &what);
        }
        None => {
            ledger.kept(&directive.path, "callback_path; ?logout and ?info are /oauth2/sign_out and /oauth2/userinfo")
        }
    }
    Ok(())
}

/// The client of the provider. Whether it has no secret.
fn client(host: &Host<'_>, settings: &mut Map, draft: &mut Draft, ledger: &mut Ledger) -> Result<bool, String> {
    let id = host.last("oidcclientid").ok_or("there is no OIDCClientID")?;
    settings.set("client_id", id.word(0));
    ledger.kept(&id.path, "identity_providers[].client_id");
    let method = host.last("oidcprovidertokenendpointauth");
    let is_public = host.last("oidcclientsecret").is_none() || method.is_some_and(|method| method.word(0) == "none");
    if let Some(method) = method {
        match method.word(0) {
            word @ ("client_secret_basic" | "client_secret_post" | "none") => {
                if !is_public {
                    settings.set("token_endpoint_auth_method", word);
                }
                ledger.kept(&method.path, "identity_providers[].token_endpoint_auth_method");
            }
            other => {
                let why = format!("Vestibule does not authenticate itself by `{other}` at a token endpoint");
                ledger.dropped(&method.path, &why);
                return Err(why);
            }
        }
    }
    if is_public {
        settings.set("token_endpoint_auth_method", "none");
    }
    if let Some(secret) = host.last("oidcclientsecret") {
        ledger.changed(&secret.path, "a file, which you have to write");
    }
    if let Some(pkce) = host.last("oidcpkcemethod") {
        match pkce.word(0) {
            "S256" => ledger.kept(&pkce.path, "PKCE with S256 is always used"),
            _ => ledger.changed(&pkce.path, "PKCE with S256: if the provider does not know it, set pkce: off"),
        }
    }
    if let Some(bundle) = host.last("oidccabundlepath") {
        let file = bundle.word(0).to_owned();
        settings.set("ca_file", Yaml::File(file.clone()));
        draft.needs(&file, Need::Authorities { lists: Vec::new(), what: "those of OIDCCABundlePath".to_owned() });
        ledger.kept(&bundle.path, "identity_providers[].ca_file");
    }
    Ok(is_public)
}

/// The last directive of the places of a path, or of the host.
pub(super) fn nearest<'t>(host: &Host<'t>, places: &[&Place<'t>], name: &str) -> Option<&'t Directive> {
    places.iter().rev().find_map(|place| place.last(name)).or_else(|| host.last(name))
}

/// The sign-in of a path.
///
/// # Errors
///
/// In a sentence: the rule has to be closed.
pub(super) fn login(
    host: &Host<'_>,
    places: &[&Place<'_>],
    provider: String,
    has_requirement: bool,
    ledger: &mut Ledger,
) -> Result<Login, String> {
    let mut login = Login { provider, ..Login::default() };
    let mut scopes: Vec<&str> = Vec::new();
    for (name, default) in [("oidcscope", "openid"), ("oidcpathscope", "")] {
        let directive = nearest(host, places, name);
        if let Some(directive) = directive {
            if directive.words.iter().any(|word| word.contains("%{")) {
                return Err(format!("{}: expressions are not carried over", directive.path));
            }
            ledger.kept(&directive.path, "scope");
        }
        scopes.extend(directive.map_or(default, |directive| directive.word(0)).split_whitespace());
    }
    if !scopes.contains(&"openid") {
        scopes.insert(0, "openid");
    }
    login.settings.set("scope", scopes.join(" "));
    login.settings.set("session_timeout", timeout(host, ledger)?);
    unauthenticated(nearest(host, places, "oidcunauthaction"), has_requirement, &mut login.settings, ledger)?;
    if let Some(directive) = host.last("oidccookiesamesite") {
        let value = match directive.word(0).to_ascii_lowercase().as_str() {
            "off" | "none" => "none",
            "strict" => "strict",
            _ => "lax",
        };
        login.settings.set("session_cookie_same_site", value);
        ledger.kept(&directive.path, "session_cookie_same_site");
    }
    if let Some(directive) = nearest(host, places, "oidccookie") {
        login.cookie = Some(directive.word(0).to_owned());
        ledger.kept(&directive.path, "session_cookie_name; users sign in once more");
    }
    let mut params = Map::default();
    for name in ["oidcauthrequestparams", "oidcpathauthrequestparams"] {
        let Some(directive) = nearest(host, places, name) else { continue };
        for (key, value) in url::form_urlencoded::parse(directive.word(0).as_bytes()) {
            // `#` is a parameter of the request, `%{…}` an expression.
            if value == "#" || directive.word(0).contains("%{") {
                ledger.changed(&directive.path, "without what depends on the request");
            } else {
                params.set(&key, value.as_ref());
            }
        }
        ledger.kept(&directive.path, "authentication_request_extra_params");
    }
    if !params.is_empty() {
        login.settings.set("authentication_request_extra_params", params);
    }
    Ok(login)
}

fn timeout(host: &Host<'_>, ledger: &mut Ledger) -> Result<Duration, String> {
    let Some(directive) = host.last("oidcsessionmaxduration") else { return Ok(SESSION) };
    let seconds: u64 = directive.word(0).parse().map_err(|_| format!("{}: no number of seconds", directive.path))?;
    let timeout = Duration::from_secs(seconds);
    if timeout.is_zero() {
        ledger.changed(&directive.path, "session_timeout: one hour in place of the lifetime of the ID token");
        return Ok(SESSION_OF_A_TOKEN);
    }
    if timeout > SESSION_MAX {
        ledger.changed(&directive.path, "session_timeout: 7 days, which is the longest session");
        return Ok(SESSION_MAX);
    }
    ledger.kept(&directive.path, "session_timeout");
    Ok(timeout)
}

/// `OIDCUnAuthAction`.
fn unauthenticated(
    directive: Option<&Directive>,
    has_requirement: bool,
    settings: &mut Map,
    ledger: &mut Ledger,
) -> Result<(), String> {
    let Some(directive) = directive else { return Ok(()) };
    let has_expression = directive.words.len() > 1;
    match directive.word(0) {
        "auth" => {}
        "pass" if has_expression => {
            return Err("requests pass without a user if an expression is met (OIDCUnAuthAction)".to_owned());
        }
        // Who asks for a claim refuses everybody without a user.
        "pass" if has_requirement => {
            settings.set("on_unauthenticated_request", "deny");
        }
        "pass" => {
            settings.set("on_unauthenticated_request", "allow");
        }
        // The others are sent to the provider, and those for which it is met are answered 401 here, too: they do not navigate.
        "401" | "403" | "407" | "410" if has_expression => {
            ledger.changed(&directive.path, "without the expression: what is no navigation is answered 401");
        }
        "401" | "403" | "407" | "410" => {
            settings.set("on_unauthenticated_request", "deny");
            // An expired session is answered like no session.
            ledger.kept(&directive.path, "on_unauthenticated_request: deny, with 401");
        }
        other => return Err(format!("OIDCUnAuthAction is `{other}`")),
    }
    ledger.kept(&directive.path, "on_unauthenticated_request");
    Ok(())
}

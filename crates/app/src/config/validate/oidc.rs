//! `identity_providers`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::backchannel::network;
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::oidc::{self as written, IdentityProvider};
use crate::config::settled::ProviderConfig;
use crate::config::validate::context::Context;
use crate::config::validate::{keys, session, value};
use crate::crypto::provider;
use crate::oidc::settings::{Binding, ClientAuth, Endpoints, Graph, Logout, Settings, Userinfo};
use crate::secret::Secret;

const CALLBACK_PATH_LENGTH_MAX: usize = 128;
/// With less, every request would refresh. With more, a disabled user would stay signed in too long.
const TOKEN_LIFETIME_BOUNDS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(24 * 3600));
/// With more, a token that was revoked would be accepted for too long.
const INTROSPECTION_CACHE_BOUNDS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));
const TIMEOUT_BOUNDS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(120));

pub(super) fn provider(
    name: &str,
    raw: &IdentityProvider,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<ProviderConfig, Reported> {
    let plain_hosts = insecure_http_hosts(raw, at, context);
    let issuer = issuer(&raw.issuer, &plain_hosts, &at.key("issuer"), context);
    if raw.client_id.is_empty() {
        context.found.problem(&at.key("client_id"), "the client id is empty");
    }
    let client_secret = client_secret(raw, at, context);
    let endpoints = endpoints(raw, &plain_hosts, at, context);
    let graph = graph(raw, &plain_hosts, at, context);
    let bindings = bindings(raw, at, context);
    let callback_path = callback_path(raw, at, context);
    let roots = match &raw.ca_file {
        Some(file) => keys::roots(file, &at.key("ca_file"), context).map(Some),
        None => system_roots_exist(&raw.issuer, at, context).map(|()| None),
    };
    let lifetime_at = at.key("default_token_lifetime");
    let lifetime = value::period(&raw.default_token_lifetime, TOKEN_LIFETIME_BOUNDS, &lifetime_at, &mut context.found);
    let timeout = value::period(&raw.timeout, TIMEOUT_BOUNDS, &at.key("timeout"), &mut context.found);
    let cache_at = at.key("introspection_cache");
    let cache = value::period(&raw.introspection_cache, INTROSPECTION_CACHE_BOUNDS, &cache_at, &mut context.found);
    bindings?;
    let settings = Settings {
        name: Arc::from(name),
        issuer: issuer?,
        signs_in: true,
        client_id: raw.client_id.clone(),
        client_secret: client_secret?,
        token_endpoint_auth_method: raw.token_endpoint_auth_method.map(client_auth),
        endpoints: endpoints?,
        callback_path: callback_path?,
        insecure_http_hosts: plain_hosts,
        pkce: binding(raw.pkce),
        nonce: binding(raw.nonce),
        userinfo: match raw.userinfo {
            written::Userinfo::Auto => Userinfo::Auto,
            written::Userinfo::Never => Userinfo::Never,
        },
        graph: graph?,
        introspects: false,
        introspection_cache: cache?,
        logout: match raw.logout {
            written::Logout::Auto => Logout::Auto,
            written::Logout::Cognito => Logout::Cognito,
            written::Logout::Never => Logout::Never,
        },
        default_token_lifetime: lifetime?,
        timeout: timeout?,
    };
    Ok(ProviderConfig { settings, roots: roots? })
}

/// Without this check, a container without root certificates would start, and every sign-in would fail.
fn system_roots_exist(issuer: &str, at: &Path, context: &mut Context<'_>) -> Result<(), Reported> {
    if issuer.starts_with("https://") && provider::system_roots().is_empty() {
        let problem = context.found.problem(at, "the system has no root certificates to verify the provider with");
        return problem.hint("install them (Debian: `ca-certificates`), or set `ca_file`").fail();
    }
    Ok(())
}

/// Hosts that the operator allows to be called over plain HTTP. Each causes a warning, because it is unsafe on a
/// shared network.
fn insecure_http_hosts(raw: &IdentityProvider, at: &Path, context: &mut Context<'_>) -> Vec<Box<str>> {
    let mut hosts = Vec::new();
    for (index, text) in raw.insecure_http_hosts.iter() {
        let at = at.key("insecure_http_hosts").index(index);
        let url = Url::parse(&format!("http://{text}/")).ok();
        let is_plain = |url: &Url| url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let has_no_user = |url: &Url| url.username().is_empty() && url.password().is_none();
        let authority = url.filter(|url| is_plain(url) && has_no_user(url)).and_then(|url| network::authority(&url));
        let Some(host) = authority.filter(|_| !text.contains(['/', '*'])) else {
            let problem = context.found.problem(&at, format!("`{text}` is not a host or `host:port`"));
            problem.hint("write `keycloak` or `keycloak:8080`");
            continue;
        };
        let warning = format!("`{host}` is called over plain HTTP: anyone on that network can sign in as any user");
        context.found.warning(&at, warning).hint("use `https`; set `ca_file` for a private certificate authority");
        hosts.push(host);
    }
    hosts
}

/// Warns about what is lost without PKCE or nonce. A client without a secret has no other protection.
fn bindings(raw: &IdentityProvider, at: &Path, context: &mut Context<'_>) -> Result<(), Reported> {
    let (pkce, nonce) = (raw.pkce == written::Binding::Off, raw.nonce == written::Binding::Off);
    if pkce && raw.token_endpoint_auth_method == Some(written::ClientAuth::None) {
        let problem =
            context.found.problem(&at.key("pkce"), "`pkce: off` is not allowed for a client without a secret");
        return problem.hint("anyone who sees an authorization code could redeem it (RFC 9700 §2.1.1)").fail();
    }
    if pkce {
        let what = "without PKCE, a stolen authorization code may be accepted in a sign-in";
        let rest = if nonce {
            "only `state` is left, because `nonce` is off too"
        } else {
            "`nonce` still detects most of that"
        };
        context
            .found
            .warning(&at.key("pkce"), what)
            .hint(format!("{rest}; use `required` if the provider supports it"));
    }
    if nonce {
        let what = "without a nonce, an ID token of another sign-in may be accepted";
        let rest = if pkce { "only `state` is left, because `pkce` is off too" } else { "PKCE still binds the code" };
        context
            .found
            .warning(&at.key("nonce"), what)
            .hint(format!("{rest}; use `required` if the provider supports it"));
    }
    Ok(())
}

fn callback_path(raw: &IdentityProvider, at: &Path, context: &mut Context<'_>) -> Result<Option<Arc<str>>, Reported> {
    let Some(path) = raw.callback_path.as_deref() else { return Ok(None) };
    if path.len() > CALLBACK_PATH_LENGTH_MAX || !session::is_plain_path(path) {
        let problem = context.found.problem(&at.key("callback_path"), format!("`{path}` is not a valid callback path"));
        return problem
            .hint(
                "example: `/oauth2/idpresponse/corp`; use letters, digits, `-`, `_`, `.` and `~` between slashes, no slash at the end",
            )
            .fail();
    }
    Ok(Some(Arc::from(path)))
}

/// Warns about a provider that has its callback path in common with another issuer (RFC 9700 §4.4.2). A malicious or
/// compromised provider could make the proxy send it the authorization code of the other one ("mix-up"). The file does not
/// tell whether each of them sends `iss`, which also prevents this. Two clients of one issuer are no danger to each other,
/// and the user pools always send `iss`.
pub(super) fn shared_callbacks(used: &[&Settings], default: &str, context: &mut Context<'_>) {
    if context.found.verdict().is_err() {
        return;
    }
    let path = |provider: &Settings| provider.callback_path.as_deref().unwrap_or(default).to_owned();
    for (index, provider) in used.iter().enumerate() {
        let shares = |other: &&&Settings| path(other) == path(provider) && other.issuer != provider.issuer;
        let Some(other) = used[..index].iter().find(shares) else { continue };
        let at = Path::default().key("identity_providers").key(&provider.name);
        let message = format!(
            "`{}` and `{}` have the same callback path `{}`: one of them, if malicious, could obtain authorization codes \
             of the other",
            other.name,
            provider.name,
            path(provider),
        );
        let hint = format!(
            "set `callback_path: {default}/{}`, and register that address with the provider; you need not if both send \
             `iss` (RFC 9207)",
            provider.name
        );
        let other = Path::default().key("identity_providers").key(&other.name);
        context.found.warning(&at, message).label(&other, "the other one").hint(hint);
    }
}

fn binding(raw: written::Binding) -> Binding {
    match raw {
        written::Binding::Required => Binding::Required,
        written::Binding::Off => Binding::Off,
    }
}

fn issuer(text: &str, plain_hosts: &[Box<str>], at: &Path, context: &mut Context<'_>) -> Result<String, Reported> {
    let url = value::provider_url(text, plain_hosts, at, &mut context.found)?;
    if url.query().is_some() {
        let problem = context.found.problem(at, format!("the issuer `{text}` has a query"));
        return problem.hint("OpenID Connect Core §2 forbids it").fail();
    }
    if let Some(issuer) = text.strip_suffix("/.well-known/openid-configuration") {
        let problem = context.found.problem(at, "this is the URL of the metadata, not the issuer");
        return problem.hint(format!("write `{issuer}`")).fail();
    }
    Ok(text.to_owned())
}

/// Warns about an issuer that was copied from the documentation: these names are reserved for examples (RFC 2606 §2,
/// §3).
pub(super) fn placeholder(name: &str, raw: &IdentityProvider, context: &mut Context<'_>) {
    let url = Url::parse(&raw.issuer).ok();
    if url.as_ref().and_then(Url::host_str).is_some_and(is_placeholder) {
        let at = Path::default().key("identity_providers").key(name).key("issuer");
        context.found.warning(&at, "this issuer is a placeholder").hint("write the issuer of your provider");
    }
}

fn is_placeholder(host: &str) -> bool {
    let is_or_is_below = |name: &str| host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
    ["example.com", "example.net", "example.org", "example", "invalid"].into_iter().any(is_or_is_below)
}

/// A provider that expects a secret refuses every sign-in without one, so a public client must be declared.
fn client_secret(
    raw: &IdentityProvider,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Option<Secret<String>>, Reported> {
    let keys = ("client_secret", "client_secret_file");
    let secret = keys::secret(raw.client_secret.as_ref(), raw.client_secret_file.as_ref(), keys, at, context)?;
    let public = raw.token_endpoint_auth_method == Some(written::ClientAuth::None);
    match (&secret, public) {
        (Some(_), true) => {
            let at = at.key("token_endpoint_auth_method");
            let problem = context.found.problem(&at, "a client secret is set, but `none` does not send it");
            problem.hint("remove one of the two").fail()
        }
        (None, false) => Err(context.found.concern_keys_of(at).unwrap_or_else(|| {
            let problem = context.found.problem(at, "the provider has no client secret");
            problem
                .hint("set `client_secret_file`, or `token_endpoint_auth_method: none` for a public client")
                .reported()
        })),
        _ => Ok(secret),
    }
}

fn endpoints(
    raw: &IdentityProvider,
    plain_hosts: &[Box<str>],
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Endpoints, Reported> {
    let mut read = |text: &Option<String>, key: &str| {
        let text = text.as_ref();
        text.map(|text| endpoint(text, raw, plain_hosts, &at.key(key), context)).transpose()
    };
    let discovery = read(&raw.discovery_url, "discovery_url");
    let authorization = read(&raw.authorization_endpoint, "authorization_endpoint");
    let token = read(&raw.token_endpoint, "token_endpoint");
    let userinfo = read(&raw.userinfo_endpoint, "userinfo_endpoint");
    let jwks = read(&raw.jwks_uri, "jwks_uri");
    let end_session = read(&raw.end_session_endpoint, "end_session_endpoint");
    let introspection = read(&raw.introspection_endpoint, "introspection_endpoint");
    Ok(Endpoints {
        discovery: discovery?,
        authorization: authorization?,
        token: token?,
        userinfo: userinfo?,
        jwks: jwks?,
        end_session: end_session?,
        introspection: introspection?,
    })
}

fn endpoint(
    text: &str,
    raw: &IdentityProvider,
    plain_hosts: &[Box<str>],
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Url, Reported> {
    let url = value::provider_url(text, plain_hosts, at, &mut context.found)?;
    // Plain HTTP to loopback addresses is allowed only if the issuer is on a loopback address, too.
    let is_named = network::authority(&url).is_some_and(|authority| plain_hosts.contains(&authority));
    if url.scheme() == "http" && !raw.issuer.starts_with("http://") && !is_named {
        let problem = context.found.problem(at, "an `http` endpoint of an `https` issuer");
        return problem.hint("write `https://host/path`, or add the host to `insecure_http_hosts`").fail();
    }
    Ok(url)
}

/// Microsoft Graph, if the groups of users are asked for there.
fn graph(
    raw: &IdentityProvider,
    plain_hosts: &[Box<str>],
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Option<Graph>, Reported> {
    let at = at.key("graph_endpoint");
    if raw.entra_groups == written::EntraGroups::Token {
        if raw.graph_endpoint.is_some() {
            let problem = context.found.problem(&at, "`graph_endpoint` without `entra_groups: graph`");
            return problem.hint("set both, or remove it").fail();
        }
        return Ok(None);
    }
    let base = raw.graph_endpoint.as_deref().unwrap_or(written::GRAPH_ENDPOINT);
    let mut url = endpoint(base, raw, plain_hosts, &at, context)?;
    if url.query().is_some() {
        let problem = context.found.problem(&at, format!("`{base}` has a query"));
        return problem.hint(format!("write `{}`", written::GRAPH_ENDPOINT)).fail();
    }
    url.set_path(&format!("{}/me/transitiveMemberOf/microsoft.graph.group", url.path().trim_end_matches('/')));
    // `$count` is required of requests for one type of directory object. 999 groups are the largest page.
    url.set_query(Some("$select=id&$count=true&$top=999"));
    Ok(Some(Graph { endpoint: url, wanted: BTreeSet::new() }))
}

fn client_auth(raw: written::ClientAuth) -> ClientAuth {
    match raw {
        written::ClientAuth::ClientSecretBasic => ClientAuth::ClientSecretBasic,
        written::ClientAuth::ClientSecretPost => ClientAuth::ClientSecretPost,
        written::ClientAuth::None => ClientAuth::None,
    }
}

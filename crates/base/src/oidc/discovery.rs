//! Reads `/.well-known/openid-configuration` (OpenID Connect Discovery §4). Reads only the members that are used, and refuses
//! a wrong issuer and forbidden addresses.

use url::Url;

use crate::backchannel::network;
use crate::jose::mismatch::Mismatch;
use crate::oidc::document::{Document, Unreadable};
use crate::oidc::error::FetchFault;
use crate::oidc::settings::{ClientAuth, Settings};

/// The metadata of a provider, as far as a relying party needs it.
#[derive(Clone, Debug)]
pub(crate) struct Metadata {
    pub(crate) authorization_endpoint: Url,
    pub(crate) token_endpoint: Url,
    pub(crate) userinfo_endpoint: Option<Url>,
    pub(crate) jwks_uri: Url,
    pub(crate) end_session_endpoint: Option<Url>,
    /// RFC 8414 §2.
    pub(crate) introspection_endpoint: Option<Url>,
    /// How a client with a secret authenticates if the configuration does not set it.
    pub(crate) client_auth: ClientAuth,
    /// The same for the introspection endpoint.
    pub(crate) introspection_auth: ClientAuth,
    /// Whether every authorization response contains `iss` (RFC 9207 §3).
    pub(crate) has_issuer_parameter: bool,
    /// The supported features, for the warnings of [`survey`](crate::oidc::survey). No sign-in depends on them.
    pub(crate) offers: Offers,
}

/// The supported features according to the metadata. `None` if the metadata does not say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offers {
    pub(crate) pkce_methods: Option<Vec<String>>,
    pub(crate) signing_algorithms: Option<Vec<String>>,
    pub(crate) client_auth_methods: Option<Vec<String>>,
}

/// The URL of the document: `discovery_url` of the configuration, or the well-known path below the issuer. A trailing slash of
/// the issuer makes no difference (Discovery §4.1).
pub(crate) fn location(settings: &Settings) -> Result<Url, FetchFault> {
    if let Some(location) = &settings.endpoints.discovery {
        return Ok(location.clone());
    }
    let issuer = settings.issuer.strip_suffix('/').unwrap_or(&settings.issuer);
    Url::parse(&format!("{issuer}/.well-known/openid-configuration")).map_err(|_| FetchFault::Address)
}

impl Metadata {
    /// The metadata from the configuration, if it has everything that a sign-in needs. Then discovery is not used.
    pub(crate) fn from_settings(settings: &Settings) -> Option<Self> {
        let endpoints = &settings.endpoints;
        Some(Self {
            authorization_endpoint: endpoints.authorization.clone()?,
            token_endpoint: endpoints.token.clone()?,
            userinfo_endpoint: endpoints.userinfo.clone(),
            jwks_uri: endpoints.jwks.clone()?,
            end_session_endpoint: endpoints.end_session.clone(),
            introspection_endpoint: endpoints.introspection.clone(),
            client_auth: ClientAuth::ClientSecretBasic,
            introspection_auth: ClientAuth::ClientSecretBasic,
            has_issuer_parameter: false,
            offers: Offers::default(),
        })
    }

    /// Reads the document. Values of the configuration override those of the document.
    pub(crate) fn parse(settings: &Settings, document: &[u8]) -> Result<Self, FetchFault> {
        let document = Document::read(document).map_err(FetchFault::Content)?;
        // Compared as text, before it is parsed as a URL (pitfalls 52).
        let issuer = document.text("issuer").map_err(FetchFault::Content)?;
        if issuer.as_deref() != Some(settings.issuer.as_str()) {
            return Err(FetchFault::Issuer(Mismatch::new(issuer.as_deref(), &settings.issuer)));
        }
        let given = &settings.endpoints;
        let optional = |given: &Option<Url>, name| match given {
            Some(given) => Ok(Some(given.clone())),
            None => endpoint(settings, &document, name),
        };
        let required = |given, name| optional(given, name)?.ok_or(FetchFault::Content(Unreadable::Missing(name)));
        let client_auth_methods = document.texts("token_endpoint_auth_methods_supported");
        // Where the metadata does not say it, the client does as at the token endpoint.
        let introspection_methods =
            document.texts("introspection_endpoint_auth_methods_supported").or_else(|| client_auth_methods.clone());
        Ok(Self {
            authorization_endpoint: required(&given.authorization, "authorization_endpoint")?,
            token_endpoint: required(&given.token, "token_endpoint")?,
            userinfo_endpoint: optional(&given.userinfo, "userinfo_endpoint")?,
            jwks_uri: required(&given.jwks, "jwks_uri")?,
            end_session_endpoint: lenient(
                settings,
                &document,
                (&given.end_session, "end_session_endpoint"),
                "signing out does not reach the provider",
            ),
            introspection_endpoint: lenient(
                settings,
                &document,
                (&given.introspection, "introspection_endpoint"),
                "it cannot be asked about access tokens",
            ),
            client_auth: client_auth(client_auth_methods.as_deref()),
            introspection_auth: client_auth(introspection_methods.as_deref()),
            has_issuer_parameter: document.is_true("authorization_response_iss_parameter_supported"),
            offers: Offers {
                pkce_methods: document.texts("code_challenge_methods_supported"),
                signing_algorithms: document.texts("id_token_signing_alg_values_supported"),
                client_auth_methods,
            },
        })
    }
}

/// An endpoint of the document, if it names one.
fn endpoint(settings: &Settings, document: &Document, name: &'static str) -> Result<Option<Url>, FetchFault> {
    let Some(text) = document.text(name).map_err(FetchFault::Content)? else { return Ok(None) };
    let refused = |why| FetchFault::Endpoint { name, value: text.as_str().into(), why };
    let url = Url::parse(&text).map_err(|_| refused("it is not a URL"))?;
    check(settings, &url).map_err(refused)?;
    Ok(Some(url))
}

/// An endpoint that no sign-in needs. If it cannot be used, sign-ins still work.
fn lenient(
    settings: &Settings,
    document: &Document,
    (given, name): (&Option<Url>, &'static str),
    consequence: &str,
) -> Option<Url> {
    if let Some(given) = given {
        return Some(given.clone());
    }
    endpoint(settings, document, name)
        .inspect_err(|fault| {
            let (provider, why) = (&settings.name, fault.to_string());
            tracing::warn!(
                provider.name = %provider,
                "discovery {why}; {consequence}"
            );
        })
        .ok()
        .flatten()
}

/// Discovery §3: the default is `client_secret_basic`.
fn client_auth(methods: Option<&[String]>) -> ClientAuth {
    let has = |method: &str| methods.is_some_and(|methods| methods.iter().any(|known| known == method));
    if !has("client_secret_basic") && has("client_secret_post") {
        ClientAuth::ClientSecretPost
    } else {
        ClientAuth::ClientSecretBasic
    }
}

/// Whether an address in a document may be called (attacks O-02): only `https`, and neither this machine nor link-local
/// services, unless the configuration allows it.
fn check(settings: &Settings, url: &Url) -> Result<(), &'static str> {
    let issuer = Url::parse(&settings.issuer).ok();
    let issuer_is_local = issuer.as_ref().and_then(Url::host_str).is_some_and(network::is_loopback);
    let is_local = url.host_str().is_some_and(network::is_loopback);
    let is_named = network::authority(url).is_some_and(|authority| settings.insecure_http_hosts.contains(&authority));
    let http_is_allowed = is_named || (is_local && issuer.is_some_and(|issuer| issuer.scheme() == "http"));
    if url.scheme() != "https" && !(url.scheme() == "http" && http_is_allowed) {
        return Err("it is not https (`insecure_http_hosts` can allow http)");
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("it has a user name, a password or a fragment");
    }
    if network::is_link_local(url) {
        return Err("it is an address where clouds keep a machine's own credentials, or none");
    }
    if is_local && !issuer_is_local && !is_named {
        return Err("it is on this machine, and the issuer is not");
    }
    Ok(())
}

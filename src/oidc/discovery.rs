//! Reads `/.well-known/openid-configuration` (OpenID Connect Discovery §4) and refuses what lies.

use openidconnect::ProviderMetadata;
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::{Host, Url};

use crate::backchannel::network;
use crate::jose::strict_json;
use crate::oidc::error::FetchError;
use crate::oidc::settings::{ClientAuth, Settings};

/// What a relying party needs to know of a provider.
#[derive(Clone, Debug)]
pub(crate) struct Metadata {
    pub(crate) authorization_endpoint: Url,
    pub(crate) token_endpoint: Url,
    pub(crate) userinfo_endpoint: Option<Url>,
    pub(crate) jwks_uri: Url,
    pub(crate) end_session_endpoint: Option<Url>,
    /// How a client with a secret authenticates, where the configuration does not say.
    pub(crate) client_auth: ClientAuth,
    /// Whether every answer carries `iss` (RFC 9207 §3).
    pub(crate) has_issuer_parameter: bool,
}

/// Members of the document that `openidconnect` does not know.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct More {
    end_session_endpoint: Option<Url>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl openidconnect::AdditionalProviderMetadata for More {}

type Document = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// Where the document of `issuer` is: below it, whether or not it ends in a slash (Discovery §4.1).
pub(crate) fn location(issuer: &str) -> Result<Url, FetchError> {
    let location = format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer));
    Url::parse(&location).map_err(|_| FetchError::Content("the issuer is not a URL"))
}

impl Metadata {
    /// Everything from the configuration, where it names all that a login needs: no discovery is made then.
    pub(crate) fn from_settings(settings: &Settings) -> Option<Self> {
        let endpoints = &settings.endpoints;
        Some(Self {
            authorization_endpoint: endpoints.authorization.clone()?,
            token_endpoint: endpoints.token.clone()?,
            userinfo_endpoint: endpoints.userinfo.clone(),
            jwks_uri: endpoints.jwks.clone()?,
            end_session_endpoint: endpoints.end_session.clone(),
            client_auth: ClientAuth::ClientSecretBasic,
            has_issuer_parameter: false,
        })
    }

    /// Reads the document; what the configuration names stands instead of what the document says.
    pub(crate) fn parse(settings: &Settings, document: &[u8]) -> Result<Self, FetchError> {
        let document = strict_json::parse(document).map_err(|_| FetchError::Content("not JSON"))?;
        // Compared as it stands, before anything reads it as a URL (pitfalls 52).
        if document.get("issuer").and_then(Value::as_str) != Some(settings.issuer.as_str()) {
            return Err(FetchError::Issuer);
        }
        let document: Document =
            serde_json::from_value(document).map_err(|_| FetchError::Content("not provider metadata"))?;
        let given = &settings.endpoints;
        let optional = |given: &Option<Url>, found: Option<&Url>, name| match (given, found) {
            (Some(given), _) => Ok(Some(given.clone())),
            (None, Some(found)) => checked(&settings.issuer, found, name).map(Some),
            (None, None) => Ok(None),
        };
        let required = |given, found, name| optional(given, found, name)?.ok_or(FetchError::Endpoint(name));
        let more = document.additional_metadata();
        Ok(Self {
            authorization_endpoint: required(
                &given.authorization,
                Some(document.authorization_endpoint().url()),
                "authorization_endpoint",
            )?,
            token_endpoint: required(&given.token, document.token_endpoint().map(|url| url.url()), "token_endpoint")?,
            userinfo_endpoint: optional(
                &given.userinfo,
                document.userinfo_endpoint().map(|url| url.url()),
                "userinfo_endpoint",
            )?,
            jwks_uri: required(&given.jwks, Some(document.jwks_uri().url()), "jwks_uri")?,
            end_session_endpoint: optional(
                &given.end_session,
                more.end_session_endpoint.as_ref(),
                "end_session_endpoint",
            )?,
            client_auth: client_auth(document.token_endpoint_auth_methods_supported()),
            has_issuer_parameter: more.authorization_response_iss_parameter_supported,
        })
    }
}

/// Discovery §3: `client_secret_basic` where the document does not say.
fn client_auth(methods: Option<&Vec<CoreClientAuthMethod>>) -> ClientAuth {
    let has = |method| methods.is_some_and(|methods| methods.contains(&method));
    if !has(CoreClientAuthMethod::ClientSecretBasic) && has(CoreClientAuthMethod::ClientSecretPost) {
        ClientAuth::ClientSecretPost
    } else {
        ClientAuth::ClientSecretBasic
    }
}

/// An address that a document may send us to (attacks O-02): `https`, and not this machine or its network's own services,
/// unless the configured issuer is on this machine itself.
fn checked(issuer: &str, url: &Url, name: &'static str) -> Result<Url, FetchError> {
    let issuer = Url::parse(issuer).ok();
    let issuer_is_local = issuer.as_ref().and_then(Url::host_str).is_some_and(network::is_loopback);
    let local = url.host_str().is_some_and(network::is_loopback);
    let scheme = match url.scheme() {
        "https" => true,
        "http" => local && issuer.is_some_and(|issuer| issuer.scheme() == "http"),
        _ => false,
    };
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if scheme && plain && !is_link_local(url) && (!local || issuer_is_local) {
        Ok(url.clone())
    } else {
        Err(FetchError::Endpoint(name))
    }
}

/// Addresses where clouds serve a machine's own credentials (169.254.169.254, fe80::/10), and "no address".
fn is_link_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_link_local() || address.is_unspecified(),
        Some(Host::Ipv6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.is_link_local() || address.is_unspecified(),
            None => address.is_unicast_link_local() || address.is_unspecified(),
        },
        Some(Host::Domain(_)) | None => false,
    }
}

//! `identity_providers`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::value::{List, Period, SecretText};

/// An OpenID provider. Its endpoints and keys come from discovery (`<issuer>/.well-known/openid-configuration`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentityProvider {
    /// The issuer, exactly as the provider writes it: `https://login.example.com`.
    pub(crate) issuer: String,
    /// The client id that the provider gave this deployment.
    pub(crate) client_id: String,
    /// The client secret itself: better `${NAME}` or `client_secret_file`.
    pub(crate) client_secret: Option<SecretText>,
    /// A file that holds the client secret. A newline at its end is not part of it.
    pub(crate) client_secret_file: Option<String>,
    /// How the secret is sent. Default: what the provider's metadata offers, `client_secret_basic` first.
    pub(crate) token_endpoint_auth_method: Option<ClientAuth>,
    /// Where the provider's metadata is. Default: below the issuer. For a provider that is called at another address inside
    /// a cluster than browsers use: `https://keycloak.internal/realms/a/.well-known/openid-configuration`. The metadata
    /// must name `issuer` all the same.
    pub(crate) discovery_url: Option<String>,
    /// In place of discovery's. With authorization, token and JWKS given, no discovery is made.
    pub(crate) authorization_endpoint: Option<String>,
    /// In place of discovery's.
    pub(crate) token_endpoint: Option<String>,
    /// In place of discovery's.
    pub(crate) userinfo_endpoint: Option<String>,
    /// In place of discovery's: the keys that sign ID tokens.
    pub(crate) jwks_uri: Option<String>,
    /// In place of discovery's: where a user signs out at the provider.
    pub(crate) end_session_endpoint: Option<String>,
    /// Certificates in PEM form of an authority that is trusted for this provider besides the system's.
    pub(crate) ca_file: Option<String>,
    /// The path that this provider sends browsers back to; register `https://<host><path>` there. With several providers, a
    /// path for each keeps the answer of one from being taken for another's (RFC 9700 §4.4.2), also where a provider does
    /// not name itself in its answers (RFC 9207). It is answered by the proxy on every host where a rule authenticates.
    /// Default: `/oauth2/idpresponse`, for all of them. Example: `/oauth2/idpresponse/corp`.
    pub(crate) callback_path: Option<String>,
    /// **Insecure.** Hosts of this provider that may be called over plain HTTP, as `host` or `host:port`:
    /// `["keycloak:8080"]`. Whoever is on the network between can read the client secret and every token, and can sign in
    /// as anyone. Only for a provider inside a private network. Default: none; `http` is for addresses of this machine.
    #[serde(default)]
    pub(crate) insecure_http_hosts: List<String>,
    /// Whether a sign-in is bound to the browser by PKCE (RFC 7636). `off` is for a provider that cannot; a stolen
    /// authorization code is then easier to use. Default: `required`.
    #[serde(default)]
    pub(crate) pkce: Binding,
    /// Whether the ID token must repeat a nonce that was sent (OpenID Connect Core §3.1.2.1). `off` is for a provider that
    /// cannot; a stolen ID token or code is then easier to use. Default: `required`.
    #[serde(default)]
    pub(crate) nonce: Binding,
    /// How long an access token is taken to be good if the provider does not say (`expires_in`) and the token is no JWT
    /// with an `exp`. When four fifths of it are over, the tokens are refreshed. Default: `1h`.
    pub(crate) default_token_lifetime: Option<Period>,
    /// Whether to ask the userinfo endpoint. Default: `auto`.
    #[serde(default)]
    pub(crate) userinfo: Userinfo,
    /// What signing out does at the provider. Default: `auto`.
    #[serde(default)]
    pub(crate) logout: Logout,
    /// For each call to the provider. Default: `10s`.
    pub(crate) timeout: Option<Period>,
}

/// How the client secret is sent.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientAuth {
    /// In the `Authorization` header.
    ClientSecretBasic,
    /// In the body.
    ClientSecretPost,
    /// Not at all: a public client.
    None,
}

/// Whether a sign-in uses one of the protocol's protections.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Binding {
    /// Always.
    #[default]
    Required,
    /// Never.
    Off,
}

/// Whether to ask the userinfo endpoint.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Userinfo {
    /// Where the provider has one.
    #[default]
    Auto,
    /// Never: the ID token says enough.
    Never,
}

/// What signing out does at the provider.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Logout {
    /// Signs out at the provider too, where it has an `end_session_endpoint`.
    #[default]
    Auto,
    /// In Amazon Cognito's own way.
    Cognito,
    /// Ends our session only.
    Never,
}

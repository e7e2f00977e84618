//! `identity_providers`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::value::{Period, SecretText};

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

//! `identity_providers`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::raw::value::{List, Period, SecretText};
use crate::oidc::settings::{DEFAULT_INTROSPECTION_CACHE, DEFAULT_TIMEOUT, DEFAULT_TOKEN_LIFETIME};

/// An OpenID provider. Its endpoints and keys are read from discovery (`<issuer>/.well-known/openid-configuration`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentityProvider {
    /// The issuer, exactly as in the metadata of the provider: `https://login.example.com`.
    pub(crate) issuer: String,
    /// What users read on the page on which they choose one of the `providers` of an action, and on the button of a user pool. Without it,
    /// the name.
    pub(crate) title: Option<String>,
    /// Image for that page: an SVG or PNG file of at most 32 KiB. Each page contains it.
    pub(crate) logo_file: Option<String>,
    /// Domains of e-mail addresses whose users sign in there: `[example.com]`. That page then asks for an e-mail address, too: its domain
    /// chooses the provider, which gets the address as `login_hint`. A hint only: it lets nobody in, and refuses nobody. List each
    /// sub-domain. The sign-in page of a user pool with this provider does the same with the name that a user types.
    #[serde(default)]
    pub(crate) email_domains: List<String>,
    /// The client ID that the provider issued for this deployment.
    pub(crate) client_id: String,
    /// The client secret. Prefer `${NAME}` or `client_secret_file`.
    pub(crate) client_secret: Option<SecretText>,
    /// File with the client secret. A trailing newline is ignored.
    pub(crate) client_secret_file: Option<String>,
    /// How the client secret is sent to the token endpoint. Without it, a method listed in the metadata of the provider,
    /// preferably `client_secret_basic`.
    pub(crate) token_endpoint_auth_method: Option<ClientAuth>,
    /// URL of the metadata of the provider. Use it if this proxy reaches the provider at another address than browsers do, for
    /// example inside a cluster: `https://keycloak.internal/realms/a/.well-known/openid-configuration`. The `issuer` in the
    /// metadata must still match. Without it, the address below `issuer`.
    pub(crate) discovery_url: Option<String>,
    /// Overrides the authorization endpoint from discovery. If the authorization endpoint, the token endpoint and
    /// `jwks_uri` are all set, discovery is not used.
    pub(crate) authorization_endpoint: Option<String>,
    /// Overrides the token endpoint from discovery.
    pub(crate) token_endpoint: Option<String>,
    /// Overrides the userinfo endpoint from discovery.
    pub(crate) userinfo_endpoint: Option<String>,
    /// Overrides the URL of the key set from discovery. These keys verify ID tokens.
    pub(crate) jwks_uri: Option<String>,
    /// Overrides the end-session endpoint from discovery, where users sign out at the provider.
    pub(crate) end_session_endpoint: Option<String>,
    /// Overrides the introspection endpoint from discovery (RFC 7662), where rules with `validation: introspection` or `auto` ask about
    /// access tokens. The client authenticates there as at the token endpoint.
    pub(crate) introspection_endpoint: Option<String>,
    /// How long the answer that a token is active is used again, at most until the token expires. For as long, a token may be accepted that
    /// the provider has revoked. With less, the provider is asked more often.
    #[serde(default = "introspection_cache")]
    pub(crate) introspection_cache: Period,
    /// PEM file with certificate authorities that are trusted for this provider in addition to those of the system.
    pub(crate) ca_file: Option<String>,
    /// The callback path. Register `https://<host><path>` with the provider. With several providers, give each its own path: then
    /// the response of one provider cannot be used as the response of another (RFC 9700 §4.4.2), even if a provider does not send
    /// `iss` (RFC 9207). `check` warns about two issuers with one path, and refuses them in the `providers` of one action. The proxy handles this path on every host where a rule
    /// authenticates. Example: `/oauth2/idpresponse/corp`. Without it, `/idpresponse` below `session.path_prefix`.
    pub(crate) callback_path: Option<String>,
    /// **Insecure.** Hosts of this provider that may be called over plain HTTP, as `host` or `host:port`: `["keycloak:8080"]`.
    /// Anyone on the network in between can read the client secret and all tokens, and can sign in as any user. Use it only for a
    /// provider on a private network. If empty, plain HTTP is allowed for loopback addresses only.
    #[serde(default)]
    pub(crate) insecure_http_hosts: List<String>,
    /// Whether a sign-in uses PKCE (RFC 7636). Set `off` only for a provider that does not support PKCE: a stolen authorization
    /// code is then easier to use.
    #[serde(default)]
    pub(crate) pkce: Binding,
    /// Whether the ID token must contain the nonce of the authorization request (OpenID Connect Core §3.1.2.1). Set `off` only
    /// for a provider that does not support it: a stolen ID token or code is then easier to use.
    #[serde(default)]
    pub(crate) nonce: Binding,
    /// Lifetime of an access token if the provider sends no `expires_in` and the token is not a JWT with `exp`. Tokens are
    /// refreshed after four fifths of their lifetime.
    #[serde(default = "default_token_lifetime")]
    pub(crate) default_token_lifetime: Period,
    /// Whether to request claims from the userinfo endpoint.
    #[serde(default)]
    pub(crate) userinfo: Userinfo,
    /// For Microsoft Entra: where the groups of a user come from who is in too many for the ID token.
    #[serde(default)]
    pub(crate) entra_groups: EntraGroups,
    /// Address of Microsoft Graph for `entra_groups: graph`. National clouds have others: `https://graph.microsoft.us/v1.0`,
    /// `https://microsoftgraph.chinacloudapi.cn/v1.0`.
    #[schemars(extend("default" = GRAPH_ENDPOINT))]
    pub(crate) graph_endpoint: Option<String>,
    /// What happens at the provider when a user signs out.
    #[serde(default)]
    pub(crate) logout: Logout,
    /// Timeout of each call to the provider.
    #[serde(default = "timeout")]
    pub(crate) timeout: Period,
}

/// The `graph_endpoint`, if the file does not say.
pub(crate) const GRAPH_ENDPOINT: &str = "https://graph.microsoft.com/v1.0";

defaults! {
    default_token_lifetime: Period = DEFAULT_TOKEN_LIFETIME;
    timeout: Period = DEFAULT_TIMEOUT;
    introspection_cache: Period = DEFAULT_INTROSPECTION_CACHE;
}

/// How the client secret is sent.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientAuth {
    /// In the `Authorization` header.
    ClientSecretBasic,
    /// In the request body.
    ClientSecretPost,
    /// No secret is sent: a public client.
    None,
}

/// Whether a sign-in uses PKCE or a nonce.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Binding {
    /// Always.
    #[default]
    Required,
    /// Never.
    Off,
}

/// Whether to request claims from the userinfo endpoint.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Userinfo {
    /// Yes, if the provider has a userinfo endpoint.
    #[default]
    Auto,
    /// No; only the claims of the ID token are used.
    Never,
}

/// Where the groups of a user come from who is in too many for an ID token of Microsoft Entra.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EntraGroups {
    /// From nowhere. `authorize` refuses such a user with `auth.groups_overage` if it asks for `groups`.
    #[default]
    Token,
    /// From Microsoft Graph, at each sign-in and refresh. The `scope` of the action needs `User.Read`. The session keeps only the
    /// groups that an `authorize` of this file names.
    Graph,
}

/// What happens at the provider when a user signs out.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Logout {
    /// Also signs out at the provider, if it has an `end_session_endpoint`.
    #[default]
    Auto,
    /// Uses the logout endpoint of Amazon Cognito.
    Cognito,
    /// Ends only the session of this proxy.
    Never,
}

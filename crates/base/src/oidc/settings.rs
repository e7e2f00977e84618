//! Validated issuer, endpoints and client credentials.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::secret::Secret;

/// The settings of one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The name of the provider in the configuration.
    pub name: Arc<str>,
    /// The issuer. Compared exactly, never normalized (pitfalls 52).
    pub issuer: String,
    /// Whether users sign in there. Otherwise only its keys are used, from `endpoints.jwks`, to verify tokens that others bring.
    pub signs_in: bool,
    pub client_id: String,
    /// `None` for a public client.
    pub client_secret: Option<Secret<String>>,
    /// The authentication method at the token endpoint. `None` selects a method from the metadata: basic, otherwise post.
    pub token_endpoint_auth_method: Option<ClientAuth>,
    /// Endpoints that override those of discovery. If the authorization, token and JWKS endpoints are set, discovery is not used.
    pub endpoints: Endpoints,
    /// The callback path, if the provider has its own (RFC 9700 §4.4.2).
    pub callback_path: Option<Arc<str>>,
    /// `host` or `host:port` of addresses that may be called over plain HTTP although they are not on this machine. Default: empty.
    pub insecure_http_hosts: Vec<Box<str>>,
    /// Whether the authorization request has a PKCE challenge.
    pub pkce: Binding,
    /// Whether the authorization request has a nonce, which the ID token must contain.
    pub nonce: Binding,
    /// Whether to request claims from the userinfo endpoint.
    pub userinfo: Userinfo,
    /// Where to ask for the groups of a user who is in too many for an ID token of Microsoft Entra. `None`: nowhere.
    pub graph: Option<Graph>,
    /// Whether a rule asks it about access tokens (RFC 7662).
    pub introspects: bool,
    /// How long its answer that a token is active is used. Default: 60 s.
    pub introspection_cache: Duration,
    /// How to sign out at the provider.
    pub logout: Logout,
    /// Lifetime of an access token if neither the provider nor the token states one. Default: 1 h.
    pub default_token_lifetime: Duration,
    /// Timeout of each call to the provider. Default: 10 s.
    pub timeout: Duration,
}

impl Settings {
    /// Settings of a public client with discovery and all defaults.
    pub fn new(name: &str, issuer: &str, client_id: &str) -> Self {
        Self {
            name: name.into(),
            issuer: issuer.to_owned(),
            signs_in: true,
            client_id: client_id.to_owned(),
            client_secret: None,
            token_endpoint_auth_method: None,
            endpoints: Endpoints::default(),
            callback_path: None,
            insecure_http_hosts: Vec::new(),
            pkce: Binding::Required,
            nonce: Binding::Required,
            userinfo: Userinfo::Auto,
            graph: None,
            introspects: false,
            introspection_cache: DEFAULT_INTROSPECTION_CACHE,
            logout: Logout::Auto,
            default_token_lifetime: DEFAULT_TOKEN_LIFETIME,
            timeout: DEFAULT_TIMEOUT,
        }
    }
}

/// RFC 6749 §2.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    ClientSecretBasic,
    ClientSecretPost,
    None,
}

/// Whether a sign-in uses PKCE or a nonce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Binding {
    #[default]
    Required,
    Off,
}

/// Endpoints of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// The URL of the metadata, if it is not below the issuer.
    pub discovery: Option<Url>,
    pub authorization: Option<Url>,
    pub token: Option<Url>,
    pub userinfo: Option<Url>,
    pub jwks: Option<Url>,
    pub end_session: Option<Url>,
    pub introspection: Option<Url>,
}

/// Whether to request claims from the userinfo endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Userinfo {
    /// If the provider has a userinfo endpoint.
    #[default]
    Auto,
    /// Never. Only the claims of the ID token are used.
    Never,
}

/// Microsoft Graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// The address of the first page of the groups of the user of an access token.
    pub endpoint: Url,
    /// The groups that the configuration asks for. Of these it is found out whether the user is in them.
    pub wanted: BTreeSet<String>,
}

/// How to sign out at the provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Logout {
    /// RP-initiated logout if the provider has an `end_session_endpoint`. Otherwise only the local session ends.
    #[default]
    Auto,
    /// Cognito's `/logout?client_id=…&logout_uri=…`.
    Cognito,
    /// Ends only the local session.
    Never,
}

/// Default lifetime of an access token.
pub const DEFAULT_TOKEN_LIFETIME: Duration = Duration::from_secs(3600);
/// Default time for which an answer is used that a token is active.
pub const DEFAULT_INTROSPECTION_CACHE: Duration = Duration::from_secs(60);
/// Longer tokens are refused without asking the provider about them.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Default timeout of a call.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

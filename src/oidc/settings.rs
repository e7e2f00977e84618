//! Validated issuer, endpoints and client credentials.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::secret::Secret;

/// One provider, as a relying party knows it.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Its name in the configuration.
    pub(crate) name: Arc<str>,
    /// Compared exactly, never normalised (pitfalls 52).
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    /// `None` for a public client.
    pub(crate) client_secret: Option<Secret<String>>,
    /// How we authenticate at the token endpoint; `None` takes what the provider's metadata prefers: basic, then post.
    pub(crate) token_endpoint_auth_method: Option<ClientAuth>,
    /// Endpoints that are given, and so not taken from discovery. With authorization, token and JWKS given, no discovery
    /// is made.
    pub(crate) endpoints: Endpoints,
    /// The path that this provider sends browsers back to, if it has one of its own (RFC 9700 §4.4.2).
    pub(crate) callback_path: Option<Arc<str>>,
    /// `host` or `host:port` of addresses that are called over plain HTTP although they are not on this machine. Empty
    /// unless the operator names them.
    pub(crate) insecure_http_hosts: Vec<Box<str>>,
    /// Whether the authorization request carries a PKCE challenge.
    pub(crate) pkce: Binding,
    /// Whether the authorization request carries a nonce, which the ID token must repeat.
    pub(crate) nonce: Binding,
    /// Whether to ask the userinfo endpoint.
    pub(crate) userinfo: Userinfo,
    /// How to end the provider's own session.
    pub(crate) logout: Logout,
    /// How long an access token is taken to be good where neither the provider nor the token says. 1 h.
    pub(crate) default_token_lifetime: Duration,
    /// For each call to the provider, all of it. 10 s.
    pub(crate) timeout: Duration,
}

impl Settings {
    /// A public client of a provider that is found by discovery, with every default.
    pub(crate) fn new(name: &str, issuer: &str, client_id: &str) -> Self {
        Self {
            name: name.into(),
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: None,
            token_endpoint_auth_method: None,
            endpoints: Endpoints::default(),
            callback_path: None,
            insecure_http_hosts: Vec::new(),
            pkce: Binding::Required,
            nonce: Binding::Required,
            userinfo: Userinfo::Auto,
            logout: Logout::Auto,
            default_token_lifetime: DEFAULT_TOKEN_LIFETIME,
            timeout: DEFAULT_TIMEOUT,
        }
    }
}

/// RFC 6749 §2.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientAuth {
    ClientSecretBasic,
    ClientSecretPost,
    None,
}

/// Whether a login is bound to the browser by one of the protocol's means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Binding {
    #[default]
    Required,
    Off,
}

/// Addresses that the configuration names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoints {
    /// Where the metadata is, if it is not below the issuer.
    pub(crate) discovery: Option<Url>,
    pub(crate) authorization: Option<Url>,
    pub(crate) token: Option<Url>,
    pub(crate) userinfo: Option<Url>,
    pub(crate) jwks: Option<Url>,
    pub(crate) end_session: Option<Url>,
}

/// Whether to ask the userinfo endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Userinfo {
    /// Where the provider has one.
    #[default]
    Auto,
    /// Never: the ID token's claims are enough.
    Never,
}

/// How to end the provider's own session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Logout {
    /// RP-initiated logout where the provider has an `end_session_endpoint`, else ours only.
    #[default]
    Auto,
    /// Cognito's `/logout?client_id=…&logout_uri=…`.
    Cognito,
    /// Our own session only.
    Never,
}

/// How long an access token is taken to be good where nobody says.
pub(crate) const DEFAULT_TOKEN_LIFETIME: Duration = Duration::from_secs(3600);
/// How long a call may take.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

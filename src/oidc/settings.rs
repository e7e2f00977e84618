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
    /// Whether to ask the userinfo endpoint.
    pub(crate) userinfo: Userinfo,
    /// How to end the provider's own session.
    pub(crate) logout: Logout,
    /// For each call to the provider, all of it. 10 s.
    pub(crate) timeout: Duration,
}

/// RFC 6749 §2.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientAuth {
    ClientSecretBasic,
    ClientSecretPost,
    None,
}

/// Endpoints that the configuration names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoints {
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

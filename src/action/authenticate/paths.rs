//! The paths that are answered by us on every host where a rule authenticates, instead of by a rule (DESIGN §6).

/// Where the paths begin unless the configuration says otherwise. With it the callback is the ALB's (ALB §2.4), so that
/// redirect URIs that are registered already keep working.
pub(crate) const DEFAULT_PREFIX: &str = "/oauth2";

/// What verifies our signatures. Not below the prefix: applications know this address.
pub(crate) const KEY_SET: &str = "/.well-known/vestibule/jwks.json";
/// One key in PEM form; its key id follows.
pub(crate) const KEYS: &str = "/.well-known/vestibule/keys/";

/// The reserved paths below one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paths {
    /// Where a provider sends the browser back to.
    pub(crate) callback: String,
    /// The callbacks of providers that have one of their own.
    pub(crate) provider_callbacks: Vec<String>,
    /// Begins a sign-in that a page of ours offers; also the page after it, where the user came from another tab.
    pub(crate) sign_in: String,
    /// Ends the session; also where a provider sends the browser after ending its own.
    pub(crate) sign_out: String,
    /// Who am I.
    pub(crate) userinfo: String,
}

/// A reserved path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Callback,
    SignIn,
    SignOut,
    Userinfo,
    KeySet,
    Key(String),
}

impl Paths {
    /// The paths below `prefix`, which begins with a slash and does not end with one.
    pub(crate) fn new(prefix: &str) -> Self {
        let at = |name: &str| format!("{prefix}/{name}");
        Self {
            callback: at("idpresponse"),
            provider_callbacks: Vec::new(),
            sign_in: at("sign_in"),
            sign_out: at("sign_out"),
            userinfo: at("userinfo"),
        }
    }

    /// The endpoint at a decoded path.
    pub(crate) fn find(&self, path: &str) -> Option<Endpoint> {
        Some(match path {
            _ if path == self.callback => Endpoint::Callback,
            _ if path == self.sign_in => Endpoint::SignIn,
            _ if path == self.sign_out => Endpoint::SignOut,
            _ if path == self.userinfo => Endpoint::Userinfo,
            KEY_SET => Endpoint::KeySet,
            _ if self.provider_callbacks.iter().any(|callback| callback == path) => Endpoint::Callback,
            _ => {
                let is_kid =
                    |kid: &&str| !kid.is_empty() && kid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
                Endpoint::Key(path.strip_prefix(KEYS).filter(is_kid)?.to_owned())
            }
        })
    }

    /// Whether a decoded path is one of ours, to which no login may return: that would be a loop (attacks R-21).
    pub(crate) fn is_reserved(&self, path: &str) -> bool {
        path.starts_with(KEYS) || self.find(path).is_some()
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self::new(DEFAULT_PREFIX)
    }
}

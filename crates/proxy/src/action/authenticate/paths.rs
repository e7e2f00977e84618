//! The reserved paths, which Vestibule answers itself on every host where a rule authenticates (DESIGN §6).

use crate::claims::public_keys::{self, Asked};

/// The default prefix. With it, the callback path is that of the ALB (ALB §2.4), so existing registrations of redirect URIs keep
/// working.
pub const DEFAULT_PREFIX: &str = "/oauth2";

/// The reserved paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The callback path.
    pub callback: String,
    /// The callback paths of providers with `callback_path`.
    pub provider_callbacks: Vec<String>,
    /// Starts a sign-in from a link on one of our pages. Also the page after a sign-in that was started in another tab.
    pub(crate) sign_in: String,
    /// Ends the session. Also the page after a sign-out at the provider.
    pub sign_out: String,
    /// The claims of the signed-in user.
    pub(crate) userinfo: String,
}

/// A reserved path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Callback,
    SignIn,
    SignOut,
    Userinfo,
    PublicKeys(Asked),
}

impl Paths {
    /// Creates the paths. `prefix` begins with a slash and does not end with one.
    pub fn new(prefix: &str) -> Self {
        let at = |name: &str| format!("{prefix}/{name}");
        Self {
            callback: at("idpresponse"),
            provider_callbacks: Vec::new(),
            sign_in: at("sign_in"),
            sign_out: at("sign_out"),
            userinfo: at("userinfo"),
        }
    }

    /// The endpoint of a decoded path.
    pub fn find(&self, path: &str) -> Option<Endpoint> {
        Some(match path {
            _ if path == self.callback => Endpoint::Callback,
            _ if path == self.sign_in => Endpoint::SignIn,
            _ if path == self.sign_out => Endpoint::SignOut,
            _ if path == self.userinfo => Endpoint::Userinfo,
            _ if self.provider_callbacks.iter().any(|callback| callback == path) => Endpoint::Callback,
            _ => Endpoint::PublicKeys(Asked::by(path)?),
        })
    }

    /// Whether a decoded path is reserved. A sign-in must not return to such a path, because that would be a loop (attacks R-21).
    pub(crate) fn is_reserved(&self, path: &str) -> bool {
        public_keys::is_reserved(path) || self.find(path).is_some()
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self::new(DEFAULT_PREFIX)
    }
}

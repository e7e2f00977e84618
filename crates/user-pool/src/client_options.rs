//! What a client may do at the endpoints, beyond where it is sent to.

use std::time::Duration;

use url::Url;

/// The scopes of OpenID Connect that are supported, and our own scope `groups`.
pub const SCOPES: &[&str] = &["openid", "profile", "email", "groups", "offline_access"];

/// Options of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientOptions {
    pub grant_types: GrantTypes,
    /// The scopes that it may ask for. `None`: those of [`SCOPES`], and none of a resource server.
    pub scopes: Option<Vec<String>>,
    /// Whether it is told about tokens of other clients (RFC 7662).
    pub may_introspect: bool,
    /// Whether it must push its authorization requests (RFC 9126 §6).
    pub requires_par: bool,
    /// Lifetimes of its tokens. `None`: those of the pool.
    pub access_token_lifetime: Option<Duration>,
    pub id_token_lifetime: Option<Duration>,
    pub refresh_token_lifetime: Option<Duration>,
    /// Where it is told that a session has ended (OpenID Connect Back-Channel Logout §2.2).
    pub backchannel_logout_uri: Option<Url>,
}

/// How a client gets tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GrantTypes {
    /// For users, by codes and refresh tokens.
    #[default]
    CodeAndRefresh,
    /// For users, by codes only.
    Code,
    /// For itself (RFC 6749 §4.4). It cannot sign users in.
    ClientCredentials,
}

impl GrantTypes {
    /// Whether it signs users in.
    pub fn has_code(self) -> bool {
        self != Self::ClientCredentials
    }

    /// Whether it gets refresh tokens.
    pub(crate) fn has_refresh(self) -> bool {
        self == Self::CodeAndRefresh
    }
}

impl ClientOptions {
    /// The scopes of `asked` that the client may have, in a fixed order. Others are left out (RFC 6749 §3.3).
    pub(crate) fn granted(&self, asked: &str) -> Vec<String> {
        let is_asked = |scope: &str| asked.split(' ').any(|asked| asked == scope);
        self.allowed().filter(|scope| is_asked(scope)).map(str::to_owned).collect()
    }

    /// The scopes that the client may have, those of OpenID Connect first.
    pub(crate) fn allowed(&self) -> impl Iterator<Item = &str> {
        let known = SCOPES
            .iter()
            .copied()
            .filter(|scope| self.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|allowed| allowed == scope)));
        known.chain(self.of_resource_servers())
    }

    /// The scopes of resource servers that the client may have.
    pub fn of_resource_servers(&self) -> impl Iterator<Item = &str> {
        let scopes = self.scopes.iter().flatten().map(String::as_str);
        scopes.filter(|scope| resource_server(scope).is_some())
    }
}

/// The identifier of the resource server of a scope, as in `https://api.example.com/read`. `None` for a scope of OpenID Connect.
pub(crate) fn resource_server(scope: &str) -> Option<&str> {
    scope.rsplit_once('/').map(|(identifier, _)| identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_what_it_asks_for_and_may_have() {
        let options = |scopes: Option<&[&str]>| ClientOptions {
            scopes: scopes.map(|scopes| scopes.iter().map(|&scope| scope.to_owned()).collect()),
            ..ClientOptions::default()
        };
        let check =
            |scopes, asked: &str, granted: &[&str]| assert_eq!(options(scopes).granted(asked), granted, "{asked}");
        check(None, "email openid unknown https://api/read", &["openid", "email"]);
        check(None, "", &[]);
        let some: Option<&[&str]> = Some(&["openid", "https://api/read", "https://api/write"]);
        check(some, "https://api/read openid email", &["openid", "https://api/read"]);
        check(some, "read https://api/ https://api", &[]);
        assert_eq!(resource_server("https://api.example.com/v1/read"), Some("https://api.example.com/v1"));
        assert_eq!(resource_server("openid"), None);
    }
}

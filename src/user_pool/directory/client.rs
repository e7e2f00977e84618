//! An app client: a relying party and where it may be sent.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::crypto::{compare, digest};
use crate::secret::Secret;
use crate::user_pool::settings::ClientSettings;

/// A relying party.
#[derive(Debug)]
pub(crate) struct Client(ClientSettings);

impl Client {
    /// A client of the configuration.
    pub(crate) fn new(settings: ClientSettings) -> Self {
        Self(settings)
    }

    /// `client_id`.
    pub(crate) fn id(&self) -> &str {
        &self.0.client_id
    }

    /// What people know it as.
    pub(crate) fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Whether it has no secret to prove itself with (RFC 6749 §2.1).
    pub(crate) fn is_public(&self) -> bool {
        self.0.client_secret.is_none()
    }

    /// Whether `secret` is this client's; a public client has none.
    pub(crate) fn has_secret(&self, secret: &Secret<String>) -> bool {
        // Of hashes, so that not even the length can be learned from the time it takes.
        let hash = |secret: &Secret<String>| digest::sha256(secret.expose().as_bytes());
        self.0.client_secret.as_ref().is_some_and(|own| compare::equal(&hash(own), &hash(secret)))
    }

    /// Whether a code may be sent to `uri` (attacks U-07).
    pub(crate) fn allows_redirect(&self, uri: &str) -> bool {
        self.0.redirect_uris.iter().any(|registered| is_same(registered, uri) || is_same_loopback(registered, uri))
    }

    /// Whether a browser may be sent to `uri` after signing out.
    pub(crate) fn allows_post_logout(&self, uri: &str) -> bool {
        self.0.post_logout_redirect_uris.iter().any(|registered| is_same(registered, uri))
    }
}

/// Compares as strings (RFC 9700 §2.1). A bare origin may lack its slash: the registered one had one added by parsing.
fn is_same(registered: &Url, uri: &str) -> bool {
    let text = registered.as_str();
    let is_origin = registered.path() == "/" && registered.query().is_none() && registered.fragment().is_none();
    text == uri || (is_origin && text.strip_suffix('/') == Some(uri))
}

/// RFC 8252 §7.3: an app on this machine takes whatever port is free, on a loopback address (§8.3: not a name).
fn is_same_loopback(registered: &Url, uri: &str) -> bool {
    let is_loopback = match registered.host() {
        Some(Host::Ipv4(address)) => address == Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
        _ => false,
    };
    if registered.scheme() != "http" || !is_loopback {
        return false;
    }
    let Ok(mut asked) = Url::parse(uri) else { return false };
    // What parsing changes is not what was registered.
    asked.as_str() == uri && asked.set_port(registered.port()).is_ok() && asked == *registered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(uris: &[&str]) -> Client {
        Client::new(ClientSettings {
            client_id: "app".into(),
            client_secret: Some(Secret::new("s3cret".into())),
            redirect_uris: uris.iter().map(|uri| Url::parse(uri).expect("a URL")).collect(),
            post_logout_redirect_uris: uris.iter().map(|uri| Url::parse(uri).expect("a URL")).collect(),
            name: None,
        })
    }

    #[test]
    fn u_07_a_redirect_uri_is_compared_exactly() {
        let client = client(&["https://app.example.com/cb", "https://root.example.com"]);
        assert!(client.allows_redirect("https://app.example.com/cb"));
        assert!(client.allows_redirect("https://root.example.com/"));
        assert!(client.allows_redirect("https://root.example.com"));
        for foreign in [
            "",
            "https://app.example.com/cb/",
            "https://app.example.com/cb?x=1",
            "https://app.example.com/cb#x",
            "https://app.example.com/cb/../evil",
            "https://app.example.com/CB",
            "https://APP.example.com/cb",
            "https://appxexample.com/cb",
            "https://app.example.com:443/cb",
            "https://app.example.com:8443/cb",
            "http://app.example.com/cb",
            "https://app.example.com@evil.test/cb",
            "https://user@app.example.com/cb",
            "https://app.example.com.evil.test/cb",
            "https://app.example.com/cb\n",
            " https://app.example.com/cb",
            "//app.example.com/cb",
            "javascript:alert(1)",
            "https://root.example.com?",
        ] {
            assert!(!client.allows_redirect(foreign), "{foreign}");
            assert!(!client.allows_post_logout(foreign), "{foreign}");
        }
    }

    #[test]
    fn u_07_a_loopback_address_may_have_any_port() {
        let client =
            client(&["http://127.0.0.1/cb", "http://[::1]:9999/cb", "http://localhost/cb", "https://127.0.0.1/s"]);
        assert!(client.allows_redirect("http://127.0.0.1:51234/cb"));
        assert!(client.allows_redirect("http://[::1]:1024/cb"));
        for foreign in [
            "http://localhost:51234/cb",
            "http://127.0.0.1:51234/other",
            "http://127.0.0.2:51234/cb",
            "http://127.0.0.1:51234/cb?x",
            "http://user@127.0.0.1:51234/cb",
            "http://127.1:51234/cb",
            "https://127.0.0.1:51234/s",
            "http://127.0.0.1.evil.test/cb",
        ] {
            assert!(!client.allows_redirect(foreign), "{foreign}");
        }
        assert!(!client.allows_post_logout("http://127.0.0.1:51234/cb"));
    }

    #[test]
    fn a_secret_fits_whole_or_not_at_all() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let client = client(&[]);
        assert!(client.has_secret(&secret("s3cret")));
        for wrong in ["", "s3cre", "s3cret ", "S3cret"] {
            assert!(!client.has_secret(&secret(wrong)), "{wrong}");
        }
    }
}

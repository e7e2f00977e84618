//! An app client: a relying party with its redirect URIs.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::client_options::ClientOptions;
use crate::crypto::octets;
use crate::jose::signing_key::Algorithm;
use crate::secret::Secret;
use crate::settings::{ClientSettings, Pkce};

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

    /// The name on the sign-in page.
    pub(crate) fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// What its authorization requests must contain in addition to `state` (RFC 9700 §2.1.1).
    pub(crate) fn pkce(&self) -> Pkce {
        if self.is_public() { Pkce::Required } else { self.0.pkce }
    }

    /// The signature algorithm of its ID tokens.
    pub(crate) fn id_token_algorithm(&self) -> Algorithm {
        self.0.id_token_algorithm
    }

    /// Whether the client restarts the sign-in after the error `login_required`.
    pub(crate) fn begins_again(&self) -> bool {
        self.0.begins_again
    }

    /// Whether it is the client of our own rules, which asks for tokens within this process only.
    pub(crate) fn is_ours(&self) -> bool {
        self.0.is_ours
    }

    /// What it may do at the endpoints.
    pub(crate) fn options(&self) -> &ClientOptions {
        &self.0.options
    }

    /// The registered redirect URIs.
    pub(crate) fn redirect_uris(&self) -> &[Url] {
        &self.0.redirect_uris
    }

    /// Whether the client has no secret (RFC 6749 §2.1).
    pub(crate) fn is_public(&self) -> bool {
        self.0.client_secret.is_none()
    }

    /// Whether `secret` is the secret of this client. Always false for a public client.
    pub(crate) fn has_secret(&self, secret: &Secret<String>) -> bool {
        // Hashes are compared, so that the time does not reveal the length either.
        let hash = |secret: &Secret<String>| octets::sha256(secret.expose().as_bytes());
        self.0.client_secret.as_ref().is_some_and(|own| octets::equal(&hash(own), &hash(secret)))
    }

    /// Whether `uri` is a registered redirect URI (attacks U-07).
    pub(crate) fn allows_redirect(&self, uri: &str) -> bool {
        self.0.redirect_uris.iter().any(|registered| is_same(registered, uri) || is_same_loopback(registered, uri))
    }

    /// Whether any program of the user's device can receive a code at `uri`, one that is allowed, and redeem it as this client. Then nobody can tell which
    /// program asks (RFC 8252 §8.6), and the user has to.
    pub(crate) fn is_unproven(&self, uri: &str) -> bool {
        self.is_public() && !self.is_ours() && !Url::parse(uri).is_ok_and(|uri| is_site(&uri))
    }

    /// The audience of access tokens for a resource that the client asks for (RFC 8707 §2): the address of the configuration, which for
    /// a whole host has no slash at its end. `None` if the client may not have tokens for it.
    pub(crate) fn audience(&self, resource: &str) -> Option<&str> {
        self.0.resources.iter().find(|known| is_same(known, resource)).map(audience)
    }

    /// Whether `uri` is a registered redirect URI after signing out.
    pub(crate) fn allows_post_logout(&self, uri: &str) -> bool {
        self.0.post_logout_redirect_uris.iter().any(|registered| is_same(registered, uri))
    }
}

/// Why a redirect URI cannot be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// RFC 6749 §3.1.2.
    #[error("a redirect URI has no fragment (`#…`)")]
    Fragment,
    /// Plain HTTP would reveal the code. Loopback addresses are the exception (RFC 8252 §7.3, RFC 9700 §2.6).
    #[error("a redirect URI is https, or http on localhost, 127.0.0.1 or [::1]")]
    NotHttps,
    /// A scheme that browsers handle themselves, or one that is not a reversed domain name (RFC 8252 §7.1).
    #[error("a redirect URI has the scheme https, or an app's own with a dot in it, as com.example.app")]
    Scheme,
}

/// Checks a redirect URI of the configuration.
///
/// # Errors
///
/// See [`RedirectError`].
pub fn check_redirect_uri(uri: &Url) -> Result<(), RedirectError> {
    if uri.fragment().is_some() {
        return Err(RedirectError::Fragment);
    }
    match (uri.scheme(), uri.host()) {
        ("https", Some(_)) => Ok(()),
        ("http", Some(Host::Domain("localhost"))) => Ok(()),
        ("http", Some(host)) if is_loopback(&host) => Ok(()),
        ("http", _) => Err(RedirectError::NotHttps),
        (scheme, _) if scheme.contains('.') => Ok(()),
        _ => Err(RedirectError::Scheme),
    }
}

fn audience(resource: &Url) -> &str {
    let text = resource.as_str();
    if is_origin(resource) { text.trim_end_matches('/') } else { text }
}

fn is_origin(url: &Url) -> bool {
    url.path() == "/" && url.query().is_none() && url.fragment().is_none()
}

/// Whether only the owner of a name receives what is sent there: neither a loopback address nor a private-use scheme.
fn is_site(uri: &Url) -> bool {
    uri.scheme() == "https" && uri.host().is_some_and(|host| host != Host::Domain("localhost") && !is_loopback(&host))
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => *address == Ipv4Addr::LOCALHOST,
        Host::Ipv6(address) => *address == Ipv6Addr::LOCALHOST,
        Host::Domain(_) => false,
    }
}

/// Compares as strings (RFC 9700 §2.1). An origin may be sent without its slash, because parsing added one to the registered URI.
fn is_same(registered: &Url, uri: &str) -> bool {
    let text = registered.as_str();
    text == uri || (is_origin(registered) && text.strip_suffix('/') == Some(uri))
}

/// RFC 8252 §7.3: an app on this machine may use any port of a loopback address (§8.3: not `localhost`).
fn is_same_loopback(registered: &Url, uri: &str) -> bool {
    if registered.scheme() != "http" || !registered.host().is_some_and(|host| is_loopback(&host)) {
        return false;
    }
    let Ok(mut asked) = Url::parse(uri) else { return false };
    // A URI that parsing would change is not the registered one.
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
            resources: vec![],
            name: None,
            pkce: Pkce::OrNonce,
            id_token_algorithm: Algorithm::Es256,
            begins_again: false,
            is_ours: false,
            options: ClientOptions::default(),
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
    fn u_07_an_address_that_leaks_or_runs_codes_is_not_registered() {
        let check = |uri: &str| check_redirect_uri(&Url::parse(uri).expect("a URL"));
        for good in [
            "https://a.example/cb?x=1",
            "http://127.0.0.1/cb",
            "http://[::1]:1/",
            "http://localhost:3000/",
            "com.example.app:/cb",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        assert_eq!(check("https://a.example/cb#"), Err(RedirectError::Fragment));
        assert_eq!(check("http://a.example/cb"), Err(RedirectError::NotHttps));
        assert_eq!(check("http://127.0.0.2/cb"), Err(RedirectError::NotHttps));
        for scheme in
            ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "ftp://a.example/", "blob:https://a/x"]
        {
            assert_eq!(check(scheme), Err(RedirectError::Scheme), "{scheme}");
        }
    }

    #[test]
    fn u_13_only_a_name_of_its_own_or_a_secret_tells_a_client_from_other_programs() {
        let with = |secret: Option<&str>, is_ours| {
            let Client(mut settings) = client(&[]);
            (settings.client_secret, settings.is_ours) = (secret.map(|secret| Secret::new(secret.into())), is_ours);
            Client::new(settings)
        };
        let of_the_device = [
            "http://127.0.0.1:51234/cb",
            "http://[::1]:1/",
            "http://localhost:3000/",
            "https://localhost/cb",
            "https://127.0.0.1:8443/cb",
            "com.example.app:/cb",
            "com.example.app://evil.test/cb",
        ];
        for uri in of_the_device {
            assert!(with(None, false).is_unproven(uri), "{uri}");
            assert!(!with(Some("s3cret"), false).is_unproven(uri), "{uri}: it has a secret");
            assert!(!with(None, true).is_unproven(uri), "{uri}: it is the client of our own rules");
        }
        for site in ["https://app.example.com/cb", "https://localhost.example.com/", "https://127.0.0.1.example.com/"] {
            assert!(!with(None, false).is_unproven(site), "{site}");
        }
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

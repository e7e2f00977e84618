//! The names of the pool's cookies.
//!
//! Cookies are not separated by port (RFC 6265 §8.5), and an issuer has no path. So two pools on one host differ only in the
//! port, and the port is part of the names. The port 443 is left out, so that the usual pool has the usual names.

use url::Url;

/// The names of one pool. `__Host-` keeps sibling hosts from setting them (RFC 6265bis §4.1.3.2).
#[derive(Debug)]
pub(crate) struct Cookies {
    /// The single-sign-on session.
    pub(crate) session: String,
    /// The value that binds forms to a browser.
    pub(crate) form: String,
    /// What tells a browser in which a user has signed in.
    pub(crate) known: String,
    /// What tells a browser that a user trusts.
    pub(crate) trusted: String,
    /// The page of the account that the user wanted to see before the sign-in.
    pub(crate) next: String,
    /// A sign-in at another provider. More follows in the name: each sign-in has a cookie of its own.
    pub(crate) provider: String,
}

impl Cookies {
    /// The names for the pool with this issuer.
    pub(crate) fn new(issuer: &Url) -> Self {
        let port = match issuer.port_or_known_default() {
            None | Some(443) => String::new(),
            Some(port) => format!("-{port}"),
        };
        let name = |of: &str| format!("__Host-vestibule-pool{of}{port}");
        Self {
            session: name(""),
            form: name("-form"),
            known: name("-known"),
            trusted: name("-trusted"),
            next: name("-next"),
            provider: name("-provider"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_on_one_host_have_names_of_their_own() {
        let names = |issuer: &str| Cookies::new(&Url::parse(issuer).expect("a URL"));
        assert_eq!(names("https://login.example").session, "__Host-vestibule-pool");
        assert_eq!(names("https://login.example").form, "__Host-vestibule-pool-form");
        assert_eq!(names("https://127.0.0.1:8443").session, "__Host-vestibule-pool-8443");
        assert_eq!(names("https://127.0.0.1:8443").form, "__Host-vestibule-pool-form-8443");
        assert_eq!(names("https://127.0.0.1:8443").known, "__Host-vestibule-pool-known-8443");
        assert_eq!(names("http://localhost").session, "__Host-vestibule-pool-80");
    }
}

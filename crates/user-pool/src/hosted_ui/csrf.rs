//! Protects forms against cross-site request forgery (attacks U-11).
//!
//! The hidden value of a form is encrypted together with a random cookie of the browser (`signin::state`). A form of another
//! site, or of another browser, therefore cannot be decrypted. `Sec-Fetch-Site` and `Origin` are checked first. `Origin` is
//! `null` on our own forms, because our pages send no referrer.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::crypto::octets;
use crate::message::cookie;

/// How long a browser keeps its value. It outlives the forms that are bound to it.
const MAX_AGE_SECONDS: u64 = 3600;

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The random value of the browser, from the cookie `name`. `None` if it is missing or has the wrong form.
pub(crate) fn browser<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    cookie::pairs(headers)
        .find(|(sent, value)| *sent == name && value.len() == 43 && value.bytes().all(is_base64url))
        .map(|(_, value)| value)
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// A new random value for a browser.
pub(crate) fn new_browser() -> String {
    octets::token()
}

/// Sets the cookie `name` with the random value. `Lax`, so that a second tab opened by a relying party does not replace it.
pub(crate) fn set_browser(name: &str, browser: &str) -> HeaderValue {
    cookie::set(name, browser, MAX_AGE_SECONDS)
}

/// Whether the request loads a page, as the browser says (Fetch Metadata §2.3). Scripts cannot set this field.
pub(crate) fn is_navigation(headers: &HeaderMap) -> bool {
    headers.get(SEC_FETCH_MODE).is_some_and(|mode| mode == "navigate")
}

/// The value of `Sec-Fetch-Site` (Fetch Metadata §2.4).
pub(crate) fn fetch_site(headers: &HeaderMap) -> Option<&str> {
    headers.get(SEC_FETCH_SITE)?.to_str().ok()
}

/// Whether `Sec-Fetch-Site` or `Origin` shows that the form is on a page of another origin.
pub(crate) fn is_from_elsewhere(headers: &HeaderMap, origin: &str) -> bool {
    let site = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    let from = headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
    site.is_some_and(|site| site != b"same-origin" && site != b"none")
        || from.is_some_and(|from| from != origin.as_bytes() && from != b"null")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u_11_what_the_browser_says_is_believed_when_it_says_elsewhere() {
        let check = |site: Option<&'static str>, origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.extend(site.map(|site| (SEC_FETCH_SITE, HeaderValue::from_static(site))));
            headers.extend(origin.map(|origin| (header::ORIGIN, HeaderValue::from_static(origin))));
            is_from_elsewhere(&headers, "https://login.example")
        };
        assert!(!check(None, None));
        assert!(!check(Some("same-origin"), Some("null")));
        assert!(!check(Some("none"), None));
        assert!(!check(None, Some("https://login.example")));
        assert!(check(Some("cross-site"), Some("null")));
        assert!(check(Some("same-site"), None));
        assert!(check(None, Some("https://evil.test")));
        assert!(check(Some("same-origin"), Some("https://login.example.evil.test")));
        assert!(check(Some(""), None));
    }

    #[test]
    fn a_browser_value_that_we_did_not_make_is_not_taken() {
        let check = |cookie: &str| {
            let value = HeaderValue::try_from(format!("pool-form={cookie}")).expect("ASCII");
            browser(&HeaderMap::from_iter([(header::COOKIE, value)]), "pool-form").is_some()
        };
        assert!(check(&new_browser()));
        assert!(!check(""));
        assert!(!check("short"));
        assert!(!check(&"\"".repeat(43)));
    }
}

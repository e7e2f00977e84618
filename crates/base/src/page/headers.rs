//! The headers of Vestibule's own answers. They forbid caching, framing, content sniffing and scripts.
//!
//! No page has a script, except those that ask for a passkey: one file, whose address their policy names. The only stylesheet is inside the page and is allowed by its hash. A logo is inside the page too. So a
//! page needs no second request and no `unsafe-inline`. Nothing is stored, so `Vary: Accept-Language` is not needed.

use http::{HeaderMap, HeaderValue, header};

/// The policy of an answer that is no page.
const NOTHING: HeaderValue =
    HeaderValue::from_static("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");

/// Who may show a page in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frames {
    /// Nobody. The page can be clicked with an effect.
    Nobody,
    /// Pages of the same origin. No click on the page changes anything, so clickjacking gains nothing.
    SameOrigin,
}

impl Frames {
    pub(super) const fn ancestors(self) -> &'static str {
        match self {
            Self::Nobody => "'none'",
            Self::SameOrigin => "'self'",
        }
    }

    /// `X-Frame-Options`, for browsers without `frame-ancestors`.
    pub(super) const fn option(self) -> HeaderValue {
        match self {
            Self::Nobody => HeaderValue::from_static("DENY"),
            Self::SameOrigin => HeaderValue::from_static("SAMEORIGIN"),
        }
    }
}

/// Sets the headers of every answer of Vestibule (attacks X-07, U-11). A policy that is already set is kept.
pub fn harden(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::X_FRAME_OPTIONS).or_insert(Frames::Nobody.option());
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(NOTHING);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_07_an_answer_may_not_be_framed_stored_sniffed_or_scripted() {
        let mut headers = HeaderMap::new();
        harden(&mut headers);
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().expect("ASCII");
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
    }
}

//! The common parts of all of Vestibule's own pages: one style, and headers that forbid caching, framing, content sniffing
//! and scripts.
//!
//! None of these pages has a script. The only stylesheet is inside the page and is allowed by its hash. So a page needs no
//! second request and no `unsafe-inline`.

use http::{HeaderMap, HeaderValue, header};

/// The stylesheet: one column, the system's font, and light or dark as the user's system is set.
pub(crate) const STYLE: &str = "\
:root{color-scheme:light dark;--page:#f4f4f1;--card:#fff;--ink:#1c1d1f;--soft:#5c6066;--line:#d9dad6;--field:#8b8f96;--accent:#1d4ed8;--on-accent:#fff;--wrong:#b3261e;--wrong-page:#fdf0ef}\
@media(prefers-color-scheme:dark){:root{--page:#141517;--card:#1e2023;--ink:#f0f0ee;--soft:#a3a7ad;--line:#34373c;--field:#6d7279;--accent:#8ab4ff;--on-accent:#0b1220;--wrong:#ff9b93;--wrong-page:#36201f}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;min-height:100dvh;display:grid;place-items:center;padding:1rem;background:var(--page);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}\
main{width:100%;max-width:26rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem}\
h1{margin:0 0 .75rem;font-size:1.375rem;line-height:1.25;text-wrap:balance;overflow-wrap:anywhere}\
p{margin:0 0 1rem;overflow-wrap:anywhere}\
.small{margin:1.5rem 0 0;color:var(--soft);font-size:.8125rem;overflow-wrap:anywhere}\
.soft{color:var(--soft)}\
.soft strong{color:var(--ink)}\
main>:last-child{margin-bottom:0}\
.alert{margin:0 0 1rem;padding:.75rem 1rem;border-left:.25rem solid var(--wrong);border-radius:.25rem;background:var(--wrong-page)}\
form{margin:0}\
label{display:block;margin:0 0 .375rem;font-size:.875rem;font-weight:600}\
input{display:block;width:100%;margin:0 0 1rem;padding:.625rem .75rem;border:1px solid var(--field);border-radius:.5rem;background:var(--card);color:var(--ink);font:inherit}\
.button{display:inline-block;padding:.625rem 1.125rem;border:1px solid transparent;border-radius:.5rem;background:var(--accent);color:var(--on-accent);font:inherit;font-weight:600;text-decoration:none;cursor:pointer}\
.more{color:var(--accent)}\
.wide{width:100%;margin:.5rem 0 0;text-align:center}\
a:focus-visible,.button:focus-visible,input:focus-visible{outline:3px solid var(--accent);outline-offset:2px}";

/// The hash with which a page allows [`STYLE`] (CSP 3 §6.7.3.3). When the style changes, a test fails and shows the new hash.
const STYLE_HASH: &str = "sha256-irn1xR64PuEH7WSGZRsgAe5OqNcmzW79x4e25fp58wE=";

/// A page's Content-Security-Policy: no scripts, no frames, and no requests except forms that are sent to `form_action`.
pub(crate) fn content_security_policy(form_action: &str) -> String {
    format!(
        "default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; form-action {form_action}; frame-ancestors 'none'"
    )
}

/// Sets the headers of every page of Vestibule (attacks X-07, U-11). A policy that is already set is kept.
pub(crate) fn harden(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert_with(|| HeaderValue::try_from(content_security_policy("'none'")).expect("the policy is ASCII"));
}

/// Allows pages of the same origin to show this page in a frame.
pub(crate) fn allow_own_frames(headers: &mut HeaderMap) {
    let policy = content_security_policy("'none'").replace("frame-ancestors 'none'", "frame-ancestors 'self'");
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::try_from(policy).expect("the policy is ASCII"));
}

/// A whole page. `title` and `main` must already be HTML. `more_style` is added after [`STYLE`]. It must be empty on a page
/// whose policy allows [`STYLE`] by its hash.
pub(crate) fn document(title: &str, more_style: &str, main: &str) -> String {
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>{STYLE}{more_style}</style>
</head>
<body>
<main>
{main}
</main>
</body>
</html>
"#
    )
}

/// The stable code of a refusal, attached to the response for the access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) &'static str);

/// Escapes text for HTML, between tags and in quoted attributes (attacks X-01).
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn the_style_is_allowed_by_its_hash() {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, STYLE.as_bytes());
        assert_eq!(STYLE_HASH, format!("sha256-{}", STANDARD.encode(digest)));
    }

    #[test]
    fn x_01_escaped_text_opens_no_tag_and_closes_no_attribute() {
        assert_eq!(escape(r#"<a href="x" b='y'>&"#), "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;");
        assert_eq!(escape("Zoë 🦊"), "Zoë 🦊");
    }

    #[test]
    fn u_11_a_page_may_not_be_framed_stored_or_scripted() {
        let mut headers = HeaderMap::new();
        harden(&mut headers);
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().expect("ASCII");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    }
}

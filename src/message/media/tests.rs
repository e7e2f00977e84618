use http::HeaderValue;

use super::*;

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

#[track_caller]
fn navigation(lines: &[(&'static str, &'static str)], expected: bool) {
    assert_eq!(is_navigation(&Method::GET, &headers(lines)), expected, "{lines:?}");
}

#[test]
fn navigations_are_what_a_browser_loads_into_a_tab() {
    navigation(&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")], true);
    navigation(&[("sec-fetch-mode", "navigate")], true);
    navigation(&[("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")], true);
    navigation(&[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty"), ("accept", "text/html")], false);
    navigation(&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")], false);
    navigation(&[("accept", "text/html"), ("x-requested-with", "XMLHttpRequest")], false);
    navigation(&[("accept", "text/html"), ("upgrade", "websocket")], false);
    navigation(&[("accept", "text/html"), ("sec-purpose", "prefetch")], false);
    navigation(&[("accept", "application/json")], false);
    navigation(&[("accept", "text/html;q=0")], false);
    navigation(&[], false);
}

#[test]
fn preferred_follows_accept() {
    assert_eq!(preferred(&headers(&[("accept", "text/html, application/json")])), Preferred::Html);
    assert_eq!(preferred(&headers(&[("accept", "application/json")])), Preferred::Json);
    assert_eq!(preferred(&headers(&[("x-requested-with", "xmlhttprequest")])), Preferred::Json);
    assert_eq!(preferred(&headers(&[("accept", "*/*")])), Preferred::Text);
}

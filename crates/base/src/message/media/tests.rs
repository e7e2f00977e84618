use http::HeaderValue;

use super::*;

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

const CHROMIUM: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
const FIREFOX: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

#[track_caller]
fn check(what: &str, lines: &[(&'static str, &'static str)], expected: Intent) {
    assert_eq!(intent(&Method::GET, &headers(lines)), expected, "{what}: {lines:?}");
}

/// Shorthand for `Sec-Fetch-Mode`, `Sec-Fetch-Dest` and `Accept`.
#[track_caller]
fn fetch(what: &str, mode: &'static str, destination: &'static str, accept: &'static str, expected: Intent) {
    check(what, &[("sec-fetch-mode", mode), ("sec-fetch-dest", destination), ("accept", accept)], expected);
}

/// The headers that Chromium 156 sent in a recorded request.
#[test]
fn chromium_says_what_it_does_with_the_answer() {
    fetch("a typed address, a link, a form", "navigate", "document", CHROMIUM, Intent::Navigation);
    fetch("a navigation that a service worker passes on", "navigate", "empty", CHROMIUM, Intent::Navigation);
    check("<a download>", &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "empty")], Intent::Navigation);
    for frame in ["iframe", "frame", "object", "embed", "fencedframe"] {
        fetch(frame, "navigate", frame, CHROMIUM, Intent::Frame);
    }
    fetch("fetch()", "cors", "empty", "*/*", Intent::Other);
    fetch("fetch() that asks for HTML", "cors", "empty", "text/html", Intent::Other);
    fetch("fetch() of this origin only", "same-origin", "empty", "text/html", Intent::Other);
    fetch("XMLHttpRequest", "cors", "empty", "*/*", Intent::Other);
    fetch("EventSource", "cors", "empty", "text/event-stream", Intent::Other);
    fetch("sendBeacon()", "no-cors", "empty", "*/*", Intent::Other);
    fetch("<img>", "no-cors", "image", "image/avif,image/webp,*/*;q=0.8", Intent::Other);
    fetch("<script>", "no-cors", "script", "*/*", Intent::Other);
    fetch("a service worker's script", "same-origin", "serviceworker", "*/*", Intent::Other);
    fetch("a web application's manifest", "cors", "manifest", "*/*", Intent::Other);
    check("a WebSocket", &[("upgrade", "websocket"), ("connection", "Upgrade")], Intent::Other);
}

#[test]
fn a_service_worker_s_copy_of_a_navigation_is_one_and_a_script_s_request_is_not() {
    let copy = [("sec-fetch-mode", "same-origin"), ("sec-fetch-dest", "empty"), ("accept", CHROMIUM)];
    let [mode, destination, accept] = copy;
    check("the copy", &[mode, destination, accept, ("upgrade-insecure-requests", "1")], Intent::Navigation);
    check("without the navigation's headers", &copy, Intent::Other);
    check(
        "of another mode",
        &[("sec-fetch-mode", "cors"), destination, accept, ("upgrade-insecure-requests", "1")],
        Intent::Other,
    );
    check("for JSON", &[mode, destination, ("accept", "*/*"), ("upgrade-insecure-requests", "1")], Intent::Other);
}

#[test]
fn what_is_asked_ahead_of_time_is_looked_at_by_nobody() {
    let navigation = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"), ("accept", CHROMIUM)];
    let [mode, destination, accept] = navigation;
    for purpose in ["prefetch", "prefetch;prerender", "prefetch;anonymous-client-ip", "prerender", "prefetch, preview"]
    {
        check("Chromium", &[mode, destination, accept, ("sec-purpose", purpose)], Intent::Prefetch);
    }
    check(
        "Chromium, <link rel=prefetch>",
        &[("sec-fetch-mode", "no-cors"), ("sec-purpose", "prefetch")],
        Intent::Prefetch,
    );
    check("older Chromium, Safari", &[accept, ("purpose", "prefetch")], Intent::Prefetch);
    check("Safari's top sites", &[accept, ("x-purpose", "preview")], Intent::Prefetch);
    check("older Firefox", &[accept, ("x-moz", "prefetch")], Intent::Prefetch);
    check("a purpose that is none of these", &[mode, destination, accept, ("purpose", "browsing")], Intent::Navigation);
}

#[test]
fn firefox_and_safari_say_it_too() {
    fetch("Firefox, a navigation", "navigate", "document", FIREFOX, Intent::Navigation);
    fetch("Firefox, a navigation by way of a service worker", "navigate", "empty", FIREFOX, Intent::Navigation);
    fetch("Firefox, a frame", "navigate", "iframe", FIREFOX, Intent::Frame);
    fetch("Firefox, fetch()", "cors", "empty", "*/*", Intent::Other);
    fetch("Firefox, a WebSocket", "websocket", "empty", "*/*", Intent::Other);
    // Safari sends these fields since 16.4, and no `Sec-Fetch-User`.
    fetch("Safari, a navigation", "navigate", "document", FIREFOX, Intent::Navigation);
    fetch("Safari, a frame", "navigate", "iframe", FIREFOX, Intent::Frame);
    fetch("Safari, fetch()", "cors", "empty", "*/*", Intent::Other);
}

#[test]
fn old_browsers_and_programs_are_known_by_what_they_accept() {
    check("Safari before 16.4", &[("accept", FIREFOX)], Intent::Navigation);
    check("Internet Explorer 11", &[("accept", "text/html, application/xhtml+xml, */*")], Intent::Navigation);
    check(
        "jQuery, for a piece of a page",
        &[("accept", "text/html, */*; q=0.01"), ("x-requested-with", "XMLHttpRequest")],
        Intent::Other,
    );
    check("axios", &[("accept", "application/json, text/plain, */*")], Intent::Other);
    check("old fetch()", &[("accept", "*/*")], Intent::Other);
    check("old WebSocket", &[("accept", "text/html"), ("upgrade", "WebSocket")], Intent::Other);
    check("curl, Slackbot, facebookexternalhit", &[("accept", "*/*")], Intent::Other);
    check("HTML is the last that it wants", &[("accept", "text/html;q=0")], Intent::Other);
    check("a health check", &[], Intent::Other);
    assert_eq!(intent(&Method::OPTIONS, &headers(&[("accept", FIREFOX)])), Intent::Other);
}

/// A client still gets the right answer if one field is missing, new or unusual.
#[test]
fn one_signal_that_differs_shuts_no_navigation_out() {
    let accept = ("accept", CHROMIUM);
    check("no destination", &[("sec-fetch-mode", "navigate"), accept], Intent::Navigation);
    fetch("a destination of the future", "navigate", "webidentity", CHROMIUM, Intent::Navigation);
    check("no mode", &[("sec-fetch-dest", "document"), accept], Intent::Navigation);
    check("no mode, a frame", &[("sec-fetch-dest", "iframe"), accept], Intent::Frame);
    check("no mode, a script", &[("sec-fetch-dest", "empty"), accept], Intent::Other);
    fetch("no HTML", "navigate", "document", "*/*", Intent::Navigation);
    check(
        "an Android WebView",
        &[("sec-fetch-mode", "navigate"), accept, ("x-requested-with", "com.example.app")],
        Intent::Navigation,
    );
    check("an old WebView", &[accept, ("x-requested-with", "com.example.app")], Intent::Navigation);
    check("an HTTP/2 upgrade", &[accept, ("upgrade", "h2c")], Intent::Navigation);
    let scripted = ("x-requested-with", "XMLHttpRequest");
    check("no script can ask to navigate", &[("sec-fetch-mode", "navigate"), accept, scripted], Intent::Navigation);
}

#[test]
fn preferred_follows_accept() {
    assert_eq!(preferred(&headers(&[("accept", "text/html, application/json")])), Preferred::Html);
    assert_eq!(preferred(&headers(&[("accept", "application/json")])), Preferred::Json);
    assert_eq!(preferred(&headers(&[("x-requested-with", "xmlhttprequest")])), Preferred::Json);
    assert_eq!(preferred(&headers(&[("accept", "*/*")])), Preferred::Text);
}

//! Finds out which form of an answer the client can use, and whether the request loads a page into a tab.

use http::{HeaderMap, HeaderName, Method, header};

/// The form in which a client prefers an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preferred {
    /// `text/html`: a person with a browser.
    Html,
    /// `application/json`: a program.
    Json,
    /// The client asked for neither.
    Text,
}

/// What the client does with the answer, which decides whether a redirect to a sign-in page can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// A browser loads a page into a tab or a window.
    Navigation,
    /// A browser loads a page into a frame of another page. Providers refuse to be shown in a frame.
    Frame,
    /// A browser or a link preview loads the page ahead of time. The user does not see the answer yet.
    Prefetch,
    /// A script, an image, a WebSocket or a program: the answer is not shown as a page.
    Other,
}

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const UPGRADE_INSECURE_REQUESTS: HeaderName = HeaderName::from_static("upgrade-insecure-requests");
const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// `Sec-Purpose` is the current name (Fetch §3.7). Safari, older Chromium and older Firefox send the other names.
const PURPOSES: [&str; 4] = ["sec-purpose", "purpose", "x-purpose", "x-moz"];

/// Reads `Accept` (RFC 9110 §12.5.1). Weights are not compared: a client that names HTML can show it.
pub fn preferred(headers: &HeaderMap) -> Preferred {
    let mut accepts_json = false;
    let fields = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for item in fields.flat_map(|field| field.split(',')) {
        let (media, parameters) = item.split_once(';').unwrap_or((item, ""));
        let is = |wanted: &str| media.trim().eq_ignore_ascii_case(wanted);
        if (is("text/html") || is("application/xhtml+xml")) && !is_unwanted(parameters) {
            return Preferred::Html;
        }
        accepts_json = accepts_json || (is("application/json") && !is_unwanted(parameters));
    }
    if accepts_json || is_scripted(headers) { Preferred::Json } else { Preferred::Text }
}

/// RFC 9110 §12.4.2: a weight of zero means "not this".
fn is_unwanted(parameters: &str) -> bool {
    parameters.split(';').any(|part| matches!(part.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
}

/// What the client does with the answer.
///
/// If `Sec-Fetch-Mode` is present, it decides: browsers set it, and scripts can neither set it nor ask for `navigate`
/// (Fetch §2.2.2, §5.4). `Sec-Fetch-Dest` only distinguishes frames from tabs. It is `empty` when a service worker
/// forwards a navigation (`fetch(event.request)`), so no value of it is required. A worker that forwards a copy
/// (`new Request(event.request, …)`) cannot keep the mode, but the copy keeps the headers and the redirect mode of the
/// navigation. A client that sends neither field is an old browser or a program. If it names HTML in `Accept`, it wants a
/// page.
pub fn intent(method: &Method, headers: &HeaderMap) -> Intent {
    if is_prefetch(headers) {
        return Intent::Prefetch;
    }
    if *method == Method::OPTIONS || asks_for_websocket(headers) {
        return Intent::Other;
    }
    let destination = headers.get(SEC_FETCH_DEST).map(|value| value.as_bytes());
    match headers.get(SEC_FETCH_MODE).map(|value| value.as_bytes()) {
        Some(b"navigate") => match destination {
            Some(b"iframe" | b"frame" | b"fencedframe" | b"object" | b"embed") => Intent::Frame,
            _ => Intent::Navigation,
        },
        Some(b"same-origin") if is_copied_navigation(headers) => Intent::Navigation,
        Some(_) => Intent::Other,
        // Something removed `Sec-Fetch-Mode` but kept `Sec-Fetch-Dest`. Only a navigation has one of these destinations.
        None => match destination {
            Some(b"document") => Intent::Navigation,
            Some(b"iframe" | b"frame" | b"fencedframe") => Intent::Frame,
            Some(_) => Intent::Other,
            None if preferred(headers) == Preferred::Html && !is_scripted(headers) => Intent::Navigation,
            None => Intent::Other,
        },
    }
}

/// Whether the browser's headers say that a script made the request.
pub fn is_made_by_script(headers: &HeaderMap) -> bool {
    headers.get(SEC_FETCH_MODE).is_some_and(|mode| matches!(mode.as_bytes(), b"cors" | b"no-cors" | b"same-origin"))
}

/// Whether a browser or a preview loads the page ahead of time. No user asked for it, so it must change nothing (attacks C-15).
pub fn is_prefetch(headers: &HeaderMap) -> bool {
    let purposes = PURPOSES.iter().filter_map(|name| headers.get(*name)?.to_str().ok());
    let is_ahead = |word: &str| matches!(word.trim(), "prefetch" | "prerender" | "preview");
    purposes.flat_map(|purpose| purpose.split([';', ','])).any(is_ahead)
}

/// Whether a request that a service worker made has the headers of a navigation. Scripts can set these two headers, but such
/// a script only gets a redirect that it cannot follow.
fn is_copied_navigation(headers: &HeaderMap) -> bool {
    let is_upgrading = headers.get(UPGRADE_INSECURE_REQUESTS).is_some_and(|value| value.as_bytes() == b"1");
    is_upgrading && preferred(headers) == Preferred::Html && !is_scripted(headers)
}

fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let is_websocket = |protocol: &[u8]| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket");
    headers.get_all(header::UPGRADE).iter().any(|value| value.as_bytes().split(|byte| *byte == b',').any(is_websocket))
}

fn is_scripted(headers: &HeaderMap) -> bool {
    headers.get(X_REQUESTED_WITH).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"xmlhttprequest"))
}

#[cfg(test)]
mod tests;

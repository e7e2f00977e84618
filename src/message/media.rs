//! What kind of answer the client can use: its `Accept`, and whether it navigates.

use http::{HeaderMap, HeaderName, Method, header};

/// The form in which a client wants to be told something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preferred {
    /// `text/html`: a person with a browser.
    Html,
    /// `application/json`: a program.
    Json,
    /// Neither was asked for.
    Text,
}

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_PURPOSE: HeaderName = HeaderName::from_static("sec-purpose");
const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// Reads `Accept` (RFC 9110 §12.5.1). Weights are not compared: a client that names HTML can show it.
pub(crate) fn preferred(headers: &HeaderMap) -> Preferred {
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

/// Whether a redirect to a sign-in page can help: a browser that loads a document into a tab.
///
/// Decided by what only a navigation says (Fetch Metadata), and by `Accept` where a client sends none of it. An iframe is
/// not a navigation: a provider's page refuses to be framed. Nor is a prefetch, which nobody looks at.
pub(crate) fn is_navigation(method: &Method, headers: &HeaderMap) -> bool {
    if headers.contains_key(header::UPGRADE) || headers.contains_key(SEC_PURPOSE) || is_scripted(headers) {
        return false;
    }
    if method == Method::OPTIONS {
        return false;
    }
    let says = |name: &HeaderName, wanted: &str| headers.get(name).map(|value| value.as_bytes() == wanted.as_bytes());
    match (says(&SEC_FETCH_MODE, "navigate"), says(&SEC_FETCH_DEST, "document")) {
        (Some(mode), dest) => mode && dest.unwrap_or(true),
        (None, Some(dest)) => dest,
        (None, None) => preferred(headers) == Preferred::Html,
    }
}

fn is_scripted(headers: &HeaderMap) -> bool {
    headers.get(X_REQUESTED_WITH).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"xmlhttprequest"))
}

#[cfg(test)]
mod tests;

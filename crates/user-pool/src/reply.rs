//! The kinds of responses that the pool sends.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::message::WholeResponse;
use crate::page::headers::harden;

/// A JSON document that must not be cached. Pages of any site may read it: the endpoints that answer with JSON use no cookies,
/// so such a page learns nothing that it could not request without a browser.
pub(crate) fn json(status: StatusCode, value: &Value) -> WholeResponse {
    let mut response = with(status, "application/json", value.to_string());
    // RFC 6749 §5.1 requires both headers on responses with tokens. Old caches support only `Pragma`.
    response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// A JSON document for the user whose cookie came with the request: no page of another site may read it.
pub(crate) fn own_json(value: &Value) -> WholeResponse {
    with(StatusCode::OK, "application/json", format!("{value:#}\n"))
}

/// A JSON document that may be cached for `max_age_seconds`, and that pages of any site may read.
pub(crate) fn public_json(value: &Value, max_age_seconds: u32) -> WholeResponse {
    let mut response = with(StatusCode::OK, "application/json", value.to_string());
    let headers = response.headers_mut();
    let cache = format!("public, max-age={max_age_seconds}");
    headers.insert(header::CACHE_CONTROL, HeaderValue::try_from(cache).expect("digits are ASCII"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// 200 without a body.
pub(crate) fn nothing() -> WholeResponse {
    let mut response = with(StatusCode::OK, "text/plain; charset=utf-8", String::new());
    response.headers_mut().remove(header::CONTENT_TYPE);
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// Answers a CORS preflight request (Fetch §3.2.2).
pub(crate) fn preflight() -> WholeResponse {
    let mut response = with(StatusCode::NO_CONTENT, "text/plain; charset=utf-8", String::new());
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

/// Redirects the browser with a `GET` (RFC 9700 §4.12: never 307, which would send the password again).
pub(crate) fn see_other(location: &str) -> WholeResponse {
    let mut response = with(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", String::new());
    let location = HeaderValue::try_from(location).expect("locations are serialised URLs and encoded forms: ASCII");
    response.headers_mut().insert(header::LOCATION, location);
    response
}

fn with(status: StatusCode, content_type: &'static str, body: String) -> WholeResponse {
    let mut response = WholeResponse::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    harden(response.headers_mut());
    response
}

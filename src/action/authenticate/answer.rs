//! Answers of our own: redirects, JSON, and the page that says "you are signed out".

use http::{HeaderValue, StatusCode, header};

use crate::exchange::rejection::{Reason, Rejection};
use crate::message::Response;
use crate::message::body::Body;
use crate::message::media::Preferred;
use crate::message::page::{self, harden};

/// 302, as the ALB (spec §2.2): the browser goes there by GET, whatever it came with.
pub(super) fn redirect(location: &str) -> Result<Response, Rejection> {
    // Our own locations are canonical paths, which may hold UTF-8; a provider's is an absolute URL.
    let location =
        HeaderValue::from_bytes(location.as_bytes()).map_err(|error| Rejection::new(Reason::Internal, error))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(header::LOCATION, location);
    harden(response.headers_mut());
    Ok(response)
}

/// A JSON document that is nobody else's business.
pub(super) fn json(value: &serde_json::Value) -> Response {
    document("application/json", value.to_string())
}

/// The landing page after signing out. It is behind no rule, so that signing out does not sign in again (pitfalls 70).
pub(super) fn signed_out(preferred: Preferred) -> Response {
    match preferred {
        Preferred::Html => document("text/html; charset=utf-8", landing()),
        Preferred::Json => json(&serde_json::json!({"signed_out": true})),
        Preferred::Text => document("text/plain; charset=utf-8", "You are signed out.\n".to_owned()),
    }
}

/// Answers a prefetch: nothing was done, and nothing is to be kept. A browser that is told 503 asks again in earnest.
pub(super) fn not_for_prefetch() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    harden(response.headers_mut());
    response
}

fn document(content_type: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::full(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    harden(response.headers_mut());
    response
}

fn landing() -> String {
    page::document(
        "You are signed out",
        "",
        "<h1>You are signed out</h1>\n\
         <p>You can close this page. On a shared computer, close the browser too.</p>\n\
         <p><a class=\"button\" href=\"/\">Sign in again</a></p>",
    )
}

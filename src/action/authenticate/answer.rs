//! Our own responses: redirects, JSON, and the pages "You are signed in" and "You are signed out".

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::exchange::rejection::{Reason, Rejection};
use crate::message::Response;
use crate::message::body::Body;
use crate::message::media::{self, Preferred};
use crate::page::{self, escape, harden};

/// Redirects the browser to `location`.
///
/// A navigation is answered 302, as by the ALB (ALB §2.2): the browser continues with GET. A request that a service worker makes
/// instead of a navigation cannot follow a redirect to another site, and cannot return a redirected response (Fetch §4.2). It
/// gets a page that redirects.
pub(super) fn go(location: &str, headers: &HeaderMap) -> Result<Response, Rejection> {
    if media::is_made_by_script(headers) {
        return Ok(page_that_goes_to(location));
    }
    redirect(location)
}

/// A page that redirects to `location`, as a link of this origin would.
pub(super) fn page_that_goes_to(location: &str) -> Response {
    document("text/html; charset=utf-8", going(location))
}

/// 302.
pub(super) fn redirect(location: &str) -> Result<Response, Rejection> {
    // Our own locations are canonical paths, which may contain UTF-8. The location of a provider is an absolute URL.
    let location =
        HeaderValue::from_bytes(location.as_bytes()).map_err(|error| Rejection::new(Reason::Internal, error))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(header::LOCATION, location);
    harden(response.headers_mut());
    Ok(response)
}

/// A JSON document for this user only.
pub(super) fn json(value: &serde_json::Value) -> Response {
    document("application/json", value.to_string())
}

/// The page after a sign-out. No rule protects it, otherwise the sign-out would start a new sign-in (pitfalls 70).
pub(super) fn signed_out(preferred: Preferred) -> Response {
    match preferred {
        Preferred::Html => document("text/html; charset=utf-8", signed_out_page()),
        Preferred::Json => json(&serde_json::json!({"signed_out": true})),
        Preferred::Text => document("text/plain; charset=utf-8", "You are signed out.\n".to_owned()),
    }
}

/// The page after a sign-in that was started in another tab or in a frame.
pub(super) fn signed_in(preferred: Preferred) -> Response {
    match preferred {
        Preferred::Html => document("text/html; charset=utf-8", signed_in_page()),
        Preferred::Json => json(&serde_json::json!({"signed_in": true})),
        Preferred::Text => document("text/plain; charset=utf-8", "You are signed in.\n".to_owned()),
    }
}

/// Answers a prefetch without any effect. After 503, the browser sends the request again when the user navigates.
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

fn signed_out_page() -> String {
    page::document(
        "You are signed out",
        "",
        "<h1>You are signed out</h1>\n\
         <p>You can close this page. On a shared computer, close the browser too.</p>\n\
         <p><a class=\"button\" href=\"/\">Sign in again</a></p>",
    )
}

fn signed_in_page() -> String {
    page::document(
        "You are signed in",
        "",
        "<h1>You are signed in</h1>\n\
         <p>Close this tab, go back to the tab that you came from, and reload it. If the browser asks whether to send \
         the form again, say yes.</p>\n\
         <p><a class=\"button\" href=\"/\">Go to the front page</a></p>",
    )
}

/// The page redirects without a script, and has a link for browsers that do not follow.
fn going(location: &str) -> String {
    let location = escape(location);
    page::document(
        "One moment",
        "",
        &format!(
            "<meta http-equiv=\"refresh\" content=\"0;url={location}\">\n\
             <h1>One moment</h1>\n\
             <p>You are taken to the next page.</p>\n\
             <p><a class=\"button\" href=\"{location}\">Continue</a></p>"
        ),
    )
}

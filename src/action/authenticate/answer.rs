//! Answers of our own: redirects, JSON, and the pages that say "you are signed in" and "you are signed out".

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::exchange::rejection::{Reason, Rejection};
use crate::message::Response;
use crate::message::body::Body;
use crate::message::media::{self, Preferred};
use crate::message::page::{self, escape, harden};

/// Sends the browser to `location`.
///
/// A navigation is answered 302, as by the ALB (ALB §2.2): the browser goes there by GET, whatever it came with. A request
/// that a service worker makes in place of a navigation cannot follow a redirect to another site, and may not pass one on
/// that it followed (Fetch §4.2): the page that it passes on goes there.
pub(super) fn go(location: &str, headers: &HeaderMap) -> Result<Response, Rejection> {
    if media::is_made_by_script(headers) {
        return Ok(page_that_goes_to(location));
    }
    redirect(location)
}

/// A page that goes to `location` by itself, as a link of this origin would.
pub(super) fn page_that_goes_to(location: &str) -> Response {
    document("text/html; charset=utf-8", going(location))
}

/// 302.
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
        Preferred::Html => document("text/html; charset=utf-8", signed_out_page()),
        Preferred::Json => json(&serde_json::json!({"signed_out": true})),
        Preferred::Text => document("text/plain; charset=utf-8", "You are signed out.\n".to_owned()),
    }
}

/// The landing page after signing in from another tab, or from a frame.
pub(super) fn signed_in(preferred: Preferred) -> Response {
    match preferred {
        Preferred::Html => document("text/html; charset=utf-8", signed_in_page()),
        Preferred::Json => json(&serde_json::json!({"signed_in": true})),
        Preferred::Text => document("text/plain; charset=utf-8", "You are signed in.\n".to_owned()),
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

/// Goes on by itself, without a script, and has a link for browsers that do not.
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

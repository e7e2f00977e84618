//! Our own responses: redirects, JSON, and the pages "You are signed in" and "You are signed out".

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::exchange::rejection::{Reason, Rejection};
use crate::message::body::Body;
use crate::message::media::{self, Preferred};
use crate::message::{Response, streamed};
use crate::page::headers::{Frames, harden};
use crate::page::link::Link;
use crate::page::pages::{Notice, Redirecting};
use crate::page::site::NO_FORM;
use crate::page::{Pages, Text, View};

/// Redirects the browser to `location`.
///
/// A navigation is answered 302, as by the ALB (ALB §2.2): the browser continues with GET. A request that a service worker makes
/// instead of a navigation cannot follow a redirect to another site, and cannot return a redirected response (Fetch §4.2). It
/// gets a page that redirects.
pub(super) fn go(pages: &Pages, location: &str, headers: &HeaderMap) -> Result<Response, Rejection> {
    if media::is_made_by_script(headers) {
        return Ok(page_that_goes_to(pages.view_for(headers), location));
    }
    redirect(location)
}

/// A page that redirects to `location`, as a link of this origin would.
pub(super) fn page_that_goes_to(view: View<'_>, location: &str) -> Response {
    streamed(view.respond(StatusCode::OK, &Redirecting { view, location }, NO_FORM, Frames::Nobody))
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
    plain("application/json", value.to_string())
}

/// The page after a sign-out. No rule protects it, otherwise the sign-out would start a new sign-in (pitfalls 70).
pub(super) fn signed_out(preferred: Preferred, view: View<'_>) -> Response {
    match preferred {
        Preferred::Html => notice(Notice {
            view,
            title: Text::SignedOutTitle,
            text: Text::SignedOutAdvice,
            link: Link::here(Text::LinkSignInAgain, "/"),
        }),
        Preferred::Json => json(&serde_json::json!({"signed_out": true})),
        Preferred::Text => plain("text/plain; charset=utf-8", "You are signed out.\n".to_owned()),
    }
}

/// The page after a sign-in that was started in another tab or in a frame.
pub(super) fn signed_in(preferred: Preferred, view: View<'_>) -> Response {
    match preferred {
        Preferred::Html => notice(Notice {
            view,
            title: Text::SignedInTitle,
            text: Text::SignedInAdvice,
            link: Link::here(Text::LinkFrontPage, "/"),
        }),
        Preferred::Json => json(&serde_json::json!({"signed_in": true})),
        Preferred::Text => plain("text/plain; charset=utf-8", "You are signed in.\n".to_owned()),
    }
}

/// The page after a sign-in that was to show nothing, where the provider has to ask the user. `link` begins one that asks.
pub(super) fn wants_sign_in(view: View<'_>, link: Link) -> Response {
    notice(Notice { view, title: Text::AskAgainTitle, text: Text::AskAgainAdvice, link })
}

/// Answers a prefetch without any effect. After 503, the browser sends the request again when the user navigates.
pub(super) fn not_for_prefetch() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    harden(response.headers_mut());
    response
}

fn notice(page: Notice<'_>) -> Response {
    streamed(page.view.respond(StatusCode::OK, &page, NO_FORM, Frames::Nobody))
}

fn plain(content_type: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::full(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    harden(response.headers_mut());
    response
}

/// The response to a prefetch of an endpoint with side effects.
pub(super) fn refuse_prefetch(headers: &HeaderMap) -> Option<Response> {
    media::is_prefetch(headers).then(not_for_prefetch)
}

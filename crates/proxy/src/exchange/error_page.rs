//! Renders a rejection as HTML, JSON or text, whichever the client prefers.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::{HeaderValue, StatusCode, header};

use crate::exchange::rejection::{Help, Reason, Rejection};
use crate::exchange::request_id::RequestId;
use crate::message::body::Body;
use crate::message::media::Preferred;
use crate::message::{Response, grpc, streamed};
use crate::page::headers::{Frames, harden};
use crate::page::link::Link;
use crate::page::pages::Refused;
use crate::page::site::NO_FORM;
use crate::page::translation::english;
use crate::page::{Text, View};

/// The request that a page is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'e> {
    pub(crate) id: &'e RequestId,
    /// The canonical `host` or `host:port`. `None` if the request could not be read.
    pub(crate) authority: Option<&'e str>,
}

/// The answer to a request that we refuse, in the form that the client prefers. Programs get English.
pub(crate) fn render(rejection: &Rejection, about: About<'_>, preferred: Preferred, view: View<'_>) -> Response {
    let reason = rejection.reason;
    let status = reason.status();
    let mut response = match preferred {
        Preferred::Html => html(rejection, status, about, view),
        Preferred::Json => plain(status, "application/json", json(rejection, status, about)),
        Preferred::Text => plain(status, "text/plain; charset=utf-8", text(rejection, status, about)),
    };
    let headers = response.headers_mut();
    match status {
        StatusCode::UNAUTHORIZED if !reason.is_of_bearer() => {
            headers.insert(header::WWW_AUTHENTICATE, challenge(reason));
        }
        StatusCode::UNAUTHORIZED if rejection.challenges().is_empty() => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(r#"Bearer realm="vestibule""#));
        }
        _ => {}
    }
    for challenge in rejection.challenges() {
        headers.append(header::WWW_AUTHENTICATE, challenge.clone());
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("30"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let methods = if reason == Reason::StaticMethod {
            "GET, HEAD, OPTIONS"
        } else {
            "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
        };
        headers.insert(header::ALLOW, HeaderValue::from_static(methods));
    }
    // If the end of a request is ambiguous, no further request can be read from the connection (attacks G-02, G-03).
    if matches!(
        reason,
        Reason::RequestTransferEncoding
            | Reason::RequestMalformed
            | Reason::RequestBodyMalformed
            | Reason::RequestNotCompliant
    ) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// RFC 9110 §11.6.1 requires a challenge with each 401. It is not `Basic`, because browsers open a dialog for that
/// (pitfalls 19).
fn challenge(reason: Reason) -> HeaderValue {
    HeaderValue::try_from(format!(r#"Session realm="vestibule", error="{}""#, reason.code())).expect("codes are ASCII")
}

fn html(rejection: &Rejection, status: StatusCode, about: About<'_>, view: View<'_>) -> Response {
    let view = view.without_forms();
    let page = Refused {
        view,
        status: status.as_u16(),
        code: rejection.reason.code(),
        notes: rejection.notes(),
        links: &links(rejection),
        request_id: Some(about.id.as_str()),
    };
    // Pages of the same origin may show the error page in a frame.
    streamed(view.respond(status, &page, NO_FORM, Frames::SameOrigin))
}

/// An answer for a program.
fn plain(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    harden(response.headers_mut());
    response
}

/// The answer to a gRPC call that we refuse. Its HTTP status is 200: clients read `grpc-status`.
pub(crate) fn render_grpc(rejection: &Rejection, about: About<'_>) -> Response {
    let (code, status) = (rejection.reason.code(), rejection.reason.status());
    let texts = english().reason(code);
    let message = format!("{code}: {}. {} Request {}", texts.title, texts.advice, about.id);
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = grpc::failed(grpc::Status::of_http(status), &message);
    harden(response.headers_mut());
    response
}

/// The links of the rejection, or the default links of its reason.
fn links(rejection: &Rejection) -> Cow<'_, [Link]> {
    if !rejection.links().is_empty() {
        return Cow::Borrowed(rejection.links());
    }
    Cow::Owned(match rejection.reason.help() {
        Help::None => Vec::new(),
        Help::StartAgain
        | Help::OtherPage
        | Help::Permissions
        | Help::OtherAccount
        | Help::SignInAgain
        | Help::RetrySignIn => vec![Link::here(Text::LinkFrontPage, "/")],
        Help::OtherTab => vec![Link::here(Text::LinkFrontPage, "/").in_a_new_tab()],
        Help::WithoutForm => vec![Link::same_address(Text::LinkOpenPage)],
        Help::TryLater => vec![Link::same_address(Text::LinkTryAgain)],
    })
}

fn json(rejection: &Rejection, status: StatusCode, about: About<'_>) -> String {
    let code = rejection.reason.code();
    let texts = english().reason(code);
    let mut object = serde_json::json!({
        "error": code,
        "status": status.as_u16(),
        "message": texts.title,
        "advice": texts.advice,
        "request_id": about.id.as_str(),
    });
    let ways = addresses(rejection, about).filter_map(|(label, address)| Some((member(label)?, address)));
    let facts = rejection.facts().iter().map(|(name, value)| (*name, value.clone()));
    for (name, value) in ways.chain(facts) {
        // The first of several ways to sign in is the best.
        if object.get(name).is_none() {
            object[name] = value.into();
        }
    }
    object.to_string()
}

/// The member of the JSON object with the address of a link.
const fn member(label: Text) -> Option<&'static str> {
    match label {
        Text::LinkAskAgain => Some("ask_again"),
        Text::LinkSignIn
        | Text::LinkSignInAgain
        | Text::LinkSignInOrSwitch
        | Text::LinkTryAgain
        | Text::LinkOtherAccount => Some("sign_in"),
        _ => None,
    }
}

fn text(rejection: &Rejection, status: StatusCode, about: About<'_>) -> String {
    let (code, status, id) = (rejection.reason.code(), status.as_u16(), about.id);
    let texts = english().reason(code);
    let mut text = format!("{status} {code}: {}. {}\n", texts.title, texts.advice);
    for note in rejection.notes() {
        let _ = writeln!(text, "{}", note.english());
    }
    for (label, address) in addresses(rejection, about) {
        let _ = writeln!(text, "{}: {address}", english().text(label));
    }
    let _ = writeln!(text, "request {id}");
    text
}

/// The links that the rejection offers to other addresses, each with its whole address.
fn addresses(rejection: &Rejection, about: About<'_>) -> impl Iterator<Item = (Text, String)> {
    let host = about.authority;
    let elsewhere = rejection.links().iter().filter(|link| !link.href.is_empty());
    elsewhere.filter_map(move |Link { label, href, .. }| {
        let address = if href.starts_with('/') { format!("https://{}{href}", host?) } else { href.clone() };
        Some((*label, address))
    })
}

#[cfg(test)]
mod tests;

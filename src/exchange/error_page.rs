//! Renders a rejection as HTML, JSON or text, whichever the client prefers.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::{HeaderValue, StatusCode, header};

use crate::exchange::Exchange;
use crate::exchange::rejection::{Help, Opens, Reason, Rejection, WayOn};
use crate::exchange::request_id::RequestId;
use crate::message::Response;
use crate::message::body::Body;
use crate::message::media::Preferred;
use crate::page::{allow_own_frames, document, escape, harden};

/// The answer to a request that we refuse, in the form that the client prefers.
pub(crate) fn render(rejection: &Rejection, exchange: &Exchange, preferred: Preferred) -> Response {
    let reason = rejection.reason;
    let status = reason.status();
    let (content_type, body) = match preferred {
        Preferred::Html => ("text/html; charset=utf-8", html(rejection, status, exchange.id)),
        Preferred::Json => ("application/json", json(rejection, status, exchange)),
        Preferred::Text => ("text/plain; charset=utf-8", text(rejection, status, exchange)),
    };
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, challenge(reason));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("30"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    }
    // If the end of a request is ambiguous, no further request can be read from the connection (attacks G-02, G-03).
    if matches!(reason, Reason::RequestTransferEncoding | Reason::RequestMalformed | Reason::RequestBodyMalformed) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    harden(headers);
    // Pages of the same origin may show the error page in a frame. No click on the page changes anything, so clickjacking gains nothing.
    allow_own_frames(headers);
    response
}

/// RFC 9110 §11.6.1 requires a challenge with each 401. It is not `Basic`, because browsers open a dialog for that
/// (pitfalls 19).
fn challenge(reason: Reason) -> HeaderValue {
    HeaderValue::try_from(format!(r#"Session realm="vestibule", error="{}""#, reason.code())).expect("codes are ASCII")
}

fn html(rejection: &Rejection, status: StatusCode, id: RequestId) -> String {
    let reason = rejection.reason;
    let (title, advice, code, status) = (reason.title(), reason.advice(), reason.code(), status.as_u16());
    let mut links = String::new();
    for (place, way) in ways(rejection).iter().enumerate() {
        // The first link is shown as a button.
        let class = if place == 0 { "button" } else { "more" };
        let target = match way.opens {
            Opens::Here => "",
            Opens::NewTab => " target=\"_blank\" rel=\"noopener\"",
        };
        let (href, label) = (escape(&way.href), way.label);
        let _ = writeln!(links, "<p><a class=\"{class}\" href=\"{href}\"{target}>{label}</a></p>");
    }
    let notes: String = rejection.notes().iter().map(|note| format!("<p>{}</p>\n", escape(note))).collect();
    let main = format!(
        "<h1>{title}</h1>\n<p>{advice}</p>\n{notes}{links}\
         <p class=\"small\">{status} · <code>{code}</code><br>Request <code>{id}</code></p>"
    );
    document(title, "", &main)
}

/// The links of the rejection, or the default links of its reason.
fn ways(rejection: &Rejection) -> Cow<'_, [WayOn]> {
    if !rejection.ways().is_empty() {
        return Cow::Borrowed(rejection.ways());
    }
    Cow::Owned(match rejection.reason.help() {
        Help::None => Vec::new(),
        Help::StartAgain | Help::OtherPage => vec![WayOn::here("Go to the front page", "/".to_owned())],
        Help::OtherTab => vec![WayOn::here("Go to the front page", "/".to_owned()).in_a_new_tab()],
        Help::WithoutForm => vec![WayOn::same_address("Open the page")],
        Help::TryLater => vec![WayOn::same_address("Try again")],
    })
}

fn json(rejection: &Rejection, status: StatusCode, exchange: &Exchange) -> String {
    let reason = rejection.reason;
    let mut object = serde_json::json!({
        "error": reason.code(),
        "status": status.as_u16(),
        "message": reason.title(),
        "advice": reason.advice(),
        "request_id": exchange.id.to_string(),
    });
    if !rejection.facts().is_empty() {
        let facts = rejection.facts().iter().map(|(name, value)| (*name, value.clone()));
        let sign_in = links(rejection, exchange).next().map(|(_, address)| ("sign_in", address));
        for (name, value) in facts.chain(sign_in) {
            object[name] = value.into();
        }
    }
    object.to_string()
}

fn text(rejection: &Rejection, status: StatusCode, exchange: &Exchange) -> String {
    let reason = rejection.reason;
    let (code, title, advice, status, id) =
        (reason.code(), reason.title(), reason.advice(), status.as_u16(), exchange.id);
    let mut text = format!("{status} {code}: {title}. {advice}\n");
    for note in rejection.notes() {
        let _ = writeln!(text, "{note}");
    }
    for (label, address) in links(rejection, exchange) {
        let _ = writeln!(text, "{label}: {address}");
    }
    let _ = writeln!(text, "request {id}");
    text
}

/// The links that the rejection offers to other addresses, each with its whole address.
fn links(rejection: &Rejection, exchange: &Exchange) -> impl Iterator<Item = (&'static str, String)> {
    let host = exchange.request.as_ref().map(|request| request.authority.as_str());
    let elsewhere = rejection.ways().iter().filter(|way| !way.href.is_empty());
    elsewhere.filter_map(move |WayOn { label, href, .. }| {
        let address = if href.starts_with('/') { format!("https://{}{href}", host?) } else { href.clone() };
        Some((*label, address))
    })
}

#[cfg(test)]
mod tests;

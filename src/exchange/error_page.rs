//! Renders a rejection as HTML, JSON or text, as the client prefers.

use http::{HeaderValue, StatusCode, header};

use crate::exchange::rejection::{Help, Reason};
use crate::exchange::request_id::RequestId;
use crate::message::body::Body;
use crate::message::media::Preferred;
use crate::message::page::{document, harden};
use crate::message::{Response, WholeResponse};

/// The answer to a request that we refuse.
pub(crate) fn render(reason: Reason, id: RequestId, preferred: Preferred) -> Response {
    let status = reason.status();
    let (content_type, body) = match preferred {
        Preferred::Html => ("text/html; charset=utf-8", html(reason, status, id)),
        Preferred::Json => ("application/json", json(reason, status, id)),
        Preferred::Text => ("text/plain; charset=utf-8", text(reason, status, id)),
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
    // Where a request does not say for certain where it ends, nothing after it can be read (attacks G-02, G-03).
    if matches!(reason, Reason::RequestTransferEncoding | Reason::RequestMalformed | Reason::RequestBodyMalformed) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    harden(headers);
    response
}

/// RFC 9110 §11.6.1 wants a challenge with each 401. Not `Basic`, which opens a dialog in browsers (pitfalls 19).
fn challenge(reason: Reason) -> HeaderValue {
    HeaderValue::try_from(format!(r#"Session realm="vestibule", error="{}""#, reason.code())).expect("codes are ASCII")
}

fn html(reason: Reason, status: StatusCode, id: RequestId) -> String {
    let link = match reason.help() {
        Help::None => "",
        Help::StartAgain => r#"<p><a class="button" href="/">Start again</a></p>"#,
        Help::TryLater => r#"<p><a class="button" href="">Try again</a></p>"#,
    };
    let (title, advice, code, status) = (reason.title(), reason.advice(), reason.code(), status.as_u16());
    let main = format!(
        "<h1>{title}</h1>\n<p>{advice}</p>\n{link}\n\
         <p class=\"small\">{status} · <code>{code}</code><br>Request <code>{id}</code></p>"
    );
    document(title, "", &main)
}

fn json(reason: Reason, status: StatusCode, id: RequestId) -> String {
    serde_json::json!({
        "error": reason.code(),
        "status": status.as_u16(),
        "message": reason.title(),
        "advice": reason.advice(),
        "request_id": id.to_string(),
    })
    .to_string()
}

fn text(reason: Reason, status: StatusCode, id: RequestId) -> String {
    format!("{} {}: {} {}\nrequest {id}\n", status.as_u16(), reason.code(), reason.title(), reason.advice())
}

/// A response in memory as one that streams.
pub(crate) fn streamed(whole: WholeResponse) -> Response {
    whole.map(Body::full)
}

#[cfg(test)]
mod tests;

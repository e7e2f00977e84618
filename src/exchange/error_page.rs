//! Renders a rejection as HTML, JSON or text, as the client prefers.

use http::{HeaderValue, StatusCode, header};

use crate::exchange::rejection::{Help, Reason};
use crate::exchange::request_id::RequestId;
use crate::message::body::Body;
use crate::message::media::Preferred;
use crate::message::{Response, WholeResponse};

/// Headers of every page of ours (attacks X-07): nothing is stored, framed, sniffed or told to others.
pub(crate) fn harden(headers: &mut http::HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ));
}

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
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{advice}</p>
{link}
<p class="small">{status} · <code>{code}</code><br>Request <code>{id}</code></p>
</main>
</body>
</html>
"#
    )
}

/// The look of every page of ours: one column, the system's own type, light or dark as the reader's system is.
pub(crate) const STYLE: &str = "\
:root{color-scheme:light dark;--page:#f4f4f1;--card:#fff;--ink:#1c1d1f;--soft:#5c6066;--line:#d9dad6;--accent:#1d4ed8;--on-accent:#fff}\
@media(prefers-color-scheme:dark){:root{--page:#141517;--card:#1e2023;--ink:#f0f0ee;--soft:#a3a7ad;--line:#34373c;--accent:#8ab4ff;--on-accent:#0b1220}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--page);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}\
main{width:100%;max-width:26rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem}\
h1{margin:0 0 .75rem;font-size:1.375rem;line-height:1.25;text-wrap:balance}\
p{margin:0 0 1rem}\
.small{margin:1.5rem 0 0;color:var(--soft);font-size:.8125rem;overflow-wrap:anywhere}\
.button{display:inline-block;padding:.625rem 1.125rem;border:0;border-radius:.5rem;background:var(--accent);color:var(--on-accent);font:inherit;font-weight:600;text-decoration:none;cursor:pointer}\
.button:focus-visible,input:focus-visible{outline:3px solid var(--accent);outline-offset:2px}";

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

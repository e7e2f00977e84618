//! A demo application that shows the request it received. `dev` uses it if no upstream is set.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::{Map, Value, json};

use crate::cli::dev::loopback;
use crate::page::Pages;
use crate::page::headers::Frames;
use crate::page::pages::Demo;
use crate::page::site::NO_FORM;

/// Maximum size of a request body that is read to count its bytes.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Starts the application. Returns its address.
///
/// # Errors
///
/// Returns an error if no port or thread is available.
pub(crate) fn start() -> io::Result<SocketAddr> {
    let pages = Arc::new(Pages::default());
    loopback::start("demo-app", move |request| answer(Arc::clone(&pages), request))
}

async fn answer(pages: Arc<Pages>, request: Request<Incoming>) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    let size = Limited::new(body, BODY_BYTES_MAX).collect().await.map(|body| body.to_bytes().len()).unwrap_or(0);
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let wants_html = parts
        .headers
        .get(header::ACCEPT)
        .is_some_and(|value| value.to_str().is_ok_and(|accept| accept.contains("text/html")));
    if wants_html {
        return page(&pages, parts.method.as_str(), target, &parts.headers);
    }
    let mut response = Response::new(Bytes::from(echo(parts.method.as_str(), target, &parts.headers, size)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// The received request as JSON, for programs.
fn echo(method: &str, target: &str, headers: &HeaderMap, body_bytes: usize) -> String {
    let headers: Vec<Value> = lines(headers).map(|(name, value)| json!([name, value])).collect();
    json!({"method": method, "target": target, "headers": headers, "body_bytes": body_bytes}).to_string()
}

/// The received request as HTML, for people. It wears the headers of Vestibule's own pages.
fn page(pages: &Pages, method: &str, target: &str, headers: &HeaderMap) -> Response<Bytes> {
    let view = pages.view_for(headers);
    let claims = claims(headers);
    let named = |name: &str| claims.get(name).and_then(Value::as_str);
    let user = named("name").or_else(|| named("preferred_username")).or_else(|| named("sub"));
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let page = Demo {
        view,
        user,
        sign_out: "/oauth2/sign_out",
        claims: &claims.iter().map(|(name, value)| (name.clone(), text(value))).collect::<Vec<_>>(),
        method,
        target,
        headers: &lines(headers).collect::<Vec<_>>(),
    };
    view.respond(StatusCode::OK, &page, NO_FORM, Frames::Nobody)
}

fn lines(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
}

/// The payload of `x-amzn-oidc-data`. The demo application does not verify it. An application that makes decisions
/// with it must (see the README).
fn claims(headers: &HeaderMap) -> Map<String, Value> {
    let payload = || {
        let token = headers.get("x-amzn-oidc-data")?.to_str().ok()?;
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
        serde_json::from_slice(&payload).ok()
    };
    payload().unwrap_or_default()
}

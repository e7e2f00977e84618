//! A demo application that shows the request it received. `dev` uses it if no upstream is set.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use crate::drain;
use crate::page::Pages;
use crate::page::headers::Frames;
use crate::page::pages::Demo;
use crate::page::site::NO_FORM;
use crate::socket::accept;

/// Maximum number of open connections: as many as the listener in front of it allows.
const CONNECTIONS_MAX: usize = 1000;

/// Maximum size of a request body that is read to count its bytes.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Starts the application on a free loopback port, on its own thread, which ends with the process.
///
/// # Errors
///
/// Returns an error if no port or thread is available.
pub(crate) fn start() -> io::Result<SocketAddr> {
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    socket.set_nonblocking(true)?;
    let address = socket.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("demo-app".into()).spawn(move || runtime.block_on(accept(socket)))?;
    Ok(address)
}

async fn accept(socket: std::net::TcpListener) {
    let Ok(socket) = tokio::net::TcpListener::from_std(socket) else { return };
    let (connections, permits) = (tokio::task::LocalSet::new(), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
    let pages = Arc::new(Pages::default());
    connections
        .run_until(async {
            loop {
                let accepted = accept::next(&socket, &permits).await;
                let pages = Arc::clone(&pages);
                let answer = service_fn(move |request| answer(Arc::clone(&pages), request));
                let served = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(accepted.stream), answer);
                drain::background(async move {
                    let _ = served.await;
                    drop(accepted.permit);
                });
            }
        })
        .await;
}

async fn answer(pages: Arc<Pages>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let size = Limited::new(body, BODY_BYTES_MAX).collect().await.map(|body| body.to_bytes().len()).unwrap_or(0);
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let wants_html = parts
        .headers
        .get(header::ACCEPT)
        .is_some_and(|value| value.to_str().is_ok_and(|accept| accept.contains("text/html")));
    if wants_html {
        return Ok(page(&pages, parts.method.as_str(), target, &parts.headers).map(Full::from));
    }
    let mut response = Response::new(Full::from(echo(parts.method.as_str(), target, &parts.headers, size)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(response)
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

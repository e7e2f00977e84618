//! A demo application that shows the request it received. `dev` uses it if no upstream is set.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use crate::drain;
use crate::page::{document, escape};
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
    connections
        .run_until(async {
            loop {
                let accepted = accept::next(&socket, &permits).await;
                let served = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(accepted.stream), service_fn(answer));
                drain::background(async move {
                    let _ = served.await;
                    drop(accepted.permit);
                });
            }
        })
        .await;
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let size = Limited::new(body, BODY_BYTES_MAX).collect().await.map(|body| body.to_bytes().len()).unwrap_or(0);
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let wants_html = parts
        .headers
        .get(header::ACCEPT)
        .is_some_and(|value| value.to_str().is_ok_and(|accept| accept.contains("text/html")));
    let (content_type, body) = if wants_html {
        ("text/html; charset=utf-8", page(parts.method.as_str(), target, &parts.headers))
    } else {
        ("application/json", echo(parts.method.as_str(), target, &parts.headers, size))
    };
    let mut response = Response::new(Full::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(response)
}

/// The received request as JSON, for programs.
fn echo(method: &str, target: &str, headers: &HeaderMap, body_bytes: usize) -> String {
    let headers: Vec<Value> = lines(headers).map(|(name, value)| json!([name, value])).collect();
    json!({"method": method, "target": target, "headers": headers, "body_bytes": body_bytes}).to_string()
}

/// The received request as HTML, for people.
fn page(method: &str, target: &str, headers: &HeaderMap) -> String {
    let claims = claims(headers);
    let named = |name: &str| claims.get(name).and_then(Value::as_str);
    let who = named("name").or_else(|| named("preferred_username")).or_else(|| named("sub"));
    let heading = match who {
        Some(who) => format!("Signed in as {}", escape(who)),
        None => "Nobody is signed in".to_owned(),
    };
    let claims: String =
        claims.iter().map(|(name, value)| row(name, value.as_str().unwrap_or(&value.to_string()))).collect();
    let headers: String = lines(headers).map(|(name, value)| row(&name, &value)).collect();
    let (method, target) = (escape(method), escape(target));
    let main = format!(
        r#"<p class="eyebrow">Demo application behind Vestibule</p>
<h1>{heading}</h1>
<p>Your request passed the proxy. Below is what the application was told: who you are, in claims signed by the proxy, and
every header of the request.</p>
<p><a class="button" href="/oauth2/sign_out">Sign out</a></p>
<h2>Signed claims</h2>
<table>{claims}</table>
<h2>Request</h2>
<p><code>{method} {target}</code></p>
<table>{headers}</table>"#
    );
    document("Demo application", OWN_STYLE, &main)
}

/// Styles for a wide page, with tables that fit on a phone.
const OWN_STYLE: &str = "\
main{max-width:52rem}\
h2{margin:2rem 0 .5rem;font-size:1rem}\
.eyebrow{color:var(--soft);font-size:.8125rem;margin:0 0 .25rem}\
table{width:100%;border-collapse:collapse;font-size:.8125rem}\
th,td{padding:.375rem .75rem .375rem 0;border-top:1px solid var(--line);text-align:left;vertical-align:top}\
th{font-weight:600;white-space:nowrap;color:var(--soft)}\
td{font-family:ui-monospace,monospace;word-break:break-all}\
@media(max-width:36rem){th,td{display:block;border:0;padding:0}th{border-top:1px solid var(--line);padding-top:.375rem}td{padding-bottom:.375rem}}";

fn row(name: &str, value: &str) -> String {
    format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>", escape(name), escape(value))
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

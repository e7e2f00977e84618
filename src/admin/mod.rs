//! The operator's endpoint, on its own socket: `/livez`, `/readyz`, `/metrics`, and the public keys.
//!
//! Plain HTTP, read-only, on the control runtime. Nothing of it is on a public listener (attacks L-05).

pub(crate) mod settings;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::drain::{Control, Spawner};
use crate::message::WholeResponse;
use crate::telemetry::metrics::Registry;

/// From connection to the end of a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Answers public keys by path.
pub(crate) type PublicKeys = Arc<dyn Fn(&str) -> Option<WholeResponse> + Send + Sync>;

/// What the endpoint tells.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) registry: Registry,
    /// `/.well-known/vestibule/…`, as on a public listener (DESIGN §4).
    pub(crate) public_keys: PublicKeys,
    /// What fails outside this process, one line each: told by `/readyz`, which is 200 all the same, because sessions are
    /// served on.
    pub(crate) troubles: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
}

/// Serves as long as the process lives: a probe must be told that we are draining, too.
pub(crate) async fn serve(admin: Admin, socket: TcpListener, control: Control, spawner: Spawner) {
    loop {
        let Ok((stream, _)) = socket.accept().await else { continue };
        let (admin, spawner) = (admin.clone(), spawner.clone());
        control.start(async move {
            let answer = service_fn(move |request: http::Request<Incoming>| {
                let response = admin.answer(request.method(), request.uri().path(), spawner.is_stopping());
                std::future::ready(Ok::<_, Infallible>(response.map(Full::new)))
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), answer);
            // A probe that went away has nothing to be told.
            let _ = served.await;
        });
    }
}

impl Admin {
    fn answer(&self, method: &Method, path: &str, is_stopping: bool) -> WholeResponse {
        if method != Method::GET && method != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET");
        }
        match path {
            "/livez" => text(StatusCode::OK, "live\n"),
            "/readyz" if is_stopping => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
            "/readyz" => text(StatusCode::OK, format!("ready\n{}", lines((self.troubles)()))),
            "/metrics" => {
                let mut response = text(StatusCode::OK, self.registry.render());
                let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
                response.headers_mut().insert(header::CONTENT_TYPE, format);
                response
            }
            other => (self.public_keys)(other).unwrap_or_else(|| text(StatusCode::NOT_FOUND, "not found\n")),
        }
    }
}

fn lines(texts: Vec<String>) -> String {
    texts.into_iter().map(|text| text + "\n").collect()
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> WholeResponse {
    let mut response = WholeResponse::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

//! The admin endpoint, on its own socket: `/livez`, `/readyz`, `/metrics`, `/targets`, the public keys, `POST /reload`, and the pages
//! of the console.
//!
//! Plain HTTP, on the control runtime. It reads nothing from a request but its head. Public listeners never serve it (attacks L-05).

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Authority;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::console::{self, Console};
use crate::drain::Control;
use crate::message::WholeResponse;
use crate::socket::accept;
use crate::telemetry::metrics::Registry;

/// The default address. Not port 9090, which Prometheus uses.
pub(crate) const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9440);

/// The address of the admin endpoint. Plain HTTP: do not expose it on public networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) address: SocketAddr,
    /// Allowed host names in lower case, in addition to IP addresses and `localhost`.
    pub(crate) hosts: Arc<[Box<str>]>,
    /// `None`: there is no console.
    pub(crate) console: Option<console::Password>,
}

/// Timeout from accepting a connection to the end of the request head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum age of a connection, apart from the time that a reload takes.
const CONNECTION_MAX: Duration = Duration::from_secs(10);
/// Maximum time for which a client can wait for a reload. The reload itself goes on.
const RELOAD_MAX: Duration = Duration::from_secs(120);
/// Maximum number of open connections. A probe and two scrapers need three.
const CONNECTIONS_MAX: usize = 64;

/// The path that reloads the configuration.
const RELOAD: &str = "/reload";

/// Returns the public keys for a path.
pub(crate) type PublicKeys = Arc<dyn Fn(&str) -> Option<WholeResponse> + Send + Sync>;

/// The sources of the responses.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) registry: Registry,
    /// Parts of the process that are down or stuck, one line each.
    pub(crate) faults: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Whether shutdown has started.
    pub(crate) is_leaving: Arc<dyn Fn() -> bool + Send + Sync>,
    /// See [`Settings::hosts`]. `None` while the process ends.
    pub(crate) hosts: Hosts,
    /// `/.well-known/vestibule/…`, as on a public listener (DESIGN §4).
    pub(crate) public_keys: PublicKeys,
    /// Failures outside this process, one line each. `/readyz` lists them but still answers 200, because existing
    /// sessions keep working.
    pub(crate) troubles: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Reloads the configuration. Returns what is different, or why nothing is.
    pub(crate) reload: Reload,
    /// The targets and their health, as JSON.
    pub(crate) targets: Arc<dyn Fn() -> String + Send + Sync>,
    /// The pages for the person on call. `None`: there are none.
    pub(crate) console: Arc<dyn Fn() -> Option<Arc<Console>> + Send + Sync>,
}

/// See [`Admin::hosts`].
pub(crate) type Hosts = Arc<dyn Fn() -> Option<Arc<[Box<str>]>> + Send + Sync>;

/// See [`Admin::reload`].
pub(crate) type Reload = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, String>> + Send>> + Send + Sync>;

/// Serves until the process ends, because probes must also be answered while the process drains. It never delays the
/// shutdown.
pub(crate) async fn serve(admin: &Admin, socket: &TcpListener, control: &Control) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = accept::next(socket, &permits).await;
        let admin = admin.clone();
        control.start_detached(async move {
            let is_reloading = Arc::new(AtomicBool::new(false));
            let reloads = Arc::clone(&is_reloading);
            let answer = service_fn(move |request: http::Request<Incoming>| {
                let (admin, reloads) = (admin.clone(), Arc::clone(&reloads));
                async move {
                    reloads.store(request.uri().path() == RELOAD, Ordering::Relaxed);
                    let response = admin.answer(&request).await;
                    reloads.store(false, Ordering::Relaxed);
                    Ok::<_, Infallible>(response.map(Full::new))
                }
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .keep_alive(false)
                .serve_connection(TokioIo::new(accepted.stream), answer);
            let mut served = std::pin::pin!(served);
            // An error on the connection of a probe needs no handling.
            let ended = tokio::time::timeout(CONNECTION_MAX, served.as_mut()).await;
            if ended.is_err() && is_reloading.load(Ordering::Relaxed) {
                let _ = tokio::time::timeout(RELOAD_MAX, served).await;
            }
            drop(accepted.permit);
        });
    }
}

impl Admin {
    async fn answer<B>(&self, request: &http::Request<B>) -> WholeResponse {
        let path = request.uri().path();
        let is_probe = matches!(path, "/livez" | "/readyz");
        if !is_probe && !self.is_asked_by_its_name(request) {
            return text(StatusCode::MISDIRECTED_REQUEST, "this name is not one of `admin.hosts`\n");
        }
        if path == RELOAD {
            return self.reload(request).await;
        }
        if console::has(path)
            && let Some(console) = (self.console)()
        {
            return console.answer(request).await;
        }
        let mut response = match *request.method() {
            Method::GET | Method::HEAD => self.page(path),
            // `option httpchk` of HAProxy sends OPTIONS and expects 2xx.
            Method::OPTIONS if is_probe => self.page(path),
            Method::OPTIONS => text(StatusCode::NO_CONTENT, ""),
            _ => text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n"),
        };
        // RFC 9110 §10.2.1: required for 405, and useful for OPTIONS.
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
        response
    }

    async fn reload<B>(&self, request: &http::Request<B>) -> WholeResponse {
        if request.method() != Method::POST {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only POST\n");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            return response;
        }
        // Any page can make a browser on this machine send a POST. No browser leaves out both fields.
        if request.headers().contains_key(header::ORIGIN) || request.headers().contains_key("sec-fetch-site") {
            return text(StatusCode::FORBIDDEN, "a page in a browser cannot reload; use `vestibule reload` or curl\n");
        }
        if (self.is_leaving)() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "the process is stopping\n");
        }
        match (self.reload)().await {
            Ok(done) => text(StatusCode::OK, done),
            Err(refused) => text(StatusCode::UNPROCESSABLE_ENTITY, refused + "\n"),
        }
    }

    /// Whether every host name in the request is allowed. Browsers always send one: with DNS rebinding, that of the
    /// attacking page. A request without a host (HTTP/1.0) does not come from a browser.
    fn is_asked_by_its_name<B>(&self, request: &http::Request<B>) -> bool {
        let is_ours = |authority: &str| {
            let Ok(authority) = authority.parse::<Authority>() else { return false };
            let host = authority.host().trim_matches(['[', ']']).to_ascii_lowercase();
            let is_local = host == "localhost" || host.ends_with(".localhost") || host.parse::<IpAddr>().is_ok();
            is_local || (self.hosts)().is_some_and(|hosts| hosts.iter().any(|name| **name == *host))
        };
        let mut named = request.headers().get_all(header::HOST).iter();
        named.all(|name| name.to_str().is_ok_and(is_ours))
            && request.uri().authority().is_none_or(|authority| is_ours(authority.as_str()))
    }

    fn page(&self, path: &str) -> WholeResponse {
        match path {
            "/livez" => match (self.faults)() {
                faults if faults.is_empty() => text(StatusCode::OK, "live\n"),
                faults => text(StatusCode::SERVICE_UNAVAILABLE, lines(faults)),
            },
            "/readyz" if (self.is_leaving)() => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
            "/readyz" => text(StatusCode::OK, format!("ready\n{}", lines((self.troubles)()))),
            "/metrics" => {
                let mut response = text(StatusCode::OK, self.registry.render());
                let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
                response.headers_mut().insert(header::CONTENT_TYPE, format);
                response
            }
            "/targets" => {
                let mut response = text(StatusCode::OK, (self.targets)());
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
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

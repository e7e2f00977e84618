//! Serves one connection: handshake, then HTTP/1.1 or HTTP/2 with hyper, under every deadline.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;

use http::Version;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsAcceptor;

use crate::drain::{Draining, LocalExecutor};
use crate::exchange::connection::Connection;
use crate::exchange::rejection::Reason;
use crate::listener::accept::Accepted;
use crate::listener::metrics::Metrics;
use crate::listener::settings::Limits;
use crate::listener::tls::{self, Protocol};
use crate::listener::watchdog::{Activity, Heads, Verdict, Watchdog, Watched};
use crate::listener::{Handler, Shared};
use crate::message::body::Body;
use crate::message::{Response, uri};
use crate::telemetry::metrics::Counter;

/// Serves a connection from accept to close.
pub(crate) async fn run<H: Handler>(
    shared: Shared,
    accepted: Accepted,
    handler: Rc<H>,
    metrics: Rc<Metrics>,
    draining: Draining,
) {
    metrics.accepted.increment();
    let open = Open::new(&metrics.open, accepted.permit);
    let settings = &shared.settings;
    let facts = |tls| {
        let ends = (accepted.peer, accepted.local);
        Connection::new(ends, Arc::clone(&settings.name), Arc::clone(&settings.forwarded), tls)
    };
    match &shared.tls {
        None => {
            let connection = Rc::new(facts(None));
            let transport = Watched::new(accepted.stream, Arc::default(), open);
            http(transport, Protocol::Http1, connection, &settings.limits, handler, &metrics, draining).await;
        }
        Some(config) => {
            let handshake = TlsAcceptor::from(Arc::clone(config)).accept(accepted.stream);
            match tokio::time::timeout(settings.limits.handshake_timeout, handshake).await {
                Ok(Ok(stream)) => {
                    let (tls, protocol) = tls::facts(&stream);
                    let connection = Rc::new(facts(Some(tls)));
                    let transport = Watched::new(stream, Arc::default(), open);
                    http(transport, protocol, connection, &settings.limits, handler, &metrics, draining).await;
                }
                // Port scans and clients that do not trust us: counted, not logged.
                Ok(Err(_)) | Err(_) => metrics.handshakes_failed.increment(),
            }
        }
    }
}

/// Counts a connection, and keeps its permit, from accept until its last byte.
struct Open {
    gauge: Counter,
    _permit: OwnedSemaphorePermit,
}

impl Open {
    fn new(gauge: &Counter, permit: OwnedSemaphorePermit) -> Self {
        gauge.increment();
        Self { gauge: gauge.clone(), _permit: permit }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.gauge.decrement();
    }
}

/// Calls the handler for each request of one connection.
struct Requests<H> {
    handler: Rc<H>,
    connection: Rc<Connection>,
    activity: Arc<Activity>,
    headers_max: usize,
}

impl<H: Handler> Service<http::Request<Incoming>> for Requests<H> {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>>>>;

    fn call(&self, mut request: http::Request<Incoming>) -> Self::Future {
        let handler = Rc::clone(&self.handler);
        let connection = Rc::clone(&self.connection);
        let mut exchanging = self.activity.begin_request();
        if request.version() != Version::HTTP_2 && self.activity.had_fragment() {
            request.extensions_mut().insert(uri::Fragment);
        }
        // hyper counts fields on HTTP/1.1 only, and answers as this does.
        let is_too_large = request.headers().len() > self.headers_max;
        Box::pin(async move {
            if is_too_large {
                handler.refused(&connection, Reason::RequestHeadTooLarge);
                let mut response = Response::new(Body::empty());
                *response.status_mut() = Reason::RequestHeadTooLarge.status();
                return Ok(response);
            }
            let mut response = handler.handle(connection, request.map(Body::incoming)).await;
            exchanging.answered();
            response.body_mut().watch(Box::new(exchanging));
            Ok(response)
        })
    }
}

async fn http<H: Handler, T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    transport: Watched<T, Open>,
    protocol: Protocol,
    connection: Rc<Connection>,
    limits: &Limits,
    handler: Rc<H>,
    metrics: &Metrics,
    draining: Draining,
) {
    let activity = transport.activity();
    let io = TokioIo::new(transport);
    let requests = Requests {
        handler: Rc::clone(&handler),
        connection: Rc::clone(&connection),
        activity: Arc::clone(&activity),
        headers_max: limits.headers_max,
    };
    let result = match protocol {
        Protocol::Http1 => {
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder
                // The watchdog times heads without a timer for each.
                .header_read_timeout(None)
                .max_headers(limits.headers_max)
                // The buffer grows in steps and may hold more than this; a head in it may not be longer.
                .max_header_size(limits.head_bytes_max)
                .max_buf_size(limits.head_bytes_max.max(8192))
                .timer(TokioTimer::new());
            let served = pin!(builder.serve_connection(io, requests).with_upgrades());
            let watchdog = Watchdog::new(activity, limits, Heads::Timed);
            drive(served, |served| served.graceful_shutdown(), watchdog, draining).await
        }
        Protocol::Http2 => {
            let mut builder = hyper::server::conn::http2::Builder::new(LocalExecutor);
            builder
                .max_concurrent_streams(limits.streams_max)
                .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
                .timer(TokioTimer::new());
            let served = pin!(builder.serve_connection(io, requests));
            let watchdog = Watchdog::new(activity, limits, Heads::Untimed);
            drive(served, |served| served.graceful_shutdown(), watchdog, draining).await
        }
    };
    match result {
        Ended::Closed => {}
        Ended::Refused(reason) => handler.refused(&connection, reason),
        Ended::TimedOut => metrics.timed_out.increment(),
    }
}

/// How a connection ended.
enum Ended {
    /// By either side, with or without a word.
    Closed,
    /// The client sent what is not HTTP, or too much of it; hyper has answered 400, 414 or 431.
    Refused(Reason),
    /// The watchdog closed it.
    TimedOut,
}

/// Runs a connection to its end; asks it to finish when the process stops or the connection is old.
async fn drive<C: Future<Output = hyper::Result<()>>>(
    mut served: Pin<&mut C>,
    finish: impl Fn(Pin<&mut C>),
    mut watchdog: Watchdog,
    mut draining: Draining,
) -> Ended {
    let mut is_finishing = false;
    loop {
        tokio::select! {
            biased;
            result = served.as_mut() => return match result {
                Err(error) if error.is_parse_too_large() => Ended::Refused(Reason::RequestHeadTooLarge),
                Err(error) if error.is_parse() => Ended::Refused(Reason::RequestMalformed),
                Ok(()) | Err(_) => Ended::Closed,
            },
            // Cancel-safe, both: nothing is lost when the connection is polled in between.
            () = draining.stopping(), if !is_finishing => {
                is_finishing = true;
                finish(served.as_mut());
            }
            verdict = watchdog.verdict() => match verdict {
                Verdict::Close => return Ended::TimedOut,
                Verdict::Retire => {
                    is_finishing = true;
                    finish(served.as_mut());
                }
            },
        }
    }
}

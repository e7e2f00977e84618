//! Serves one connection: handshake, then HTTP/1.1 or HTTP/2 with hyper, under every deadline.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use http::Version;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::{http1, http2};
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
use crate::listener::secured::Secured;
use crate::listener::seldom::Bell;
use crate::listener::settings::Limits;
use crate::listener::tls::{self, Protocol};
use crate::listener::watchdog::{Activity, Follows, Heads, Readable, Verdict, Watchdog, Watched};
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
            // In boxes, the handshake and what it leaves: a future keeps room, as long as it lives, for every value that
            // ever was in it.
            let handshake = Box::pin(async move { handshake.await.map(Box::new).map(Secured) });
            match tokio::time::timeout(settings.limits.handshake_timeout, handshake).await {
                Ok(Ok(stream)) => {
                    let (tls, protocol) = tls::facts(&stream.0);
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
        let mut exchanging =
            self.activity.begin_request(if request.body().is_end_stream() { Follows::Head } else { Follows::Body });
        if request.version() != Version::HTTP_2 && self.activity.had_fragment() {
            request.extensions_mut().insert(uri::Fragment);
        }
        // hyper counts fields on HTTP/1.1 only, and answers as this does.
        let is_too_large = request.headers().len() > self.headers_max;
        let version = request.version();
        let request = request.map(|incoming| Body::incoming(incoming, version));
        // Room first: what is written into a box need not be copied there, and this is some kilobytes.
        let exchanged = Box::write(Box::new_uninit(), async move {
            if is_too_large {
                handler.refused(&connection, Reason::RequestHeadTooLarge);
                let mut response = Response::new(Body::empty());
                *response.status_mut() = Reason::RequestHeadTooLarge.status();
                return Ok(response);
            }
            let mut response = handler.handle(connection, request).await;
            exchanging.answered();
            response.body_mut().watch(Box::new(exchanging));
            Ok(response)
        });
        Box::into_pin(exchanged)
    }
}

async fn http<H: Handler, T: AsyncRead + AsyncWrite + Readable + Unpin + Send + 'static>(
    transport: Watched<T, Open>,
    protocol: Protocol,
    connection: Rc<Connection>,
    limits: &Limits,
    handler: Rc<H>,
    metrics: &Metrics,
    draining: Draining,
) {
    let activity = transport.activity();
    let requests = Requests {
        handler: Rc::clone(&handler),
        connection: Rc::clone(&connection),
        activity: Arc::clone(&activity),
        headers_max: limits.headers_max,
    };
    // Each in a box, so that neither takes the room of the other.
    let ended = match protocol {
        Protocol::Http1 => Box::pin(http1(transport, requests, limits, metrics, draining)).await,
        Protocol::Http2 => Box::pin(http2(transport, requests, limits, draining)).await,
    };
    match ended {
        Ended::Closed => {}
        Ended::Refused(reason) => handler.refused(&connection, reason),
        Ended::TimedOut => metrics.timed_out.increment(),
    }
}

/// Serves HTTP/1.1. Between two requests that are not close to each other the connection is at rest: of hyper, whose buffers
/// are half of what a connection takes, nothing is kept.
async fn http1<H: Handler, T: AsyncRead + AsyncWrite + Readable + Unpin + Send + 'static>(
    mut transport: Watched<T, Open>,
    mut requests: Requests<H>,
    limits: &Limits,
    metrics: &Metrics,
    draining: Draining,
) -> Ended {
    let watchdog = Watchdog::new(transport.activity(), limits, Heads::Timed);
    let mut keeper = Keeper { watchdog, draining, is_finishing: false };
    loop {
        let served = http1_builder(limits).serve_connection(TokioIo::new(transport), requests);
        let mut served = Box::new(served.with_upgrades());
        match keeper.keep(Pin::new(&mut *served), |served| served.graceful_shutdown()).await {
            Kept::ToTheEnd(ended) => return ended,
            Kept::UntilRest => {}
        }
        let Some(parts) = served.into_parts() else { return Ended::Closed };
        transport = parts.io.into_inner();
        transport.put_back(parts.read_buf);
        requests = parts.service;
        metrics.resting.increment();
        let woken = keeper.rest(&mut transport).await;
        metrics.resting.decrement();
        if let Some(ended) = woken {
            return ended;
        }
    }
}

fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // The watchdog times heads without a timer for each.
        .header_read_timeout(None)
        .max_headers(limits.headers_max)
        // The buffer grows in steps and may hold more than this; a head in it may not be longer.
        .max_header_size(limits.head_bytes_max)
        .max_buf_size(limits.head_bytes_max.max(8192));
    builder
}

async fn http2<H: Handler, T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    transport: Watched<T, Open>,
    requests: Requests<H>,
    limits: &Limits,
    draining: Draining,
) -> Ended {
    let watchdog = Watchdog::new(transport.activity(), limits, Heads::Untimed);
    let mut keeper = Keeper { watchdog, draining, is_finishing: false };
    let mut builder = http2::Builder::new(LocalExecutor);
    builder
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
        .timer(TokioTimer::new());
    let served = pin!(builder.serve_connection(TokioIo::new(transport), requests));
    match keeper.keep(served, |served| served.graceful_shutdown()).await {
        Kept::ToTheEnd(ended) => ended,
        Kept::UntilRest => unreachable!("the watchdog sends HTTP/1.1 to rest"),
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

/// How far a connection was served.
enum Kept {
    ToTheEnd(Ended),
    /// Nothing is under way, and nothing has moved for a while.
    UntilRest,
}

/// What is to become of a connection.
enum Word {
    /// Close: nothing moved for too long, or a head did not end.
    Close,
    /// Finish what is under way, then close: the process stops, or the connection is old.
    Finish,
    /// Rest until there is something to do.
    Rest,
}

/// Keeps a connection to its deadlines, and asks it to finish when the process stops or the connection is old.
struct Keeper {
    watchdog: Watchdog,
    draining: Draining,
    is_finishing: bool,
}

impl Keeper {
    /// Runs a connection to its end or to its next rest.
    async fn keep<C: Future<Output = hyper::Result<()>>>(
        &mut self,
        mut served: Pin<&mut C>,
        finish: impl Fn(Pin<&mut C>),
    ) -> Kept {
        // Asked while it was at rest.
        if self.is_finishing {
            finish(served.as_mut());
        }
        loop {
            let heard = {
                let bell = Bell::default();
                let mut word = pin!(self.word());
                let hear = poll_fn(|cx| match served.as_mut().poll(cx) {
                    Poll::Ready(result) => Poll::Ready(Err(result)),
                    Poll::Pending => bell.poll(word.as_mut(), cx).map(Ok),
                });
                hear.await
            };
            match heard {
                Err(Err(error)) if error.is_parse_too_large() => {
                    return Kept::ToTheEnd(Ended::Refused(Reason::RequestHeadTooLarge));
                }
                Err(Err(error)) if error.is_parse() => {
                    return Kept::ToTheEnd(Ended::Refused(Reason::RequestMalformed));
                }
                Err(Ok(()) | Err(_)) => return Kept::ToTheEnd(Ended::Closed),
                Ok(Word::Close) => return Kept::ToTheEnd(Ended::TimedOut),
                Ok(Word::Finish) => {
                    self.is_finishing = true;
                    finish(served.as_mut());
                }
                // One that was asked to finish is about to.
                Ok(Word::Rest) if self.is_finishing => {}
                Ok(Word::Rest) => return Kept::UntilRest,
            }
        }
    }

    /// What is to become of the connection, when something is.
    async fn word(&mut self) -> Word {
        tokio::select! {
            biased;
            () = self.draining.stopping(), if !self.is_finishing => Word::Finish,
            verdict = self.watchdog.verdict() => match verdict {
                Verdict::Close => Word::Close,
                Verdict::Retire => Word::Finish,
                Verdict::Rest => Word::Rest,
            },
        }
    }

    /// Waits until a connection at rest has to be served again. It may have ended instead.
    async fn rest<T: Readable>(&mut self, transport: &mut Watched<T, Open>) -> Option<Ended> {
        self.watchdog.rest();
        let ended = tokio::select! {
            biased;
            // Cancel-safe, both: nothing is read.
            () = transport.readable() => None,
            word = self.word() => match word {
                Word::Close => Some(Ended::TimedOut),
                Word::Finish => {
                    self.is_finishing = true;
                    None
                }
                Word::Rest => None,
            },
        };
        self.watchdog.wake();
        ended
    }
}

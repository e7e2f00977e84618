//! Serves HTTP/2 with `h2`: one task for the connection, and one for each request on it.
//!
//! `answer.rs` sends a response. `outbox.rs` limits the bytes that wait to be sent. `upload.rs` reads the body of a
//! request. `websocket.rs` is what both are for a WebSocket. `windows.rs` limits the bytes that wait to be read. `memory.rs` has the memory that all connections of a worker share.
//! `flood.rs` detects clients that send too many frames without effect, and requests that `h2` resets by itself.

mod answer;
mod flood;
pub mod memory;
mod outbox;
mod upload;
mod websocket;
mod windows;

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream};
use http::{HeaderMap, Version, header};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::budget::{ConnectionBudget, Reserved};
use crate::drain::{Draining, LocalExecutor};
use crate::exchange::connection::Connection;
use crate::exchange::rejection;
use crate::listener::driver::{Closed, ConnectionDriver, Served};
use crate::listener::http2::answer::Answers;
use crate::listener::http2::flood::{FloodDetector, FrameObserver, Transport};
use crate::listener::http2::outbox::{Outbox, Piece};
use crate::listener::http2::upload::{Rest, Upload};
use crate::listener::http2::websocket::WebSocket;
use crate::listener::http2::windows::{Widened, Window};
use crate::listener::metrics::Metrics;
use crate::listener::requests::{Answering, Handler, Requests, expects_continue};
use crate::listener::settings::Limits;
use crate::listener::state::{Terms, WorkerListener};
use crate::listener::transport::{Readable, Watched};
use crate::listener::watchdog::{Heads, Watchdog};
use crate::message::body::Body;
use crate::message::unread::Unread;
use crate::message::{Request, forwarded};

/// Measured memory of a request without its head: its task, its exchange and a connection to a target.
const REQUEST_BYTES: usize = 24 * 1024;
/// Maximum total size of the heads of the requests in progress on one connection.
const CONNECTION_HEADS_BYTES_MAX: usize = 1024 * 1024;
/// Overhead that is added to the size of each header field (RFC 9113 §6.5.2).
const FIELD_BYTES: usize = 32;
/// Size of the names of `:method`, `:scheme`, `:authority` and `:path`, and of the value of `:scheme`.
const PSEUDO_BYTES: usize = 4 * FIELD_BYTES + 29 + 5;
/// `h2` accepts heads up to this multiple of the listener's limit. `h2` itself responds to a larger head, without an
/// error page.
const HEAD_FACTOR: usize = 2;

/// Serves HTTP/2 from the preface to the end of the connection.
///
/// The future is kept small, because an idle connection keeps it in memory. This is not an `async fn`: an `async fn`
/// keeps room for its arguments even after they were moved.
pub(crate) fn serve<H, T, O>(
    transport: Watched<T, O>,
    requests: Requests<H>,
    terms: Terms,
    listener: &WorkerListener<H>,
    draining: Draining,
) -> impl Future<Output = ()> + use<H, T, O>
where
    H: Handler,
    T: AsyncRead + AsyncWrite + Readable + Unpin + 'static,
    O: Unpin + 'static,
{
    let (limits, memory) = (&*terms.limits, &listener.memory);
    let watchdog = Watchdog::new(transport.activity(), limits, Heads::Untimed);
    let mut driver = ConnectionDriver::new(watchdog, draining, requests.uploads.clone());
    let flood = FloodDetector::new();
    let transport = FrameObserver::new(transport, Rc::clone(&flood));
    let outbox = Outbox::new(Rc::clone(&memory.answers));
    let answers = Answers { outbox, flood, clock: listener.clock.clone(), idle_timeout: limits.idle_timeout };
    let address = client(&requests.connection);
    let mut serving = Serving {
        state: State::Handshaking(Box::new(builder(limits).handshake(transport))),
        is_finishing: false,
        is_calmed: false,
        // Not limited by address: if no budget is left, uploads share a smaller window and none is refused.
        window: Window::new(memory.uploads.for_connection(None)),
        under_way: Rc::new(RequestsInProgress {
            budget: memory.requests.for_connection(address),
            head_bytes: Cell::new(0),
        }),
        answers,
        requests,
        bounds: Bounds::new(limits),
        metrics: terms.metrics,
    };
    async move {
        match driver.drive(Pin::new(&mut serving), |served| served.get_mut().finish_or_close()).await {
            Served::ToTheEnd(Closed::TimedOut) => serving.metrics.timed_out.increment(),
            Served::ToTheEnd(_) => {}
            Served::UntilRest => unreachable!("the watchdog sends HTTP/1.1 to rest"),
        }
    }
}

/// The address that the memory of a connection counts for. `None` for a trusted proxy, because its connections carry
/// the requests of many clients.
fn client(connection: &Connection) -> Option<IpAddr> {
    (!connection.forwarded.is_trusted(connection.peer)).then(|| forwarded::network(connection.peer))
}

fn builder(limits: &Limits) -> server::Builder {
    let mut builder = server::Builder::new();
    builder
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(u32::try_from(limits.head_bytes_max * HEAD_FACTOR).unwrap_or(u32::MAX))
        .initial_window_size(windows::STREAM_BYTES)
        .initial_connection_window_size(windows::CONNECTION_BYTES)
        // RFC 8441 §3: a client may ask for a WebSocket.
        .enable_connect_protocol();
    builder
}

/// The future that serves one connection.
struct Serving<H, T> {
    state: State<T>,
    /// The connection accepts no new requests.
    is_finishing: bool,
    /// The connection was ended with ENHANCE_YOUR_CALM.
    is_calmed: bool,
    window: Rc<Window>,
    under_way: Rc<RequestsInProgress>,
    answers: Answers,
    requests: Requests<H>,
    bounds: Bounds,
    metrics: Rc<Metrics>,
}

/// The limits of the listener that apply to requests.
struct Bounds {
    head_bytes_max: usize,
    headers_max: usize,
    streams_max: usize,
}

impl Bounds {
    fn new(limits: &Limits) -> Self {
        let Limits { head_bytes_max, headers_max, streams_max, .. } = *limits;
        Self { head_bytes_max, headers_max, streams_max: usize::try_from(streams_max).unwrap_or(usize::MAX) }
    }

    /// Why a request is refused, if its head is too large. `head_bytes` is the size of its fields.
    fn refuse(&self, parts: &http::request::Parts, head_bytes: usize) -> Option<rejection::Reason> {
        let target = target_bytes(parts);
        if parts.headers.len() <= self.headers_max && head_bytes + target <= self.head_bytes_max {
            return None;
        }
        let is_long = target > self.head_bytes_max / 2;
        Some(if is_long { rejection::Reason::RequestUriTooLong } else { rejection::Reason::RequestHeadTooLarge })
    }
}

/// Both variants are boxed: the allocator wastes less memory on two allocations of one kilobyte than on one of two
/// kilobytes.
enum State<T> {
    Handshaking(Box<server::Handshake<FrameObserver<T>, Piece>>),
    Open {
        connection: Box<server::Connection<FrameObserver<T>, Piece>>,
        /// The size of the connection's window that `h2` was given.
        window: u32,
    },
}

impl<H: Handler, T: Transport> Serving<H, T> {
    /// Accepts no more requests. The connection ends when the requests in progress have ended.
    fn finish(&mut self) {
        self.is_finishing = true;
        self.answers.flood.finish();
        if let State::Open { connection, .. } = &mut self.state {
            connection.graceful_shutdown();
        }
    }

    /// Finishes. When called again, closes if no request is in progress and nothing waits to be sent.
    fn finish_or_close(&mut self) {
        if !self.is_finishing {
            return self.finish();
        }
        // Each request in progress holds one reference, until both of its bodies have ended.
        let is_idle = Rc::strong_count(&self.under_way) == 1
            && self.answers.outbox.is_empty()
            && self.requests.activity.is_flushed();
        if let State::Open { connection, .. } = &mut self.state
            && is_idle
        {
            // GOAWAY names the last request that was served, so the client can send later ones again (RFC 9113 §6.8).
            connection.abrupt_shutdown(Reason::NO_ERROR);
        }
    }

    fn accept(&self, request: http::Request<RecvStream>, mut respond: SendResponse<Piece>) {
        self.answers.flood.handed_out();
        let (mut parts, stream) = request.into_parts();
        let Some(counted) = self.under_way.count(&parts.headers) else {
            self.metrics.streams_refused.increment();
            // REFUSED_STREAM allows the client to send the request again (RFC 9113 §8.7).
            respond.send_reset(Reason::REFUSED_STREAM);
            return;
        };
        let refused = self.bounds.refuse(&parts, counted.head_bytes);
        let activity = &self.requests.activity;
        let (body, upload, websocket) = if websocket::is_asked_for(&parts) {
            websocket::translate(&mut parts);
            let (upload, rest) = Upload::new(stream, None, false, Arc::clone(activity));
            let (websocket, client) = websocket::pair(upload, &self.window, activity);
            (Body::websocket(client), Some((rest, None)), Some(websocket))
        } else if stream.is_end_stream() {
            (Body::empty(), None, None)
        } else {
            let length = length(&parts.headers);
            let awaits_continue = expects_continue(&parts.headers);
            let (upload, rest) = Upload::new(stream, length, awaits_continue, Arc::clone(activity));
            (Body::streaming(upload), Some((rest, self.window.widen())), None)
        };
        let exchanging = activity.begin_request();
        let exchange = self.requests.exchange(Request::from_parts(parts, body), exchanging, refused);
        let served = serve_request(exchange, respond, upload, websocket, self.answers.clone(), counted);
        hyper::rt::Executor::execute(&LocalExecutor, served);
    }

    /// Writes an access record for each request that `h2` has reset because `h2` could not parse it.
    fn record_lost(&self) {
        let lost = self.answers.flood.take_lost();
        if lost == 0 {
            return;
        }
        // Each request in progress holds one reference. At `streams_max`, `h2` also refuses valid requests.
        let under_way = Rc::strong_count(&self.under_way) - 1;
        for _ in 0..lost {
            if under_way >= self.bounds.streams_max {
                self.metrics.streams_refused.increment();
                continue;
            }
            let request = Unread { version: Some(Version::HTTP_2), ..Unread::default() };
            let connection = Rc::clone(&self.requests.connection);
            // The page is dropped, because `h2` has already reset the stream. The call writes the access record.
            drop(self.requests.handler().refuse(connection, request, rejection::Reason::RequestMalformed));
        }
    }
}

/// The size of the request target and the method, counted as header fields.
fn target_bytes(parts: &http::request::Parts) -> usize {
    let authority = parts.uri.authority().map_or(0, |authority| authority.as_str().len());
    let path = parts.uri.path_and_query().map_or(0, |path| path.as_str().len());
    PSEUDO_BYTES + parts.method.as_str().len() + authority + path
}

impl<H: Handler, T: Transport> Future for Serving<H, T> {
    type Output = Result<(), h2::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            let (connection, window) = match &mut this.state {
                State::Handshaking(handshake) => {
                    let Poll::Ready(connection) = Pin::new(&mut **handshake).poll(cx)? else { return Poll::Pending };
                    let connection = Box::new(connection);
                    this.state = State::Open { connection, window: windows::CONNECTION_BYTES };
                    if this.is_finishing {
                        this.finish();
                    }
                    continue;
                }
                State::Open { connection, window } => (connection, window),
            };
            if this.answers.flood.is_too_much() && !std::mem::replace(&mut this.is_calmed, true) {
                this.metrics.calmed.increment();
                connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            }
            if *window != this.window.bytes() {
                *window = this.window.bytes();
                connection.set_target_window_size(*window);
            }
            match connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => this.accept(request, respond),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                // Too many frames without effect may have been counted during this poll.
                Poll::Pending if this.answers.flood.is_too_much() && !this.is_calmed => {}
                // An answer has said that the connection is of no use any more.
                Poll::Pending if this.requests.activity.is_finishing() && !this.is_finishing => this.finish(),
                Poll::Pending => {
                    if this.requests.activity.has_websocket() {
                        this.window.watch(cx);
                    }
                    this.record_lost();
                    return Poll::Pending;
                }
            }
        }
    }
}

/// Serves one request, from its head until both bodies have ended.
async fn serve_request(
    mut exchange: Answering,
    mut respond: SendResponse<Piece>,
    upload: Option<(Rc<Rest>, Option<Widened>)>,
    websocket: Option<WebSocket>,
    answers: Answers,
    counted: RequestInProgress,
) {
    let answered = poll_fn(|cx| match exchange.as_mut().poll(cx) {
        Poll::Ready(Ok(response)) => Poll::Ready(Some(response)),
        Poll::Pending => {
            if upload.as_ref().is_some_and(|(rest, _)| rest.is_asked_for()) {
                // This fails if the stream has ended. `poll_reset` below reports that.
                let _ = respond.send_informational(go_on());
            }
            // A client that resets the stream ends the exchange.
            respond.poll_reset(cx).map(|_| None)
        }
    });
    let Some(mut response) = answered.await else { return };
    // Free the exchange now: it takes some kilobytes, and sending a response may take long.
    drop(exchange);
    let rest = upload.as_ref().map(|(rest, _)| &**rest);
    let websocket = websocket.as_ref().inspect(|websocket| websocket.answer(&mut response));
    answers.send(respond, response, rest, websocket).await;
    if let Some(rest) = rest {
        answer::discard(rest, websocket).await;
    }
    drop(counted);
}

/// 100 (Continue), for a client that waits before it sends its body (RFC 9110 §15.2.1).
fn go_on() -> http::Response<()> {
    let mut response = http::Response::new(());
    *response.status_mut() = http::StatusCode::CONTINUE;
    response
}

/// The requests in progress on one connection.
#[derive(Debug)]
struct RequestsInProgress {
    budget: ConnectionBudget,
    head_bytes: Cell<usize>,
}

/// One request in progress.
#[derive(Debug)]
struct RequestInProgress {
    of: Rc<RequestsInProgress>,
    head_bytes: usize,
    /// `None` for the first request of a connection, which is always allowed.
    _share: Option<Reserved>,
}

impl RequestsInProgress {
    /// Counts a request until its exchange has ended. `None` if a limit is reached.
    fn count(self: &Rc<Self>, headers: &HeaderMap) -> Option<RequestInProgress> {
        let field =
            |(name, value): (&http::HeaderName, &http::HeaderValue)| name.as_str().len() + value.len() + FIELD_BYTES;
        let head_bytes = headers.iter().map(field).sum::<usize>().max(1);
        let before = self.head_bytes.get();
        let share = match before {
            0 => None,
            _ if before + head_bytes > CONNECTION_HEADS_BYTES_MAX => return None,
            _ => Some(self.budget.take(REQUEST_BYTES + head_bytes)?),
        };
        self.head_bytes.set(before + head_bytes);
        Some(RequestInProgress { of: Rc::clone(self), head_bytes, _share: share })
    }
}

impl Drop for RequestInProgress {
    fn drop(&mut self) {
        self.of.head_bytes.set(self.of.head_bytes.get() - self.head_bytes);
    }
}

/// The value of `Content-Length`. `h2` has already refused invalid values (RFC 9113 §8.1.1).
fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;

    fn headers(length: usize) -> HeaderMap {
        let value = "a".repeat(length).try_into().expect("a value");
        HeaderMap::from_iter([(http::HeaderName::from_static("x-large"), value)])
    }

    #[test]
    fn the_heads_of_one_connection_are_bounded_and_its_first_request_is_always_served() {
        let of = |bytes| {
            Rc::new(RequestsInProgress { budget: Budget::new(bytes).for_connection(None), head_bytes: Cell::new(0) })
        };
        let poor = of(0);
        let first = poor.count(&headers(60_000)).expect("the first");
        assert!(poor.count(&headers(1)).is_none(), "the worker has nothing left");
        drop(first);
        assert!(poor.count(&headers(60_000)).is_some());

        let rich = of(1 << 30);
        let counted: Vec<RequestInProgress> = std::iter::from_fn(|| rich.count(&headers(60_000))).collect();
        assert_eq!(counted.len(), CONNECTION_HEADS_BYTES_MAX / 60_039);
        assert!(rich.count(&HeaderMap::new()).is_some(), "a small one has room");
        drop(counted);
        assert_eq!(rich.head_bytes.get(), 0);
    }
}

//! Passes each request of one connection to the handler.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use hyper::body::{Body as _, Incoming};
use hyper::service::Service;

use crate::exchange::connection::Connection;
use crate::exchange::rejection::Reason;
use crate::listener::activity::{Activity, OpenExchange, OpenUpload};
use crate::listener::state::WorkerListener;
use crate::message::body::Body;
use crate::message::unread::Unread;
use crate::message::upload::Uploads;
use crate::message::{Request, Response};

/// Responds to requests. Each worker has its own, never shared between threads.
pub trait Handler: 'static {
    /// Responds to one request, and takes its body. Cannot fail: a refusal is a response, too.
    fn handle(&self, connection: Rc<Connection>, request: &mut Request) -> impl Future<Output = Response>;

    /// Responds to a request that is refused because its head cannot be parsed.
    fn refuse(&self, connection: Rc<Connection>, request: Unread, reason: Reason) -> Response;
}

/// Calls the handler for each request of one connection.
pub(crate) struct Requests<H> {
    pub(crate) listener: Rc<WorkerListener<H>>,
    pub(crate) connection: Rc<Connection>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) uploads: Uploads,
    pub(crate) body_rate_min: u64,
}

impl<H> Requests<H> {
    /// What a new request is answered with.
    pub(crate) fn handler(&self) -> Rc<H> {
        self.listener.handler()
    }

    fn take_body(&self, request: http::Request<Incoming>) -> http::Request<Body> {
        // Called only once, because on HTTP/2 this takes a lock.
        if request.body().is_end_stream() {
            return request.map(|_| Body::empty());
        }
        let version = request.version();
        let awaits_continue = version == Version::HTTP_11 && expects_continue(request.headers());
        let uploading = Box::new(OpenUpload::begin(&self.activity));
        request.map(|incoming| Body::upload(self.uploads.begin(incoming, version, awaits_continue, uploading)))
    }
}

/// Whether the client waits for 100 (Continue). hyper sends it when the body is first read.
pub(crate) fn expects_continue(headers: &HeaderMap) -> bool {
    headers.get(header::EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Whether an HTTP/1.1 connection must be closed after the response. Some implementations do not read the body of a GET
/// or HEAD, and would read it as the next request (ALB §10.6).
fn closes_after(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
        && request.version() != Version::HTTP_2
        && !request.body().is_empty()
}

/// The future of a request that is being served. It cannot fail.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>>>>;

impl<H: Handler> Requests<H> {
    /// Serves a request. Its head has ended with `exchanging`. `refused` is the reason if the request must be refused.
    pub(crate) fn exchange(
        &self,
        mut request: Request,
        mut exchanging: OpenExchange,
        refused: Option<Reason>,
    ) -> Answering {
        if !request.body().is_empty() {
            request.body_mut().limit_rate(self.body_rate_min);
        }
        let handler = self.handler();
        let connection = Rc::clone(&self.connection);
        let closes = closes_after(&request);
        // Allocate first and then write into the box: this avoids copying some kilobytes.
        let exchanged = Box::write(Box::new_uninit(), async move {
            let mut response = match refused {
                None => handler.handle(connection, &mut request).await,
                Some(reason) => handler.refuse(connection, request.into_parts().0.into(), reason),
            };
            exchanging.answered();
            // RFC 9110 §15.5.20: the client may send the request again on another connection.
            if response.status() == StatusCode::MISDIRECTED_REQUEST {
                exchanging.finish();
            }
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                exchanging.switch();
            } else if closes || exchanging.is_last() {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            response.body_mut().watch(Box::new(exchanging));
            Ok(response)
        });
        Box::into_pin(exchanged)
    }
}

impl<H: Handler> Service<http::Request<Incoming>> for Requests<H> {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        let exchanging = self.activity.begin_request();
        self.exchange(self.take_body(request), exchanging, None)
    }
}

//! One connection of a client that keeps it: for bodies that stream, many requests on one connection, and trailers.

#![expect(clippy::disallowed_methods, reason = "a client is not drained")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::authorities::ClientCertificate;
use super::browser::{Answer, Protocol};
use super::certificates;
use super::server::DEADLINE;

/// What is sent.
pub type Sent = BoxBody<Bytes, Infallible>;

enum Sender {
    Http1(hyper::client::conn::http1::SendRequest<Sent>),
    Http2(hyper::client::conn::http2::SendRequest<Sent>),
}

/// A request that was sent.
pub struct Pending(JoinHandle<hyper::Result<Response<Incoming>>>);

impl Pending {
    /// The head of the response.
    pub async fn head(self) -> hyper::Result<Response<Incoming>> {
        let answered = tokio::time::timeout(DEADLINE, self.0).await.expect("an answer within the deadline");
        answered.expect("the task ends")
    }

    /// Goes away without waiting: an HTTP/2 stream is reset.
    pub fn abandon(self) {
        self.0.abort();
    }
}

/// A connection to the proxy.
pub struct Connection {
    sender: Sender,
    host: String,
    /// The same socket, below TLS and HTTP.
    socket: std::net::TcpStream,
    /// Ends with the connection.
    ended: JoinHandle<Result<(), hyper::Error>>,
}

impl Connection {
    pub async fn open(protocol: Protocol, address: SocketAddr, host: &str) -> Self {
        let alpn: &[u8] = if protocol == Protocol::Http2 { b"h2" } else { b"http/1.1" };
        Self::open_with(protocol, address, host, certificates::client(&[alpn])).await
    }

    /// The same with a client's certificate.
    pub async fn open_as(protocol: Protocol, address: SocketAddr, host: &str, who: &ClientCertificate) -> Self {
        let alpn: &[u8] = if protocol == Protocol::Http2 { b"h2" } else { b"http/1.1" };
        Self::open_with(protocol, address, host, who.client(rustls::ALL_VERSIONS, &[alpn])).await
    }

    async fn open_with(protocol: Protocol, address: SocketAddr, host: &str, tls: Arc<rustls::ClientConfig>) -> Self {
        let stream = TcpStream::connect(address).await.expect("the proxy accepts").into_std().expect("a socket");
        let socket = stream.try_clone().expect("a socket");
        let stream = TcpStream::from_std(stream).expect("a socket");
        let name = rustls_pki_types::ServerName::try_from(host.to_owned()).expect("a name");
        let stream = TlsConnector::from(tls).connect(name, stream).await.expect("a handshake");
        let io = TokioIo::new(stream);
        let (sender, ended) = match protocol {
            Protocol::Http1 => {
                let (sender, connection) = hyper::client::conn::http1::handshake(io).await.expect("HTTP/1.1");
                (Sender::Http1(sender), tokio::spawn(connection.with_upgrades()))
            }
            Protocol::Http2 => {
                let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
                let (sender, connection) = handshake.await.expect("HTTP/2");
                (Sender::Http2(sender), tokio::spawn(connection))
            }
        };
        Self { sender, host: host.to_owned(), socket, ended }
    }

    /// A request with this connection's host.
    pub fn request(&self, method: &str, path: &str) -> http::request::Builder {
        let builder = Request::builder().method(method);
        match self.sender {
            Sender::Http1(_) => builder.uri(path).header("host", &self.host),
            Sender::Http2(_) => builder.uri(format!("https://{}{path}", self.host)),
        }
    }

    /// Sends, and answers when the head of the response is there.
    pub async fn send(&mut self, request: Request<Sent>) -> hyper::Result<Response<Incoming>> {
        self.start(request).await?.head().await
    }

    /// Asks for a WebSocket over HTTP/2 (RFC 8441).
    pub async fn websocket(&mut self, path: &str, more: &[(&str, &str)]) -> Response<Incoming> {
        let mut request = self.request("CONNECT", path).header("sec-websocket-version", "13");
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        let request = request.extension(hyper::ext::Protocol::from_static("websocket"));
        self.send(request.body(empty()).expect("a request")).await.expect("an answer")
    }

    /// Sends, and lets the test do something else before it looks for the response.
    pub async fn start(&mut self, request: Request<Sent>) -> hyper::Result<Pending> {
        Ok(Pending(match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                tokio::spawn(sender.send_request(request))
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                tokio::spawn(sender.send_request(request))
            }
        }))
    }

    /// A whole exchange without a body.
    pub async fn get(&mut self, path: &str) -> Answer {
        let request = self.request("GET", path).body(empty()).expect("a request");
        whole(self.send(request).await.expect("an answer")).await.0
    }

    /// Breaks the connection off, whatever is under way.
    pub fn cut(self) {
        self.socket.shutdown(std::net::Shutdown::Both).expect("it is open");
    }

    /// Waits until the proxy has closed the connection.
    pub async fn closed(self) -> Result<(), hyper::Error> {
        let Self { sender, ended, .. } = self;
        // HTTP/2 ends by itself once the proxy has said GOAWAY and no stream is open.
        let closed = tokio::time::timeout(DEADLINE, ended).await.expect("closed within the deadline");
        drop(sender);
        closed.expect("the task ends")
    }
}

/// No body.
pub fn empty() -> Sent {
    full("")
}

/// A body in memory.
pub fn full(bytes: impl Into<Bytes>) -> Sent {
    Full::new(bytes.into()).boxed()
}

/// A body that ends when its sender is dropped.
pub fn streamed() -> (mpsc::UnboundedSender<Frame<Bytes>>, Sent) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let frames = futures_util::stream::poll_fn(move |cx| receiver.poll_recv(cx).map(|frame| frame.map(Ok)));
    (sender, BodyExt::boxed(StreamBody::new(frames)))
}

/// Reads a response to its end, with its trailers.
pub async fn whole(response: Response<Incoming>) -> (Answer, HeaderMap) {
    try_whole(response).await.expect("the whole body")
}

/// Reads a response that may be cut off.
pub async fn try_whole(response: Response<Incoming>) -> hyper::Result<(Answer, HeaderMap)> {
    let (parts, body) = response.into_parts();
    let collected = tokio::time::timeout(DEADLINE, body.collect()).await.expect("an end within the deadline")?;
    let trailers = collected.trailers().cloned().unwrap_or_default();
    let body = collected.to_bytes().to_vec();
    Ok((Answer { status: parts.status.as_u16(), headers: parts.headers, body, trailers: trailers.clone() }, trailers))
}

/// The next piece of a response's body.
pub async fn chunk(response: &mut Response<Incoming>) -> Bytes {
    let frame = tokio::time::timeout(DEADLINE, response.body_mut().frame()).await.expect("within the deadline");
    frame.expect("more").expect("no error").into_data().expect("data")
}

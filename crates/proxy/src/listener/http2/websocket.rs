//! A WebSocket on one stream of an HTTP/2 connection (RFC 8441).
//!
//! [`translate`] makes the handshake of HTTP/1.1 of the client's extended CONNECT. So nothing behind the listener can treat a
//! WebSocket in another way because of its version. The answer that opens it is a 101 for the same reason, and becomes 200 here.
//!
//! A tunnel reads and writes a [`ClientStream`]. The task of the request has the other end, [`WebSocket`]: it takes DATA frames as they
//! arrive, and sends what the tunnel writes as the body of the response.

use std::cell::{OnceCell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, Bytes, BytesMut};
use h2::ext::Protocol;
use http::{HeaderValue, Method, StatusCode, header, request};
use http_body::Frame;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::crypto::octets;
use crate::listener::activity::{Activity, OpenWebSocket};
use crate::listener::http2::upload::Upload;
use crate::listener::http2::windows::{Widened, Window};
use crate::message::body::Body;
use crate::message::{BoxError, Response};

/// A connection's window is widened for a WebSocket that has more unread bytes than this. Most never have, and what may be
/// added to windows is for all uploads of the worker.
const UNREAD_BYTES: usize = 16 * 1024;
/// Maximum number of bytes that the tunnel has written and the response has not taken.
const UNSENT_BYTES_MAX: usize = 16 * 1024;

/// Whether a request asks for a WebSocket (RFC 8441 §4, §5). Every other CONNECT is refused for its method.
pub(super) fn is_asked_for(parts: &request::Parts) -> bool {
    parts.method == Method::CONNECT
        && parts.extensions.get::<Protocol>().is_some_and(|protocol| protocol.as_ref() == b"websocket")
}

/// Turns an extended CONNECT into the handshake that asks the same of an HTTP/1.1 server (RFC 6455 §4.1). The key is ours, because there
/// is none in HTTP/2. What follows the head is no body.
pub(super) fn translate(parts: &mut request::Parts) {
    parts.method = Method::GET;
    let headers = &mut parts.headers;
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    let key = STANDARD.encode(octets::random::<16>());
    headers.insert(header::SEC_WEBSOCKET_KEY, HeaderValue::try_from(key).expect("base64 is a value"));
}

/// The end of a WebSocket that the task of its request has.
#[derive(Debug)]
pub(super) struct WebSocket {
    shared: Rc<Shared>,
    activity: Arc<Activity>,
}

/// The end of a WebSocket that a tunnel has. When it is dropped, the response ends.
#[derive(Debug)]
pub(super) struct ClientStream(Rc<Shared>);

/// The body of the response.
#[derive(Debug)]
struct Outgoing(Rc<Shared>);

#[derive(Debug)]
struct Shared {
    received: RefCell<Received>,
    sent: RefCell<Sent>,
    /// The WebSocket counts as open from the answer until both ends are gone.
    open: OnceCell<OpenWebSocket>,
}

/// What the client has sent.
///
/// DATA frames are taken from `h2` at once and joined. `h2` ends a connection that has some hundred small frames waiting, and many
/// messages of a WebSocket are small. The window is given back when the tunnel has read the bytes, so it bounds `unread`.
#[derive(Debug)]
struct Received {
    /// `None` when nobody reads any more.
    upload: Option<Upload>,
    unread: BytesMut,
    end: Option<Result<(), io::ErrorKind>>,
    reader: Option<Waker>,
    window: Rc<Window>,
    /// Keeps the connection's window wider while much is unread, so that other uploads can go on.
    widened: Option<Widened>,
}

/// What the tunnel has written.
#[derive(Debug, Default)]
struct Sent {
    bytes: Vec<u8>,
    is_over: bool,
    /// Nobody sends it any more: the client has reset the stream, or reads nothing.
    is_cut: bool,
    writer: Option<Waker>,
    sender: Option<Waker>,
}

/// Both ends of a WebSocket. `upload` is what the client sends.
pub(super) fn pair(upload: Upload, window: &Rc<Window>, activity: &Arc<Activity>) -> (WebSocket, ClientStream) {
    let received = Received {
        upload: Some(upload),
        unread: BytesMut::new(),
        end: None,
        reader: None,
        window: Rc::clone(window),
        widened: None,
    };
    let shared = Rc::new(Shared { received: received.into(), sent: RefCell::default(), open: OnceCell::new() });
    (WebSocket { shared: Rc::clone(&shared), activity: Arc::clone(activity) }, ClientStream(shared))
}

impl WebSocket {
    /// If `response` opens the WebSocket, makes it the answer that says so over HTTP/2 (RFC 8441 §5).
    pub(super) fn answer(&self, response: &mut Response) {
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        *response.status_mut() = StatusCode::OK;
        // The fields of the connection are removed from every response. That one is the answer to our key. A length means nothing in
        // a 101, and in a 200 it would be that of what follows.
        response.headers_mut().remove(header::SEC_WEBSOCKET_ACCEPT);
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::streaming(Outgoing(Rc::clone(&self.shared)));
        let _ = self.shared.open.set(self.activity.open_websocket());
    }

    /// Takes what the client has sent so far.
    pub(super) fn receive(&self, cx: &mut Context<'_>) {
        self.shared.received.borrow_mut().receive(cx);
    }
}

impl Received {
    fn receive(&mut self, cx: &mut Context<'_>) {
        let Some(upload) = &mut self.upload else { return };
        while self.end.is_none()
            && let Poll::Ready(data) = upload.poll_held(cx)
        {
            match data {
                Some(Ok(data)) => self.unread.extend_from_slice(&data),
                Some(Err(_)) => self.end = Some(Err(io::ErrorKind::ConnectionReset)),
                None => self.end = Some(Ok(())),
            }
            self.reader.take().into_iter().for_each(Waker::wake);
        }
        self.adapt();
    }

    fn poll_read(&mut self, cx: &Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let length = self.unread.len().min(buffer.remaining());
            buffer.put_slice(&self.unread[..length]);
            self.unread.advance(length);
            if let Some(upload) = &mut self.upload {
                upload.release(length);
            }
            self.adapt();
            return Poll::Ready(Ok(()));
        }
        let Some(end) = self.end else {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        Poll::Ready(end.map_err(io::Error::from))
    }

    /// Takes or gives back what depends on how much is unread.
    fn adapt(&mut self) {
        if self.unread.len() <= UNREAD_BYTES {
            self.widened = None;
        } else if self.widened.is_none() {
            self.widened = self.window.widen_now();
        }
        if self.unread.is_empty() {
            // A WebSocket that is quiet keeps no buffer.
            self.unread = BytesMut::new();
        }
    }
}

impl Sent {
    fn poll_write(&mut self, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_cut || self.is_over {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let length = bytes.len().min(UNSENT_BYTES_MAX.saturating_sub(self.bytes.len()));
        if length == 0 && !bytes.is_empty() {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.bytes.extend_from_slice(&bytes[..length]);
        self.wake_sender();
        Poll::Ready(Ok(length))
    }

    /// Ends the response after what was written.
    fn end(&mut self) {
        self.is_over = true;
        self.wake_sender();
    }

    fn wake_sender(&mut self) {
        self.sender.take().into_iter().for_each(Waker::wake);
    }

    fn wake_writer(&mut self) {
        self.writer.take().into_iter().for_each(Waker::wake);
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.received.borrow_mut().poll_read(cx, buffer)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        self.0.sent.borrow_mut().poll_write(cx, buffer)
    }

    /// Does not wait for the client. Fails when nobody sends any more, so that a tunnel with nothing to write learns of it.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut sent = self.0.sent.borrow_mut();
        if sent.is_cut && !sent.is_over {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        sent.writer = Some(cx.waker().clone());
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.sent.borrow_mut().end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        self.0.sent.borrow_mut().end();
        let mut received = self.0.received.borrow_mut();
        // The rest is discarded, as that of any upload.
        (received.upload, received.unread, received.widened) = (None, BytesMut::new(), None);
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut sent = self.0.sent.borrow_mut();
        if !sent.bytes.is_empty() {
            let bytes = std::mem::take(&mut sent.bytes);
            sent.wake_writer();
            return Poll::Ready(Some(Ok(Frame::data(bytes.into()))));
        }
        if sent.is_over {
            return Poll::Ready(None);
        }
        sent.sender = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        let mut sent = self.0.sent.borrow_mut();
        sent.is_cut = true;
        sent.wake_writer();
    }
}

#[cfg(test)]
mod tests;

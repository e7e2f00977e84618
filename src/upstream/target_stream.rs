//! The byte stream to one target: over TCP or a Unix socket, with TLS or without.

use std::cell::RefCell;
use std::future::{Future as _, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::task::coop::unconstrained;
use tokio_rustls::client::TlsStream;

use crate::socket::stream::Socket;

/// A connected stream. Clones share the same stream: the response can be read in one place while the rest of the upload
/// is written in another.
#[derive(Clone, Debug)]
pub(crate) struct TargetStream(Rc<RefCell<Transport>>);

#[derive(Debug)]
enum Transport {
    Tcp(Socket),
    Unix(UnixStream),
    /// Boxed, because a TLS stream is about a kilobyte large.
    Tls(Box<TlsStream<Socket>>),
    TlsOverUnix(Box<TlsStream<UnixStream>>),
}

/// Calls a method of the transport, whichever it is.
macro_rules! transport {
    ($stream:expr, $of:ident => $call:expr) => {
        match &mut *$stream.0.borrow_mut() {
            Transport::Tcp($of) => $call,
            Transport::Unix($of) => $call,
            Transport::Tls($of) => $call,
            Transport::TlsOverUnix($of) => $call,
        }
    };
}

impl TargetStream {
    pub(crate) fn tcp(socket: Socket) -> Self {
        Self(Rc::new(RefCell::new(Transport::Tcp(socket))))
    }

    pub(crate) fn unix(socket: UnixStream) -> Self {
        Self(Rc::new(RefCell::new(Transport::Unix(socket))))
    }

    pub(crate) fn tls(stream: TlsStream<Socket>) -> Self {
        Self(Rc::new(RefCell::new(Transport::Tls(Box::new(stream)))))
    }

    pub(crate) fn tls_over_unix(stream: TlsStream<UnixStream>) -> Self {
        Self(Rc::new(RefCell::new(Transport::TlsOverUnix(Box::new(stream)))))
    }

    /// Whether a failed write may have sent a part of the bytes. TLS accepts all bytes, sends what it can, and then
    /// only reports the failure.
    pub(crate) fn may_fail_in_part(&self) -> bool {
        matches!(*self.0.borrow(), Transport::Tls(_) | Transport::TlsOverUnix(_))
    }

    /// Whether there is nothing to read: no bytes and no end of the stream. Bytes that a target sends before a request
    /// are not a response. Only sees what the runtime already knows, not what arrived since the runtime last polled the
    /// system.
    pub(crate) fn is_quiet(&self) -> bool {
        match &mut *self.0.borrow_mut() {
            Transport::Tcp(socket) => socket.is_quiet(),
            Transport::Unix(socket) => is_pending(socket),
            Transport::Tls(stream) => is_pending(&mut **stream),
            Transport::TlsOverUnix(stream) => is_pending(&mut **stream),
        }
    }
}

/// Whether a read would wait. An available byte is lost.
fn is_pending(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut byte = [0];
    let mut buffer = ReadBuf::new(&mut byte);
    let read = poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut buffer));
    // `unconstrained`, because a task that has used up its cooperative budget would always get `Pending`.
    pin!(unconstrained(read)).poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

impl AsyncRead for TargetStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        transport!(self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for TargetStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        transport!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        transport!(self, stream => Pin::new(stream).poll_write_vectored(cx, pieces))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        transport!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        transport!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

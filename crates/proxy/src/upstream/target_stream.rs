//! The byte stream to one target: over TCP or a Unix socket, with TLS or without.

use std::cell::{Cell, RefCell};
use std::future::{Future as _, poll_fn};
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::task::coop::unconstrained;
use tokio_rustls::client::TlsStream;

use crate::socket::stream::Socket;

/// A connected stream. Clones share the same stream: the response can be read in one place while the rest of the upload
/// is written in another.
#[derive(Clone, Debug)]
pub(crate) struct TargetStream(Rc<Shared>);

#[derive(Debug)]
struct Shared {
    transport: RefCell<Transport>,
    /// Whether we have ended the stream, because its target has left the group.
    is_cut: Cell<bool>,
    /// Whether its owner ends the stream itself, as the protocol asks for.
    is_left_to_owner: Cell<bool>,
}

/// Ends a stream from outside of the exchange that uses it. Does not keep it.
#[derive(Clone, Debug)]
pub(crate) struct Cutter(Weak<Shared>);

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
        match &mut *$stream.0.transport.borrow_mut() {
            Transport::Tcp($of) => $call,
            Transport::Unix($of) => $call,
            Transport::Tls($of) => $call,
            Transport::TlsOverUnix($of) => $call,
        }
    };
}

impl TargetStream {
    fn new(transport: Transport) -> Self {
        Self(Rc::new(Shared {
            transport: RefCell::new(transport),
            is_cut: Cell::new(false),
            is_left_to_owner: Cell::new(false),
        }))
    }

    pub(crate) fn tcp(socket: Socket) -> Self {
        Self::new(Transport::Tcp(socket))
    }

    pub(crate) fn unix(socket: UnixStream) -> Self {
        Self::new(Transport::Unix(socket))
    }

    pub(crate) fn tls(stream: TlsStream<Socket>) -> Self {
        Self::new(Transport::Tls(Box::new(stream)))
    }

    pub(crate) fn tls_over_unix(stream: TlsStream<UnixStream>) -> Self {
        Self::new(Transport::TlsOverUnix(Box::new(stream)))
    }

    /// Ends the stream from outside.
    pub(crate) fn cutter(&self) -> Cutter {
        Cutter(Rc::downgrade(&self.0))
    }

    /// From now on, a [`Cutter`] does nothing.
    pub(crate) fn leave_to_owner(&self) {
        self.0.is_left_to_owner.set(true);
    }

    /// Whether the stream was ended from outside.
    pub(crate) fn is_cut(&self) -> bool {
        self.0.is_cut.get()
    }

    /// Whether a failed write may have sent a part of the bytes. TLS accepts all bytes, sends what it can, and then
    /// only reports the failure.
    pub(crate) fn may_fail_in_part(&self) -> bool {
        matches!(*self.0.transport.borrow(), Transport::Tls(_) | Transport::TlsOverUnix(_))
    }

    /// Whether there is nothing to read: no bytes and no end of the stream. Bytes that a target sends before a request
    /// are not a response. Only sees what the runtime already knows, not what arrived since the runtime last polled the
    /// system.
    pub(crate) fn is_quiet(&self) -> bool {
        match &mut *self.0.transport.borrow_mut() {
            Transport::Tcp(socket) => socket.is_quiet(),
            Transport::Unix(socket) => is_pending(socket),
            Transport::Tls(stream) => is_pending(&mut **stream),
            Transport::TlsOverUnix(stream) => is_pending(&mut **stream),
        }
    }
}

impl Cutter {
    /// Whether the stream still exists.
    pub(crate) fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }

    /// Ends the stream. Whoever waits for it is woken.
    pub(crate) fn cut(&self) {
        let Some(stream) = self.0.upgrade() else { return };
        if stream.is_left_to_owner.get() || stream.is_cut.replace(true) {
            return;
        }
        // An error means that the stream has ended already.
        let _ = match &*stream.transport.borrow() {
            Transport::Tcp(socket) => socket.abort(),
            Transport::Unix(socket) => SockRef::from(socket).shutdown(Shutdown::Both),
            Transport::Tls(stream) => stream.get_ref().0.abort(),
            Transport::TlsOverUnix(stream) => SockRef::from(stream.get_ref().0).shutdown(Shutdown::Both),
        };
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

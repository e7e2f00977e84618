//! The bytes to and from one target, over TCP or TLS.

use std::cell::RefCell;
use std::future::{Future as _, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::unconstrained;
use tokio_rustls::client::TlsStream;

use crate::socket::Socket;

/// A connected stream. Its clones are the same stream: one exchange may have its answer read in one place while the rest of
/// its upload is written in another.
#[derive(Clone, Debug)]
pub(crate) struct Line(Rc<RefCell<Transport>>);

#[derive(Debug)]
enum Transport {
    Plain(Socket),
    /// In a box: it is a kilobyte.
    Secured(Box<TlsStream<Socket>>),
}

impl Line {
    pub(crate) fn plain(socket: Socket) -> Self {
        Self(Rc::new(RefCell::new(Transport::Plain(socket))))
    }

    pub(crate) fn secured(stream: TlsStream<Socket>) -> Self {
        Self(Rc::new(RefCell::new(Transport::Secured(Box::new(stream)))))
    }

    /// Whether writing can fail after some of it has gone out: TLS takes all, sends what it can, and then says only that it
    /// failed.
    pub(crate) fn may_fail_in_part(&self) -> bool {
        matches!(*self.0.borrow(), Transport::Secured(_))
    }

    /// Whether there is nothing to read, not even an end: whatever a target says while nobody has asked is not an answer. As
    /// far as the runtime has heard: what came since it last asked the system is not seen.
    pub(crate) fn is_quiet(&self) -> bool {
        match &mut *self.0.borrow_mut() {
            Transport::Plain(socket) => socket.is_quiet(),
            Transport::Secured(stream) => {
                let mut byte = [0];
                let mut buffer = ReadBuf::new(&mut byte);
                let read = poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut buffer));
                // A task whose turn is used up would be told that there is nothing to read whatever there is.
                pin!(unconstrained(read)).poll(&mut Context::from_waker(Waker::noop())).is_pending()
            }
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self.0.borrow_mut() {
            Transport::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Transport::Secured(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self.0.borrow_mut() {
            Transport::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Transport::Secured(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self.0.borrow_mut() {
            Transport::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, pieces),
            Transport::Secured(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self.0.borrow_mut() {
            Transport::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Transport::Secured(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self.0.borrow_mut() {
            Transport::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Transport::Secured(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

//! Sockets to accept on, and the next connection, under a limit.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::socket::Socket;

/// Connections that the kernel keeps for us while all workers are busy.
const BACKLOG: i32 = 1024;
/// How long to wait when the process has no descriptor left: the next `accept` would fail at once, too.
const EXHAUSTED_WAIT: Duration = Duration::from_millis(50);

/// A connection, and the permit that it holds while it lives.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: Socket,
    pub(crate) peer: SocketAddr,
    pub(crate) permit: OwnedSemaphorePermit,
}

/// Binds one socket for each worker to `address`; with port 0 all get the same free port.
///
/// Each worker accepts on a socket of its own (`SO_REUSEPORT`), so that the kernel spreads connections and no worker waits
/// for another.
///
/// # Errors
///
/// Also where another process listens on the address, even one that would share it: two proxies that split the traffic of
/// one port are a fault that nobody would find.
pub(crate) fn bind(address: SocketAddr, workers: usize) -> io::Result<Vec<std::net::TcpListener>> {
    drop(socket(address, Sharing::Alone)?);
    let first = socket(address, Sharing::Workers)?;
    let address = first.local_addr()?;
    let others = (1..workers).map(|_| socket(address, Sharing::Workers));
    std::iter::once(Ok(first)).chain(others).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Alone,
    Workers,
}

fn socket(address: SocketAddr, sharing: Sharing) -> io::Result<std::net::TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the connections of the process before it.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(sharing == Sharing::Workers)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    if sharing == Sharing::Workers {
        socket.listen(BACKLOG)?;
    }
    Ok(socket.into())
}

/// Waits for the next connection. `None` where `accept` failed: try again. Cancel-safe.
pub(crate) async fn next(socket: &TcpListener, permits: &Arc<Semaphore>) -> Option<Accepted> {
    // The permit comes first: what we cannot serve stays in the kernel's queue, where it costs nothing.
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match socket.accept().await {
        Ok((stream, peer)) => prepare(stream, peer, permit),
        Err(error) => {
            if is_exhausted(&error) {
                tracing::error!(error = %error, "no descriptor is left to accept a connection with");
                tokio::time::sleep(EXHAUSTED_WAIT).await;
            }
            // Anything else is the client's: it left before we looked (accept(2)).
            None
        }
    }
}

/// The connections that are waiting now.
pub(crate) fn waiting(socket: &TcpListener, permits: &Arc<Semaphore>) -> Vec<Accepted> {
    let mut accepted = Vec::new();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    while let Ok(permit) = Arc::clone(permits).try_acquire_owned() {
        let std::task::Poll::Ready(Ok((stream, peer))) = socket.poll_accept(&mut context) else { break };
        accepted.extend(prepare(stream, peer, permit));
    }
    accepted
}

fn prepare(stream: TcpStream, peer: SocketAddr, permit: OwnedSemaphorePermit) -> Option<Accepted> {
    Some(Accepted { stream: Socket::new(stream).ok()?, peer, permit })
}

/// `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM` (accept(2)).
fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(24 | 23 | 105 | 12))
}

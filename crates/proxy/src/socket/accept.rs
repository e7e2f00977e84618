//! Listening sockets, and the only accept loop of the program: for listeners, the admin endpoint and the demo
//! application.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use socket2::{Domain, Protocol, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::Clock;
use crate::socket::foreign::{self, ForeignSockets};
use crate::socket::inherited;
use crate::socket::stream::Socket;

/// Backlog: connections that the kernel queues while all workers are busy.
const BACKLOG: i32 = 1024;
/// Delay after `accept` failed for lack of descriptors or memory, because the next call would fail at once, too.
const EXHAUSTED_WAIT: Duration = Duration::from_millis(50);
/// Failures closer together than this belong to one state, which is logged once.
const SAME_STATE: Duration = Duration::from_secs(60);

/// A connection with the permit that it holds.
#[derive(Debug)]
pub struct Accepted {
    pub stream: Socket,
    pub(crate) peer: SocketAddr,
    pub permit: OwnedSemaphorePermit,
}

/// Binds one socket per worker to `address`. With port 0, all get the same free port.
///
/// Each worker accepts on its own socket (`SO_REUSEPORT`), so that the kernel distributes connections and no worker
/// waits for another.
///
/// # Errors
///
/// Also returns an error if another process listens on the address with `SO_REUSEPORT`: two proxies that share the
/// traffic of one port would be hard to notice.
pub(crate) fn bind(address: SocketAddr, workers: usize) -> io::Result<Vec<std::net::TcpListener>> {
    drop(socket(address, Sharing::Alone)?);
    let first = socket(address, Sharing::Workers)?;
    let address = first.local_addr()?;
    let others = (1..workers).map(|_| socket(address, Sharing::Workers));
    std::iter::once(Ok(first)).chain(others).collect()
}

/// The sockets of each worker for `address`: those that were inherited or passed, and as many more as it takes. Without any, binds the address.
///
/// # Errors
///
/// See [`bind`].
pub fn open(
    address: SocketAddr,
    workers: usize,
    inherited: Vec<std::net::TcpListener>,
    foreign: &ForeignSockets,
) -> io::Result<Vec<Vec<std::net::TcpListener>>> {
    foreign.keep(&inherited)?;
    let mut sockets = inherited;
    sockets.extend(foreign.copies(address)?);
    if sockets.is_empty() {
        return Ok(bind(address, workers)?.into_iter().map(|socket| vec![socket]).collect());
    }
    inherited::distribute(foreign::without_copies(sockets)?, workers, |other| {
        let address = other.local_addr()?;
        if foreign.has(address) { other.try_clone() } else { bind_again(address) }
    })
}

/// The sockets of a restarted worker for an address returned by [`bind`] or [`open`].
///
/// # Errors
///
/// Returns an error if the system cannot provide a socket.
pub fn again(address: SocketAddr, foreign: &ForeignSockets) -> io::Result<Vec<std::net::TcpListener>> {
    let copies = foreign.copies(address)?;
    if copies.is_empty() { Ok(vec![bind_again(address)?]) } else { Ok(copies) }
}

/// Binds another socket to an address returned by [`bind`], for a restarted worker.
///
/// # Errors
///
/// Returns an error if the system cannot provide a socket.
pub(crate) fn bind_again(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    socket(address, Sharing::Workers)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Alone,
    Workers,
}

fn socket(address: SocketAddr, sharing: Sharing) -> io::Result<std::net::TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait until connections of the previous process have timed out.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(sharing == Sharing::Workers)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    if sharing == Sharing::Workers {
        socket.listen(BACKLOG)?;
    }
    Ok(socket.into())
}

/// Waits for the next connection and retries after every failure. Cancel-safe.
pub async fn next(socket: &TcpListener, permits: &Arc<Semaphore>) -> Accepted {
    loop {
        // Takes the permit first: connections beyond the limit stay in the queue of the kernel, where they cost
        // nothing.
        let Ok(permit) = Arc::clone(permits).acquire_owned().await else {
            // The semaphore is never closed. If it were, nothing may be accepted.
            std::future::pending::<()>().await;
            continue;
        };
        match socket.accept().await {
            Ok((stream, peer)) => {
                if let Some(accepted) = prepare(stream, peer, permit) {
                    EXHAUSTION.succeeded();
                    return accepted;
                }
            }
            Err(error) if is_exhausted(&error) => {
                EXHAUSTION.failed(&error);
                tokio::time::sleep(EXHAUSTED_WAIT).await;
            }
            // The client closed the connection before it was accepted (accept(2)).
            Err(_) => {}
        }
    }
}

/// The connections in the queue now.
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

/// Whether `accept` failed for lack of resources of this machine (accept(2)), not because of the client.
fn is_exhausted(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// Whether the process has no file descriptor left. This affects all accept loops.
static EXHAUSTION: Exhaustion = Exhaustion::new();

struct Exhaustion {
    /// The logged state: a copy of `last.is_some()` that is read without a lock.
    is_logged: AtomicBool,
    /// Time of the last failure of `accept` in the logged state.
    last: Mutex<Option<Instant>>,
}

/// The message to log.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    Begins,
    Ends,
}

impl Exhaustion {
    const fn new() -> Self {
        Self { is_logged: AtomicBool::new(false), last: Mutex::new(None) }
    }

    fn failed(&self, error: &io::Error) {
        if self.note(Clock::system().instant(), true) == Some(Change::Begins) {
            tracing::error!(
                error = %error,
                "cannot accept connections: raise the limit of open files (LimitNOFILE= in systemd, --ulimit nofile= in \
                 containers) or lower connections_max; logged again only after a minute without failures"
            );
        }
    }

    fn succeeded(&self) {
        if self.is_logged.load(Ordering::Relaxed) && self.note(Clock::system().instant(), false) == Some(Change::Ends) {
            tracing::info!("accepting connections again");
        }
    }

    fn note(&self, now: Instant, has_failed: bool) -> Option<Change> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let change = match *last {
            None if has_failed => Some(Change::Begins),
            Some(then) if !has_failed && now.saturating_duration_since(then) >= SAME_STATE => Some(Change::Ends),
            _ => None,
        };
        match change {
            Some(Change::Ends) => *last = None,
            _ if has_failed => *last = Some(now),
            _ => {}
        }
        self.is_logged.store(last.is_some(), Ordering::Relaxed);
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_is_said_once_however_often_it_comes_and_goes() {
        let exhaustion = Exhaustion::new();
        let begun = Clock::system().instant();
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(exhaustion.note(at(0), false), None);
        assert_eq!(exhaustion.note(at(0), true), Some(Change::Begins));
        for second in 1..100 {
            assert_eq!(exhaustion.note(at(second), second % 2 == 0), None, "after {second} s");
        }
        assert_eq!(exhaustion.note(at(157), false), None);
        assert_eq!(exhaustion.note(at(158), false), Some(Change::Ends));
        assert_eq!(exhaustion.note(at(159), true), Some(Change::Begins));
    }

    #[test]
    fn what_this_machine_lacks_is_told_from_what_a_client_did() {
        let is = |errno: Errno| is_exhausted(&errno.into());
        assert!([Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM].into_iter().all(is));
        assert!(![Errno::CONNABORTED, Errno::INTR, Errno::PERM].into_iter().any(is));
    }
}

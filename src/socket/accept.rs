//! Sockets to accept on, and the one accept loop of the program: of the listeners, the admin endpoint and the demo
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
use crate::socket::Socket;

/// Connections that the kernel keeps for us while all workers are busy.
const BACKLOG: i32 = 1024;
/// How long to wait when `accept` failed for want of descriptors or memory: the next one would fail at once, too.
const EXHAUSTED_WAIT: Duration = Duration::from_millis(50);
/// Failures that are closer together than this are one state, which is logged once.
const SAME_STATE: Duration = Duration::from_secs(60);

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

/// Binds one more socket to an address that [`bind`] gave, for a worker that lost its own.
///
/// # Errors
///
/// Where the system has none to give.
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

/// Waits for the next connection, through every failure. Cancel-safe.
pub(crate) async fn next(socket: &TcpListener, permits: &Arc<Semaphore>) -> Accepted {
    loop {
        // The permit comes first: what we cannot serve stays in the kernel's queue, where it costs nothing.
        let Ok(permit) = Arc::clone(permits).acquire_owned().await else {
            // Nobody closes a semaphore of ours; if somebody did, nothing may be accepted.
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
            // The client's: it left before we looked (accept(2)).
            Err(_) => {}
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

/// Whether `accept` failed because this machine has no more to give (accept(2)), and not because of the client.
fn is_exhausted(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// Whether the process has run out of descriptors: it has as many for one accept loop as for another.
static EXHAUSTION: Exhaustion = Exhaustion::new();

struct Exhaustion {
    /// What was logged. A copy of `last.is_some()` that costs a connection no lock.
    is_logged: AtomicBool,
    /// When `accept` failed last, while that is the state that was logged.
    last: Mutex<Option<Instant>>,
}

/// What to log.
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
                "no connection can be accepted: raise the limit of open files (LimitNOFILE= in systemd, --ulimit nofile= in \
                 containers) or lower connections_max; this is logged once until a minute has passed without it"
            );
        }
    }

    fn succeeded(&self) {
        if self.is_logged.load(Ordering::Relaxed) && self.note(Clock::system().instant(), false) == Some(Change::Ends) {
            tracing::info!("connections are accepted again");
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

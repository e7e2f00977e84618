//! Listening sockets that this process cannot bind again: the service manager has bound them (sd_listen_fds(3)), or another user has.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError};

use rustix::fs::fstat;
use rustix::process::geteuid;
use socket2::SockRef;

/// Copies of the foreign sockets, as long as the process runs.
///
/// A worker that is restarted, and a listener that a reload brings back, accept on a copy: nobody can bind the address a second time. Whoever
/// has bound these sockets keeps them open, too, so connections wait there in any case.
#[derive(Debug, Default)]
pub struct ForeignSockets(Mutex<Vec<TcpListener>>);

/// A socket that the service manager has passed.
#[derive(Debug)]
pub struct Passed {
    /// The number of its descriptor.
    pub number: usize,
    /// As the service manager calls it (`FileDescriptorName=`).
    pub name: String,
    pub address: SocketAddr,
    socket: TcpListener,
}

impl Passed {
    /// # Errors
    ///
    /// Returns an error if the socket does not listen.
    #[cfg(target_os = "linux")]
    pub fn new(number: usize, name: String, socket: TcpListener) -> io::Result<Self> {
        let socket = crate::socket::inherited::listening(socket.into())?;
        Ok(Self { number, name, address: socket.local_addr()?, socket })
    }
}

impl ForeignSockets {
    pub fn new(passed: Vec<Passed>) -> Self {
        Self(Mutex::new(passed.into_iter().map(|passed| passed.socket).collect()))
    }

    /// Keeps copies of the foreign ones among `sockets`, which another process of Vestibule had.
    ///
    /// # Errors
    ///
    /// Returns an error if the system cannot copy them.
    pub(super) fn keep(&self, sockets: &[TcpListener]) -> io::Result<()> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for socket in sockets {
            if is_foreign(socket)? {
                kept.push(socket.try_clone()?);
            }
        }
        *kept = without_copies(std::mem::take(&mut *kept))?;
        Ok(())
    }

    /// Copies of those that listen on `address`.
    ///
    /// # Errors
    ///
    /// Returns an error if the system cannot copy them.
    pub(super) fn copies(&self, address: SocketAddr) -> io::Result<Vec<TcpListener>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let those = kept.iter().filter(|socket| socket.local_addr().is_ok_and(|known| known == address));
        those.map(TcpListener::try_clone).collect()
    }

    /// Whether one listens on `address`.
    pub fn has(&self, address: SocketAddr) -> bool {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().any(|socket| socket.local_addr().is_ok_and(|known| known == address))
    }
}

/// Whether another socket of this process cannot have the same address: `SO_REUSEPORT` lets only sockets of one user share it (socket(7)).
fn is_foreign(socket: &TcpListener) -> io::Result<bool> {
    Ok(!SockRef::from(socket).reuse_port()? || fstat(socket)?.st_uid != geteuid().as_raw())
}

/// One descriptor of each socket. The workers of a process have copies of one foreign socket, and pass each on to the next process.
pub(super) fn without_copies(sockets: Vec<TcpListener>) -> io::Result<Vec<TcpListener>> {
    let mut known = std::collections::BTreeSet::new();
    let mut distinct = Vec::new();
    for socket in sockets {
        let stat = fstat(&socket)?;
        if known.insert((stat.st_dev, stat.st_ino)) {
            distinct.push(socket);
        }
    }
    Ok(distinct)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::accept;
    use crate::socket::inherited::Inherited;

    fn any() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[test]
    fn every_worker_accepts_on_a_socket_that_nobody_can_bind_again() {
        let bound = TcpListener::bind(any()).unwrap();
        let address = bound.local_addr().unwrap();
        let foreign = ForeignSockets::new(vec![Passed::new(3, "web".into(), bound.try_clone().unwrap()).unwrap()]);
        let workers = accept::open(address, 3, Vec::new(), &foreign).unwrap();
        assert_eq!(workers.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
        drop(workers);
        // A worker that is restarted, and a listener that comes back.
        assert_eq!(accept::again(address, &foreign).unwrap().len(), 1);
        assert_eq!(accept::open(address, 1, Vec::new(), &foreign).unwrap().len(), 1);
        assert!(foreign.has(address) && !foreign.has(any()));
        // An address that nobody has passed is bound.
        assert_eq!(accept::open(any(), 2, Vec::new(), &foreign).unwrap().len(), 2);
    }

    #[test]
    fn copies_of_another_process_are_one_socket() {
        let bound = TcpListener::bind(any()).unwrap();
        let address = bound.local_addr().unwrap();
        let copies = (0..4).map(|_| ("of the workers".to_owned(), bound.try_clone().unwrap().into()));
        let mut inherited = Inherited::new(copies).unwrap();
        let (taken, foreign) = (inherited.take("", address), ForeignSockets::default());
        assert_eq!(taken.len(), 4);
        let workers = accept::open(address, 2, taken, &foreign).unwrap();
        assert_eq!(workers.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(foreign.copies(address).unwrap().len(), 1, "kept for a worker that is restarted");
    }

    #[test]
    fn sockets_that_can_be_bound_again_are_not_kept() {
        let foreign = ForeignSockets::default();
        let bound = accept::bind(any(), 2).unwrap();
        let address = bound[0].local_addr().unwrap();
        let workers = accept::open(address, 3, bound, &foreign).unwrap();
        assert_eq!(workers.len(), 3);
        assert!(!foreign.has(address), "connections would wait in a copy whose worker is gone");
        assert_eq!(accept::again(address, &foreign).unwrap().len(), 1);
    }
}

//! Listening sockets that this process did not bind itself.

use std::io;
use std::net::{SocketAddr, TcpListener};
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;

use socket2::SockRef;

/// Sockets of another process, until the listeners that they are for are opened. What is left then is closed.
#[derive(Debug, Default)]
pub struct Inherited(Vec<(String, TcpListener)>);

impl Inherited {
    /// `sockets` with the keys that the other process knew them by.
    ///
    /// # Errors
    ///
    /// Returns an error if one of them is not a TCP socket that listens.
    #[cfg(target_os = "linux")]
    pub fn new(sockets: impl IntoIterator<Item = (String, OwnedFd)>) -> io::Result<Self> {
        sockets.into_iter().map(|(key, socket)| Ok((key, listening(socket)?))).collect::<io::Result<_>>().map(Self)
    }

    /// Whether there is no other process, or nothing is left of it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the sockets that have this key or this address.
    pub fn take(&mut self, key: &str, address: SocketAddr) -> Vec<TcpListener> {
        let is_wanted = |(known, socket): &mut (String, TcpListener)| {
            known == key || socket.local_addr().is_ok_and(|known| known == address)
        };
        self.0.extract_if(.., is_wanted).map(|(_, socket)| socket).collect()
    }
}

#[cfg(target_os = "linux")]
pub(super) fn listening(socket: OwnedFd) -> io::Result<TcpListener> {
    use socket2::{Domain, Type};
    let known = SockRef::from(&socket);
    let is_internet = [Domain::IPV4, Domain::IPV6].contains(&known.domain()?);
    if !is_internet || known.r#type()? != Type::STREAM || !known.is_listener()? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a TCP socket that listens"));
    }
    known.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Distributes `sockets`, of which there is at least one, to `workers` workers.
///
/// Each is given to a worker, because connections wait in each. A worker that gets none gets `another` of one of them.
///
/// # Errors
///
/// Returns an error if the system cannot provide a socket.
pub(super) fn distribute(
    sockets: Vec<TcpListener>,
    workers: usize,
    another: impl Fn(&TcpListener) -> io::Result<TcpListener>,
) -> io::Result<Vec<Vec<TcpListener>>> {
    let count = sockets.len();
    let mut of_workers: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
    for (number, socket) in sockets.into_iter().enumerate() {
        of_workers[number % workers].push(socket);
    }
    for worker in count..workers {
        let socket = another(&of_workers[worker % count][0])?;
        of_workers[worker].push(socket);
    }
    Ok(of_workers)
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use socket2::{Domain, Type};

    use super::*;

    fn sockets(count: usize) -> Vec<TcpListener> {
        crate::socket::accept::bind("127.0.0.1:0".parse().unwrap(), count).unwrap()
    }

    fn again(_: &TcpListener) -> io::Result<TcpListener> {
        Ok(sockets(1).remove(0))
    }

    #[test]
    fn each_socket_is_given_to_a_worker_and_each_worker_has_one() {
        for (count, workers, expected) in
            [(1, 1, &[1][..]), (4, 1, &[4]), (5, 2, &[3, 2]), (1, 3, &[1, 1, 1]), (2, 3, &[1, 1, 1])]
        {
            let given = distribute(sockets(count), workers, again).unwrap();
            assert_eq!(given.iter().map(Vec::len).collect::<Vec<_>>(), expected, "{count} for {workers}");
        }
    }

    #[test]
    fn what_does_not_listen_for_tcp_connections_is_refused() {
        let bound = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (unix, _) = std::os::unix::net::UnixStream::pair().unwrap();
        for socket in [OwnedFd::from(bound), datagrams.into(), unix.into()] {
            assert!(Inherited::new([("a".to_owned(), socket)]).is_err());
        }
        assert!(Inherited::new([("a".to_owned(), sockets(1).remove(0).into())]).is_ok());
    }

    #[test]
    fn sockets_are_found_by_key_or_address() {
        let [one, other] = [sockets(2), sockets(1)];
        let address = other[0].local_addr().unwrap();
        let keyed = one.into_iter().map(|socket| ("a".to_owned(), socket.into()));
        let other = other.into_iter().map(|socket| ("b".to_owned(), socket.into()));
        let mut inherited = Inherited::new(keyed.chain(other)).unwrap();
        assert_eq!(inherited.take("a", "127.0.0.1:1".parse().unwrap()).len(), 2);
        assert_eq!(inherited.take("a", address).len(), 1);
        assert_eq!(inherited.take("b", address).len(), 0);
    }
}

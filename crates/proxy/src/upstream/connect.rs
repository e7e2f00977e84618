//! Opens a connection to a target: DNS, TCP, TLS.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::socket::stream::Socket;
use crate::upstream::error::{Error, Step};
use crate::upstream::http2::malformed::Malformed;
use crate::upstream::place::Place;
use crate::upstream::settings::Settings;
use crate::upstream::target::TargetId;
use crate::upstream::target_stream::TargetStream;
use crate::upstream::tls::Tls;

/// How long to wait for one address of a name before the next is tried in parallel (RFC 8305 §5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// Maximum number of addresses tried for one name. More would only hold descriptors.
const ADDRESSES_MAX: usize = 8;

/// A stream, and whether it is to the rival of the target.
pub(crate) struct Connected {
    pub(crate) stream: TargetStream,
    pub(crate) is_to_rival: bool,
}

/// Connects to `target` within the group's deadline. `rival` is another address of the same name: it is tried if `target` refuses,
/// or has not accepted after a moment (RFC 8305). The first that accepts wins.
pub(crate) async fn connect(
    settings: &Settings,
    target: &TargetId,
    rival: Option<&TargetId>,
) -> Result<Connected, Error> {
    let step = Cell::new(Step::Name);
    let connecting = async {
        let addresses = match &target.place {
            Place::Unix(path) => return over_unix(path, target, &step).await.map(|stream| (stream, false)),
            Place::Address { address, .. } => {
                let rival = rival.and_then(|rival| match rival.place {
                    Place::Address { address, .. } => Some(address),
                    Place::Name { .. } | Place::Unix(_) => None,
                });
                std::iter::once(*address).chain(rival).collect()
            }
            Place::Name { name, port } => in_turn(resolve(name, *port).await.map_err(Error::Name)?),
        };
        step.set(Step::Tcp);
        let first = addresses.front().copied();
        let (stream, address) = first_of(addresses, tcp).await.map_err(Error::Connect)?;
        let is_to_rival = matches!(target.place, Place::Address { .. }) && first != Some(address);
        let Some(tls) = &target.tls else { return Ok((TargetStream::tcp(stream), is_to_rival)) };
        step.set(Step::Tls);
        Ok((TargetStream::tls(secured(tls, &target.place, stream).await?), is_to_rival))
    };
    let connected = tokio::time::timeout(settings.connect_timeout, connecting).await;
    let (stream, is_to_rival) = connected.unwrap_or_else(|_| Err(Error::ConnectTimeout(step.get())))?;
    Ok(Connected { stream, is_to_rival })
}

async fn over_unix(path: &Path, target: &TargetId, step: &Cell<Step>) -> Result<TargetStream, Error> {
    step.set(Step::Socket);
    let socket = UnixStream::connect(path).await.map_err(Error::Connect)?;
    let Some(tls) = &target.tls else { return Ok(TargetStream::unix(socket)) };
    step.set(Step::Tls);
    Ok(TargetStream::tls_over_unix(secured(tls, &target.place, socket).await?))
}

/// Performs the TLS handshake with the target at `place`.
pub(super) async fn secured<S: AsyncRead + AsyncWrite + Unpin>(
    tls: &Tls,
    place: &Place,
    stream: S,
) -> Result<TlsStream<S>, Error> {
    let name = match &tls.server_name {
        Some(name) => name.clone(),
        None => ServerName::try_from(place.host().unwrap_or_default())
            .map_err(|error| Error::Tls(io::Error::new(io::ErrorKind::InvalidInput, error)))?,
    };
    let stream = TlsConnector::from(Arc::clone(&tls.config)).connect(name, stream).await.map_err(Error::Tls)?;
    if tls.accepts(stream.get_ref().1.alpn_protocol()) {
        Ok(stream)
    } else {
        Err(Error::MalformedHttp2(Malformed::NotHttp2))
    }
}

async fn resolve(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let addresses: Vec<_> = tokio::net::lookup_host((name, port)).await?.collect();
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    Ok(addresses)
}

/// The addresses in the order in which they are tried. Keeps the order of the resolver, but alternates between IPv6 and
/// IPv4, so that a broken address family costs only one delay (RFC 8305 §4).
fn in_turn(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_ipv6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut order = VecDeque::new();
    while order.len() < ADDRESSES_MAX {
        let before = order.len();
        order.extend(first.next());
        order.extend(second.next());
        if order.len() == before {
            break;
        }
    }
    order.truncate(ADDRESSES_MAX);
    order
}

async fn tcp(address: SocketAddr) -> io::Result<Socket> {
    let connected = TcpStream::connect(address).await.and_then(Socket::new);
    connected.map_err(|error| io::Error::new(error.kind(), Refused { address, source: error }))
}

/// Adds the address to the error, because a name can have several addresses.
#[derive(Debug, thiserror::Error)]
#[error("{address}")]
struct Refused {
    address: SocketAddr,
    source: io::Error,
}

/// Returns the first connection that succeeds, and its address. The next address is tried when an attempt has failed, or when none has
/// succeeded for [`ATTEMPT_DELAY`]. Earlier attempts continue. The caller sets one deadline for all attempts.
async fn first_of<T, F: Future<Output = io::Result<T>>>(
    mut addresses: VecDeque<SocketAddr>,
    dial: impl Fn(SocketAddr) -> F,
) -> io::Result<(T, SocketAddr)> {
    let mut attempts = FuturesUnordered::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        match addresses.pop_front() {
            Some(address) => {
                let attempt = dial(address);
                attempts.push(async move { attempt.await.map(|connected| (connected, address)) });
            }
            None if attempts.is_empty() => return Err(last),
            None => {}
        }
        let outcome = if addresses.is_empty() {
            attempts.next().await
        } else {
            // Cancel-safe: an unfinished attempt stays in the set of attempts.
            tokio::time::timeout(ATTEMPT_DELAY, attempts.next()).await.unwrap_or(None)
        };
        match outcome {
            Some(Ok(connected)) => return Ok(connected),
            Some(Err(error)) => last = error,
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::pending;

    use rustix::io::Errno;
    use tokio::time::Instant;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    }

    /// Port 1 never answers. Port 2 refuses at once. Every other port accepts after as many milliseconds as its number.
    async fn dial(address: SocketAddr) -> io::Result<u16> {
        match address.port() {
            1 => pending().await,
            2 => Err(io::ErrorKind::ConnectionRefused.into()),
            port => {
                tokio::time::sleep(Duration::from_millis(port.into())).await;
                Ok(port)
            }
        }
    }

    #[track_caller]
    fn connects(texts: &[&str], expected: Option<u16>, after: u64) -> impl Future<Output = ()> {
        let addresses = in_turn(addresses(texts));
        async move {
            let start = Instant::now();
            assert_eq!(first_of(addresses, dial).await.ok().map(|(port, _)| port), expected);
            assert_eq!(start.elapsed(), Duration::from_millis(after));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_swallows_packets_costs_one_delay() {
        connects(&["192.0.2.1:1", "192.0.2.2:10"], Some(10), 260).await;
        connects(&["192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:10"], Some(10), 510).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_refuses_costs_nothing() {
        connects(&["192.0.2.1:2", "192.0.2.2:2", "192.0.2.3:10"], Some(10), 10).await;
        connects(&["192.0.2.1:2", "192.0.2.2:2"], None, 0).await;
        connects(&[], None, 0).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_attempt_that_succeeds_late_counts() {
        connects(&["192.0.2.1:300", "192.0.2.2:200"], Some(300), 300).await;
        connects(&["192.0.2.1:300"], Some(300), 300).await;
    }

    #[test]
    fn families_take_turns_and_so_many_addresses_are_tried() {
        let order = in_turn(addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "192.0.2.1:1"]));
        assert_eq!(order, addresses(&["[::1]:1", "192.0.2.1:1", "[::2]:1", "[::3]:1"]));
        let many: Vec<_> = (0..40).map(|host| SocketAddr::from(([192, 0, 2, host], 1))).collect();
        assert_eq!(in_turn(many).len(), ADDRESSES_MAX);
    }

    #[tokio::test]
    async fn a_refusal_names_the_address() {
        let tried = RefCell::new(0);
        let error = first_of(addresses(&["127.0.0.1:9"]).into(), |address| {
            *tried.borrow_mut() += 1;
            async move {
                Err::<(), _>(io::Error::new(
                    io::ErrorKind::ConnectionRefused,
                    Refused { address, source: Errno::CONNREFUSED.into() },
                ))
            }
        });
        let error = error.await.expect_err("refused");
        assert_eq!(*tried.borrow(), 1);
        let error = Error::Connect(error);
        let line = error.in_one_line();
        assert!(line.starts_with("the target did not accept the connection: 127.0.0.1:9: "), "{line}");
        assert_eq!(line.matches("refused").count(), 1, "{line}");
        assert!(!error.is_ours());
        let exhausted = Refused { address: "127.0.0.1:9".parse().expect("an address"), source: Errno::MFILE.into() };
        assert!(Error::Connect(io::Error::other(exhausted)).is_ours());
    }
}

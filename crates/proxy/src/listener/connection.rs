//! Serves one connection: the TLS handshake, then HTTP/1.1 or HTTP/2. Every step has a deadline.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsAcceptor;

use crate::certificate::client::refusal::{Refused, cause, watched};
use crate::drain::Draining;
use crate::exchange::client::Client;
use crate::exchange::connection::Connection;
use crate::exchange::rejection::Reason;
use crate::listener::linger::Patience;
use crate::listener::per_address::AddressPermit;
use crate::listener::plain_http::PlainHttpDetector;
use crate::listener::requests::{Handler, Requests};
use crate::listener::settings::{ProxyProtocol, Settings};
use crate::listener::state::{Served, Terms, WorkerListener};
use crate::listener::tls::{self, Protocol};
use crate::listener::tls_stream::TlsStream;
use crate::listener::transport::{Readable, Watched};
use crate::listener::{http1, http2, proxy_protocol, refusal};
use crate::message::desync::Mode;
use crate::message::unread::Unread;
use crate::message::upload::Uploads;
use crate::socket::accept::Accepted;
use crate::telemetry::metrics::Counter;

/// The next stage of a connection, as a boxed future.
type Stage = Pin<Box<dyn Future<Output = ()>>>;

/// Serves a connection from accept to close.
///
/// Each stage is a boxed future that is freed when the stage ends. A future reserves memory for every value that it
/// ever holds, and an idle connection keeps its future in memory.
pub(crate) fn run<H: Handler>(
    listener: Rc<WorkerListener<H>>,
    accepted: Accepted,
    address_permit: AddressPermit,
    draining: Draining,
) -> impl Future<Output = ()> {
    let opening = Box::pin(open(listener, accepted, address_permit, draining));
    async move {
        let opened = opening.await;
        if let Some(served) = opened {
            served.await;
        }
    }
}

/// Performs the TLS handshake on an `https` listener. `None` if the handshake failed.
async fn open<H: Handler>(
    listener: Rc<WorkerListener<H>>,
    mut accepted: Accepted,
    mut address_permit: AddressPermit,
    draining: Draining,
) -> Option<Stage> {
    let served = listener.served();
    let metrics = &served.metrics;
    metrics.accepted.increment();
    let settings = &served.generation.settings;
    if let Some(proxy_protocol) = &settings.proxy_protocol {
        address_permit = Box::pin(client_of(&listener, &served, &mut accepted, proxy_protocol.version)).await?;
    }
    let guard = ConnectionGuard::new(&metrics.open, accepted.permit, address_permit);
    let facts = |tls| {
        Connection::new(accepted.peer, Arc::clone(&settings.name), Arc::clone(&settings.forwarded), tls)
            .with_logins(Arc::clone(&listener.process.logins))
            .with_spawner(draining.spawner())
    };
    let Some(config) = &served.generation.tls else {
        let connection = Rc::new(facts(None));
        let transport = Watched::new(accepted.stream, Arc::default(), guard);
        return Some(http(transport, Protocol::Http1, connection, &served, listener, draining));
    };
    let handshake =
        TlsAcceptor::from(Arc::clone(config)).accept(PlainHttpDetector::new(accepted.stream)).into_fallible();
    let handshake = tokio::time::timeout(settings.limits.handshake_timeout, handshake);
    let (performed, refused) = match asks_for_certificates(settings) {
        true => Box::pin(watched(handshake)).await,
        false => (handshake.await, None),
    };
    match performed {
        Ok(Ok(stream)) if tls::is_challenge(&stream) => None,
        Ok(Ok(stream)) => {
            let stream = TlsStream(Box::new(stream));
            let (tls, protocol, presented) = tls::facts(&stream.0);
            let policy = settings.tls.as_ref().and_then(|tls| tls.clients.as_ref());
            let client = Client::new(policy, presented, Arc::clone(&listener.process.clients));
            let connection = Rc::new(facts(Some(tls)).with_client(client));
            let transport = Watched::new(stream, Arc::default(), guard);
            Some(http(transport, protocol, connection, &served, listener, draining))
        }
        Ok(Err((error, client))) => match Box::pin(client.into_plain()).await {
            Some((socket, head)) => {
                let connection = Rc::new(facts(None));
                let response = listener.handler().refuse(connection, Unread::of(&head), Reason::RequestPlainHttp);
                let transport = Watched::new(socket, Arc::default(), guard);
                let patience = Patience::new(draining.is_stopping());
                Some(Box::pin(refusal::send(transport, response, listener.clock.now(), patience)))
            }
            // Usually a port scan, or a client that does not trust the certificate. Counted, but not logged.
            None => {
                metrics.handshakes_failed.increment();
                if let Some(cause) = cause(&error).filter(|_| asks_for_certificates(settings)) {
                    metrics.certificate_refused(cause);
                    log_refusal(&settings.name, accepted.peer, cause, refused);
                }
                None
            }
        },
        Err(_) => {
            metrics.handshakes_failed.increment();
            None
        }
    }
}

/// Reads who the client is (attacks G-13). From then on its address is that of the connection. `None` if the connection is closed.
async fn client_of<H: Handler>(
    listener: &WorkerListener<H>,
    served: &Served<H>,
    accepted: &mut Accepted,
    version: ProxyProtocol,
) -> Option<AddressPermit> {
    let settings = &served.generation.settings;
    let reading = proxy_protocol::read(&mut accepted.stream, version);
    let client = match tokio::time::timeout(settings.limits.handshake_timeout, reading).await {
        Ok(Ok(client)) => client,
        Ok(Err(error)) => {
            // A load balancer that only looks whether the port is open.
            if error.kind() != std::io::ErrorKind::UnexpectedEof {
                listener.refuse_peer(served, accepted.peer, &error.to_string());
            }
            return None;
        }
        Err(_) => {
            listener.refuse_peer(served, accepted.peer, "the header did not come within `handshake_timeout`");
            return None;
        }
    };
    accepted.peer = client.address(accepted.peer);
    if settings.forwarded.is_trusted(accepted.peer.ip().to_canonical()) {
        return Some(AddressPermit::exempt());
    }
    let permit = listener.process.per_address.enter(accepted.peer.ip());
    if permit.is_none() {
        served.metrics.refused.increment();
    }
    permit
}

fn asks_for_certificates(settings: &Settings) -> bool {
    settings.tls.as_ref().is_some_and(|tls| tls.clients.is_some())
}

/// One line for each refused handshake. `refused` is the certificate, if the client has shown one that could be looked at.
fn log_refusal(listener: &str, client: SocketAddr, cause: &str, refused: Option<Refused>) {
    let Refused { subject, fingerprint, error } = refused.unwrap_or_default();
    let error = Some(error).filter(|error| !error.is_empty());
    tracing::info!(
        listener, client.address = %client.ip(), client.port = client.port(), cause, error,
        tls.client.subject = subject, tls.client.hash.sha256 = fingerprint,
        "a handshake is refused because of the client's certificate"
    );
}

/// Counts a connection and holds its permit, from accept until the connection is closed.
struct ConnectionGuard {
    gauge: Counter,
    _permit: OwnedSemaphorePermit,
    _address_permit: AddressPermit,
}

impl ConnectionGuard {
    fn new(gauge: &Counter, permit: OwnedSemaphorePermit, address_permit: AddressPermit) -> Self {
        gauge.increment();
        Self { gauge: gauge.clone(), _permit: permit, _address_permit: address_permit }
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.gauge.decrement();
    }
}

fn http<H: Handler, T: AsyncRead + AsyncWrite + Readable + Unpin + Send + 'static>(
    transport: Watched<T, ConnectionGuard>,
    protocol: Protocol,
    connection: Rc<Connection>,
    served: &Served<H>,
    listener: Rc<WorkerListener<H>>,
    draining: Draining,
) -> Stage {
    // Not the whole of `served`: a connection must not keep a configuration that is no longer in force.
    let settings = &served.generation.settings;
    let terms = Terms {
        limits: Arc::clone(&settings.limits),
        metrics: Rc::clone(&served.metrics),
        looks_at_heads: settings.desync == Mode::Strictest,
    };
    let requests = Requests {
        listener: Rc::clone(&listener),
        connection,
        activity: transport.activity(),
        uploads: Uploads::default(),
        body_rate_min: terms.limits.body_rate_min,
    };
    match protocol {
        Protocol::Http1 => {
            Box::pin(async move { http1::serve(transport, requests, terms, &listener.clock, draining).await })
        }
        Protocol::Http2 => Box::pin(http2::serve(transport, requests, terms, &listener, draining)),
    }
}

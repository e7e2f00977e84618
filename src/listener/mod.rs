//! From socket to request: accept, handshake, HTTP/1.1 or HTTP/2.
//!
//! Knows neither rules nor targets: each request goes to a [`Handler`]. Start at [`serve`].

pub(crate) mod certificate;
mod connection;
mod greeting;
mod http1;
mod http2;
mod keeper;
mod linger;
pub(crate) mod metrics;
mod per_address;
mod refusal;
mod requests;
mod secured;
pub(crate) mod settings;
mod tls;
mod wake_gate;
mod watchdog;

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::drain::Draining;
use crate::exchange::connection::Connection;
use crate::exchange::logins::Logins;
use crate::exchange::rejection::Reason;
use crate::message::unread::Unread;
use crate::message::{Request, Response};
use crate::socket::accept;
#[cfg(any(test, fuzzing))]
pub(crate) use http1::fuzz;
pub(crate) use http2::Memory;
use metrics::Metrics;
use per_address::{PerAddress, Place};
use settings::Settings;

/// Answers requests. One for each worker; never shared between threads.
pub(crate) trait Handler: 'static {
    /// Answers one request, and takes its body. Cannot fail: a refusal is a response.
    fn handle(&self, connection: Rc<Connection>, request: &mut Request) -> impl Future<Output = Response>;

    /// Answers what is refused before it is a request that could be answered.
    fn refuse(&self, connection: Rc<Connection>, request: Unread, reason: Reason) -> Response;
}

/// What the workers of one listener share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    settings: Arc<Settings>,
    tls: Option<Arc<rustls::ServerConfig>>,
    permits: Arc<Semaphore>,
    per_address: Arc<PerAddress>,
    logins: Arc<Logins>,
}

/// What one worker has of a listener.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) metrics: Metrics,
    /// One for all listeners of the worker.
    pub(crate) memory: Rc<Memory>,
}

impl Shared {
    /// Prepares a listener for that many workers.
    pub(crate) fn new(settings: Settings, workers: usize) -> Self {
        Self {
            tls: settings.certificates.as_ref().map(tls::server_config),
            // A worker holds one while it waits for a connection: all but one of them may wait in vain.
            permits: Arc::new(Semaphore::new(settings.limits.connections_max + workers.saturating_sub(1))),
            per_address: Arc::new(PerAddress::new(settings.limits.connections_per_address_max)),
            logins: Arc::new(Logins::new(settings.limits.logins_per_address_max)),
            settings: Arc::new(settings),
        }
    }
}

/// Accepts on `socket` and serves each connection until `draining` says stop; then lets the requests finish that are
/// under way. Returns when it no longer accepts; connections are held by `draining`.
pub(crate) async fn serve<H: Handler>(
    shared: &Shared,
    socket: &tokio::net::TcpListener,
    handler: &Rc<H>,
    worker: &Rc<Worker>,
    mut draining: Draining,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            // Dropping `accept` loses nothing: it hands over a connection only when it is ready.
            () = draining.stopping() => break,
            accepted = accept::next(socket, &shared.permits) => accepted,
        };
        start(shared, accepted, handler, worker, &draining);
    }
    // What the kernel has accepted in our name is ours to serve (a lost request is the second worst thing).
    for accepted in accept::waiting(socket, &shared.permits) {
        start(shared, accepted, handler, worker, &draining);
    }
}

fn start<H: Handler>(
    shared: &Shared,
    accepted: accept::Accepted,
    handler: &Rc<H>,
    worker: &Rc<Worker>,
    draining: &Draining,
) {
    let place = if shared.settings.forwarded.is_trusted(accepted.peer.ip().to_canonical()) {
        Place::exempt()
    } else {
        match shared.per_address.enter(accepted.peer.ip()) {
            Some(place) => place,
            None => return worker.metrics.refused.increment(),
        }
    };
    let task =
        connection::run(shared.clone(), accepted, place, Rc::clone(handler), Rc::clone(worker), draining.clone());
    draining.spawn_local(task);
}

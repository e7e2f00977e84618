//! From socket to request: accept, handshake, HTTP/1.1 or HTTP/2.
//!
//! This room knows nothing about rules or targets: it passes each request to a [`Handler`]. Start at [`serve`].

mod activity;
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
mod transport;
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

/// Responds to requests. Each worker has its own, never shared between threads.
pub(crate) trait Handler: 'static {
    /// Responds to one request, and takes its body. Cannot fail: a refusal is a response, too.
    fn handle(&self, connection: Rc<Connection>, request: &mut Request) -> impl Future<Output = Response>;

    /// Responds to a request that is refused because its head cannot be parsed.
    fn refuse(&self, connection: Rc<Connection>, request: Unread, reason: Reason) -> Response;
}

/// The parts of a listener that all workers share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    settings: Arc<Settings>,
    tls: Option<Arc<rustls::ServerConfig>>,
    permits: Arc<Semaphore>,
    per_address: Arc<PerAddress>,
    logins: Arc<Logins>,
}

/// The parts of a listener that belong to one worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) metrics: Metrics,
    /// Shared by all listeners of the worker.
    pub(crate) memory: Rc<Memory>,
}

impl Shared {
    /// Prepares a listener for `workers` workers.
    pub(crate) fn new(settings: Settings, workers: usize) -> Self {
        Self {
            tls: settings.certificates.as_ref().map(tls::server_config),
            // Each worker holds one permit while it waits in `accept`. All workers but one may hold such a permit
            // without a connection.
            permits: Arc::new(Semaphore::new(settings.limits.connections_max + workers.saturating_sub(1))),
            per_address: Arc::new(PerAddress::new(settings.limits.connections_per_address_max)),
            logins: Arc::new(Logins::new(settings.limits.logins_per_address_max)),
            settings: Arc::new(settings),
        }
    }
}

/// Accepts connections on `socket` and serves them until `draining` says stop. Then requests in progress may finish.
/// Returns when no more connections are accepted. Open connections hold `draining`.
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
            // Cancel-safe: `accept::next` returns a connection only when it is ready, so dropping it loses none.
            () = draining.stopping() => break,
            accepted = accept::next(socket, &shared.permits) => accepted,
        };
        start(shared, accepted, handler, worker, &draining);
    }
    // Serve the connections that the kernel has already accepted: closing them would lose requests (a lost request is
    // the second worst thing).
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

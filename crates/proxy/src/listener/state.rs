//! What the connections of one listener share: in the process, in one configuration, and on one worker.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::Clock;
use crate::drain::Control;
use crate::exchange::client::InForce;
use crate::exchange::logins::Logins;
use crate::listener::http2::memory::WorkerMemory;
use crate::listener::metrics::Metrics;
use crate::listener::per_address::ConnectionsPerAddress;
use crate::listener::permits::ConnectionPermits;
use crate::listener::settings::{Limits, Settings};
use crate::listener::tls::{self, ProcessTls};

/// What is counted for one listening address, by all workers and under every configuration.
#[derive(Clone, Debug)]
pub struct ProcessListener {
    pub(super) permits: Arc<ConnectionPermits>,
    pub(super) per_address: Arc<ConnectionsPerAddress>,
    pub(super) logins: Arc<Logins>,
    /// Whether a peer that sent no PROXY protocol, or may not, was logged.
    pub(super) has_told_of_peers: Arc<AtomicBool>,
    /// What is asked of the certificates of clients now.
    pub(super) clients: InForce,
}

impl ProcessListener {
    /// Prepares a listener for `workers` workers.
    pub fn new(limits: &Limits, workers: usize) -> Self {
        Self {
            permits: Arc::new(ConnectionPermits::new(limits.connections_max, workers)),
            per_address: Arc::new(ConnectionsPerAddress::new(limits.connections_per_address_max)),
            logins: Arc::new(Logins::new(limits.logins_per_address_max)),
            has_told_of_peers: Arc::default(),
            clients: InForce::default(),
        }
    }

    /// Says what is asked of the certificates of clients from now on, also of those whose exchanges are under way.
    pub fn ask(&self, settings: &Settings) {
        self.clients.store(settings.tls.as_ref().and_then(|tls| tls.clients.clone()));
    }

    /// Applies the limits of another configuration. Connections that are open stay open, even if there are more than `limits` allow.
    pub fn limit(&self, limits: &Limits, control: &Control) {
        self.permits.limit(limits.connections_max, control);
        self.per_address.limit(limits.connections_per_address_max);
        self.logins.limit(limits.logins_per_address_max);
    }
}

/// One listener of one configuration, as all workers share it.
#[derive(Clone, Debug)]
pub struct GenerationListener {
    pub(super) settings: Arc<Settings>,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
}

impl GenerationListener {
    /// `process` is for all listeners.
    pub fn new(settings: Settings, process: &ProcessTls, clock: &Clock) -> Self {
        let tls = settings.tls.as_ref().map(|settings| tls::server_config(settings, process, clock));
        Self { tls, settings: Arc::new(settings) }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// One listener of one configuration on one worker.
#[derive(Debug)]
pub struct Served<H> {
    pub generation: GenerationListener,
    /// Responds to the requests of all connections.
    pub handler: Rc<H>,
    pub metrics: Rc<Metrics>,
}

/// What a connection keeps of the configuration under which it was accepted.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(super) limits: Arc<Limits>,
    pub(super) metrics: Rc<Metrics>,
    /// Whether each head is looked at as it came (ALB §10.6, `strictest`). HTTP/1.1 only.
    pub(super) looks_at_heads: bool,
}

/// One listener on one worker, under the configuration that is in force.
#[derive(Debug)]
pub struct WorkerListener<H> {
    pub(super) process: ProcessListener,
    /// For new connections, and the handler also for new requests of open ones.
    served: RefCell<Rc<Served<H>>>,
    /// Shared by all listeners of the worker.
    pub(super) memory: Rc<WorkerMemory>,
    pub(super) clock: Clock,
}

impl<H> WorkerListener<H> {
    pub fn new(process: ProcessListener, served: Served<H>, memory: Rc<WorkerMemory>, clock: Clock) -> Self {
        Self { process, served: RefCell::new(Rc::new(served)), memory, clock }
    }

    /// Serves new connections and new requests by another configuration. Requests in progress keep the handler that they have.
    pub fn adopt(&self, served: Served<H>) {
        // The old value is dropped after the borrow has ended.
        drop(self.served.replace(Rc::new(served)));
    }

    /// Counts a connection that is closed because of the PROXY protocol. The first one of the listener is logged: it is probably a
    /// mistake of the configuration. Strangers could fill the log with more.
    pub(super) fn refuse_peer(&self, served: &Served<H>, peer: SocketAddr, error: &str) {
        served.metrics.without_proxy.increment();
        if !self.process.has_told_of_peers.swap(true, Ordering::Relaxed) {
            let listener = &served.generation.settings.name;
            tracing::warn!(
                listener.name = %listener, peer.address = %peer, error,
                "a connection was closed because of `proxy_protocol`; this is logged once"
            );
        }
    }

    /// What a new connection is served with.
    pub(super) fn served(&self) -> Rc<Served<H>> {
        Rc::clone(&self.served.borrow())
    }

    /// What a new request is answered with.
    pub(super) fn handler(&self) -> Rc<H> {
        Rc::clone(&self.served.borrow().handler)
    }
}

//! What the connections of one listener share: in the process, and on one worker.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::exchange::logins::Logins;
use crate::listener::http2::memory::WorkerMemory;
use crate::listener::metrics::Metrics;
use crate::listener::per_address::ConnectionsPerAddress;
use crate::listener::settings::Settings;
use crate::listener::tickets::ProcessTickets;
use crate::listener::tls;

/// One listener, as all workers share it.
#[derive(Clone, Debug)]
pub(crate) struct ProcessListener {
    pub(super) settings: Arc<Settings>,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    pub(super) permits: Arc<Semaphore>,
    pub(super) per_address: Arc<ConnectionsPerAddress>,
    pub(super) logins: Arc<Logins>,
}

/// One listener on one worker.
#[derive(Debug)]
pub(crate) struct WorkerListener<H> {
    pub(crate) process: ProcessListener,
    /// Responds to the requests of all connections.
    pub(crate) handler: Rc<H>,
    pub(crate) metrics: Metrics,
    /// Shared by all listeners of the worker.
    pub(crate) memory: Rc<WorkerMemory>,
    pub(crate) clock: Clock,
}

impl ProcessListener {
    /// Prepares a listener for `workers` workers.
    pub(crate) fn new(settings: Settings, workers: usize, tickets: &ProcessTickets, clock: &Clock) -> Self {
        Self {
            tls: settings.tls.as_ref().map(|settings| tls::server_config(settings, tickets, clock)),
            // Each worker holds one permit while it waits in `accept`. All workers but one may hold such a permit
            // without a connection.
            permits: Arc::new(Semaphore::new(settings.limits.connections_max + workers.saturating_sub(1))),
            per_address: Arc::new(ConnectionsPerAddress::new(settings.limits.connections_per_address_max)),
            logins: Arc::new(Logins::new(settings.limits.logins_per_address_max)),
            settings: Arc::new(settings),
        }
    }
}

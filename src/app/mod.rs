//! Turns settings into a running process. Start at [`App::start`].

mod assemble;
mod descriptors;
mod providers;
mod signals;
mod workers;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::admin;
use crate::clock::Clock;
use crate::config::Config;
use crate::drain::{self, Control, Drain};
use crate::listener::accept;
use crate::telemetry::access_log::Writer;
use crate::telemetry::metrics::Registry;
use assemble::Assembled;
pub(crate) use providers::survey;
pub use signals::Signals;
use workers::{Sockets, Workers};

/// A running proxy.
///
/// Dropping it without [`shutdown`](Self::shutdown) stops at once, without waiting for requests.
#[derive(Debug)]
pub struct App {
    addresses: BTreeMap<String, SocketAddr>,
    admin_address: SocketAddr,
    registry: Registry,
    drain: Option<Drain>,
    drain_timeout: Duration,
    workers: Option<Workers>,
    access_log: Option<Writer>,
    control: Option<Runtime>,
    assembled: Arc<Assembled>,
    door: Control,
}

/// Why the process could not start. What the configuration could have told has been told before.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address cannot be listened on.
    #[error("listener `{name}`: cannot listen on {address}")]
    Bind { name: String, address: SocketAddr, source: io::Error },
    /// The access log cannot be opened.
    #[error("the access log cannot be opened")]
    AccessLog(#[source] io::Error),
    /// No thread or runtime.
    #[error("a worker cannot be started")]
    Worker(#[source] io::Error),
    /// The TLS roots for a provider cannot be set up.
    #[error("provider `{name}` cannot be set up")]
    Provider { name: String, source: crate::message::BoxError },
}

impl App {
    /// Binds every listener, then starts the workers: when this returns, requests are served.
    ///
    /// # Errors
    ///
    /// See [`Error`]; nothing is left running.
    pub fn start(config: Config, clock: Clock) -> Result<Self, Error> {
        let control = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("control")
            .enable_all()
            .build()
            .map_err(Error::Worker)?;
        let (drain, draining) = drain::channel();
        let spawner = draining.spawner();
        let door = Control::new(control.handle().clone(), spawner.clone());
        let registry = Registry::default();
        descriptors::raise(config.listeners.iter().map(|listener| listener.settings.limits.connections_max).sum());
        let count = config.workers;
        let drain_timeout = config.drain_timeout;
        let writer = Writer::start(&config.access_log).map_err(Error::AccessLog)?;
        let admin_settings = config.admin.clone();
        let assembled = Arc::new(Assembled::new(config, &clock, &registry, &door)?);

        let mut addresses = BTreeMap::new();
        let mut sockets: Vec<Sockets> = (0..count).map(|_| Vec::new()).collect();
        for (index, listener) in assembled.listeners.iter().enumerate() {
            let bound = bind(&listener.name, listener.address, count)?;
            let address = bound[0].local_addr().map_err(Error::Worker)?;
            tracing::info!(listener.name = %listener.name, %address, "listening");
            addresses.insert(listener.name.to_string(), address);
            for (worker, socket) in sockets.iter_mut().zip(bound) {
                worker.push((index, socket));
            }
        }
        let admin_address = serve_admin(&admin_settings, &assembled, &registry, &door, &spawner)?;
        let workers =
            Workers::start(sockets, &assembled, &writer, &registry, &door, draining).map_err(Error::Worker)?;
        Ok(Self {
            addresses,
            admin_address,
            registry,
            drain: Some(drain),
            drain_timeout,
            workers: Some(workers),
            access_log: Some(writer),
            control: Some(control),
            assembled,
            door,
        })
    }

    /// Asks every identity provider whether it answers, and says so in the log. Nothing waits for the answers.
    pub fn greet_providers(&self) {
        self.assembled.greet_providers(&self.door);
    }

    /// Where the listener of that name accepts.
    pub fn address(&self, listener: &str) -> Option<SocketAddr> {
        self.addresses.get(listener).copied()
    }

    /// Where the operator's endpoint answers.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// The metrics, as `/metrics` shows them.
    pub fn metrics(&self) -> String {
        self.registry.render()
    }

    /// Serves until SIGTERM or SIGINT, then drains; a second signal stops at once. Answers whether all requests had
    /// finished.
    pub fn run(self, mut signals: Signals) -> bool {
        signals.wait();
        self.shutdown_unless(|drained| signals.unless_stopped(drained).unwrap_or(false))
    }

    /// Stops accepting, waits for the requests that are under way (up to the drain timeout), writes out the access log and
    /// ends. Answers whether all requests had finished. Not to be called on an async runtime's thread.
    pub fn shutdown(self) -> bool {
        let Some(control) = &self.control else { return true };
        let handle = control.handle().clone();
        self.shutdown_unless(move |drained| handle.block_on(drained))
    }

    /// Drains as long as `wait` waits for it, then ends.
    fn shutdown_unless(mut self, wait: impl FnOnce(Pin<Box<dyn Future<Output = bool>>>) -> bool) -> bool {
        let (Some(control), Some(drain)) = (self.control.take(), self.drain.take()) else { return true };
        tracing::info!(timeout_s = self.drain_timeout.as_secs(), "draining; a second signal stops at once");
        let is_drained = wait(Box::pin(drain.finish(self.drain_timeout)));
        if let Some(workers) = self.workers.take() {
            workers.stop();
        }
        if let Some(writer) = self.access_log.take() {
            writer.finish();
        }
        control.shutdown_background();
        if is_drained {
            tracing::info!("stopped");
        } else {
            tracing::warn!("stopped before every request had finished");
        }
        is_drained
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if let Some(workers) = self.workers.take() {
            workers.stop();
        }
        // A runtime may not be dropped where an async test runs; its tasks end in the background.
        if let Some(control) = self.control.take() {
            control.shutdown_background();
        }
    }
}

fn bind(name: &str, address: SocketAddr, workers: usize) -> Result<Vec<std::net::TcpListener>, Error> {
    accept::bind(address, workers).map_err(|source| Error::Bind { name: name.to_owned(), address, source })
}

fn serve_admin(
    settings: &admin::settings::Settings,
    assembled: &Arc<Assembled>,
    registry: &Registry,
    control: &Control,
    spawner: &drain::Spawner,
) -> Result<SocketAddr, Error> {
    let bound = bind("admin", settings.address, 1)?.remove(0);
    let address = bound.local_addr().map_err(Error::Worker)?;
    let socket = control.enter(|| tokio::net::TcpListener::from_std(bound)).map_err(Error::Worker)?;
    let keys = Arc::clone(assembled);
    let public_keys: admin::PublicKeys = Arc::new(move |path| keys.public_keys(path));
    let providers = Arc::clone(assembled);
    let troubles = Arc::new(move || providers.provider_troubles());
    let admin = admin::Admin { registry: registry.clone(), public_keys, troubles };
    control.start_detached(admin::serve(admin, socket, control.clone(), spawner.clone()));
    Ok(address)
}

#[cfg(test)]
mod tests;

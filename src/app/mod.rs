//! Turns settings into a running process. Start at [`App::start`].

mod assemble;
mod descriptors;
pub(crate) mod doors;
mod error;
pub(crate) mod explain;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod providers;
mod signals;
mod vitals;
mod workers;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::admin;
use crate::clock::Clock;
use crate::config::{Config, ShutdownConfig};
use crate::drain::{self, Control, Drain};
use crate::listener::tickets::ProcessTickets;
use crate::socket::accept;
use crate::telemetry::access_log::Writer;
use crate::telemetry::logging;
use crate::telemetry::metrics::Registry;
use assemble::Assembled;
pub use error::{Error, Place};
pub(crate) use providers::survey;
pub use signals::Signals;
use vitals::Vitals;
use workers::{ProcessParts, Sockets, Workers};

/// Maximum waiting times for the worker threads, for writing the access log and for the last log lines. Their sum is
/// less than [`signals::END_MAX`], after which the process is ended by force.
const WORKERS_END_MAX: Duration = Duration::from_millis(400);
const ACCESS_LOG_END_MAX: Duration = Duration::from_millis(300);
const LOG_END_MAX: Duration = Duration::from_millis(100);

/// A running proxy.
///
/// Dropping it without [`shutdown`](Self::shutdown) stops at once and does not wait for requests.
#[derive(Debug)]
pub struct App {
    addresses: BTreeMap<String, SocketAddr>,
    admin_address: SocketAddr,
    registry: Registry,
    vitals: Vitals,
    drain: Option<Drain>,
    shutdown: ShutdownConfig,
    workers: Option<Workers>,
    access_log: Option<Writer>,
    control: Option<Runtime>,
    assembled: Arc<Assembled>,
    door: Control,
}

impl App {
    /// Binds every listener, then starts the workers. When this returns, requests are served.
    ///
    /// # Errors
    ///
    /// See [`Error`]. After an error nothing is left running.
    pub fn start(config: Config, clock: Clock) -> Result<Self, Error> {
        let control = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("control")
            .enable_all()
            .build()
            .map_err(Error::Worker)?;
        let (drain, draining) = drain::channel();
        let door = Control::new(control.handle().clone(), draining.spawner());
        let registry = Registry::default();
        descriptors::raise(&config.listeners.iter().map(|listener| &listener.settings.limits).collect::<Vec<_>>());
        let count = config.workers;
        let shutdown = config.shutdown;
        let vitals = Vitals::new(&registry);
        let writer = Writer::start(&config.access_log, &registry).map_err(Error::AccessLog)?;
        let admin_settings = config.admin.clone();
        let assembled = Arc::new(Assembled::new(config, &clock, &registry, &door, &ProcessTickets::new())?);

        let mut addresses = BTreeMap::new();
        let mut sockets: Vec<Sockets> = (0..count).map(|_| Vec::new()).collect();
        for (index, listener) in assembled.listeners.iter().enumerate() {
            let bound = bind(|| Place::Listener(listener.name.to_string()), listener.address, count)?;
            let address = bound[0].local_addr().map_err(Error::Worker)?;
            tracing::info!(listener.name = %listener.name, %address, "listening");
            addresses.insert(listener.name.to_string(), address);
            for (worker, socket) in sockets.iter_mut().zip(bound) {
                worker.push((index, socket));
            }
        }
        let process = ProcessParts {
            assembled: Arc::clone(&assembled),
            registry: registry.clone(),
            control: door.clone(),
            vitals: vitals.clone(),
        };
        let admin_address = serve_admin(&admin_settings, &process)?;
        let workers = Workers::start(sockets, &process, &writer, &draining).map_err(Error::Worker)?;
        Ok(Self {
            addresses,
            admin_address,
            registry,
            vitals,
            drain: Some(drain),
            shutdown,
            workers: Some(workers),
            access_log: Some(writer),
            control: Some(control),
            assembled,
            door,
        })
    }

    /// Contacts every identity provider and logs whether it answers. Nothing waits for the result.
    pub fn greet_providers(&self) {
        self.assembled.greet_providers(&self.door);
    }

    /// The address of the listener with that name.
    pub fn address(&self, listener: &str) -> Option<SocketAddr> {
        self.addresses.get(listener).copied()
    }

    /// The address of the admin endpoint.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// The metrics, as `/metrics` shows them.
    pub fn metrics(&self) -> String {
        self.registry.render()
    }

    /// Serves until SIGTERM or SIGINT. Then `/readyz` answers 503 for `shutdown.delay` while requests are still
    /// accepted, and the process drains. A second signal stops at once. Returns whether the end was orderly: all
    /// requests finished, every access record was written and every thread ended.
    pub fn run(self, mut signals: Signals) -> bool {
        if let Some(writer) = &self.access_log {
            signals.access_log(writer.handle());
        }
        // A runtime without I/O needs no file descriptor, so the process can stop properly even if none is left.
        let Ok(waiting) = Builder::new_current_thread().enable_time().build() else { return false };
        waiting.block_on(signals.stop());
        let delay = self.shutdown.delay;
        self.stop(delay, async move { signals.now().await })
    }

    /// Stops accepting, waits for requests in progress (up to the drain timeout), writes the access log and ends.
    /// Returns the same as [`run`](Self::run). There is no delay before. Must not be called on the thread of an async
    /// runtime.
    pub fn shutdown(self) -> bool {
        self.stop(Duration::ZERO, std::future::pending())
    }

    /// Drains and ends; at once if `now` is set. Every wait has a timeout, and nothing that is awaited runs on a
    /// runtime that may be blocked.
    fn stop(mut self, delay: Duration, now: impl Future<Output = ()>) -> bool {
        let Some(drain) = self.drain.take() else { return true };
        let ShutdownConfig { drain_timeout, .. } = self.shutdown;
        self.vitals.leave();
        if !delay.is_zero() {
            tracing::info!(delay_s = delay.as_secs(), "stopping: /readyz answers 503, requests are still accepted");
        }
        let drained = async {
            tokio::time::sleep(delay).await;
            tracing::info!(timeout_s = drain_timeout.as_secs(), "draining; a second signal stops at once");
            drain.finish(drain_timeout).await
        };
        let is_drained = match Builder::new_current_thread().enable_time().build() {
            Ok(waiting) => waiting.block_on(async {
                tokio::select! {
                    biased;
                    () = now => false,
                    is_drained = drained => is_drained,
                }
            }),
            Err(_) => false,
        };
        let has_ended = self.end();
        match (is_drained, has_ended) {
            (true, true) => tracing::info!("stopped"),
            (true, false) => tracing::warn!("stopped, but a thread or the access log did not end in time"),
            (false, _) => tracing::warn!("stopped before all requests had finished"),
        }
        logging::flush(LOG_END_MAX);
        is_drained && has_ended
    }

    /// Ends all threads. Returns whether they have ended.
    fn end(&mut self) -> bool {
        let workers_ended = self.workers.take().is_none_or(|workers| workers.stop(WORKERS_END_MAX));
        let log_ended = self.access_log.take().is_none_or(|writer| writer.finish(ACCESS_LOG_END_MAX));
        // A runtime must not be dropped inside an async test, and its threads may be blocked. Its tasks end in the
        // background.
        if let Some(control) = self.control.take() {
            control.shutdown_background();
        }
        workers_ended && log_ended
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.end();
    }
}

fn bind(
    place: impl FnOnce() -> Place,
    address: SocketAddr,
    workers: usize,
) -> Result<Vec<std::net::TcpListener>, Error> {
    accept::bind(address, workers).map_err(|source| Error::Bind { place: place(), address, source })
}

fn serve_admin(settings: &admin::Settings, process: &ProcessParts) -> Result<SocketAddr, Error> {
    let ProcessParts { assembled, registry, control, vitals } = process;
    let bound = bind(|| Place::Admin, settings.address, 1)?.remove(0);
    let address = bound.local_addr().map_err(Error::Worker)?;
    let socket = control.enter(|| tokio::net::TcpListener::from_std(bound)).map_err(Error::Worker)?;
    let (keys, providers) = (Arc::clone(assembled), Arc::clone(assembled));
    let (lives, leaves) = (vitals.clone(), vitals.clone());
    let admin = admin::Admin {
        registry: registry.clone(),
        faults: Arc::new(move || lives.faults()),
        is_leaving: Arc::new(move || leaves.is_leaving()),
        hosts: Arc::clone(&settings.hosts),
        public_keys: Arc::new(move |path| keys.public_keys(path)),
        troubles: Arc::new(move || providers.provider_troubles()),
    };
    let part = vitals.part("accept", "accept loop of the admin endpoint".to_owned());
    let detached = control.clone();
    control.start_detached(async move {
        workers::keep_running(&part, || admin::serve(&admin, &socket, &detached)).await;
    });
    Ok(address)
}

#[cfg(test)]
mod tests;

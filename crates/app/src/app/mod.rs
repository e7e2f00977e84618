//! Turns settings into a running process. Start at [`App::start`].

mod admin_door;
mod adoption;
mod chains;
mod descriptors;
pub(crate) mod doors;
mod error;
pub(crate) mod expectations;
pub(crate) mod explain;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod generation;
mod kept;
mod listening;
mod pool_tasks;
mod process;
mod providers;
mod reload;
mod signals;
mod supervise;
#[cfg(target_os = "linux")]
mod takeover;
mod traces;
mod vitals;
mod watch;
mod watchdog;
mod worker;
mod workers;

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::clock::Clock;
use crate::config::{Config, ShutdownConfig};
use crate::database::Others;
use crate::drain::{self, Control, Drain, Parts};
#[cfg(target_os = "linux")]
use crate::handover::{self, Place};
use crate::service_manager::ServiceManager;
use crate::socket::foreign::{ForeignSockets, Passed};
use crate::socket::inherited::Inherited;
use crate::telemetry::access_log::Writer;
use crate::telemetry::logging;
use crate::telemetry::metrics::Registry;
pub use error::Error;
use process::Process;
pub(crate) use providers::survey;
pub use reload::Loader;
use reload::{Beside, Reloader, SERVING};
pub use signals::Signals;
use signals::{Acts, END_MAX};
use supervise::keep_running;
#[cfg(target_os = "linux")]
use takeover::Offering;
use vitals::Vitals;
use workers::Workers;

/// Maximum waiting times for the worker threads, for writing the access log, for the last log lines and for the last traces. Their sum is
/// less than [`signals::END_MAX`], after which the process is ended by force.
const WORKERS_END_MAX: Duration = Duration::from_millis(400);
const ACCESS_LOG_END_MAX: Duration = Duration::from_millis(300);
const LOG_END_MAX: Duration = Duration::from_millis(100);
const TRACES_END_MAX: Duration = Duration::from_millis(100);

/// How much of `shutdown.drain_timeout` may go to the last traces, if no request needs it.
const TRACES_FLUSH_MAX: Duration = Duration::from_secs(5);

/// A running proxy.
///
/// Dropping it without [`shutdown`](Self::shutdown) stops at once and does not wait for requests.
pub struct App {
    vitals: Vitals,
    drain: Option<Drain>,
    parts: Parts,
    workers: Option<Workers>,
    access_log: Option<Writer>,
    control: Option<Runtime>,
    process: Arc<Process>,
    reloader: Arc<Reloader>,
    #[cfg(target_os = "linux")]
    offering: Option<Offering>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

impl App {
    /// Binds every listener, then starts the workers. When this returns, requests are served. `load` is called for each reload.
    ///
    /// # Errors
    ///
    /// See [`Error`]. After an error nothing is left running.
    pub fn start(config: Config, load: Loader, clock: Clock) -> Result<Self, Error> {
        Self::start_with(config, load, clock, Inherited::default(), Vec::new())
    }

    /// The same, with listening sockets that another process of Vestibule has bound, and that the service manager has `passed`. Of the former,
    /// those that `config` does not need are closed. Of the latter, each must be needed.
    pub(crate) fn start_with(
        config: Config,
        load: Loader,
        clock: Clock,
        inherited: Inherited,
        passed: Vec<Passed>,
    ) -> Result<Self, Error> {
        // Before anything is bound.
        listening::check(&config, &passed)?;
        let control = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("control")
            .enable_all()
            .build()
            .map_err(Error::Worker)?;
        let (drain, draining) = drain::channel();
        let door = Control::new(control.handle().clone(), draining.spawner());
        let registry = Registry::default();
        descriptors::raise(config.listeners.iter().map(|listener| &*listener.settings.limits));
        let vitals = Vitals::new(&registry);
        let writer = Writer::start(&config.access_log, &registry).map_err(Error::AccessLog)?;
        let mut process = Process::new(clock, registry, door, config.shutdown);
        process.foreign = ForeignSockets::new(passed);
        if !inherited.is_empty() {
            process.others = Others::Predecessor;
        }
        let process = Arc::new(process);
        let workers = Workers::start(config.workers, &process, &vitals, &writer, &draining.spawner());
        let workers = workers.map_err(Error::Worker)?;
        let (parts, access_log) = (drain.parts(), writer.handle());
        let beside = Beside { parts: parts.clone(), load, vitals: vitals.clone(), access_log, inherited };
        let reloader = Reloader::start(config, Arc::clone(&process), workers.inboxes(), beside)?;
        process.control.start_detached(watch::watch(Arc::downgrade(&reloader)));
        // Last: certificate authorities connect to the listeners.
        let part = vitals.part("acme", "renewal of certificates by ACME".to_owned());
        let renewal = Arc::clone(&process.renewal);
        process.control.start_detached(async move { keep_running(&part, || renewal.run()).await });
        Ok(Self {
            vitals,
            drain: Some(drain),
            parts,
            workers: Some(workers),
            access_log: Some(writer),
            control: Some(control),
            process,
            reloader,
            #[cfg(target_os = "linux")]
            offering: None,
        })
    }

    /// Whether every worker serves by the first configuration. Must not be called on the thread of an async runtime.
    ///
    /// # Errors
    ///
    /// Why not.
    #[cfg(target_os = "linux")]
    pub(crate) fn serves(&self) -> Result<(), String> {
        // A worker obeys its orders one after the other.
        self.reloader.hold().lend().map(drop)
    }

    /// From now on, another process can take over at `place`.
    ///
    /// # Errors
    ///
    /// Returns an error if the system refuses.
    #[cfg(target_os = "linux")]
    pub(crate) fn offer(&mut self, place: &Place, signals: &Signals) -> Result<(), handover::Error> {
        self.offering = Some(Offering::start(place, &self.reloader, &self.process, signals.leaver())?);
        Ok(())
    }

    /// Lets the service manager know what becomes of the process, from [`run`](Self::run) on.
    pub(crate) fn set_manager(&self, manager: ServiceManager) {
        // It is set once.
        let _ = self.process.manager.set(manager);
    }

    /// When the manager hears it, it may send signals.
    fn tell_ready(&self) {
        let Some(manager) = self.process.manager.get() else { return };
        manager.ready(SERVING);
        if let Some(watchdog) = manager.watchdog {
            let beats = watchdog::keep_telling(self.vitals.clone(), Arc::clone(&self.process), watchdog);
            self.process.control.start_detached(beats);
        }
    }

    /// Contacts every identity provider and logs whether it answers. Nothing waits for the result.
    pub fn greet_providers(&self) {
        self.reloader.in_force().greet_providers(&self.process.control);
    }

    /// Loads the configuration again and puts it into force. Returns what is different now. Must not be called on the thread of an
    /// async runtime.
    ///
    /// # Errors
    ///
    /// Why nothing has changed.
    pub fn reload(&self) -> Result<String, String> {
        let Some(control) = &self.control else { return Err(Error::Stopping.to_string()) };
        let reloaded = control.block_on(self.reloader.reload("the program"));
        reloaded.map(|reloaded| reloaded.to_string()).map_err(|refused| refused.to_string())
    }

    /// The address of the listener with that name.
    pub fn address(&self, listener: &str) -> Option<SocketAddr> {
        self.reloader.address(listener)
    }

    /// The address of the admin endpoint.
    pub fn admin_address(&self) -> SocketAddr {
        self.reloader.admin_address().expect("it is open as long as the process runs")
    }

    /// The metrics, as `/metrics` shows them.
    pub fn metrics(&self) -> String {
        self.process.registry.render()
    }

    /// Serves until SIGTERM or SIGINT. Then `/readyz` answers 503 for `shutdown.delay` while requests are still
    /// accepted, and the process drains. A second signal stops at once. Returns whether the end was orderly: all
    /// requests finished, every access record was written and every thread ended.
    pub fn run(self, mut signals: Signals) -> bool {
        if let Some(writer) = &self.access_log {
            let (reloader, process) = (Arc::clone(&self.reloader), Arc::clone(&self.process));
            let stopping = Arc::clone(&self.process);
            let reload = move || {
                let reloader = Arc::clone(&reloader);
                // The reload logs what happens.
                process.control.start_detached(async move { drop(reloader.reload("SIGHUP").await) });
            };
            let drain_max = move || {
                let shutdown = stopping.shutdown.lock().unwrap_or_else(PoisonError::into_inner);
                shutdown.delay + shutdown.drain_timeout
            };
            signals.serve(Acts {
                access_log: writer.handle(),
                reload: Box::new(reload),
                drain_max: Box::new(drain_max),
            });
        }
        self.tell_ready();
        // A runtime without I/O needs no file descriptor, so the process can stop properly even if none is left.
        let Ok(waiting) = Builder::new_current_thread().enable_time().build() else { return false };
        waiting.block_on(signals.stop());
        // The new process accepts connections already, so nobody has to be told that this one stops.
        let has_successor = self.process.has_successor.load(Ordering::Relaxed);
        let delay = if has_successor { Duration::ZERO } else { self.shutdown_config().delay };
        self.stop(delay, async move { signals.now().await })
    }

    fn shutdown_config(&self) -> ShutdownConfig {
        *self.process.shutdown.lock().unwrap_or_else(PoisonError::into_inner)
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
        let ShutdownConfig { drain_timeout, .. } = self.shutdown_config();
        self.vitals.leave();
        #[cfg(target_os = "linux")]
        drop(self.offering.take());
        let process = Arc::clone(&self.process);
        let manager = process.manager.get();
        if let Some(manager) = manager {
            manager.stopping(delay + drain_timeout + END_MAX, "stopping; requests are still accepted");
        }
        if !delay.is_zero() {
            tracing::info!(delay_s = delay.as_secs(), "stopping: /readyz answers 503, requests are still accepted");
        }
        let drained = async {
            tokio::time::sleep(delay).await;
            tracing::info!(timeout_s = drain_timeout.as_secs(), "draining; a second signal stops at once");
            if let Some(manager) = manager {
                manager.stops("stopping; requests in progress are finished");
            }
            let begun = process.clock.instant();
            let is_drained = drain.finish(drain_timeout).await;
            let left = drain_timeout.saturating_sub(process.clock.instant().saturating_duration_since(begun));
            process.traces.flush(left.min(TRACES_FLUSH_MAX)).await;
            is_drained
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
        // Whatever is dropped from here on is recorded with the reason.
        self.parts.cut();
        let workers_ended = self.workers.take().is_none_or(|workers| workers.stop(WORKERS_END_MAX));
        self.flush_last_traces();
        let log_ended = self.access_log.take().is_none_or(|writer| writer.finish(ACCESS_LOG_END_MAX));
        // A runtime must not be dropped inside an async test, and its threads may be blocked. Its tasks end in the
        // background.
        if let Some(control) = self.control.take() {
            control.shutdown_background();
        }
        workers_ended && log_ended
    }
}

impl App {
    /// Sends the spans of requests that were cut.
    fn flush_last_traces(&self) {
        let process = Arc::clone(&self.process);
        let (done, is_done) = std::sync::mpsc::channel();
        if let Some(control) = self.control.as_ref().filter(|_| !process.traces.is_empty()) {
            control.spawn(async move {
                process.traces.flush(TRACES_END_MAX).await;
                // Nobody waits any longer.
                let _ = done.send(());
            });
            let _ = is_done.recv_timeout(TRACES_END_MAX);
        }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests;

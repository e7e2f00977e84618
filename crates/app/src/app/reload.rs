//! Puts configurations into force: the first one, and each that takes its place while the process runs.
//!
//! A configuration is loaded and assembled whole, and its new addresses are bound, before any worker hears of it. Whatever fails before
//! that changes nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, MutexGuard};

use crate::admin::Admin;
use crate::app::admin_door::{AdminDoor, Bound};
use crate::app::adoption::{addresses, adopt};
use crate::app::descriptors;
use crate::app::error::Error;
use crate::app::generation::{Generation, ListenerId};
use crate::app::listening::{self, Open, Sources};
use crate::app::process::Process;
use crate::app::vitals::Vitals;
use crate::app::worker::Order;
use crate::app::workers::Inbox;
use crate::config::changes::{Document, NEEDS_A_RESTART};
use crate::config::document::diagnostic::Severity;
use crate::config::document::files::NamedFile;
use crate::config::document::report::Diagnostics;
use crate::config::{Attempt, Config, ShutdownConfig};
use crate::drain::Parts;
use crate::message::causes::with_causes;
use crate::socket::inherited::Inherited;
use crate::telemetry::access_log::{self, Destination};
use crate::telemetry::logging;
use crate::telemetry::metrics::{Counter, Registry};

/// Loads the configuration again. Called on a thread that may wait for files.
pub type Loader = Box<dyn Fn() -> Attempt + Send + Sync>;

/// What the service manager is told while all is well.
pub(crate) const SERVING: &str = "serving";

/// The key of the admin endpoint among the addresses. No listener can have this name.
const ADMIN: &str = "the admin endpoint";

/// What a [`Reloader`] needs of the rest of the process.
pub(crate) struct Beside {
    pub(crate) parts: Parts,
    pub(crate) load: Loader,
    pub(crate) vitals: Vitals,
    pub(crate) access_log: access_log::Handle,
    /// Sockets that another process bound.
    pub(crate) inherited: Inherited,
}

/// How long a reload waits until every worker serves by the new configuration. A worker that is busy for longer changes later.
const ADOPTION_MAX: Duration = Duration::from_secs(5);
/// How long a worker may take to copy its sockets.
const LEND_MAX: Duration = Duration::from_secs(5);

/// Reloads the configuration. One per process.
pub(crate) struct Reloader {
    process: Arc<Process>,
    inboxes: Vec<Inbox>,
    parts: Parts,
    load: Loader,
    /// Locked for the whole of a reload, so that there is one at a time.
    running: Mutex<Running>,
    in_force: ArcSwap<Generation>,
    /// The addresses of the listeners, by name.
    addresses: StdMutex<BTreeMap<String, SocketAddr>>,
    /// The files that the last attempt read.
    files: StdMutex<Vec<NamedFile>>,
    results: Results,
    vitals: Vitals,
    access_log: access_log::Handle,
}

/// What is in force, apart from the generation.
struct Running {
    open: BTreeMap<ListenerId, Open>,
    document: Document,
    admin: Option<AdminDoor>,
    access_log: Destination,
    log: logging::Settings,
}

/// What a reload has done.
#[derive(Debug)]
pub(crate) enum Reloaded {
    /// The files say what they said before.
    Unchanged,
    /// These settings and files are different.
    Changed {
        what: Vec<String>,
        /// Settings that are different and take effect only when the process is started again.
        needs_a_restart: Vec<&'static str>,
        /// What is probably not intended.
        warnings: Diagnostics,
    },
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Changed { what, needs_a_restart, warnings } = self else { return writeln!(f, "nothing has changed") };
        writeln!(f, "the new configuration is in force; changed:")?;
        what.iter().try_for_each(|part| writeln!(f, "  {part}"))?;
        needs_a_restart
            .iter()
            .try_for_each(|setting| writeln!(f, "`{setting}` takes effect when the process is started again"))?;
        if warnings.is_empty() { Ok(()) } else { write!(f, "\n{warnings}") }
    }
}

/// Why a reload has changed nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{0}")]
    Invalid(Diagnostics),
    #[error("{}", with_causes(.0))]
    Impossible(Error),
    #[error("the reload stopped with a panic; this is a bug")]
    Panicked,
}

impl Refused {
    /// For `/readyz`, which any page of a browser on the machine may read: nothing of the file.
    fn in_short(&self) -> String {
        match self {
            Self::Invalid(diagnostics) => {
                let errors = diagnostics.count(Severity::Error);
                let (errors, them) =
                    if errors == 1 { ("1 error".to_owned(), "it") } else { (format!("{errors} errors"), "them") };
                format!("{errors} in the file; the log and `vestibule check` show {them}")
            }
            Self::Impossible(_) | Self::Panicked => self.to_string(),
        }
    }
}

/// The outcomes, for metrics and `/readyz`.
#[derive(Debug)]
struct Results {
    succeeded: Counter,
    failed: Counter,
    last_is_good: Counter,
    trouble: StdMutex<Option<String>>,
}

impl Results {
    fn new(registry: &Registry) -> Self {
        let result = |result: &str| {
            registry.counter(
                "vestibule_config_reloads_total",
                "Reloads of the configuration, by result. One that changes nothing counts as a success.",
                vec![("result", result.to_owned())],
            )
        };
        let last_is_good = registry.reading(
            "vestibule_config_last_reload_successful",
            "1 if the last attempt to load the configuration succeeded, else 0: the process still runs with the one before.",
            vec![],
        );
        last_is_good.set(1);
        Self { succeeded: result("success"), failed: result("failure"), last_is_good, trouble: StdMutex::default() }
    }

    fn record(&self, trouble: Option<String>) {
        let count = if trouble.is_none() { &self.succeeded } else { &self.failed };
        count.increment();
        self.last_is_good.set(u64::from(trouble.is_none()));
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

impl Reloader {
    /// Puts the first configuration into force. Returns when its addresses are bound.
    ///
    /// # Errors
    ///
    /// Returns an error if the system lacks something that the configuration needs.
    pub(crate) fn start(
        config: Config,
        process: Arc<Process>,
        inboxes: Vec<Inbox>,
        beside: Beside,
    ) -> Result<Arc<Self>, Error> {
        let Beside { parts, load, vitals, access_log, mut inherited } = beside;
        let (document, log, destination) = (config.document.clone(), config.log, config.access_log.clone());
        let generation = Arc::new(Generation::new(config, &process)?);
        let mut from = Sources { inherited: &mut inherited, foreign: &process.foreign };
        let change = listening::change(&generation, &BTreeMap::new(), inboxes.len(), &parts, &mut from)?;
        let files = StdMutex::new(document.all_files());
        let open = BTreeMap::new();
        let mut running = Running { open, document, admin: None, access_log: destination, log };
        let results = Results::new(&process.registry);
        let admin = Bound::new(generation.admin.address, &process, &mut inherited)?;
        drop(inherited);
        process.renewal.adopt(generation.acme.clone());
        generation.is_in_force(process.clock.now());
        process.pool_tasks.adopt(&generation.pool_work, &process.control, &vitals);
        adopt(&generation, change, &mut running.open, &inboxes, &process);
        let addresses = StdMutex::new(addresses(&generation, &running.open));
        let (in_force, running) = (ArcSwap::new(generation), Mutex::new(running));
        let this =
            Self { process, inboxes, parts, load, running, in_force, addresses, files, results, vitals, access_log };
        let this = Arc::new(this);
        this.open_admin(&mut this.running.try_lock().expect("nobody else knows of it yet"), admin);
        Ok(this)
    }

    /// What the admin endpoint tells. It must not keep what it tells about.
    fn admin(self: &Arc<Self>) -> Admin {
        let [hosts, keys, troubles, reload, targets, console] = [(); 6].map(|()| Arc::downgrade(self));
        let (lives, leaves) = (self.vitals.clone(), self.vitals.clone());
        Admin {
            registry: self.process.registry.clone(),
            faults: Arc::new(move || lives.faults()),
            is_leaving: Arc::new(move || leaves.is_leaving()),
            hosts: Arc::new(move || hosts.upgrade().map(|reloader| Arc::clone(&reloader.in_force().admin.hosts))),
            public_keys: Arc::new(move |path| keys.upgrade()?.in_force().public_keys(path)),
            troubles: Arc::new(move || troubles.upgrade().map(|reloader| reloader.troubles()).unwrap_or_default()),
            targets: Arc::new(move || {
                let reloader = targets.upgrade();
                reloader.map(|reloader| reloader.in_force().targets(&reloader.process)).unwrap_or_default()
            }),
            console: Arc::new(move || console.upgrade()?.in_force().console.clone()),
            reload: Arc::new(move || {
                let reloader = reload.upgrade();
                Box::pin(async move {
                    let reloader = reloader.ok_or_else(|| Error::Stopping.to_string())?;
                    let reloaded = reloader.reload("POST /reload").await;
                    reloaded.map(|reloaded| reloaded.to_string()).map_err(|refused| refused.to_string())
                })
            }),
        }
    }

    fn open_admin(self: &Arc<Self>, running: &mut Running, bound: Bound) {
        // The one before accepts no more.
        let door = bound.open(self.admin(), &self.process, &self.vitals);
        tracing::info!(address = %door.address, "the admin endpoint is open");
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).insert(ADMIN.to_owned(), door.address);
        running.admin = Some(door);
    }

    /// The generation that new requests are served by.
    pub(crate) fn in_force(&self) -> Arc<Generation> {
        self.in_force.load_full()
    }

    /// The address of the admin endpoint, with the port that was taken.
    pub(crate) fn admin_address(&self) -> Option<SocketAddr> {
        self.address(ADMIN)
    }

    /// The address of the listener of that name, with the port that was taken.
    pub(crate) fn address(&self, listener: &str) -> Option<SocketAddr> {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.get(listener).copied()
    }

    /// Failures that do not keep the process from serving, one line each.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let reload = self.trouble().map(|trouble| format!("the last reload failed: {trouble}"));
        reload
            .into_iter()
            .chain(self.in_force.load().provider_troubles())
            .chain(self.process.renewal.troubles())
            .collect()
    }

    /// Why the configuration in force is not that of the files. `None` if the last attempt succeeded.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.results.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the process stops, and nothing is reloaded any more.
    pub(crate) fn is_leaving(&self) -> bool {
        self.vitals.is_leaving()
    }

    /// The files that the last attempt to load has read.
    pub(crate) fn files(&self) -> Vec<NamedFile> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Loads the configuration and puts it into force. Waits for a reload that is under way. `cause` is for the log.
    ///
    /// # Errors
    ///
    /// See [`Refused`]. Then everything is as before.
    pub(crate) async fn reload(self: &Arc<Self>, cause: &'static str) -> Result<Reloaded, Refused> {
        let this = Arc::clone(self);
        // A caller that goes away must not stop a reload half-way, nor what is told of it.
        let reloading = self.process.control.run(async move {
            let mut running = this.running.lock().await;
            let reloaded = this.reload_now(&mut running).await;
            this.tell(cause, &reloaded);
            reloaded
        });
        match reloading.await {
            Ok(reloaded) => reloaded,
            Err(_) => {
                let reloaded = Err(Refused::Panicked);
                self.tell(cause, &reloaded);
                reloaded
            }
        }
    }

    /// Logs and counts an outcome.
    fn tell(&self, cause: &str, reloaded: &Result<Reloaded, Refused>) {
        match reloaded {
            Ok(Reloaded::Unchanged) => tracing::info!(cause, "reload: nothing has changed"),
            Ok(Reloaded::Changed { what, needs_a_restart, warnings }) => {
                for setting in needs_a_restart {
                    tracing::warn!(setting, "this setting takes effect when the process is started again");
                }
                if !warnings.is_empty() {
                    tracing::warn!(warnings = %warnings, "the new configuration has warnings");
                }
                tracing::info!(cause, changed = what.join(", "), "the new configuration is in force");
            }
            Err(refused) => {
                tracing::error!(cause, error = %refused, "the configuration is not reloaded; the process goes on with the one before");
            }
        }
        let trouble = reloaded.as_ref().err().map(Refused::in_short);
        if let Some(manager) = self.process.manager.get() {
            // Other users of the machine can read it: nothing of the file.
            let failed = trouble.as_ref().map(|trouble| format!("{SERVING}; the last reload failed: {trouble}"));
            manager.reloaded(failed.as_deref().unwrap_or(SERVING));
        }
        self.results.record(trouble);
    }

    async fn reload_now(self: &Arc<Self>, running: &mut Running) -> Result<Reloaded, Refused> {
        if self.vitals.is_leaving() {
            return Err(Refused::Impossible(Error::Stopping));
        }
        if let Some(manager) = self.process.manager.get() {
            manager.reloading();
        }
        let loading = Arc::clone(self);
        let attempt = tokio::task::spawn_blocking(move || (loading.load)()).await.map_err(|_| Refused::Panicked)?;
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = attempt.files;
        let mut config = attempt.outcome.map_err(Refused::Invalid)?;
        let document = std::mem::take(&mut config.document);
        if running.document.is_like(&document) {
            return Ok(Reloaded::Unchanged);
        }
        let what = running.document.changes(&document);
        let warnings = std::mem::take(&mut config.warnings);
        let (shutdown, log, access_log) = (config.shutdown, config.log, config.access_log.clone());
        descriptors::raise(config.listeners.iter().map(|listener| &*listener.settings.limits));
        let generation = Arc::new(Generation::new(config, &self.process).map_err(Refused::Impossible)?);
        let mut from = Sources { inherited: &mut Inherited::default(), foreign: &self.process.foreign };
        let change = listening::change(&generation, &running.open, self.inboxes.len(), &self.parts, &mut from);
        let own =
            || running.open.values().map(|open| open.address).chain(running.admin.iter().map(|door| door.address));
        let impossible = |error: Error| Refused::Impossible(error.beside(own()));
        let change = change.map_err(impossible)?;
        let has_moved = running.admin.as_ref().is_none_or(|door| door.configured != generation.admin.address);
        let admin = has_moved
            .then(|| Bound::new(generation.admin.address, &self.process, &mut Inherited::default()))
            .transpose();
        let admin = admin.map_err(impossible)?;
        if running.access_log != access_log {
            self.access_log.redirect(&access_log).map_err(|error| Refused::Impossible(Error::AccessLog(error)))?;
        }
        // Nothing fails from here on.
        self.operate(running, shutdown, log, access_log);
        for listener in &generation.listeners {
            if let Some(open) = running.open.get(&listener.id) {
                open.process.limit(&listener.on_wire.settings().limits, &self.process.control);
                open.process.ask(listener.on_wire.settings());
            }
        }
        self.process.renewal.adopt(generation.acme.clone());
        self.process.pool_tasks.adopt(&generation.pool_work, &self.process.control, &self.vitals);
        let mut adopted = adopt(&generation, change, &mut running.open, &self.inboxes, &self.process);
        {
            let mut known = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
            let admin = known.remove(ADMIN);
            *known = addresses(&generation, &running.open);
            known.extend(admin.map(|address| (ADMIN.to_owned(), address)));
        }
        generation.is_in_force(self.process.clock.now());
        let before = self.in_force.swap(generation);
        if let Some(admin) = admin {
            self.open_admin(running, admin);
        }
        // `recv` returns `None` once every worker has dropped its sender.
        if tokio::time::timeout(ADOPTION_MAX, adopted.recv()).await.is_err() {
            tracing::warn!("a worker is busy and changes to the new configuration later");
        }
        before.retire();
        running.document = document;
        let needs_a_restart =
            NEEDS_A_RESTART.into_iter().filter(|setting| what.iter().any(|part| part.starts_with(*setting)));
        Ok(Reloaded::Changed { needs_a_restart: needs_a_restart.collect(), what, warnings })
    }
}

/// The configuration in force, which nothing changes while this exists.
pub(crate) struct Held<'r> {
    reloader: &'r Reloader,
    running: MutexGuard<'r, Running>,
}

impl Held<'_> {
    /// Copies of all listening sockets, with their keys. While one is open, connections that nobody accepts can arrive at it.
    ///
    /// # Errors
    ///
    /// Why there are none.
    pub(crate) fn lend(&self) -> Result<Vec<(String, OwnedFd)>, String> {
        if self.reloader.vitals.is_leaving() {
            return Err(Error::Stopping.to_string());
        }
        let failed = |error: &dyn fmt::Display| format!("the listening sockets cannot be copied: {error}");
        let mut lent = Vec::new();
        for inbox in &self.reloader.inboxes {
            let (lender, lends) = std::sync::mpsc::channel();
            inbox.send(Order::Lend(lender)).map_err(|_| Error::Stopping.to_string())?;
            let of_worker = lends.recv_timeout(LEND_MAX).map_err(|error| failed(&error))?;
            lent.extend(of_worker.map_err(|error| failed(&error))?.into_iter().map(|(id, socket)| (id.key(), socket)));
        }
        let admin = self.running.admin.iter().map(AdminDoor::lend);
        lent.extend(admin.collect::<Result<Vec<_>, _>>().map_err(|error| failed(&error))?);
        Ok(lent)
    }

    /// Another process has taken over: its admin endpoint answers, and nothing is reloaded here any more.
    pub(crate) fn leave(mut self) {
        self.reloader.vitals.leave();
        self.running.admin = None;
    }
}

impl Reloader {
    /// Waits for a reload that is under way, and holds up others. Must not be called on the thread of an async runtime.
    pub(crate) fn hold(&self) -> Held<'_> {
        Held { reloader: self, running: self.running.blocking_lock() }
    }

    /// Changes the settings of the process itself.
    fn operate(
        &self,
        running: &mut Running,
        shutdown: ShutdownConfig,
        log: logging::Settings,
        access_log: Destination,
    ) {
        *self.process.shutdown.lock().unwrap_or_else(PoisonError::into_inner) = shutdown;
        running.access_log = access_log;
        if std::mem::replace(&mut running.log, log) != log {
            logging::change(&log);
        }
    }
}

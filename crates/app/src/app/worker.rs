//! What one worker thread serves, and how it changes to another configuration.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::app::generation::{Generation, Listener, ListenerId, OnThread};
use crate::app::listening::Opened;
use crate::app::process::Process;
use crate::app::supervise::keep_running;
use crate::app::vitals::Vitals;
use crate::drain::Spawner;
use crate::listener::http2::memory::WorkerMemory;
use crate::listener::metrics::Metrics;
use crate::listener::state::{Served, WorkerListener};
use crate::proxy::Proxy;
use crate::serving;
use crate::static_files::worker_files::WorkerFiles;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::metrics::Histogram;
use crate::upstream::worker_connections::WorkerConnections;

/// What a worker is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// Serve by another configuration.
    Adopt(Adoption),
    /// Lend copies of all listening sockets, for a process that takes over.
    Lend(Lender),
    /// End with everything that is still held. The worker was asked to drain before.
    Exit,
}

/// Takes what [`Order::Lend`] asks for.
pub(crate) type Lender = std::sync::mpsc::Sender<io::Result<Vec<(ListenerId, OwnedFd)>>>;

/// A configuration to serve by, with the listeners that come and go.
#[derive(Debug)]
pub(crate) struct Adoption {
    pub(crate) generation: Arc<Generation>,
    pub(crate) opened: Vec<Opened>,
    pub(crate) closed: Vec<ListenerId>,
    /// Dropped when the worker serves by the configuration.
    pub(crate) adopted: mpsc::Sender<()>,
}

/// The listeners of one worker thread. It never leaves the thread.
pub(crate) struct OnWorker {
    pub(crate) index: usize,
    pub(crate) process: Arc<Process>,
    pub(crate) vitals: Vitals,
    pub(crate) access_log: Rc<AccessLog>,
    pub(crate) spawner: Spawner,
    pub(crate) memory: Rc<WorkerMemory>,
    /// To targets.
    pub(crate) connections: Rc<WorkerConnections>,
    /// For the files of `static` actions.
    pub(crate) files: WorkerFiles,
    /// How long the worker served nothing, because it changed to another configuration.
    pub(crate) adoption: Histogram,
    pub(crate) listeners: BTreeMap<ListenerId, (Rc<WorkerListener<Proxy>>, Rc<Metrics>)>,
    /// Owned by the accept loops.
    pub(crate) sockets: BTreeMap<ListenerId, Vec<Weak<TcpListener>>>,
}

impl OnWorker {
    /// Changes to another configuration between two requests. Requests in progress finish with the one that they began with.
    pub(crate) fn adopt(&mut self, generation: &Arc<Generation>, opened: Vec<Opened>, closed: &[ListenerId]) {
        let begun = self.process.clock.instant();
        let on =
            OnThread { index: self.index, connections: &self.connections, files: &self.files, spawner: &self.spawner };
        let worker = Rc::new(generation.worker(&self.process, &on));
        for id in closed {
            self.listeners.remove(id);
            self.sockets.remove(id);
        }
        let mut opened: BTreeMap<_, _> =
            opened.into_iter().map(|opened| (opened.standing.id.clone(), opened)).collect();
        for listener in &generation.listeners {
            let metrics = self.metrics(listener);
            let proxy = Proxy::new(
                Arc::clone(&listener.snapshot),
                Rc::clone(&worker),
                self.process.control.clone(),
                self.process.clock.clone(),
                Rc::clone(&self.access_log),
                &self.process.registry,
            );
            let served =
                Served { generation: listener.on_wire.clone(), handler: Rc::new(proxy), metrics: Rc::clone(&metrics) };
            if let Some((on_worker, known)) = self.listeners.get_mut(&listener.id) {
                on_worker.adopt(served);
                *known = metrics;
            } else if let Some(opened) = opened.remove(&listener.id) {
                let on_worker = Rc::new(WorkerListener::new(
                    opened.standing.process.clone(),
                    served,
                    Rc::clone(&self.memory),
                    self.process.clock.clone(),
                ));
                let sockets = self.accept(&on_worker, opened, listener.name());
                self.sockets.insert(listener.id.clone(), sockets);
                self.listeners.insert(listener.id.clone(), (on_worker, metrics));
            }
        }
        self.adoption.observe(self.process.clock.instant().saturating_duration_since(begun));
    }

    /// The counters of a listener. They stay the same while its name does.
    fn metrics(&self, listener: &Listener) -> Rc<Metrics> {
        let known = self.listeners.get(&listener.id).map(|(_, metrics)| metrics);
        known
            .filter(|metrics| metrics.are_of(listener.name()))
            .map_or_else(|| Rc::new(Metrics::new(&self.process.registry, listener.name())), Rc::clone)
    }

    /// Copies of the listening sockets.
    pub(crate) fn lend(&self) -> io::Result<Vec<(ListenerId, OwnedFd)>> {
        let sockets = self.sockets.iter().flat_map(|(id, sockets)| sockets.iter().map(move |socket| (id, socket)));
        let open = sockets.filter_map(|(id, socket)| Some((id.clone(), socket.upgrade()?)));
        open.map(|(id, socket)| Ok((id, socket.as_fd().try_clone_to_owned()?))).collect()
    }

    /// Accepts on the sockets of a listener.
    fn accept(&self, on_worker: &Rc<WorkerListener<Proxy>>, opened: Opened, name: &str) -> Vec<Weak<TcpListener>> {
        let Opened { sockets, draining, .. } = opened;
        let mut accepting = Vec::new();
        for socket in sockets {
            let socket = match TcpListener::from_std(socket) {
                Ok(socket) => Rc::new(socket),
                Err(error) => {
                    tracing::error!(listener.name = %name, error = %error, "cannot use the socket of a worker");
                    continue;
                }
            };
            accepting.push(Rc::downgrade(&socket));
            let part = self.vitals.part("accept", format!("accept loop of worker {} for listener {name}", self.index));
            let (on_worker, asked) = (Rc::clone(on_worker), draining.clone());
            draining.spawn_local(async move {
                keep_running(&part, || serving::serve(&on_worker, &socket, asked.clone())).await;
            });
        }
        accepting
    }
}

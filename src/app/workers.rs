//! One thread for each core, each with a single-thread runtime, its own sockets, connections and caches (DESIGN §2).

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::app::assemble::Assembled;
use crate::drain::{Control, Draining};
use crate::listener;
use crate::listener::metrics::Metrics;
use crate::proxy::Proxy;
use crate::telemetry::access_log::{AccessLog, Writer};
use crate::telemetry::metrics::Registry;

/// A worker's sockets, each with the place of its listener.
pub(crate) type Sockets = Vec<(usize, std::net::TcpListener)>;

/// The running workers.
#[derive(Debug)]
pub(crate) struct Workers {
    /// Tells the workers to end; they have been asked to drain before.
    exit: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

/// What a worker's thread starts with.
struct Start {
    index: usize,
    sockets: Sockets,
    assembled: Arc<Assembled>,
    log: Box<dyn FnOnce() -> Rc<AccessLog> + Send>,
    registry: Registry,
    control: Control,
    draining: Draining,
    exit: watch::Receiver<bool>,
}

impl Workers {
    /// Starts one worker for each set of sockets.
    ///
    /// # Errors
    ///
    /// Where a thread or its runtime cannot be made.
    pub(crate) fn start(
        sockets: Vec<Sockets>,
        assembled: &Arc<Assembled>,
        writer: &Writer,
        registry: &Registry,
        control: &Control,
        draining: Draining,
    ) -> io::Result<Self> {
        let (exit, exited) = watch::channel(false);
        let mut threads = Vec::new();
        for (index, sockets) in sockets.into_iter().enumerate() {
            let start = Start {
                index,
                sockets,
                assembled: Arc::clone(assembled),
                log: writer.for_worker(registry),
                registry: registry.clone(),
                control: control.clone(),
                draining: draining.clone(),
                exit: exited.clone(),
            };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
                LocalSet::new().block_on(&runtime, run(start));
            })?;
            threads.push(thread);
        }
        Ok(Self { exit, threads })
    }

    /// Ends the workers, with whatever they still hold, and waits for their threads.
    pub(crate) fn stop(self) {
        self.exit.send_replace(true);
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

async fn run(start: Start) {
    let Start { index, sockets, assembled, log, registry, control, draining, mut exit } = start;
    let access_log = log();
    let worker = Rc::new(assembled.worker(index, &registry, draining.spawner()));
    for (place, socket) in sockets {
        let listener = &assembled.listeners[place];
        let socket = match tokio::net::TcpListener::from_std(socket) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::error!(listener.name = %listener.name, error = %error, "a worker cannot use its socket");
                continue;
            }
        };
        let proxy = Proxy::new(
            Arc::clone(&listener.snapshot),
            Rc::clone(&worker),
            control.clone(),
            assembled.clock.clone(),
            Rc::clone(&access_log),
            &registry,
        );
        let metrics = Metrics::new(&registry, &listener.name);
        let shared = listener.shared.clone();
        draining.spawn_local(listener::serve(shared, socket, Rc::new(proxy), metrics, draining.clone()));
    }
    drop(draining);
    // Errors mean that the app is gone, which is an exit as well.
    let _ = exit.wait_for(|exit| *exit).await;
    access_log.flush();
}

//! One thread per core, each with a single-threaded runtime, its own sockets, connections and caches (DESIGN §2).
//!
//! A worker that panics loses its connections and is restarted with new sockets on the same addresses. An accept loop
//! that panics is restarted on its socket. A panic is a bug, but must not end the service.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::app::assemble::Assembled;
use crate::app::vitals::{BEAT, Part, RESTART_WAIT, Vitals};
use crate::drain::{self, Control, Draining, Spawner};
use crate::listener;
use crate::listener::http2::memory::WorkerMemory;
use crate::listener::metrics::Metrics;
use crate::listener::state::WorkerListener;
use crate::proxy::Proxy;
use crate::socket::accept;
use crate::telemetry::access_log::{AccessLog, Writer};
use crate::telemetry::metrics::Registry;

/// The sockets of a worker, each with the index of its listener.
pub(crate) type Sockets = Vec<(usize, std::net::TcpListener)>;

/// The running workers.
#[derive(Debug)]
pub(crate) struct Workers {
    /// Ends the workers. They were asked to drain before.
    exit: watch::Sender<bool>,
    /// Disconnected when every thread has ended. The mutex only makes the receiver `Sync`; it is never contended.
    ended: Mutex<Receiver<()>>,
}

/// Values that every worker receives from the process.
#[derive(Clone)]
pub(crate) struct ProcessParts {
    pub(crate) assembled: Arc<Assembled>,
    pub(crate) registry: Registry,
    pub(crate) control: Control,
    pub(crate) vitals: Vitals,
}

/// Values of a worker thread, also used after a restart.
struct WorkerThread {
    index: usize,
    process: ProcessParts,
    addresses: Vec<(usize, SocketAddr)>,
    log: Box<dyn Fn() -> Rc<AccessLog> + Send>,
    spawner: Spawner,
    part: Part,
    exit: watch::Receiver<bool>,
}

impl Workers {
    /// Starts one worker for each set of sockets.
    ///
    /// # Errors
    ///
    /// Returns an error if a thread or its runtime cannot be created.
    pub(crate) fn start(
        sockets: Vec<Sockets>,
        process: &ProcessParts,
        writer: &Writer,
        draining: &Draining,
    ) -> io::Result<Self> {
        let (exit, exited) = watch::channel(false);
        let (alive, ended) = channel();
        for (index, sockets) in sockets.into_iter().enumerate() {
            let address = |(place, socket): &(usize, std::net::TcpListener)| Ok((*place, socket.local_addr()?));
            let worker = WorkerThread {
                index,
                process: process.clone(),
                addresses: sockets.iter().map(address).collect::<io::Result<_>>()?,
                log: writer.for_worker(&process.registry),
                spawner: draining.spawner(),
                part: process.vitals.part("worker", format!("worker {index}")),
                exit: exited.clone(),
            };
            let first = (Builder::new_current_thread().enable_all().build()?, sockets, draining.clone());
            spawn(format!("worker-{index}"), alive.clone(), move || worker.work(first))?;
        }
        Ok(Self { exit, ended: Mutex::new(ended) })
    }

    /// Ends the workers with everything they still hold, and waits for their threads until `deadline`. A stuck thread
    /// ends with the process. Returns whether all have ended.
    pub(crate) fn stop(self, deadline: Duration) -> bool {
        self.exit.send_replace(true);
        let ended = self.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        ended.recv_timeout(deadline) == Err(RecvTimeoutError::Disconnected)
    }
}

/// Starts a thread that drops `alive` when it ends, however it ends.
fn spawn(name: String, alive: Sender<()>, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name).spawn(move || {
        let _alive = alive;
        work();
    })?;
    Ok(())
}

impl WorkerThread {
    fn work(self, first: (Runtime, Sockets, Draining)) {
        let mut next = Some(first);
        run_again(
            &self.part,
            || *self.exit.borrow(),
            || {
                let (runtime, sockets, draining) = match next.take() {
                    Some(first) => first,
                    None => self.anew()?,
                };
                run_on(runtime, self.run(sockets, draining));
                Some(())
            },
        );
    }

    /// The inputs of a restarted worker. `None` if the process is about to end, or if no socket can be created.
    fn anew(&self) -> Option<(Runtime, Sockets, Draining)> {
        let draining = self.spawner.draining()?;
        let bound = |(place, address): &(usize, SocketAddr)| Ok((*place, accept::bind_again(*address)?));
        let made = Builder::new_current_thread()
            .enable_all()
            .build()
            .and_then(|runtime| Ok((runtime, self.addresses.iter().map(bound).collect::<io::Result<_>>()?)));
        match made {
            Ok((runtime, sockets)) => Some((runtime, sockets, draining)),
            Err(error) => {
                tracing::error!(worker = self.index, error = %error, "cannot restart a worker yet; trying again");
                None
            }
        }
    }

    async fn run(&self, sockets: Sockets, draining: Draining) {
        let ProcessParts { assembled, registry, control, .. } = &self.process;
        let access_log = (self.log)();
        let worker = Rc::new(assembled.worker(self.index, registry, draining.spawner()));
        let memory = Rc::new(WorkerMemory::new());
        for (place, socket) in sockets {
            let listener = &assembled.listeners[place];
            let socket = match TcpListener::from_std(socket) {
                Ok(socket) => socket,
                Err(error) => {
                    tracing::error!(listener.name = %listener.name, error = %error, "cannot use the socket of a worker");
                    continue;
                }
            };
            let proxy = Rc::new(Proxy::new(
                Arc::clone(&listener.snapshot),
                Rc::clone(&worker),
                control.clone(),
                assembled.clock.clone(),
                Rc::clone(&access_log),
                registry,
            ));
            let on_worker = Rc::new(WorkerListener {
                process: listener.process.clone(),
                handler: proxy,
                metrics: Metrics::new(registry, &listener.name),
                memory: Rc::clone(&memory),
                clock: assembled.clock.clone(),
            });
            let name = format!("accept loop of worker {} for listener {}", self.index, listener.name);
            let part = self.process.vitals.part("accept", name);
            let asked = draining.clone();
            draining.spawn_local(async move {
                let serve = || listener::serve(&on_worker, &socket, asked.clone());
                keep_running(&part, serve).await;
            });
        }
        drop(draining);
        let part = self.part.clone();
        // Not in this future, which the runtime polls whenever it has polled any task.
        drain::background(async move {
            loop {
                part.beat();
                tokio::time::sleep(BEAT).await;
            }
        });
        // An error means that the app was dropped: the worker ends, too.
        let _ = self.exit.clone().wait_for(|exit| *exit).await;
        access_log.flush();
    }
}

/// Runs the future of a worker to its end, then drops its tasks.
fn run_on(runtime: Runtime, work: impl Future<Output = ()>) {
    /// Ends the runtime without waiting for its blocking threads, also after a panic: a name lookup there can take as
    /// long as the resolver of the system needs.
    struct InBackground(Option<Runtime>);

    impl Drop for InBackground {
        fn drop(&mut self) {
            if let Some(runtime) = self.0.take() {
                runtime.shutdown_background();
            }
        }
    }

    let runtime = InBackground(Some(runtime));
    if let Some(runtime) = &runtime.0 {
        LocalSet::new().block_on(runtime, work);
    }
}

/// Runs `attempt` until it succeeds, and retries after each panic and each `None`, unless `is_over`.
fn run_again(part: &Part, is_over: impl Fn() -> bool, mut attempt: impl FnMut() -> Option<()>) {
    loop {
        match catch_unwind(AssertUnwindSafe(&mut attempt)) {
            Ok(Some(())) => return,
            Ok(None) => {}
            Err(_) => part.died(),
        }
        if is_over() {
            return;
        }
        std::thread::park_timeout(RESTART_WAIT);
        part.is_up();
    }
}

/// Runs a task until it ends, and restarts it after each panic.
pub(super) async fn keep_running<F: Future<Output = ()>>(part: &Part, mut task: impl FnMut() -> F) {
    while AssertUnwindSafe(async { task().await }).catch_unwind().await.is_err() {
        part.died();
        tokio::time::sleep(RESTART_WAIT).await;
        part.is_up();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn part() -> (Vitals, Part) {
        let vitals = Vitals::new(&Registry::default());
        let part = vitals.part("worker", "worker 0".into());
        (vitals, part)
    }

    #[test]
    fn a_worker_that_dies_is_started_again() {
        let (vitals, part) = part();
        let attempts = Cell::new(0);
        let seen = Cell::new(0);
        run_again(
            &part,
            || {
                seen.set(seen.get() + vitals.faults().len());
                false
            },
            || {
                attempts.set(attempts.get() + 1);
                match attempts.get() {
                    1 => panic!("a bug"),
                    // No socket to be had.
                    2 => None,
                    _ => Some(()),
                }
            },
        );
        assert_eq!((attempts.get(), seen.get()), (3, 1), "down once, between the first and the second attempt");
        assert!(vitals.faults().is_empty());
    }

    #[test]
    fn a_worker_that_dies_while_the_process_stops_is_not_started_again() {
        let (_, part) = part();
        let attempts = Cell::new(0);
        run_again(
            &part,
            || true,
            || {
                attempts.set(attempts.get() + 1);
                panic!("a bug")
            },
        );
        assert_eq!(attempts.get(), 1);
    }

    #[tokio::test]
    async fn an_accept_loop_that_dies_is_started_again() {
        let (vitals, part) = part();
        let attempts = Cell::new(0);
        keep_running(&part, || async {
            attempts.set(attempts.get() + 1);
            assert!(attempts.get() > 2, "a bug");
        })
        .await;
        assert_eq!(attempts.get(), 3);
        assert!(vitals.faults().is_empty());
    }

    #[test]
    fn a_name_that_is_being_looked_up_does_not_hold_a_worker_up() {
        let (release, held) = channel::<()>();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        run_on(runtime, async move {
            let (begun, begins) = tokio::sync::oneshot::channel();
            drop(tokio::task::spawn_blocking(move || {
                begun.send(()).unwrap();
                // As `getaddrinfo` without a resolver that answers.
                let _ = held.recv();
            }));
            begins.await.unwrap();
        });
        release.send(()).expect("it still waits");
    }

    #[test]
    fn a_worker_that_is_stuck_is_not_waited_for() {
        let (exit, _) = watch::channel(false);
        let (alive, ended) = channel();
        let (release, held) = channel::<()>();
        spawn("stuck".into(), alive, move || {
            let _ = held.recv();
        })
        .unwrap();
        assert!(!Workers { exit, ended: Mutex::new(ended) }.stop(Duration::from_millis(20)));
        drop(release);
    }
}

//! One thread per core, each with a single-threaded runtime, its own sockets, connections and caches (DESIGN §2).
//!
//! A worker that panics loses its connections and is restarted with new sockets on the same addresses. An accept loop
//! that panics is restarted on its socket. A panic is a bug, but must not end the service.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::app::generation::{Generation, ListenerId};
use crate::app::listening::{Opened, Standing};
use crate::app::process::Process;
use crate::app::supervise::run_again;
use crate::app::vitals::{BEAT, Part, Vitals};
use crate::app::worker::{Adoption, OnWorker, Order};
use crate::drain::{self, Spawner};
use crate::listener::http2::memory::WorkerMemory;
use crate::socket::accept;
use crate::static_files::worker_files::WorkerFiles;
use crate::telemetry::access_log::{AccessLog, Writer};
use crate::upstream::worker_connections::WorkerConnections;

/// Where a worker hears its orders. Only the process writes, and seldom.
pub(crate) type Inbox = mpsc::UnboundedSender<Order>;

/// The running workers.
#[derive(Debug)]
pub(crate) struct Workers {
    inboxes: Vec<Inbox>,
    /// Disconnected when every thread has ended. The mutex only makes the receiver `Sync`; it is never contended.
    ended: Mutex<Receiver<()>>,
}

/// Values of a worker thread, also used after a restart.
struct Thread {
    index: usize,
    /// How many workers there are.
    workers: usize,
    process: Arc<Process>,
    vitals: Vitals,
    log: Box<dyn Fn() -> Rc<AccessLog> + Send>,
    spawner: Spawner,
    part: Part,
    inbox: RefCell<mpsc::UnboundedReceiver<Order>>,
    /// What the worker serves by, and where it listens.
    standing: RefCell<Option<(Arc<Generation>, Vec<Standing>)>>,
    has_exited: std::cell::Cell<bool>,
}

impl Workers {
    /// Starts `count` workers. They serve nothing until they are told to adopt a generation.
    ///
    /// # Errors
    ///
    /// Returns an error if a thread or its runtime cannot be created.
    pub(crate) fn start(
        count: usize,
        process: &Arc<Process>,
        vitals: &Vitals,
        writer: &Writer,
        spawner: &Spawner,
    ) -> io::Result<Self> {
        let (alive, ended) = channel();
        let mut inboxes = Vec::with_capacity(count);
        for index in 0..count {
            let (inbox, orders) = mpsc::unbounded_channel();
            let (process, vitals, spawner) = (Arc::clone(process), vitals.clone(), spawner.clone());
            let (log, part) = (writer.for_worker(&process.registry), vitals.part("worker", format!("worker {index}")));
            let runtime = Builder::new_current_thread().enable_all().build()?;
            spawn(format!("worker-{index}"), alive.clone(), move || {
                let inbox = RefCell::new(orders);
                let (standing, has_exited) = (RefCell::default(), std::cell::Cell::new(false));
                Thread { index, workers: count, process, vitals, log, spawner, part, inbox, standing, has_exited }
                    .work(runtime);
            })?;
            inboxes.push(inbox);
        }
        Ok(Self { inboxes, ended: Mutex::new(ended) })
    }

    pub(crate) fn inboxes(&self) -> Vec<Inbox> {
        self.inboxes.clone()
    }

    /// Ends the workers with everything they still hold, and waits for their threads until `deadline`. A stuck thread
    /// ends with the process. Returns whether all have ended.
    pub(crate) fn stop(self, deadline: Duration) -> bool {
        for inbox in &self.inboxes {
            // A worker that has ended hears nothing.
            let _ = inbox.send(Order::Exit);
        }
        drop(self.inboxes);
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

impl Thread {
    fn work(self, first: Runtime) {
        let mut next = Some((first, Vec::new()));
        run_again(
            &self.part,
            || self.has_exited.get(),
            || {
                let (runtime, opened) = match next.take() {
                    Some(first) => first,
                    None => self.anew()?,
                };
                run_on(runtime, self.run(opened));
                Some(())
            },
        );
    }

    /// The inputs of a restarted worker. `None` if no socket can be created.
    fn anew(&self) -> Option<(Runtime, Vec<Opened>)> {
        let made =
            Builder::new_current_thread().enable_all().build().and_then(|runtime| Ok((runtime, self.listen_again()?)));
        made.inspect_err(
            |error| tracing::error!(worker = self.index, error = %error, "cannot restart a worker yet; trying again"),
        )
        .ok()
    }

    fn listen_again(&self) -> io::Result<Vec<Opened>> {
        let standing = self.standing.borrow();
        let standing = standing.iter().flat_map(|(_, listeners)| listeners);
        let mut opened = Vec::new();
        for standing in standing {
            // Without one, the listener is about to close.
            let Some(draining) = standing.spawner.draining().filter(|draining| !draining.is_stopping()) else {
                continue;
            };
            let sockets = accept::again(standing.address, &self.process.foreign)?;
            opened.push(Opened { standing: standing.clone(), sockets, draining });
        }
        Ok(opened)
    }

    /// Obeys orders until the last one. `opened` are the sockets of a worker that was restarted.
    async fn run(&self, opened: Vec<Opened>) {
        let access_log = (self.log)();
        let mut on_worker = OnWorker {
            index: self.index,
            process: Arc::clone(&self.process),
            vitals: self.vitals.clone(),
            access_log: Rc::clone(&access_log),
            spawner: self.spawner.clone(),
            memory: Rc::new(WorkerMemory::new()),
            connections: WorkerConnections::new(self.process.clock.clone(), self.process.registry.clone()),
            files: WorkerFiles::new(self.workers),
            adoption: self.process.registry.histogram(
                "vestibule_config_adoption_seconds",
                "Time in which a worker served nothing, because it changed to another configuration.",
                vec![],
            ),
            listeners: std::collections::BTreeMap::new(),
            sockets: std::collections::BTreeMap::new(),
        };
        let generation = self.standing.borrow().as_ref().map(|(generation, _)| Arc::clone(generation));
        if let Some(generation) = generation {
            on_worker.adopt(&generation, opened, &[]);
        }
        let part = self.part.clone();
        // Not in this future, which the runtime polls whenever it has polled any task.
        drain::background(async move {
            loop {
                part.beat();
                tokio::time::sleep(BEAT).await;
            }
        });
        // `None` means that the app was dropped: the worker ends, too.
        while let Some(order) = poll_fn(|cx| self.inbox.borrow_mut().poll_recv(cx)).await {
            match order {
                Order::Adopt(Adoption { generation, opened, closed, adopted }) => {
                    self.remember(&generation, &opened, &closed);
                    on_worker.adopt(&generation, opened, &closed);
                    drop(adopted);
                }
                Order::Lend(lender) => {
                    // One that no longer waits needs none.
                    let _ = lender.send(on_worker.lend());
                }
                Order::Exit => break,
            }
        }
        self.has_exited.set(true);
        access_log.flush();
    }

    fn remember(&self, generation: &Arc<Generation>, opened: &[Opened], closed: &[ListenerId]) {
        let (_, mut listeners) = self.standing.take().unwrap_or_else(|| (Arc::clone(generation), Vec::new()));
        listeners.retain(|standing| !closed.contains(&standing.id));
        listeners.extend(opened.iter().map(|opened| opened.standing.clone()));
        self.standing.replace(Some((Arc::clone(generation), listeners)));
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

#[cfg(test)]
mod tests {

    use super::*;

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
        let (alive, ended) = channel();
        let (release, held) = channel::<()>();
        spawn("stuck".into(), alive, move || {
            let _ = held.recv();
        })
        .unwrap();
        assert!(!Workers { inboxes: Vec::new(), ended: Mutex::new(ended) }.stop(Duration::from_millis(20)));
        drop(release);
    }
}

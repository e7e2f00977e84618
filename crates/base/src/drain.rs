//! Graceful shutdown, and the only place that spawns tasks.
//!
//! The owner of [`Drain`] starts the shutdown. Each holder of [`Draining`] is told to stop and is waited for. A task
//! spawned through a `Draining` holds one, so shutdown waits for it.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

/// Starts the shutdown and waits until every [`Draining`] is dropped.
#[derive(Debug)]
pub struct Drain {
    /// Kept only: a holder that misses it stops.
    _stage: Arc<watch::Sender<Stage>>,
    parts: Parts,
    gone: mpsc::Receiver<()>,
}

/// How far the end of the process, or of a part of it, has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    Running,
    /// What has begun is finished, and nothing new begins.
    Stopping,
    /// The time is over: what is not finished is cut.
    Cut,
}

fn advance(sender: &watch::Sender<Stage>, to: Stage) {
    sender.send_if_modified(|stage| {
        let is_new = *stage < to;
        *stage = (*stage).max(to);
        is_new
    });
}

/// Creates parts of the process that can be stopped before the process stops. Shutdown stops and awaits them as well.
#[derive(Clone, Debug)]
pub struct Parts {
    stops: Arc<Mutex<Stops>>,
    held: mpsc::WeakSender<()>,
}

#[derive(Debug, Default)]
struct Stops {
    reached: Stage,
    /// Of the process itself, then of its parts.
    all: Vec<Weak<watch::Sender<Stage>>>,
}

/// Stops one part when it is dropped.
#[derive(Debug)]
pub struct PartStop(Arc<watch::Sender<Stage>>);

impl PartStop {
    /// Tells every holder to finish.
    pub fn stop(&self) {
        advance(&self.0, Stage::Stopping);
    }

    /// Tells every holder that its time is over. Returns whether there was any.
    pub fn cut(&self) -> bool {
        advance(&self.0, Stage::Cut);
        self.0.receiver_count() > 0
    }
}

impl Drop for PartStop {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Parts {
    /// A new part. `None` if shutdown has begun.
    pub fn part(&self) -> Option<(PartStop, Draining)> {
        let mut stops = self.stops.lock().unwrap_or_else(PoisonError::into_inner);
        let held = self.held.upgrade().filter(|_| stops.reached == Stage::Running)?;
        let (sender, stage) = watch::channel(Stage::Running);
        let sender = Arc::new(sender);
        stops.all.retain(|sender| sender.strong_count() > 0);
        stops.all.push(Arc::downgrade(&sender));
        Some((PartStop(sender), Draining { stage, held }))
    }

    /// Tells every holder that its time is over, also those of all parts.
    pub fn cut(&self) {
        self.advance(Stage::Cut);
    }

    fn advance(&self, to: Stage) {
        let mut stops = self.stops.lock().unwrap_or_else(PoisonError::into_inner);
        stops.reached = stops.reached.max(to);
        stops.all.iter().filter_map(Weak::upgrade).for_each(|sender| advance(&sender, to));
    }
}

/// Notifies about the shutdown. [`Drain::finish`] waits while one exists.
#[derive(Clone, Debug)]
pub struct Draining {
    stage: watch::Receiver<Stage>,
    held: mpsc::Sender<()>,
}

/// Creates a connected pair.
pub fn channel() -> (Drain, Draining) {
    let (sender, stage) = watch::channel(Stage::Running);
    let sender = Arc::new(sender);
    let (held, gone) = mpsc::channel(1);
    let stops = Stops { reached: Stage::Running, all: vec![Arc::downgrade(&sender)] };
    let parts = Parts { stops: Arc::new(Mutex::new(stops)), held: held.downgrade() };
    (Drain { _stage: sender, parts, gone }, Draining { stage, held })
}

impl Drain {
    /// Tells every holder to stop, also those of all parts. Idempotent.
    pub fn start(&self) {
        self.parts.advance(Stage::Stopping);
    }

    /// Creates parts that can stop before the process.
    pub fn parts(&self) -> Parts {
        self.parts.clone()
    }

    /// Tells every holder to stop and waits until all are dropped. After `deadline`, tells those that are left that their time is over.
    /// Returns whether all were dropped.
    pub async fn finish(mut self, deadline: Duration) -> bool {
        self.start();
        // `recv` returns `None` once every sender, and so every holder, is dropped. Nothing is ever sent.
        let is_done = tokio::time::timeout(deadline, self.gone.recv()).await.is_ok();
        if !is_done {
            self.parts.cut();
        }
        is_done
    }
}

impl Draining {
    /// A handle for spawning tasks later that does not delay shutdown until then.
    pub fn spawner(&self) -> Spawner {
        Spawner { stage: self.stage.clone(), held: self.held.downgrade() }
    }

    /// Whether shutdown has begun.
    pub fn is_stopping(&self) -> bool {
        *self.stage.borrow() >= Stage::Stopping
    }

    /// Waits until shutdown begins. Cancel-safe.
    pub async fn stopping(&mut self) {
        // A dropped `Drain` also means stop.
        let _ = self.stage.wait_for(|stage| *stage >= Stage::Stopping).await;
    }

    /// Whether the time to finish is over.
    pub fn is_cut(&self) -> bool {
        *self.stage.borrow() == Stage::Cut
    }

    /// Waits until the time to finish is over. Cancel-safe.
    pub async fn cut(&mut self) {
        if self.stage.wait_for(|stage| *stage == Stage::Cut).await.is_err() {
            // Nobody is left who could cut.
            std::future::pending().await
        }
    }

    /// Waits for [`cut`](Self::cut) if `is_stopping`, else for [`stopping`](Self::stopping).
    pub async fn next_stage(&mut self, is_stopping: bool) {
        if is_stopping { self.cut().await } else { self.stopping().await }
    }

    /// Spawns a task on this thread's runtime; shutdown waits for it.
    #[expect(clippy::disallowed_methods, reason = "the only place that spawns tasks")]
    pub fn spawn_local(&self, task: impl Future<Output = ()> + 'static) {
        let held = self.clone();
        // Boxed, because the future of this block would otherwise contain it twice.
        let task = Box::pin(task);
        tokio::task::spawn_local(async move {
            task.await;
            drop(held);
        });
    }
}

/// Runs a task on the runtime of this thread until the runtime ends. Shutdown does not wait for it. For tasks that
/// only clean up or serve no requests, such as a heartbeat or the sweep of a pool.
#[expect(clippy::disallowed_methods, reason = "the only place that spawns tasks")]
pub fn background(task: impl Future<Output = ()> + 'static) {
    tokio::task::spawn_local(task);
}

/// A handle for spawning tasks later. Shutdown does not wait for the handle.
#[derive(Clone, Debug)]
pub struct Spawner {
    stage: watch::Receiver<Stage>,
    held: mpsc::WeakSender<()>,
}

impl Spawner {
    /// Spawns a task on the runtime of this thread. The task is told when to stop, and shutdown waits for it. Once
    /// the last holder is dropped, nothing is spawned.
    pub fn spawn_local<F: Future<Output = ()> + 'static>(&self, task: impl FnOnce(Draining) -> F) {
        if let Some(draining) = self.draining() {
            draining.spawn_local(task(draining.clone()));
        }
    }

    /// Another [`Draining`]. `None` once the last holder is dropped.
    pub fn draining(&self) -> Option<Draining> {
        Some(Draining { stage: self.stage.clone(), held: self.held.upgrade()? })
    }

    /// Whether the time to finish is over, so that what ends now was cut.
    pub fn is_cut(&self) -> bool {
        *self.stage.borrow() == Stage::Cut
    }
}

/// A handle of the control runtime for workers: it runs work that is not part of a request (DESIGN §2).
#[derive(Clone, Debug)]
pub struct Control {
    handle: tokio::runtime::Handle,
    spawner: Spawner,
}

/// The control runtime stopped, or the work panicked.
#[derive(Debug, thiserror::Error)]
#[error("the control runtime stopped before the work was done")]
pub struct Abandoned;

impl Control {
    /// Creates a handle of the runtime `handle`. Shutdown waits for the work it runs.
    pub fn new(handle: tokio::runtime::Handle, spawner: Spawner) -> Self {
        Self { handle, spawner }
    }

    /// Runs `work` on the control runtime and waits for its value.
    ///
    /// Dropping the returned future does not stop the work, so that tokens issued by a provider are not lost if the
    /// browser disconnects.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T, Abandoned> {
        let (done, answer) = oneshot::channel();
        self.start(async move {
            // A dropped receiver means that the client disconnected.
            let _ = done.send(work.await);
        });
        answer.await.map_err(|_| Abandoned)
    }

    /// Runs `work` until the process ends. Shutdown does not wait for it.
    pub fn start_detached(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(work);
    }

    /// Calls `make` in the context of the control runtime, so that it uses its I/O and timers.
    pub fn enter<T>(&self, make: impl FnOnce() -> T) -> T {
        let _entered = self.handle.enter();
        make()
    }

    /// Tells work when to stop, and lets shutdown wait for it. `None` once nothing is begun any more.
    pub fn draining(&self) -> Option<Draining> {
        self.spawner.draining()
    }

    /// Runs `work` on the control runtime without waiting for it.
    pub fn start(&self, work: impl Future<Output = ()> + Send + 'static) {
        let held = self.spawner.held.upgrade();
        self.handle.spawn(async move {
            work.await;
            drop(held);
        });
    }
}

/// Runs parts of a connection or of an upstream client on the thread of the worker. It holds no [`Draining`]: the
/// owner of the part holds one and ends the part.
#[derive(Clone, Copy, Debug)]
pub struct LocalExecutor;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    #[expect(clippy::disallowed_methods, reason = "the only place that spawns tasks")]
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finish_waits_for_every_holder() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let (drain, mut draining) = channel();
            let (told, hears) = oneshot::channel();
            draining.clone().spawn_local(async move {
                draining.stopping().await;
                told.send(()).expect("the test waits for this");
            });
            assert!(drain.finish(Duration::from_secs(10)).await);
            hears.await.expect("the task ran to its end");
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_stops_alone_and_shutdown_stops_and_awaits_what_is_left() {
        let (drain, draining) = channel();
        let parts = drain.parts();
        let (one, mut of_one) = parts.part().expect("no shutdown yet");
        let (two, mut of_two) = parts.part().expect("no shutdown yet");
        drop(one);
        of_one.stopping().await;
        assert!(!of_two.is_stopping() && !draining.is_stopping());
        drop(draining);
        drain.start();
        of_two.stopping().await;
        assert!(parts.part().is_none(), "nothing begins any more");
        drop(of_one);
        assert!(!drain.finish(Duration::from_millis(1)).await, "the second part is awaited");
        drop((two, of_two));
    }

    #[tokio::test(start_paused = true)]
    async fn finish_gives_up_at_the_deadline() {
        let (drain, draining) = channel();
        assert!(!drain.finish(Duration::from_millis(1)).await);
        assert!(draining.is_stopping() && draining.spawner().is_cut());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_cut_is_told_so_once_and_for_all() {
        let (drain, mut draining) = channel();
        let (part, mut of_part) = drain.parts().part().expect("no shutdown yet");
        part.stop();
        assert!(of_part.is_stopping() && !of_part.spawner().is_cut());
        let waits = tokio::time::timeout(Duration::from_secs(1), of_part.cut());
        assert!(waits.await.is_err(), "its time is not over");
        assert!(part.cut(), "somebody holds it");
        of_part.next_stage(true).await;
        assert!(of_part.spawner().is_cut() && !draining.is_stopping(), "another part goes on");
        part.stop();
        assert!(of_part.spawner().is_cut(), "there is no way back");

        let (_other, mut of_other) = drain.parts().part().expect("no shutdown yet");
        drain.parts().cut();
        draining.cut().await;
        of_other.next_stage(false).await;
        of_other.cut().await;
        drop(of_part);
        assert!(!part.cut(), "nobody is left");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_cut_because_nobody_is_there_who_could() {
        let (drain, mut draining) = channel();
        drop(drain);
        draining.stopping().await;
        assert!(tokio::time::timeout(Duration::from_secs(1), draining.cut()).await.is_err());
    }
}

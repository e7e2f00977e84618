//! Graceful shutdown as a value, and the only place that spawns tasks.
//!
//! [`Drain`] is held by whoever may say "stop"; [`Draining`] is held by everything that must be asked to stop and waited
//! for. A task spawned through a `Draining` holds one, so shutdown cannot overtake it.

use std::future::Future;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

/// Says when to stop, and waits until everyone has.
#[derive(Debug)]
pub(crate) struct Drain {
    stop: watch::Sender<bool>,
    gone: mpsc::Receiver<()>,
}

/// Hears when to stop; holding one keeps [`Drain::finish`] waiting.
#[derive(Clone, Debug)]
pub(crate) struct Draining {
    stop: watch::Receiver<bool>,
    held: mpsc::Sender<()>,
}

/// Makes a connected pair.
pub(crate) fn channel() -> (Drain, Draining) {
    let (stop, stopped) = watch::channel(false);
    let (held, gone) = mpsc::channel(1);
    (Drain { stop, gone }, Draining { stop: stopped, held })
}

impl Drain {
    /// Asks every holder to stop. Idempotent.
    pub(crate) fn start(&self) {
        self.stop.send_replace(true);
    }

    /// Asks every holder to stop and waits until all have let go, or until `deadline` has passed.
    /// Answers whether all had let go.
    pub(crate) async fn finish(mut self, deadline: Duration) -> bool {
        self.start();
        // `recv` answers `None` once every sender, and so every holder, is gone. Nothing is ever sent.
        tokio::time::timeout(deadline, self.gone.recv()).await.is_ok()
    }
}

impl Draining {
    /// A way to spawn later without holding shutdown up until then.
    pub(crate) fn spawner(&self) -> Spawner {
        Spawner { stop: self.stop.clone(), held: self.held.downgrade() }
    }

    /// Whether shutdown has begun.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits until shutdown begins. Cancel-safe.
    pub(crate) async fn stopping(&mut self) {
        // An error means that the `Drain` was dropped without a word, which is a stop as well.
        let _ = self.stop.wait_for(|stop| *stop).await;
    }

    /// Spawns a task on this thread's runtime; shutdown waits for it.
    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
    pub(crate) fn spawn_local(&self, task: impl Future<Output = ()> + 'static) {
        let held = self.clone();
        // In a box: this block would keep room for it twice, as what it was given and as what it waits for.
        let task = Box::pin(task);
        tokio::task::spawn_local(async move {
            task.await;
            drop(held);
        });
    }
}

/// Runs a task on this thread's runtime for as long as the runtime lives; shutdown does not wait for it. For what only tidies
/// up or serves nobody: a beat, a pool's sweep, a demonstration.
#[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
pub(crate) fn background(task: impl Future<Output = ()> + 'static) {
    tokio::task::spawn_local(task);
}

/// A way to spawn later that shutdown does not wait for: what lives as long as the process holds one of these.
#[derive(Clone, Debug)]
pub(crate) struct Spawner {
    stop: watch::Receiver<bool>,
    held: mpsc::WeakSender<()>,
}

impl Spawner {
    /// Spawns a task on this thread's runtime, which is told when to stop; shutdown waits for it. After the last holder is
    /// gone nothing is spawned.
    pub(crate) fn spawn_local<F: Future<Output = ()> + 'static>(&self, task: impl FnOnce(Draining) -> F) {
        if let Some(draining) = self.draining() {
            draining.spawn_local(task(draining.clone()));
        }
    }

    /// What holds shutdown up, once more. `None` after the last holder is gone.
    pub(crate) fn draining(&self) -> Option<Draining> {
        Some(Draining { stop: self.stop.clone(), held: self.held.upgrade()? })
    }
}

/// The control runtime, as seen from a worker: a place to run what is not a request (DESIGN §2).
#[derive(Clone, Debug)]
pub(crate) struct Control {
    handle: tokio::runtime::Handle,
    spawner: Spawner,
}

/// The control runtime went away before the work was done, or the work panicked.
#[derive(Debug, thiserror::Error)]
#[error("the control runtime stopped before the work was done")]
pub(crate) struct Abandoned;

impl Control {
    /// A door to the runtime behind `handle`; shutdown waits for what is run through it.
    pub(crate) fn new(handle: tokio::runtime::Handle, spawner: Spawner) -> Self {
        Self { handle, spawner }
    }

    /// Runs `work` on the control runtime and waits for its value.
    ///
    /// Dropping the returned future does not stop the work: a token that a provider has already issued is not lost
    /// because a browser went away.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Abandoned> {
        let (done, answer) = oneshot::channel();
        self.start(async move {
            // A receiver that is gone is a client that left.
            let _ = done.send(work.await);
        });
        answer.await.map_err(|_| Abandoned)
    }

    /// Runs `work` for as long as the process lives; shutdown does not wait for it.
    pub(crate) fn start_detached(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(work);
    }

    /// Calls `make` as if on the control runtime, whose I/O and timers it then uses.
    pub(crate) fn enter<T>(&self, make: impl FnOnce() -> T) -> T {
        let _entered = self.handle.enter();
        make()
    }

    /// Runs `work` on the control runtime and waits for nothing.
    pub(crate) fn start(&self, work: impl Future<Output = ()> + Send + 'static) {
        let held = self.spawner.held.upgrade();
        self.handle.spawn(async move {
            work.await;
            drop(held);
        });
    }
}

/// Runs on the worker's thread what is a part of something else there: of a connection, or of a worker's client. It holds no
/// [`Draining`]: what it is a part of does, and ends it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalExecutor;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
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

    #[tokio::test]
    async fn finish_gives_up_at_the_deadline() {
        let (drain, draining) = channel();
        assert!(!drain.finish(Duration::from_millis(1)).await);
        assert!(*draining.stop.borrow());
    }
}

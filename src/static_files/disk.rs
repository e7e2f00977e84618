//! Runs what may wait for a disk on threads of its own, so that the worker goes on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

/// The threads that may wait for the files of one action, on one worker. A disk that hangs (a network file system) holds up as many threads
/// as this, and only requests for its own files.
#[derive(Clone, Debug)]
pub(crate) struct Disk(Arc<Semaphore>);

/// Maximum number of reads of one action at the same time, for each worker.
const READS_MAX: usize = 16;

/// How long one read may take, with the time in which it waits for its turn.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The read was not done: it has panicked, or the worker ends.
#[derive(Debug, thiserror::Error)]
#[error("the read was given up")]
pub(crate) struct GivenUp;

impl Disk {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(READS_MAX)))
    }

    /// Runs `read` and waits for its value. If the future is dropped, a read that has begun goes on and keeps its place.
    ///
    /// # Errors
    ///
    /// [`GivenUp`].
    pub(crate) fn run<T, F>(&self, read: F) -> impl Future<Output = Result<T, GivenUp>> + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let places = Arc::clone(&self.0);
        async move {
            let place = places.acquire_owned().await.map_err(|_| GivenUp)?;
            let done = tokio::task::spawn_blocking(move || {
                let _place = place;
                read()
            });
            done.await.map_err(|_| GivenUp)
        }
    }
}

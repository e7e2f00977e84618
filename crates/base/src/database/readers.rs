//! Transactions that read: several at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::database::error::{Error, OpenError};
use crate::database::opening;
use crate::database::transaction::Transaction;

/// Connections at most. More would wait for the cores.
const CONNECTIONS_MAX: usize = 4;
/// Transactions that wait for a connection, at most.
const WAITING_MAX: usize = 1024;

/// The connections that read.
#[derive(Debug)]
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    /// One permit for each connection.
    free: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = cores.min(CONNECTIONS_MAX);
        let idle = (0..count).map(|_| opening::reading(path)).collect::<Result<_, _>>()?;
        let (free, waiting) = (Arc::new(Semaphore::new(count)), Semaphore::new(WAITING_MAX));
        Ok(Self { idle: Arc::new(Mutex::new(idle)), free, waiting })
    }

    /// Runs `work` in a transaction of its own.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.with(move |connection| {
            // Rolled back when dropped, which after reading is the same as a commit.
            let _transaction = connection.unchecked_transaction()?;
            work(&mut Transaction::new(connection))
        })
        .await
    }

    /// Runs `work` on a connection, on the blocking pool.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let waiting = self.waiting.try_acquire().map_err(|_| Error::Busy)?;
        let permit = Arc::clone(&self.free).acquire_owned().await.map_err(|_| Error::Closed)?;
        drop(waiting);
        let idle = Arc::clone(&self.idle);
        let run = move || {
            let connection = idle.lock().unwrap_or_else(PoisonError::into_inner).pop().ok_or(Error::Closed)?;
            // A panic must not take the connection away from those who come later.
            let result = catch_unwind(AssertUnwindSafe(|| work(&connection)));
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            drop(permit);
            result.unwrap_or(Err(Error::Panicked))
        };
        tokio::task::spawn_blocking(run).await.map_err(|_| Error::Closed)?
    }
}

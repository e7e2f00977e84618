//! Transactions that write: one after the other, on a thread of its own.
//!
//! Transactions that wait are committed together, because the disk takes longer for a commit than for all their statements. Each is a
//! savepoint, so that one that fails takes nothing of the others with it. None is answered before the commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::database::error::{Error, OpenError};
use crate::database::transaction::Transaction;

/// Transactions that wait, at most.
const WAITING_MAX: usize = 1024;
/// Transactions that are committed together, at most.
const TOGETHER_MAX: usize = 64;

/// The thread that writes. It ends when this is dropped and what waits is done.
#[derive(Debug)]
pub(super) struct Writer(SyncSender<Box<dyn Job>>);

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self, OpenError> {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let thread = thread::Builder::new().name("database".into());
        thread.spawn(move || serve(&connection, &receiver)).map_err(OpenError::Thread)?;
        Ok(Self(sender))
    }

    /// Runs `work` and commits.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let job = Waiting { work: Some(work), result: None, answer };
        self.0.try_send(Box::new(job)).map_err(|error| match error {
            TrySendError::Full(_) => Error::Busy,
            TrySendError::Disconnected(_) => Error::Closed,
        })?;
        answered.await.unwrap_or(Err(Error::Closed))
    }
}

/// One transaction: its function, and who waits for the result.
trait Job: Send {
    /// Runs the function, if somebody still waits. Returns whether it wants to commit.
    fn run(&mut self, transaction: &mut Transaction<'_>) -> bool;
    /// Hands the result over, or why it is not committed.
    fn answer(self: Box<Self>, committed: Result<(), Error>);
}

struct Waiting<T, F> {
    work: Option<F>,
    result: Option<Result<T, Error>>,
    answer: oneshot::Sender<Result<T, Error>>,
}

impl<T: Send, F: FnOnce(&mut Transaction<'_>) -> Result<T, Error> + Send> Job for Waiting<T, F> {
    fn run(&mut self, transaction: &mut Transaction<'_>) -> bool {
        let Some(work) = self.work.take().filter(|_| !self.answer.is_closed()) else { return false };
        let result = catch_unwind(AssertUnwindSafe(|| work(transaction))).unwrap_or(Err(Error::Panicked));
        let is_ok = result.is_ok();
        self.result = Some(result);
        is_ok
    }

    fn answer(self: Box<Self>, committed: Result<(), Error>) {
        let result = self.result.unwrap_or(Err(Error::Closed)).and_then(|value| committed.map(|()| value));
        // Whoever waited may have gone.
        let _ = self.answer.send(result);
    }
}

fn serve(connection: &Connection, waiting: &Receiver<Box<dyn Job>>) {
    while let Ok(first) = waiting.recv() {
        let mut jobs = vec![first];
        jobs.extend(waiting.try_iter().take(TOGETHER_MAX - 1));
        commit_together(connection, jobs);
    }
}

fn commit_together(connection: &Connection, mut jobs: Vec<Box<dyn Job>>) {
    let together = jobs.len();
    let committed = run_all(connection, &mut jobs).and_then(|()| connection.execute_batch("COMMIT"));
    if let Err(error) = &committed
        && !connection.is_autocommit()
    {
        tracing::error!(error = %error, transactions = together, "a commit of the database has failed");
        let _ = connection.execute_batch("ROLLBACK");
    }
    match committed {
        Ok(()) => jobs.into_iter().for_each(|job| job.answer(Ok(()))),
        Err(error) => {
            let text = std::sync::Arc::new(error);
            jobs.into_iter().for_each(|job| job.answer(Err(Error::Commit(std::sync::Arc::clone(&text)))));
        }
    }
}

/// Begins, and runs each job in a savepoint.
fn run_all(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    for job in jobs {
        connection.execute_batch("SAVEPOINT job")?;
        let end =
            if job.run(&mut Transaction::new(connection)) { "RELEASE job" } else { "ROLLBACK TO job; RELEASE job" };
        connection.execute_batch(end)?;
    }
    Ok(())
}

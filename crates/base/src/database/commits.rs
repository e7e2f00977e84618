//! Tells when something was committed, by this process or by another one, such as `vestibule users`.
//!
//! SQLite tells nobody. A thread asks at intervals whether the version of the file has changed, which reads a few bytes of shared memory.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

use crate::database::error::OpenError;
use crate::database::opening;

/// How often the thread asks. What one process commits, others shall know within a second.
const INTERVAL: Duration = Duration::from_millis(150);

/// Commits from now on. The thread ends when this is dropped.
#[derive(Debug)]
pub struct Commits {
    changed: watch::Receiver<()>,
    _stop: Sender<()>,
}

impl Commits {
    pub(super) fn watch(path: &Path) -> Result<Self, OpenError> {
        let connection = opening::reading(path)?;
        let first = version(&connection).map_err(|source| OpenError::Sqlite { path: path.to_owned(), source })?;
        let (changes, changed) = watch::channel(());
        let (stop, stopped) = channel();
        let thread = thread::Builder::new().name("database-watch".into());
        thread.spawn(move || ask(&connection, first, &changes, &stopped)).map_err(OpenError::Thread)?;
        Ok(Self { changed, _stop: stop })
    }

    /// Changes with each commit, or with several of them. Closed when the commits are dropped.
    pub fn changed(&self) -> watch::Receiver<()> {
        self.changed.clone()
    }
}

fn ask(connection: &Connection, mut known: i64, changes: &watch::Sender<()>, stopped: &Receiver<()>) {
    while matches!(stopped.recv_timeout(INTERVAL), Err(RecvTimeoutError::Timeout)) {
        // Whoever reads then finds out what is wrong with the file.
        let found = version(connection).unwrap_or(known.wrapping_add(1));
        if found != known {
            known = found;
            changes.send_replace(());
        }
    }
}

/// Changes when another connection, of any process, commits.
fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "data_version", |row| row.get(0))
}

//! Publishes what has ended to the workers of this process: at the start, and after each commit of whichever process.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::database::{self, Commits, Database, OpenError};
use crate::endings::rows::{EndingRow, EndingRows, KEPT};
use crate::identity::endings::Endings;
use crate::message::causes::with_causes;

/// Minimum time between two attempts while the database fails.
const PAUSE: Duration = Duration::from_secs(1);
/// How often rows are deleted that are kept no longer.
const SWEEPS: Duration = Duration::from_secs(3600);

/// Reads the endings of one pool as long as it exists.
#[derive(Debug)]
pub struct EndingReader {
    database: Arc<Database>,
    rows: EndingRows,
    endings: Arc<Endings>,
    commits: Commits,
    clock: Clock,
    /// The last row that was published.
    last: AtomicI64,
    /// When rows were deleted last, in milliseconds.
    swept_at: AtomicU64,
}

impl EndingReader {
    /// Publishes what has ended until now. Blocks: no request may be served before. [`keep_up`](Self::keep_up) goes on.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn start(
        database: Arc<Database>,
        pool: &Arc<str>,
        endings: Arc<Endings>,
        clock: Clock,
    ) -> Result<Arc<Self>, OpenError> {
        let rows = EndingRows { pool: Arc::clone(pool) };
        // Before anything is read, so that no commit is missed.
        let commits = database.commits()?;
        let reader =
            Self { database, rows, endings, commits, clock, last: AtomicI64::new(0), swept_at: AtomicU64::new(0) };
        let found = reader.database.read_blocking(|on| reader.rows.after(on, 0)).map_err(OpenError::Unreadable)?;
        reader.publish(&found, reader.clock.now());
        Ok(Arc::new(reader))
    }

    /// Publishes what ends from now on, until the reader is dropped.
    pub async fn keep_up(reader: Weak<Self>) {
        let Some(mut changed) = reader.upgrade().map(|reader| reader.commits.changed()) else { return };
        let mut is_failing = false;
        // Nothing is lost if either is dropped: `changed` stays so until it is waited for.
        while tokio::select! {
            changed = changed.changed() => changed.is_ok(),
            () = tokio::time::sleep(SWEEPS) => true,
        } {
            let Some(reader) = reader.upgrade() else { return };
            let done = async {
                reader.catch_up().await?;
                reader.sweep().await
            };
            match done.await {
                Ok(()) => is_failing = false,
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        let (pool, error) = (&*reader.rows.pool, with_causes(&error));
                        tracing::error!(
                            pool,
                            error,
                            "which users of a pool were signed out cannot be read from its database"
                        );
                    }
                    drop(reader);
                    tokio::time::sleep(PAUSE).await;
                    // Has the next wait end at once.
                    changed.mark_changed();
                }
            }
        }
    }

    /// Publishes what has ended since the last time.
    pub(crate) async fn catch_up(&self) -> Result<(), database::Error> {
        let (rows, last) = (self.rows.clone(), self.last.load(Ordering::Relaxed));
        let found = self.database.read(move |on| rows.after(on, last)).await?;
        self.publish(&found, self.clock.now());
        Ok(())
    }

    /// Deletes what is kept no longer, if the last time was long ago.
    async fn sweep(&self) -> Result<(), database::Error> {
        let (now, swept) = (self.clock.now(), self.swept_at.load(Ordering::Relaxed));
        if now.millis().abs_diff(swept) < SWEEPS.as_millis().try_into().unwrap_or(u64::MAX) {
            return Ok(());
        }
        self.swept_at.store(now.millis(), Ordering::Relaxed);
        loop {
            let rows = self.rows.clone();
            if !self.database.write(move |on| rows.sweep(on, now)).await? {
                return Ok(());
            }
        }
    }

    fn publish(&self, found: &[EndingRow], now: Timestamp) {
        // Counted from now and not from the time in the row, which another process has written: its clock may be wrong.
        self.endings.publish(found.iter().map(|row| row.ending(now + KEPT)), now);
        if let Some(newest) = found.last() {
            self.last.fetch_max(newest.id, Ordering::Relaxed);
        }
    }
}

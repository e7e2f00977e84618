//! What a pool with a database does without being asked: it sends messages, and deletes what has expired.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::clock::{Clock, Timestamp};
use crate::database::{Error, Transaction};
use crate::directory::StoredUsers;
use crate::drain::Draining;
use crate::events::keeper::{self, EventKeeper};
use crate::memory::PoolMemory;
use crate::message::BoxError;
use crate::message::causes::with_causes;
use crate::messages::dispatch::{self, Dispatch};
use crate::messages::metrics::Metrics;
use crate::messages::queue::Queue;
use crate::messages::way::Way;
use crate::messages::{limits, queue};
use crate::page::Pages;
use crate::self_service::sign_up;
use crate::settings::Settings;
use crate::telemetry::metrics::Registry;
use crate::verification::code;

/// How often what has expired is deleted.
const SWEEP_INTERVAL: Duration = Duration::from_mins(10);
/// A sweep that has deleted so many rows is called again at once. Each deletes at most this many, so that others can write in between.
const BATCH: i64 = 500;

/// Deletes at most `limit` rows of a pool that have expired. Returns how many.
type Sweep = fn(&mut Transaction<'_>, pool: &str, now: Timestamp, limit: i64) -> Result<usize, Error>;

/// Every sweep, with its name in the log.
const SWEEPS: &[(&str, Sweep)] = &[
    ("codes", code::sweep),
    ("users who have signed up and were never confirmed", sign_up::sweep),
    ("messages that were given up", queue::sweep),
    ("limits of messages", limits::sweep),
];

/// How the pool of these settings sends messages. `usual` is the look of all pages of this configuration. `None` if it has no database. Must be called in the context of the runtime on which the messages
/// are sent.
///
/// # Errors
///
/// If the client for a server cannot be made.
pub fn dispatch(
    settings: &Settings,
    usual: &Pages,
    stored: Option<&StoredUsers>,
    clock: &Clock,
    registry: &Registry,
) -> Result<Option<Dispatch>, BoxError> {
    let (Some(store), Some(stored)) = (&settings.store, stored) else { return Ok(None) };
    let host = settings.issuer.host_str().unwrap_or_default();
    let look = settings.brand.pages.as_ref().unwrap_or(usual.look());
    Ok(Some(Dispatch {
        pool: Arc::clone(&settings.name),
        database: Arc::clone(&stored.database),
        queue: Queue::new(Arc::clone(&settings.name), store.vault.clone()),
        way: Way::new(&settings.messages, look, (settings.title.as_deref(), host), clock)?,
        clock: clock.clone(),
        metrics: Metrics::new(&settings.name, registry),
    }))
}

/// What keeps the events of the pool of these settings. `None` if it has no database. `memory` is that of the pool.
pub fn keeper(
    settings: &Settings,
    memory: &PoolMemory,
    stored: Option<&StoredUsers>,
    clock: &Clock,
) -> Option<EventKeeper> {
    let (database, events) = (Arc::clone(&stored?.database), Arc::clone(&memory.events));
    Some(EventKeeper::new(database, &settings.name, settings.retention, events, clock.clone()))
}

/// Works until the process ends, always as the newest configuration says: `newest` sends messages, and `log` keeps events.
pub async fn run(
    newest: watch::Receiver<Option<Arc<Dispatch>>>,
    log: watch::Receiver<Option<Arc<EventKeeper>>>,
    added: Arc<Notify>,
    mut draining: Draining,
) {
    let sweeps = sweep_again_and_again(newest.clone());
    let mut stops = draining.clone();
    let both = async {
        tokio::join!(dispatch::run(newest, (added, dispatch::REST), &mut draining), keeper::run(log, &mut stops))
    };
    // The sweeps are dropped as soon as the process stops: a transaction that has begun is done as a whole.
    tokio::select! {
        ((), ()) = both => {}
        () = sweeps => {}
    }
}

async fn sweep_again_and_again(newest: watch::Receiver<Option<Arc<Dispatch>>>) {
    loop {
        let dispatch = newest.borrow().clone();
        if let Some(dispatch) = dispatch {
            sweep(&dispatch).await;
        }
        tokio::time::sleep(SWEEP_INTERVAL).await;
    }
}

/// Runs every sweep until nothing is left to delete.
async fn sweep(of: &Dispatch) {
    for (what, sweep) in SWEEPS {
        loop {
            let (pool, now) = (Arc::clone(&of.pool), of.clock.now());
            match of.database.write(move |on| sweep(on, &pool, now, BATCH)).await {
                Ok(deleted) if deleted < usize::try_from(BATCH).unwrap_or(0) => break,
                Ok(_) => {}
                Err(error) => {
                    let error = with_causes(&error);
                    tracing::error!(pool = %of.pool, error, "the user pool cannot delete expired {what}");
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

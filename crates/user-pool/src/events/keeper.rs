//! Writes the events that wait, deletes what is kept no longer, and copies the audit to the log of the process, whichever process has written it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::{Clock, Timestamp};
use crate::database::{self, Database};
use crate::drain::Draining;
use crate::events::audit::{AuditRows, Entry, Outcome};
use crate::events::buffer::{EventBuffer, Waiting};
use crate::events::event_rows::EventRows;
use crate::events::settings::EventSettings;
use crate::message::causes::with_causes;

/// How often rows are deleted that are kept no longer.
const SWEEPS: Duration = Duration::from_mins(10);
/// How long events wait, so that many of them are one commit.
const GATHERED_FOR: Duration = Duration::from_millis(250);
/// How often the keeper looks for what commands have written to the audit.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What keeps the events and the audit of one pool, as one configuration says.
#[derive(Debug)]
pub struct EventKeeper {
    database: Arc<Database>,
    events: EventRows,
    audit: AuditRows,
    settings: EventSettings,
    buffer: Arc<EventBuffer>,
    clock: Clock,
}

/// How far the keeper is. It stays from one configuration to the next.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The last entry of the audit that the log has. `None`: the process has just begun.
    told: Option<i64>,
    swept_at: Option<Timestamp>,
    is_failing: bool,
}

/// Works until the process ends, always as the newest configuration says. What waits then is written before this returns.
pub(crate) async fn run(newest: watch::Receiver<Option<Arc<EventKeeper>>>, draining: &mut Draining) {
    let mut progress = Progress::default();
    loop {
        let is_last = draining.is_stopping();
        let keeper = newest.borrow().clone();
        if let Some(keeper) = &keeper {
            keeper.work_and_report(&mut progress).await;
        }
        if is_last {
            return;
        }
        let some = async {
            match &keeper {
                Some(keeper) => keeper.buffer.some().await,
                None => std::future::pending().await,
            }
            tokio::time::sleep(GATHERED_FOR).await;
        };
        // All may be dropped: what waits stays so until it was taken.
        tokio::select! {
            () = draining.stopping() => {}
            () = some => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

impl EventKeeper {
    /// Of the pool with this name.
    pub(crate) fn new(
        database: Arc<Database>,
        pool: &Arc<str>,
        settings: EventSettings,
        buffer: Arc<EventBuffer>,
        clock: Clock,
    ) -> Self {
        let (events, audit) = (EventRows { pool: Arc::clone(pool) }, AuditRows { pool: Arc::clone(pool) });
        Self { database, events, audit, settings, buffer, clock }
    }

    /// One round. A failure is logged once until something works again.
    async fn work_and_report(&self, progress: &mut Progress) {
        match self.work(progress).await {
            Ok(()) => progress.is_failing = false,
            Err(error) => {
                if !std::mem::replace(&mut progress.is_failing, true) {
                    let (pool, error) = (&*self.events.pool, with_causes(&error));
                    tracing::error!(pool, error, "the events of a user pool cannot be written to its database");
                }
            }
        }
    }

    /// One round.
    pub(super) async fn work(&self, progress: &mut Progress) -> Result<(), database::Error> {
        self.tell(progress).await?;
        let Waiting { events: waiting, dropped } = self.buffer.take();
        if dropped > 0 {
            tracing::warn!(
                pool = &*self.events.pool,
                dropped,
                "too many events at once: some are not in the sign-in log"
            );
        }
        if !waiting.is_empty() {
            let events = self.events.clone();
            self.database.write(move |on| waiting.iter().try_for_each(|event| events.record(on, event))).await?;
        }
        self.sweep(progress).await
    }

    async fn tell(&self, progress: &mut Progress) -> Result<(), database::Error> {
        let mut told = match progress.told {
            Some(told) => told,
            None => {
                let audit = self.audit.clone();
                self.database.read(move |on| audit.last(on)).await?
            }
        };
        loop {
            progress.told = Some(told);
            let audit = self.audit.clone();
            let entries = self.database.read(move |on| audit.after(on, told)).await?;
            let Some(last) = entries.last() else { return Ok(()) };
            entries.iter().for_each(|entry| self.line(entry));
            told = last.id;
        }
    }

    fn line(&self, entry: &Entry) {
        let Entry { actor, operation, outcome, subject, detail, at, .. } = entry;
        let (pool, at, said) = (&*self.audit.pool, at.to_text(), said(entry));
        tracing::info!(
            target: "vestibule::audit",
            pool, actor, operation, outcome = outcome.as_str(), user.id = subject.as_deref(), detail = detail.as_deref(), at,
            "{said}"
        );
    }

    /// Deletes what is kept no longer, if the last time was long ago.
    async fn sweep(&self, progress: &mut Progress) -> Result<(), database::Error> {
        let now = self.clock.now();
        if progress.swept_at.is_some_and(|at| now.since(at) < SWEEPS) {
            return Ok(());
        }
        progress.swept_at = Some(now);
        let (events_from, audit_from) = (now - self.settings.events_kept, now - self.settings.audit_kept);
        loop {
            let (events, audit) = (self.events.clone(), self.audit.clone());
            let swept = move |on: &mut database::Transaction<'_>| {
                Ok(events.sweep(on, events_from)? | audit.sweep(on, audit_from)?)
            };
            if !self.database.write(swept).await? {
                return Ok(());
            }
        }
    }
}

/// What the log says of an entry.
pub(super) fn said(entry: &Entry) -> &'static str {
    match (entry.is_read(), entry.outcome) {
        (true, Outcome::Begun) => "somebody begins to read data of a user pool",
        (true, Outcome::Done) => "data of a user pool was read",
        (true, Outcome::Failed) => "data of a user pool could not be read",
        (false, Outcome::Begun) => "somebody begins to change something of a user pool",
        (false, Outcome::Done) => "something of a user pool was changed",
        (false, Outcome::Failed) => "something of a user pool could not be changed",
    }
}

//! Events of requests, until they are written.
//!
//! An attempt to sign in must take as long for a name that nobody has as for one that somebody has (attacks U-01). So the answer to it does not wait for the
//! database: the event waits here, and is written with others a little later. What a crash takes with it is a moment of the log, and nothing else.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::events::event::Event;

/// Events that wait, at most. Further ones are not recorded: only counted.
const WAITING_MAX: usize = 1024;

/// Events that wait. One per pool.
#[derive(Debug, Default)]
pub struct EventBuffer {
    waiting: Mutex<Waiting>,
    some: Notify,
}

/// What waits, and how many events had no room since.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) events: Vec<Event>,
    pub(crate) dropped: u64,
}

impl EventBuffer {
    /// Has an event written soon, if there is room.
    pub(crate) fn put(&self, event: Event) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.events.len() >= WAITING_MAX {
            waiting.dropped = waiting.dropped.saturating_add(1);
            return;
        }
        waiting.events.push(event);
        self.some.notify_one();
    }

    /// Waits for events. Cancel-safe.
    pub(crate) async fn some(&self) {
        self.some.notified().await;
    }

    /// Takes all that wait.
    pub(crate) fn take(&self) -> Waiting {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

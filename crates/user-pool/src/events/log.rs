//! What requests write events with.

use std::sync::Arc;

use crate::clock::Clock;
use crate::events::buffer::EventBuffer;
use crate::events::event::{Challenge, Event, Kind, Response, Visit};

/// The sign-in log of one pool, as requests see it. Cheap to clone. Nothing here waits for the database.
#[derive(Clone, Debug)]
pub struct EventLog {
    /// `None`: the pool has no database, and so no log.
    buffer: Option<Arc<EventBuffer>>,
    clock: Clock,
}

impl EventLog {
    /// `buffer` is that of the pool.
    pub fn new(buffer: Option<Arc<EventBuffer>>, clock: Clock) -> Self {
        Self { buffer, clock }
    }

    /// An event that happens now. `None` as the `subject` is a name that nobody has.
    pub(crate) fn event(&self, subject: Option<&str>, what: (Kind, Response), visit: &Visit) -> Event {
        Event::new(subject, what, visit.clone(), self.clock.now())
    }

    /// Has an event written soon.
    pub(crate) fn put(&self, event: Event) {
        if let Some(buffer) = &self.buffer {
            buffer.put(event);
        }
    }

    /// Has an event written soon that needs no more than this.
    pub(crate) fn record(&self, subject: Option<&str>, what: (Kind, Response), visit: &Visit) {
        self.put(self.event(subject, what, visit));
    }

    /// The same, after this answer.
    pub(crate) fn answered(
        &self,
        subject: Option<&str>,
        what: (Kind, Response),
        (challenge, is_right): (Challenge, bool),
        visit: &Visit,
    ) {
        self.put(self.event(subject, what, visit).after(vec![(challenge, is_right)]));
    }
}

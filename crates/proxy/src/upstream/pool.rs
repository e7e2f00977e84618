//! Idle connections of one worker to one target.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use crate::upstream::http1::connection::Connection;
use crate::upstream::settings::Settings;

/// Idle connections, the most recently used last. The target is least likely to be closing that one.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: RefCell<Vec<Idle>>,
    /// How long a connection is kept.
    idle_timeout: Cell<Duration>,
    /// Maximum number of connections.
    idle_max: Cell<usize>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Idle {
    fn is_open(&self, now: Instant, idle_timeout: Duration) -> bool {
        now.saturating_duration_since(self.since) <= idle_timeout && self.connection.is_open()
    }
}

impl Pool {
    /// An empty pool with the limits of a group.
    pub(super) fn new(limits: &Settings) -> Self {
        Self {
            idle: RefCell::default(),
            idle_timeout: Cell::new(limits.idle_timeout),
            idle_max: Cell::new(limits.idle_max),
        }
    }

    /// Takes over the limits of another configuration of the group.
    pub(super) fn limit(&self, limits: &Settings) {
        self.idle_timeout.set(limits.idle_timeout);
        self.idle_max.set(limits.idle_max);
        let mut idle = self.idle.borrow_mut();
        // The most recently used connections stay.
        let surplus = idle.len().saturating_sub(limits.idle_max);
        idle.drain(..surplus);
    }

    /// How long a connection is kept.
    pub(super) fn idle_timeout(&self) -> Duration {
        self.idle_timeout.get()
    }

    /// Takes an idle connection that is open and has not been idle for too long.
    pub(super) fn take(&self, now: Instant) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        while let Some(last) = idle.pop() {
            if last.is_open(now, self.idle_timeout.get()) {
                return Some(last.connection);
            }
        }
        None
    }

    /// Keeps a connection whose answer has been read, unless there are `idle_max` already.
    pub(crate) fn put(&self, mut connection: Connection, now: Instant) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < self.idle_max.get() {
            connection.rest();
            idle.push(Idle { connection, since: now });
        }
    }

    /// Closes connections that have been idle for too long or that the target has closed.
    pub(crate) fn prune(&self, now: Instant) {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|idle| idle.is_open(now, self.idle_timeout.get()));
        for idle in idle.iter_mut() {
            idle.connection.forget_waiter();
        }
    }

    /// Whether an idle connection can be used.
    #[cfg(test)]
    pub(super) fn has_open(&self, now: Instant) -> bool {
        self.idle.borrow().iter().any(|idle| idle.is_open(now, self.idle_timeout.get()))
    }

    /// Number of idle connections.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.idle.borrow().len()
    }
}

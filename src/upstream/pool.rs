//! Idle connections of one worker to one target.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::upstream::http1::connection::Connection;

/// Idle connections, the most recently used last. The target is least likely to be closing that one.
#[derive(Debug, Default)]
pub(crate) struct Pool(RefCell<Vec<Idle>>);

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
    /// Takes an idle connection that is open and has not been idle for longer than `idle_timeout`.
    pub(crate) fn take(&self, now: Instant, idle_timeout: Duration) -> Option<Connection> {
        let mut idle = self.0.borrow_mut();
        while let Some(last) = idle.pop() {
            if last.is_open(now, idle_timeout) {
                return Some(last.connection);
            }
        }
        None
    }

    /// Keeps a connection whose answer has been read, unless there are `idle_max` already.
    pub(crate) fn put(&self, mut connection: Connection, now: Instant, idle_max: usize) {
        let mut idle = self.0.borrow_mut();
        if idle.len() < idle_max {
            connection.rest();
            idle.push(Idle { connection, since: now });
        }
    }

    /// Closes connections that have been idle for too long or that the target has closed.
    pub(crate) fn prune(&self, now: Instant, idle_timeout: Duration) {
        let mut idle = self.0.borrow_mut();
        idle.retain(|idle| idle.is_open(now, idle_timeout));
        for idle in idle.iter_mut() {
            idle.connection.forget_waiter();
        }
    }
}

/// Puts a connection back into its pool when the response has been read to its end. If the response was cut short, the
/// connection is closed.
#[derive(Debug)]
pub(crate) struct ReturnToPool {
    pub(crate) pool: Rc<Pool>,
    /// Maximum number of connections in the pool.
    pub(crate) idle_max: usize,
    pub(crate) clock: Clock,
}

impl ReturnToPool {
    pub(crate) fn take_back(&self, connection: Connection) {
        self.pool.put(connection, self.clock.instant(), self.idle_max);
    }
}

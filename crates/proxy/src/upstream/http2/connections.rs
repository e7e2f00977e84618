//! The HTTP/2 connections of one worker to one target.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::upstream::http2::connection::{Connection, STREAMS_MAX, Slot};

/// Open connections, and one that is being opened. Requests that arrive meanwhile wait for it.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    list: RefCell<Vec<Rc<Connection>>>,
    opening: RefCell<Option<Rc<Opening>>>,
}

/// A connection that one request opens, for itself and for those that wait.
#[derive(Debug, Default)]
struct Opening {
    /// Requests that wait for it.
    waiting: Cell<usize>,
    is_over: Cell<bool>,
    has_failed: Cell<bool>,
    over: Notify,
}

/// What a request does that found no room on any connection.
pub(crate) enum Turn<'c> {
    /// It opens a connection.
    Open(Opens<'c>),
    /// Another request has opened one, or has given up. Look again.
    LookAgain,
}

/// The right to open a connection. Those who wait are told when this is dropped.
pub(crate) struct Opens<'c> {
    connections: &'c Connections,
    opening: Rc<Opening>,
}

impl Connections {
    /// Room on a connection. The oldest connection that has some is used, so that connections that are not needed become idle.
    pub(crate) fn take(&self) -> Option<Slot> {
        self.list.borrow().iter().find_map(Connection::take)
    }

    /// Adds a connection. Forgets those that accept no more requests, so that a target that ends its connections early leaves no long
    /// list.
    pub(crate) fn put(&self, connection: Rc<Connection>) {
        let mut list = self.list.borrow_mut();
        list.retain(|connection| connection.is_usable());
        list.push(connection);
    }

    /// Waits while another request opens a connection with room for this one. If that fails, each of those who waited opens one
    /// itself: the failure of one says little about the others, which may be offered to other addresses.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        let current = self.opening.borrow().clone();
        if let Some(opening) = current.filter(|opening| opening.waiting.get() + 1 < STREAMS_MAX) {
            opening.waiting.set(opening.waiting.get() + 1);
            while !opening.is_over.get() {
                opening.over.notified().await;
            }
            if !opening.has_failed.get() {
                return Turn::LookAgain;
            }
        }
        let opening = Rc::<Opening>::default();
        *self.opening.borrow_mut() = Some(Rc::clone(&opening));
        Turn::Open(Opens { connections: self, opening })
    }

    /// Forgets connections that have been idle for too long, and those that accept no more requests. What is under way on them goes on.
    pub(crate) fn prune(&self, now: Instant, idle_timeout: Duration) {
        self.list.borrow_mut().retain(|connection| {
            let idle = connection.idle_since().map(|since| now.saturating_duration_since(since));
            connection.is_usable() && idle.is_none_or(|idle| idle <= idle_timeout)
        });
    }

    /// Number of connections.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.list.borrow().len()
    }
}

impl Opens<'_> {
    /// No connection could be opened.
    pub(crate) fn failed(&self) {
        self.opening.has_failed.set(true);
    }
}

impl Drop for Opens<'_> {
    fn drop(&mut self) {
        self.opening.is_over.set(true);
        self.opening.over.notify_waiters();
        let mut current = self.connections.opening.borrow_mut();
        if current.as_ref().is_some_and(|current| Rc::ptr_eq(current, &self.opening)) {
            *current = None;
        }
    }
}

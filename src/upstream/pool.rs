//! Idle connections of one worker to one target.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use hyper::client::conn::http1::SendRequest;

use crate::message::body::Body;

/// Idle connections, the most recently used last: it is the one that the target is least likely to be closing.
#[derive(Debug, Default)]
pub(crate) struct Pool(RefCell<Vec<Idle>>);

#[derive(Debug)]
struct Idle {
    sender: SendRequest<Body>,
    since: Instant,
}

impl Pool {
    /// Takes an idle connection that is open and has not been idle for longer than `idle_timeout`.
    pub(crate) fn take(&self, now: Instant, idle_timeout: Duration) -> Option<SendRequest<Body>> {
        let mut idle = self.0.borrow_mut();
        // From the back; one that is not ready is still reading the end of its last answer, and stays.
        let mut index = idle.len();
        while index > 0 {
            index -= 1;
            let candidate = &idle[index];
            if candidate.sender.is_closed() || now.saturating_duration_since(candidate.since) > idle_timeout {
                idle.remove(index);
            } else if candidate.sender.is_ready() {
                return Some(idle.remove(index).sender);
            }
        }
        None
    }

    /// Keeps a connection whose answer has been read, unless there are `idle_max` already.
    pub(crate) fn put(&self, sender: SendRequest<Body>, now: Instant, idle_max: usize) {
        let mut idle = self.0.borrow_mut();
        if !sender.is_closed() && idle.len() < idle_max {
            idle.push(Idle { sender, since: now });
        }
    }

    /// Closes what has been idle for too long.
    pub(crate) fn prune(&self, now: Instant, idle_timeout: Duration) {
        self.0
            .borrow_mut()
            .retain(|idle| !idle.sender.is_closed() && now.saturating_duration_since(idle.since) <= idle_timeout);
    }
}

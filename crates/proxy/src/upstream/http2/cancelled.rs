//! Requests that clients have cancelled before they were answered.
//!
//! Servers take a reset that comes with its request for an attack ("rapid reset"), and end the connection after a few: with the requests of
//! everybody who shares it. So a stream is reset a moment after its client has left. Until then it takes room on the connection.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use h2::SendStream;
use h2::client::ResponseFuture;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a target has to see a request before it sees the reset.
const HELD: Duration = Duration::from_millis(50);

/// The cancelled requests of one connection, the oldest first. `R` is the room that a request takes there.
#[derive(Debug)]
pub(super) struct Cancelled<R> {
    /// `None` after the connection has ended.
    list: RefCell<Option<VecDeque<Held<R>>>>,
    added: Notify,
}

/// A stream that is reset when this is dropped, and its room.
#[derive(Debug)]
struct Held<R> {
    until: Instant,
    _stream: (ResponseFuture, SendStream<Bytes>),
    _room: R,
}

impl<R> Cancelled<R> {
    /// None yet, on a connection that is open.
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self { list: RefCell::new(Some(VecDeque::new())), added: Notify::new() })
    }

    /// Resets each stream when its time has come. Never returns.
    pub(super) async fn reset(&self) {
        loop {
            let next = self.list.borrow().as_ref().and_then(|list| Some(list.front()?.until));
            match next {
                None => self.added.notified().await,
                Some(until) => {
                    tokio::time::sleep_until(until).await;
                    let due = self.list.borrow_mut().as_mut().and_then(VecDeque::pop_front);
                    drop(due);
                }
            }
        }
    }

    /// The connection has ended. Nothing is held any more.
    pub(super) fn close(&self) {
        let all = self.list.take();
        drop(all);
    }

    /// Keeps a request for a moment. It is reset at once if the connection has ended.
    pub(super) fn hold(&self, stream: (ResponseFuture, SendStream<Bytes>), room: R) {
        let held = Held { until: Instant::now() + HELD, _stream: stream, _room: room };
        let refused = match self.list.borrow_mut().as_mut() {
            Some(list) => {
                list.push_back(held);
                None
            }
            None => Some(held),
        };
        drop(refused);
        self.added.notify_one();
    }
}

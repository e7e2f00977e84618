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

use crate::upstream::http2::connection::Slot;

/// How long a target has to see a request before it sees the reset.
const HELD: Duration = Duration::from_millis(50);

/// The cancelled requests of one connection, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Cancelled {
    /// `None` after the connection has ended.
    list: RefCell<Option<VecDeque<Held>>>,
    added: Notify,
}

/// A stream that is reset when this is dropped, and its room.
#[derive(Debug)]
struct Held {
    until: Instant,
    _stream: (ResponseFuture, SendStream<Bytes>),
    _slot: Slot,
}

/// A request that was sent and is not answered. If it is dropped so, its client has left.
#[derive(Debug)]
pub(super) struct Sent(Option<(ResponseFuture, SendStream<Bytes>, Slot)>);

impl Cancelled {
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

    fn hold(&self, stream: (ResponseFuture, SendStream<Bytes>), slot: Slot) {
        let held = Held { until: Instant::now() + HELD, _stream: stream, _slot: slot };
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

impl Sent {
    pub(super) fn new(response: ResponseFuture, stream: SendStream<Bytes>, slot: Slot) -> Self {
        Self(Some((response, stream, slot)))
    }

    /// The parts of a request that is not answered yet.
    pub(super) fn parts(&mut self) -> Option<(&mut ResponseFuture, &mut SendStream<Bytes>, &Slot)> {
        self.0.as_mut().map(|(response, stream, slot)| (response, stream, &*slot))
    }

    /// The request was answered, or failed: nobody else waits for it.
    pub(super) fn end(mut self) -> Option<(SendStream<Bytes>, Slot)> {
        self.0.take().map(|(_, stream, slot)| (stream, slot))
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Some((response, stream, slot)) = self.0.take() {
            let cancelled = Rc::clone(slot.cancelled());
            cancelled.hold((response, stream), slot);
        }
    }
}

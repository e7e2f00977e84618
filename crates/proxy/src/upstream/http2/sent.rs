//! A request that was sent and is not answered.

use std::rc::Rc;

use bytes::Bytes;
use h2::SendStream;
use h2::client::ResponseFuture;

use crate::upstream::http2::connection::Slot;

/// A request that was sent and is not answered. If it is dropped so, its client has left.
#[derive(Debug)]
pub(super) struct Sent(Option<(ResponseFuture, SendStream<Bytes>, Slot)>);

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

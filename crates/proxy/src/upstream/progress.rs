//! What has moved on a stream, so that nobody waits for ever for a stream on which nothing moves.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Grows with every part that moves. Shared by both directions of a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Rc<Cell<u64>>);

impl Progress {
    /// Something has moved.
    pub(super) fn moved(&self) {
        self.0.set(self.0.get() + 1);
    }

    /// A number that is another one if something has moved.
    pub(super) fn seen(&self) -> u64 {
        self.0.get()
    }

    /// Returns when nothing has moved for `timeout` (at most twice `timeout`).
    pub(super) async fn stands_still(&self, timeout: Duration) {
        let mut seen = None;
        while seen != Some(self.seen()) {
            seen = Some(self.seen());
            tokio::time::sleep(timeout).await;
        }
    }
}

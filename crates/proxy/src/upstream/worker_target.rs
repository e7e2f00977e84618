//! What one worker has of a target: its idle connections, and the requests that it has sent there.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::telemetry::metrics::Registry;
use crate::upstream::http1::connection::Connection;
use crate::upstream::http2::connections::Connections;
use crate::upstream::pool::Pool;
use crate::upstream::settings::Settings;
use crate::upstream::target::Target;
use crate::upstream::target_metrics::Answers;
use crate::upstream::target_stream::{Cutter, TargetStream};

/// A target as one worker uses it. All groups and configurations of the worker that have the target share it.
#[derive(Debug)]
pub(crate) struct WorkerTarget {
    pub(crate) target: Arc<Target>,
    /// The name of the target. `Rc`, so that no worker touches another worker's reference count.
    pub(crate) name: Rc<str>,
    pub(crate) pool: Pool,
    pub(super) answers: Answers,
    /// The connections of a group whose targets use HTTP/2.
    pub(crate) http2: Connections,
    /// All open connections, to end them when the target has left its group.
    open: RefCell<Vec<Cutter>>,
    /// Tells the WebSockets of that.
    cut: Notify,
    clock: Clock,
}

impl WorkerTarget {
    pub(super) fn new(target: Arc<Target>, limits: &Settings, clock: Clock, registry: &Registry) -> Self {
        Self {
            answers: Answers::new(registry, &target),
            name: Rc::from(&*target.name),
            target,
            pool: Pool::new(limits),
            http2: Connections::default(),
            open: RefCell::default(),
            cut: Notify::new(),
            clock,
        }
    }

    /// Takes note of a new connection.
    pub(super) fn opened(&self, stream: &TargetStream) {
        let mut open = self.open.borrow_mut();
        // Only when the list would grow, so that this costs little for each connection.
        if open.len() == open.capacity() {
            open.retain(Cutter::is_alive);
        }
        open.push(stream.cutter());
    }

    /// Ends everything under way at the target.
    pub(super) fn cut(&self) {
        self.cut.notify_waiters();
        for connection in self.open.take() {
            connection.cut();
        }
    }
}

/// A request for which a target was chosen. The target counts it until this is dropped.
#[derive(Debug)]
pub(crate) struct InFlight(Rc<WorkerTarget>);

impl InFlight {
    pub(super) fn begin(target: &Rc<WorkerTarget>) -> Self {
        target.target.begin();
        Self(Rc::clone(target))
    }

    /// The response has been read to its end, so its connection can be used again. If this is not called, the connection is
    /// closed.
    pub(super) fn end_with(self, connection: Connection) {
        self.0.pool.put(connection, self.0.clock.instant());
    }

    /// Returns when the target has left its group and the time for its last requests is over.
    pub(super) async fn cut(&self) {
        self.0.cut.notified().await;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.target.end();
    }
}

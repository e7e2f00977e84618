//! What one worker has of a target: its idle connections, and the requests that it has sent there.

use std::rc::Rc;
use std::sync::Arc;

use crate::clock::Clock;
use crate::upstream::http1::connection::Connection;
use crate::upstream::pool::Pool;
use crate::upstream::settings::Settings;
use crate::upstream::target::Target;

/// A target as one worker uses it. All groups and configurations of the worker that have the target share it.
#[derive(Debug)]
pub(crate) struct WorkerTarget {
    pub(crate) target: Arc<Target>,
    /// The name of the target. `Rc`, so that no worker touches another worker's reference count.
    pub(crate) name: Rc<str>,
    pub(crate) pool: Pool,
    clock: Clock,
}

impl WorkerTarget {
    pub(super) fn new(target: Arc<Target>, limits: &Settings, clock: Clock) -> Self {
        Self { name: Rc::from(&*target.name), target, pool: Pool::new(limits), clock }
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
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.target.end();
    }
}

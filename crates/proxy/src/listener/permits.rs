//! The maximum number of open connections of one listener, which can change while connections are open.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::drain::Control;

/// Permits for connections. A connection holds one from accept to close.
#[derive(Debug)]
pub(crate) struct ConnectionPermits {
    permits: Arc<Semaphore>,
    max: Mutex<usize>,
}

impl ConnectionPermits {
    /// Allows `max` connections on `workers` workers together.
    pub(crate) fn new(max: usize, workers: usize) -> Self {
        // Each worker holds one permit while it waits in `accept`. All workers but one may hold such a permit without a connection.
        let permits = Arc::new(Semaphore::new(max + workers.saturating_sub(1)));
        Self { permits, max: Mutex::new(max) }
    }

    pub(crate) fn semaphore(&self) -> &Arc<Semaphore> {
        &self.permits
    }

    /// Allows `max` connections from now on. Open connections stay open. If there are more than `max`, none is accepted until enough
    /// have ended, apart from one for each worker that waits in `accept` already.
    pub(crate) fn limit(&self, max: usize, control: &Control) {
        let mut before = self.max.lock().unwrap_or_else(PoisonError::into_inner);
        if max > *before {
            self.permits.add_permits(max - *before);
        }
        let surplus = before.saturating_sub(max);
        let held = u32::try_from(surplus - self.permits.forget_permits(surplus)).unwrap_or(u32::MAX);
        if held > 0 {
            let permits = Arc::clone(&self.permits);
            control.start_detached(async move {
                // The semaphore is fair: no later connection gets one of these.
                if let Ok(returned) = permits.acquire_many_owned(held).await {
                    returned.forget();
                }
            });
        }
        *before = max;
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::OwnedSemaphorePermit;
    use tokio::task::yield_now;

    use super::*;
    use crate::drain;

    fn open(permits: &ConnectionPermits, count: usize) -> Vec<OwnedSemaphorePermit> {
        (0..count).map(|_| Arc::clone(permits.semaphore()).try_acquire_owned().expect("a permit")).collect()
    }

    #[tokio::test]
    async fn a_lower_maximum_counts_as_soon_as_connections_end() {
        let (_drain, draining) = drain::channel();
        let control = Control::new(tokio::runtime::Handle::current(), draining.spawner());
        let permits = ConnectionPermits::new(3, 1);
        let mut connections = open(&permits, 3);
        permits.limit(1, &control);
        yield_now().await;
        for left in [2, 1] {
            connections.truncate(left);
            yield_now().await;
            assert_eq!(permits.semaphore().available_permits(), 0, "{left} are open");
        }
        connections.clear();
        yield_now().await;
        assert_eq!(permits.semaphore().available_permits(), 1);
        permits.limit(4, &control);
        assert_eq!(permits.semaphore().available_permits(), 4);
    }

    #[tokio::test]
    async fn a_maximum_that_goes_down_and_up_again_is_what_it_was() {
        let (_drain, draining) = drain::channel();
        let control = Control::new(tokio::runtime::Handle::current(), draining.spawner());
        let permits = ConnectionPermits::new(3, 2);
        let connections = open(&permits, 4);
        permits.limit(1, &control);
        permits.limit(3, &control);
        yield_now().await;
        drop(connections);
        yield_now().await;
        assert_eq!(permits.semaphore().available_permits(), 4, "one for each of three, and one for the second worker");
    }
}

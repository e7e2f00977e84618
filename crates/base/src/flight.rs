//! One task for something at a time ("single-flight"): whoever else wants the same thing waits for its result.
//!
//! This room does not know what is done. Whoever starts a task keeps its [`Flight`] where others find it, in a map or a field. The
//! task holds the [`Landing`] and reports the result with it.

use tokio::sync::watch;

/// A task under way, or its result. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Flight<T>(watch::Receiver<Option<T>>);

/// Reports the result of a task. If it is dropped without a result, because the task panicked or was cancelled, the flight is lost.
#[derive(Debug)]
pub struct Landing<T>(watch::Sender<Option<T>>);

/// A new flight.
pub fn new<T>() -> (Landing<T>, Flight<T>) {
    let (lands, landed) = watch::channel(None);
    (Landing(lands), Flight(landed))
}

impl<T> Landing<T> {
    /// Reports the result to everybody who waits now or later.
    pub fn land(self, result: T) {
        self.0.send_replace(Some(result));
    }
}

impl<T> Flight<T> {
    /// Whether the task still runs: it has neither landed nor is it lost.
    pub fn is_under_way(&self) -> bool {
        self.0.borrow().is_none() && self.0.has_changed().is_ok()
    }

    /// Whether there is a result.
    pub fn has_landed(&self) -> bool {
        self.0.borrow().is_some()
    }
}

impl<T: Clone> Flight<T> {
    /// The result, if there is one by now.
    pub fn result(&self) -> Option<T> {
        self.0.borrow().clone()
    }

    /// Waits for the result. `None` if the flight is lost. Dropping this future does not stop the task.
    pub async fn landed(mut self) -> Option<T> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_who_wait_get_the_one_result() {
        let (landing, flight) = new();
        assert!(flight.is_under_way() && !flight.has_landed());
        let waiting = flight.clone();
        let (first, ()) = tokio::join!(waiting.landed(), async { landing.land(7) });
        assert!(!flight.is_under_way() && flight.has_landed());
        assert_eq!((first, flight.landed().await), (Some(7), Some(7)));
    }

    #[tokio::test]
    async fn a_lost_task_is_not_waited_for() {
        let (landing, flight) = new::<u8>();
        drop(landing);
        assert!(!flight.is_under_way() && !flight.has_landed());
        assert_eq!(flight.landed().await, None);
    }
}

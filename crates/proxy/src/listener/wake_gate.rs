//! Polls a future only after that future was woken, not each time its task is polled.
//!
//! The task of a connection is polled several times for each request. Some futures of the same task complete rarely:
//! the shutdown of the process, or the next check of the watchdog. They need not be polled for each request.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Polls one future after it was woken. Until then, a poll returns `Pending` without polling the future.
#[derive(Debug, Default)]
pub(crate) struct PollOnWake(Arc<Woken>);

#[derive(Debug)]
struct Woken {
    is_woken: AtomicBool,
    /// Wakes the task that polls the future.
    task: AtomicWaker,
}

impl Default for Woken {
    /// Starts as woken: the first poll registers the waker of the future.
    fn default() -> Self {
        Self { is_woken: AtomicBool::new(true), task: AtomicWaker::new() }
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl PollOnWake {
    /// Polls `future` if it was woken since its last poll, and on the first call. Each future needs its own
    /// `PollOnWake`.
    pub(crate) fn poll<F: Future + ?Sized>(&self, future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // Register before reading the flag. Otherwise a wake between the two would be lost.
        self.0.task.register(cx.waker());
        if !self.0.is_woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(&self.0))))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_future_is_polled_when_it_was_woken_and_not_otherwise() {
        let (polls, kept) = (Cell::new(0), Cell::new(None::<Waker>));
        let mut future = pin!(poll_fn(|cx: &mut Context<'_>| {
            polls.set(polls.get() + 1);
            kept.set(Some(cx.waker().clone()));
            if polls.get() == 3 { Poll::Ready(()) } else { Poll::Pending }
        }));
        let gate = PollOnWake::default();
        let woken = Arc::new(Woken { is_woken: AtomicBool::new(false), task: AtomicWaker::new() });
        let task = Waker::from(Arc::clone(&woken));
        let mut poll = || gate.poll(future.as_mut(), &mut Context::from_waker(&task));
        assert!(poll().is_pending() && poll().is_pending());
        assert_eq!(polls.get(), 1, "once, to begin with");
        for expected in [2, 3] {
            kept.take().expect("it was polled").wake();
            assert!(woken.is_woken.swap(false, Ordering::Relaxed), "the task was woken");
            assert_eq!(poll().is_ready(), expected == 3);
            assert_eq!(polls.get(), expected);
            assert!(expected == 3 || poll().is_pending());
            assert_eq!(polls.get(), expected);
        }
    }
}

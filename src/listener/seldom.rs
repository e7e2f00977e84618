//! Polls a future only when it was woken, not whenever its task is.
//!
//! A connection's task is polled several times for each request; what it waits for besides, as the end of the process or the
//! next beat of its watchdog, comes once in seconds.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Says when a future that is polled seldom has to be.
#[derive(Debug, Default)]
pub(crate) struct Bell(Arc<Rung>);

#[derive(Debug)]
struct Rung {
    is_rung: AtomicBool,
    /// Of the task that polls.
    task: AtomicWaker,
}

impl Default for Rung {
    /// A future that was never polled waits for nothing yet.
    fn default() -> Self {
        Self { is_rung: AtomicBool::new(true), task: AtomicWaker::new() }
    }
}

impl Wake for Rung {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl Bell {
    /// Polls `future` where the bell has rung since it was last polled. Each future has a bell of its own.
    pub(crate) fn poll<F: Future + ?Sized>(&self, future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // Registered before the look, so that no ring falls between the two.
        self.0.task.register(cx.waker());
        if !self.0.is_rung.swap(false, Ordering::AcqRel) {
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
        let bell = Bell::default();
        let woken = Arc::new(Rung { is_rung: AtomicBool::new(false), task: AtomicWaker::new() });
        let task = Waker::from(Arc::clone(&woken));
        let mut poll = || bell.poll(future.as_mut(), &mut Context::from_waker(&task));
        assert!(poll().is_pending() && poll().is_pending());
        assert_eq!(polls.get(), 1, "once, to begin with");
        for expected in [2, 3] {
            kept.take().expect("it was polled").wake();
            assert!(woken.is_rung.swap(false, Ordering::Relaxed), "the task was woken");
            assert_eq!(poll().is_ready(), expected == 3);
            assert_eq!(polls.get(), expected);
            assert!(expected == 3 || poll().is_pending());
            assert_eq!(polls.get(), expected);
        }
    }
}

//! Starts parts of the process again that have panicked. A panic is a bug, but must not end the service.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt as _;

use crate::app::vitals::{Part, RESTART_WAIT};

/// Runs `attempt` until it succeeds, and retries after each panic and each `None`, unless `is_over`.
pub(super) fn run_again(part: &Part, is_over: impl Fn() -> bool, mut attempt: impl FnMut() -> Option<()>) {
    loop {
        match catch_unwind(AssertUnwindSafe(&mut attempt)) {
            Ok(Some(())) => return,
            Ok(None) => {}
            Err(_) => part.died(),
        }
        if is_over() {
            return;
        }
        std::thread::park_timeout(RESTART_WAIT);
        part.is_up();
    }
}

/// Runs a task until it ends, and restarts it after each panic.
pub(super) async fn keep_running<F: Future<Output = ()>>(part: &Part, mut task: impl FnMut() -> F) {
    while AssertUnwindSafe(async { task().await }).catch_unwind().await.is_err() {
        part.died();
        tokio::time::sleep(RESTART_WAIT).await;
        part.is_up();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::app::vitals::Vitals;
    use crate::telemetry::metrics::Registry;

    fn part() -> (Vitals, Part) {
        let vitals = Vitals::new(&Registry::default());
        let part = vitals.part("worker", "worker 0".into());
        (vitals, part)
    }

    #[test]
    fn a_worker_that_dies_is_started_again() {
        let (vitals, part) = part();
        let attempts = Cell::new(0);
        let seen = Cell::new(0);
        run_again(
            &part,
            || {
                seen.set(seen.get() + vitals.faults().len());
                false
            },
            || {
                attempts.set(attempts.get() + 1);
                match attempts.get() {
                    1 => panic!("a bug"),
                    // No socket to be had.
                    2 => None,
                    _ => Some(()),
                }
            },
        );
        assert_eq!((attempts.get(), seen.get()), (3, 1), "down once, between the first and the second attempt");
        assert!(vitals.faults().is_empty());
    }

    #[test]
    fn a_worker_that_dies_while_the_process_stops_is_not_started_again() {
        let (_, part) = part();
        let attempts = Cell::new(0);
        run_again(
            &part,
            || true,
            || {
                attempts.set(attempts.get() + 1);
                panic!("a bug")
            },
        );
        assert_eq!(attempts.get(), 1);
    }

    #[tokio::test]
    async fn an_accept_loop_that_dies_is_started_again() {
        let (vitals, part) = part();
        let attempts = Cell::new(0);
        keep_running(&part, || async {
            attempts.set(attempts.get() + 1);
            assert!(attempts.get() > 2, "a bug");
        })
        .await;
        assert_eq!(attempts.get(), 3);
        assert!(vitals.faults().is_empty());
    }
}

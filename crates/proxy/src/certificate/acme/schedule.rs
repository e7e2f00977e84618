//! When to ask the authority for a certificate. Decisions only; the time and randomness are arguments.

use std::time::Duration;

use crate::clock::Timestamp;

/// The first wait after a failure. It doubles with each further failure. Let's Encrypt allows five failures for a name, and another one
/// every twelve minutes.
const RETRY_MIN: Duration = Duration::from_secs(60);

/// The longest wait after a failure.
const RETRY_MAX: Duration = Duration::from_secs(6 * 3600);

/// From when to when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lifetime {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

/// The time at which the authority suggests to renew (RFC 9773 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
}

/// When a certificate is renewed: at a point of the authority's window, else at two thirds of its lifetime or up to a twentieth
/// of the lifetime later, so that many certificates of one day are not renewed in one moment. A window never makes it
/// later than five sixths of the lifetime. `dice` is from 0 to 1.
pub(super) fn renew_at(lifetime: Lifetime, window: Option<Window>, dice: f64) -> Timestamp {
    let length = lifetime.to.since(lifetime.from);
    match window {
        // RFC 9773 §4.2: a random time in the window; at once, if it is over.
        Some(window) => {
            let point = window.start + window.end.since(window.start).mul_f64(dice);
            point.min(lifetime.from + length.mul_f64(5.0 / 6.0))
        }
        None => lifetime.from + length.mul_f64(2.0 / 3.0 + dice / 20.0),
    }
}

/// The wait after the last of `failures` failures, which is at least 1. Between three quarters of the step and the whole step.
pub(super) fn wait_after(failures: u32, dice: f64) -> Duration {
    let step = RETRY_MIN.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(RETRY_MAX);
    step.mul_f64(0.75 + dice / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const FROM: Timestamp = Timestamp::from_seconds(1_795_507_200);

    fn lifetime() -> Lifetime {
        Lifetime { from: FROM, to: FROM + 90 * DAY }
    }

    #[test]
    fn a_certificate_is_renewed_at_two_thirds_of_its_lifetime_or_a_little_later() {
        assert_eq!(renew_at(lifetime(), None, 0.0), FROM + 60 * DAY);
        assert_eq!(renew_at(lifetime(), None, 1.0).since(FROM).as_secs() / 3600, 64 * 24 + 12);
        // Six days, as the short-lived profile of Let's Encrypt.
        assert_eq!(renew_at(Lifetime { from: FROM, to: FROM + 6 * DAY }, None, 0.0), FROM + 4 * DAY);
    }

    #[test]
    fn the_window_of_the_authority_is_before_that_but_not_for_ever() {
        let window = |start: u32, end: u32| Some(Window { start: FROM + start * DAY, end: FROM + end * DAY });
        assert_eq!(renew_at(lifetime(), window(10, 12), 0.5), FROM + 11 * DAY);
        assert_eq!(renew_at(lifetime(), window(70, 72), 0.0), FROM + 70 * DAY);
        assert_eq!(renew_at(lifetime(), window(200, 300), 0.5), FROM + 75 * DAY);
        // A window that ends before it starts.
        assert_eq!(renew_at(lifetime(), window(12, 10), 0.5), FROM + 12 * DAY);
    }

    #[test]
    fn waits_grow_and_have_a_bound() {
        let seconds = |failures| wait_after(failures, 1.0).as_secs();
        assert_eq!([1, 2, 3, 4].map(seconds), [60, 120, 240, 480]);
        assert_eq!([10, 100, u32::MAX].map(seconds), [6 * 3600; 3]);
        assert_eq!(wait_after(1, 0.0), Duration::from_secs(45));
        // As Let's Encrypt allows: five failures for a name, and another one every twelve minutes.
        let mut elapsed = Duration::ZERO;
        for failures in 1..100 {
            assert!(u64::from(failures) <= 5 + elapsed.as_secs() / 720, "{failures} after {elapsed:?}");
            elapsed += wait_after(failures, 0.0);
        }
    }
}

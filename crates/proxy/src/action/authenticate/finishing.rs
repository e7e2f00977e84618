//! Finishes each sign-in once, even if several callbacks arrive: after a second click on the provider's button, or after a reload
//! while the provider is slow. All of them get the same session.
//!
//! The work runs on the control runtime and continues if the browser disconnects, because a code can be redeemed only once. The
//! result is kept for a minute for later callbacks. Only a browser with the cookie of the sign-in gets it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;

use crate::clock::Timestamp;
use crate::exchange::rejection::Rejection;
use crate::flight::{self, Flight, Landing};
use crate::session::record::Session;

/// How long a result is kept.
const KEPT: Duration = Duration::from_secs(60);

/// Maximum number of sign-ins whose result is awaited or kept. Further ones are finished too, but a second callback of such a sign-in
/// is refused. So a full map does not affect the entries of others.
const LOGINS_MAX: usize = 2_000;

/// A new session and its cookies.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) session: Session,
    pub(super) cookies: Vec<HeaderValue>,
}

/// The result of a sign-in.
pub(super) type Outcome = Result<Arc<Signed>, Arc<Rejection>>;

/// The sign-ins in progress, and those that were finished within the last minute.
#[derive(Debug, Default)]
pub(super) struct Finishing(Mutex<HashMap<String, Entry>>);

#[derive(Debug)]
struct Entry {
    flight: Flight<Outcome>,
    begun_at: Timestamp,
}

impl Finishing {
    /// Joins the sign-in of `state`, or starts to finish it if `take` returns true. `None` if `take` returns false.
    pub(super) fn join(
        &self,
        state: &str,
        now: Timestamp,
        take: impl FnOnce() -> bool,
        begin: impl FnOnce(Landing<Outcome>),
    ) -> Option<Flight<Outcome>> {
        let mut logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = logins.get(state).filter(|entry| entry.is_of_use(now)) {
            return Some(entry.flight.clone());
        }
        // Called under the lock, so that the second of two callbacks finds the work of the first.
        if !take() {
            return None;
        }
        if logins.len() >= LOGINS_MAX {
            logins.retain(|_, entry| entry.is_of_use(now));
        }
        let (landing, flight) = flight::new();
        if logins.len() < LOGINS_MAX {
            logins.insert(state.to_owned(), Entry { flight: flight.clone(), begun_at: now });
        }
        begin(landing);
        Some(flight)
    }
}

impl Entry {
    fn is_of_use(&self, now: Timestamp) -> bool {
        self.flight.is_under_way() || (self.flight.has_landed() && now.since(self.begun_at) <= KEPT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::rejection::Reason;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn a_full_memory_refuses_the_newcomer_and_forgets_nobody() {
        let finishing = Finishing::default();
        let mut landings = Vec::new();
        for number in 0..LOGINS_MAX + 10 {
            let joined = finishing.join(&number.to_string(), NOW, || true, |landing| landings.push(landing));
            assert!(joined.is_some(), "each is finished");
        }
        assert_eq!(finishing.0.lock().expect("not poisoned").len(), LOGINS_MAX);
        let again = |state: usize| finishing.join(&state.to_string(), NOW, || false, |_| panic!("nobody begins"));
        assert!(again(0).is_some() && again(LOGINS_MAX).is_none());
        for landing in landings {
            landing.land(Err(Arc::new(Reason::AuthTokenRefused.into())));
        }
        let later = NOW + KEPT + Duration::from_millis(1);
        assert!(finishing.join("later", later, || true, drop).is_some());
        assert_eq!(finishing.0.lock().expect("not poisoned").len(), 1, "what is old makes room");
    }

    #[test]
    fn a_login_whose_task_was_lost_is_not_waited_for() {
        let finishing = Finishing::default();
        finishing.join("a", NOW, || true, drop);
        assert!(finishing.join("a", NOW, || false, |_| panic!("nobody begins")).is_none());
    }
}

//! What the process remembers of sessions and logins, whatever the configuration: three small, bounded things.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::action::authenticate::refresh::Refresher;
use crate::clock::Timestamp;
use crate::session::pending::LOGIN_WINDOW;
use crate::session::revoked::Revoked;

/// One for the process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// Sessions that were signed out.
    pub(super) revoked: Arc<Revoked>,
    /// Refreshes that are under way or have just been made.
    pub(super) refresher: Arc<Refresher>,
    /// Logins whose code has been redeemed.
    pub(super) redeemed: Arc<Redeemed>,
}

/// Most states in one generation; there are two.
const GENERATION_MAX: usize = 10_000;

/// The `state` of logins that were finished, so that a callback which comes twice makes one token request (attacks C-03,
/// pitfalls 4). Where this has forgotten, or at another replica, the provider refuses the code.
#[derive(Debug, Default)]
pub(super) struct Redeemed(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashSet<String>,
    old: HashSet<String>,
    /// When the young one was begun.
    since: Option<Timestamp>,
}

impl Redeemed {
    /// Takes a state: `true` for the first who comes with it.
    pub(super) fn take(&self, state: &str, now: Timestamp) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *all.since.get_or_insert(now);
        if now.since(since) > LOGIN_WINDOW || all.young.len() >= GENERATION_MAX {
            all.old = std::mem::take(&mut all.young);
            all.since = Some(now);
        }
        !all.old.contains(state) && all.young.insert(state.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn c_03_a_state_is_taken_once() {
        let redeemed = Redeemed::default();
        assert!(redeemed.take("a", NOW));
        assert!(!redeemed.take("a", NOW));
        assert!(redeemed.take("b", NOW));
        assert!(!redeemed.take("a", NOW + LOGIN_WINDOW), "as long as its cookie may live");
    }

    #[test]
    fn memory_is_bounded() {
        let redeemed = Redeemed::default();
        for number in 0..3 * GENERATION_MAX {
            assert!(redeemed.take(&number.to_string(), NOW));
        }
        let all = redeemed.0.lock().expect("not poisoned");
        assert!(all.young.len() + all.old.len() <= 2 * GENERATION_MAX);
    }
}

//! The answers of `authorize` about one user, remembered with the visitor.

use std::cell::RefCell;

use crate::action::demand::Shortfall;
use crate::clock::Timestamp;
use crate::exchange::rejection::Reason;

/// What becomes of a user at an `authorize` action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The claims and the sign-in are as required.
    LetIn,
    /// The claims are, but the sign-in is too old or too weak.
    StepUp(Shortfall),
    /// The claims are not.
    Refused(Reason),
    /// The user is let in only because of `mode: report`.
    Reported,
}

/// What was decided about a user, by the `authorize` actions that asked.
///
/// Kept with a visitor, so that a refresh, which brings new claims and with them a new visitor, begins anew.
#[derive(Debug, Default)]
pub(crate) struct Decisions(RefCell<Vec<Decided>>);

#[derive(Clone, Copy, Debug)]
struct Decided {
    action: u64,
    verdict: Verdict,
    until: Timestamp,
}

/// Actions whose answer is remembered for one user. A user whom more actions ask for is decided anew by the others.
const DECISIONS_MAX: usize = 64;

impl Decisions {
    /// The answer of an action. It is only found by `decide` where none is known that still holds. `decide` also returns until when its
    /// answer holds.
    pub(crate) fn of(
        &self,
        action: u64,
        now: Timestamp,
        decide: impl FnOnce() -> (Verdict, Timestamp),
    ) -> (Verdict, IsNew) {
        let known = self.0.borrow().iter().find(|known| known.action == action && now < known.until).copied();
        if let Some(known) = known {
            return (known.verdict, IsNew(false));
        }
        let (verdict, until) = decide();
        let decided = Decided { action, verdict, until };
        let mut all = self.0.borrow_mut();
        if let Some(over) = all.iter_mut().find(|known| known.action == action) {
            *over = decided;
        } else if all.len() < DECISIONS_MAX {
            all.push(decided);
        }
        (verdict, IsNew(true))
    }
}

/// Whether an answer has just been found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IsNew(pub(crate) bool);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const NOT_ALLOWED: Verdict = Verdict::Refused(Reason::AuthNotAllowed);
    const ALLOWED: (Verdict, Timestamp) = (Verdict::LetIn, Timestamp::MAX);
    const REFUSED: (Verdict, Timestamp) = (NOT_ALLOWED, Timestamp::MAX);

    #[test]
    fn an_action_is_asked_once_and_what_is_remembered_has_a_bound() {
        let decisions = Decisions::default();
        assert_eq!(decisions.of(7, NOW, || ALLOWED), (Verdict::LetIn, IsNew(true)));
        assert_eq!(decisions.of(7, NOW, || panic!("it is known")), (Verdict::LetIn, IsNew(false)));
        assert_eq!(decisions.of(8, NOW, || REFUSED), (NOT_ALLOWED, IsNew(true)));
        assert_eq!(decisions.of(8, NOW, || panic!("it is known")), (NOT_ALLOWED, IsNew(false)));
        for action in 100..1000 {
            decisions.of(action, NOW, || REFUSED);
        }
        assert_eq!(decisions.0.borrow().len(), DECISIONS_MAX);
        // One that found no room is decided each time, and rightly.
        assert_eq!(decisions.of(999, NOW, || ALLOWED), (Verdict::LetIn, IsNew(true)));
        assert_eq!(decisions.of(8, NOW, || panic!("it is known")), (NOT_ALLOWED, IsNew(false)));
    }

    #[test]
    fn an_answer_holds_for_its_time_and_is_then_replaced() {
        let decisions = Decisions::default();
        let until = NOW + std::time::Duration::from_secs(60);
        decisions.of(7, NOW, || (Verdict::LetIn, until));
        assert_eq!(decisions.of(7, NOW, || panic!("it is known")), (Verdict::LetIn, IsNew(false)));
        let too_old = Verdict::StepUp(Shortfall::TooOld);
        assert_eq!(decisions.of(7, until, || (too_old, Timestamp::MAX)), (too_old, IsNew(true)));
        assert_eq!(decisions.of(7, until, || panic!("it is known")), (too_old, IsNew(false)));
        assert_eq!(decisions.0.borrow().len(), 1);
    }
}

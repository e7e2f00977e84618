//! The answers of `authorize` about one user, remembered with the visitor.

use std::cell::RefCell;

use crate::action::requirement::Answer;

/// What was decided about a user, by the `authorize` actions that asked.
///
/// Kept with a visitor, so that a refresh, which brings new claims and with them a new visitor, begins anew.
#[derive(Debug, Default)]
pub(crate) struct Decisions(RefCell<Vec<(u64, Answer)>>);

/// Actions whose answer is remembered for one user. A user whom more actions ask for is decided anew by the others.
const DECISIONS_MAX: usize = 64;

impl Decisions {
    /// The answer of an action. It is only found by `decide` where it is not known.
    pub(crate) fn of(&self, action: u64, decide: impl FnOnce() -> Answer) -> (Answer, IsNew) {
        let known = self.0.borrow().iter().find(|(id, _)| *id == action).map(|(_, answer)| *answer);
        if let Some(answer) = known {
            return (answer, IsNew(false));
        }
        let answer = decide();
        let mut all = self.0.borrow_mut();
        if all.len() < DECISIONS_MAX {
            all.push((action, answer));
        }
        (answer, IsNew(true))
    }
}

/// Whether an answer has just been found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IsNew(pub(crate) bool);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_asked_once_and_what_is_remembered_has_a_bound() {
        let decisions = Decisions::default();
        assert_eq!(decisions.of(7, || Answer::Yes), (Answer::Yes, IsNew(true)));
        assert_eq!(decisions.of(7, || panic!("it is known")), (Answer::Yes, IsNew(false)));
        assert_eq!(decisions.of(8, || Answer::No), (Answer::No, IsNew(true)));
        assert_eq!(decisions.of(8, || panic!("it is known")), (Answer::No, IsNew(false)));
        for action in 100..1000 {
            decisions.of(action, || Answer::No);
        }
        assert_eq!(decisions.0.borrow().len(), DECISIONS_MAX);
        // One that found no room is decided each time, and rightly.
        assert_eq!(decisions.of(999, || Answer::Yes), (Answer::Yes, IsNew(true)));
        assert_eq!(decisions.of(8, || panic!("it is known")), (Answer::No, IsNew(false)));
    }
}

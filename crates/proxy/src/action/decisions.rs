//! The answers of `authorize` about one user, remembered with the visitor.

use std::cell::RefCell;

use crate::action::demand::Shortfall;
use crate::clock::Timestamp;
use crate::exchange::rejection::Reason;

/// SHA-256 of a verified certificate.
pub(crate) type Fingerprint = [u8; 32];

/// What becomes of a user at an `authorize` action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
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
    /// The certificate that it was decided with. A visitor is shared by connections, and each has a certificate of its own.
    certificate: Option<Fingerprint>,
    verdict: Verdict,
    until: Timestamp,
}

/// Actions whose answer is remembered for one user. A user whom more actions ask for is decided anew by the others.
const DECISIONS_MAX: usize = 64;

impl Decisions {
    /// The answer of an action about a client with this certificate; `None` if the action does not ask for certificates, or there is none. It is
    /// only found by `decide` where none is known that still holds. `decide` also returns until when its
    /// answer holds.
    pub(crate) fn of(
        &self,
        (action, certificate): (u64, Option<&Fingerprint>),
        now: Timestamp,
        decide: impl FnOnce() -> (Verdict, Timestamp),
    ) -> (Verdict, IsNew) {
        let is_of = |known: &Decided| known.action == action && known.certificate.as_ref() == certificate;
        let known = self.0.borrow().iter().find(|known| is_of(known) && now < known.until).copied();
        if let Some(known) = known {
            return (known.verdict, IsNew(false));
        }
        let (verdict, until) = decide();
        let decided = Decided { action, certificate: certificate.copied(), verdict, until };
        let mut all = self.0.borrow_mut();
        if let Some(over) = all.iter_mut().find(|known| is_of(known)) {
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
        assert_eq!(decisions.of((7, None), NOW, || ALLOWED), (Verdict::LetIn, IsNew(true)));
        assert_eq!(decisions.of((7, None), NOW, || panic!("it is known")), (Verdict::LetIn, IsNew(false)));
        assert_eq!(decisions.of((8, None), NOW, || REFUSED), (NOT_ALLOWED, IsNew(true)));
        assert_eq!(decisions.of((8, None), NOW, || panic!("it is known")), (NOT_ALLOWED, IsNew(false)));
        for action in 100..1000 {
            decisions.of((action, None), NOW, || REFUSED);
        }
        assert_eq!(decisions.0.borrow().len(), DECISIONS_MAX);
        // One that found no room is decided each time, and rightly.
        assert_eq!(decisions.of((999, None), NOW, || ALLOWED), (Verdict::LetIn, IsNew(true)));
        assert_eq!(decisions.of((8, None), NOW, || panic!("it is known")), (NOT_ALLOWED, IsNew(false)));
    }

    #[test]
    fn an_answer_is_for_the_certificate_that_it_was_found_with() {
        let decisions = Decisions::default();
        let (one, other) = ([1; 32], [2; 32]);
        assert_eq!(decisions.of((7, Some(&one)), NOW, || ALLOWED), (Verdict::LetIn, IsNew(true)));
        assert_eq!(decisions.of((7, Some(&other)), NOW, || REFUSED), (NOT_ALLOWED, IsNew(true)));
        assert_eq!(decisions.of((7, None), NOW, || REFUSED), (NOT_ALLOWED, IsNew(true)));
        assert_eq!(decisions.of((7, Some(&one)), NOW, || panic!("it is known")), (Verdict::LetIn, IsNew(false)));
        assert_eq!(decisions.of((7, Some(&other)), NOW, || panic!("it is known")), (NOT_ALLOWED, IsNew(false)));
    }

    #[test]
    fn an_answer_holds_for_its_time_and_is_then_replaced() {
        let decisions = Decisions::default();
        let until = NOW + std::time::Duration::from_secs(60);
        decisions.of((7, None), NOW, || (Verdict::LetIn, until));
        assert_eq!(decisions.of((7, None), NOW, || panic!("it is known")), (Verdict::LetIn, IsNew(false)));
        let too_old = Verdict::StepUp(Shortfall::TooOld);
        assert_eq!(decisions.of((7, None), until, || (too_old, Timestamp::MAX)), (too_old, IsNew(true)));
        assert_eq!(decisions.of((7, None), until, || panic!("it is known")), (too_old, IsNew(false)));
        assert_eq!(decisions.0.borrow().len(), 1);
    }
}

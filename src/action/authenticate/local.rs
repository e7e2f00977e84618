//! What one worker has for itself: the sessions that it opened lately, and its own counters.

use std::cell::RefCell;

use crate::action::authenticate::decision::Absence;
use crate::action::authenticate::signed_in::SignedIn;
use crate::session::opened::Opened;
use crate::telemetry::metrics::{Counter, Registry};

/// A worker's unshared state of every `authenticate-*` action.
#[derive(Debug)]
pub(crate) struct Local {
    pub(super) opened: RefCell<Opened<SignedIn>>,
    pub(super) ok: Counter,
    pub(super) cached: Counter,
    invalid: Counter,
    expired: Counter,
}

impl Local {
    /// With nothing opened.
    pub(crate) fn new(registry: &Registry) -> Self {
        let outcome = |outcome: &str| {
            registry.counter(
                "vestibule_sessions_opened_total",
                "Session cookies that requests carried, by what became of them.",
                vec![("outcome", outcome.to_owned())],
            )
        };
        Self {
            opened: RefCell::default(),
            ok: outcome("ok"),
            cached: outcome("cached"),
            invalid: outcome("invalid"),
            expired: outcome("expired"),
        }
    }

    /// Counts a cookie that gave no session.
    pub(super) fn count(&self, absence: Absence) -> Absence {
        match absence {
            Absence::Nothing => {}
            Absence::Invalid => self.invalid.increment(),
            Absence::Expired => self.expired.increment(),
        }
        absence
    }
}

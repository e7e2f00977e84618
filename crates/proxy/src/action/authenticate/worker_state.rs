//! The state of one worker: the sessions that it decrypted recently, and its own counters.

use std::cell::RefCell;
use std::rc::Rc;

use crate::action::authenticate::decision::Absence;
use crate::action::authenticate::signed_in::SignedIn;
use crate::session::cache::{EvidenceCache, Key};
use crate::session::shards::Shards;
use crate::telemetry::metrics::{Counter, Registry};

/// The state of one worker for all `authenticate-*` actions. It is not shared.
#[derive(Debug)]
pub struct WorkerState {
    pub(super) opened: RefCell<EvidenceCache<SignedIn>>,
    remembered: Counter,
    pub(super) ok: Counter,
    pub(super) cached: Counter,
    invalid: Counter,
    expired: Counter,
    ended: Counter,
}

impl WorkerState {
    /// Creates an empty state.
    pub fn new(registry: &Registry) -> Self {
        let outcome = |outcome: &str| {
            registry.counter(
                "vestibule_sessions_opened_total",
                "Session cookies that requests carried, by what became of them.",
                vec![("outcome", outcome.to_owned())],
            )
        };
        Self {
            opened: RefCell::default(),
            remembered: registry.gauge(
                "vestibule_sessions_remembered",
                "Sessions in use that workers keep opened, each worker's own added up: the most recent ones, up to a bound.",
                vec![],
            ),
            ok: outcome("ok"),
            cached: outcome("cached"),
            invalid: outcome("invalid"),
            expired: outcome("expired"),
            ended: outcome("ended"),
        }
    }

    /// Caches a decrypted session.
    pub(super) fn remember(
        &self,
        opened: &mut EvidenceCache<SignedIn>,
        key: &Key<'_, Shards<'_>>,
        signed_in: &Rc<SignedIn>,
    ) {
        opened.remember(key, Rc::clone(signed_in), signed_in.weight());
        self.remembered.set(opened.len() as u64);
    }

    /// Counts a cookie without a valid session.
    pub(super) fn count(&self, absence: Absence) -> Absence {
        match absence {
            Absence::Nothing => {}
            Absence::Invalid => self.invalid.increment(),
            Absence::Expired => self.expired.increment(),
            Absence::Ended => self.ended.increment(),
        }
        absence
    }
}

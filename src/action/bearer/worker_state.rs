//! The state of one worker: the tokens that it verified recently, and its own counters.

use std::cell::RefCell;
use std::rc::Rc;

use crate::action::visitor::Visitor;
use crate::clock::Timestamp;
use crate::session::cache::{Evidence, EvidenceCache, Key};
use crate::telemetry::metrics::{Counter, Registry};

/// The state of one worker for all bearer tokens. It is not shared.
#[derive(Debug)]
pub(crate) struct BearerState {
    verified: RefCell<EvidenceCache<Visitor>>,
    ok: Counter,
    cached: Counter,
    refused: Counter,
}

/// The bytes of a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenBytes<'t>([&'t [u8]; 1]);

impl<'t> TokenBytes<'t> {
    pub(super) fn of(token: &'t str) -> Self {
        Self([token.as_bytes()])
    }
}

impl Evidence for TokenBytes<'_> {
    fn pieces(&self) -> &[&[u8]] {
        &self.0
    }

    /// The end of the signature. The beginning of a JWT is the same for all tokens of an issuer.
    fn distinct(&self, most: usize) -> &[u8] {
        let [bytes] = self.0;
        &bytes[bytes.len().saturating_sub(most)..]
    }
}

impl BearerState {
    /// Creates an empty state.
    pub(crate) fn new(registry: &Registry) -> Self {
        let outcome = |outcome: &str| {
            registry.counter(
                "vestibule_bearer_tokens_total",
                "Bearer tokens that requests carried, by what became of them: verified (`ok`), verified before by the same worker (`cached`), or `refused`.",
                vec![("outcome", outcome.to_owned())],
            )
        };
        Self { verified: RefCell::default(), ok: outcome("ok"), cached: outcome("cached"), refused: outcome("refused") }
    }

    /// The user of a token that this worker has verified, as long as it holds.
    pub(super) fn find(&self, key: &Key<'_, TokenBytes<'_>>, now: Timestamp) -> Option<Rc<Visitor>> {
        let mut verified = self.verified.borrow_mut();
        let visitor = verified.find(key)?;
        if visitor.lease().is_over(now) {
            verified.forget(key);
            return None;
        }
        self.cached.increment();
        Some(visitor)
    }

    /// Remembers the user of a token that was verified.
    pub(super) fn remember(&self, key: &Key<'_, TokenBytes<'_>>, visitor: &Rc<Visitor>) {
        self.ok.increment();
        let weight = visitor.identity().weight() + visitor.weight();
        self.verified.borrow_mut().remember(key, Rc::clone(visitor), weight);
    }

    /// Counts a token that was refused.
    pub(super) fn refuse(&self) {
        self.refused.increment();
    }
}

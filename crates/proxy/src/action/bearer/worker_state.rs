//! The state of one worker: the tokens that it verified recently, and its own counters.

use std::cell::RefCell;
use std::rc::Rc;

use crate::action::visitor::Visitor;
use crate::clock::Timestamp;
use crate::oidc::introspection::digest::Digest;
use crate::session::cache::{Evidence, EvidenceCache, Key};
use crate::telemetry::metrics::{Counter, Registry};

/// The user of a token that the issuer called active.
#[derive(Debug)]
pub(super) struct Introspected {
    pub(super) visitor: Rc<Visitor>,
    /// Until when it is not asked again.
    pub(super) fresh_until: Timestamp,
}

/// The state of one worker for all bearer tokens. It is not shared.
#[derive(Debug)]
pub struct BearerState {
    verified: RefCell<EvidenceCache<Visitor>>,
    /// By the digests of tokens. Apart, because they hold for other times.
    introspected: RefCell<EvidenceCache<Introspected>>,
    ok: Counter,
    cached: Counter,
    refused: Counter,
}

/// The bytes of a token, or of the digest of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenBytes<'t>([&'t [u8]; 1]);

impl<'t> TokenBytes<'t> {
    pub(super) fn of(token: &'t [u8]) -> Self {
        Self([token])
    }

    pub(super) fn of_digest(digest: &'t Digest) -> Self {
        Self([digest])
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
    pub fn new(registry: &Registry) -> Self {
        let outcome = |outcome: &str| {
            registry.counter(
                "vestibule_bearer_tokens_total",
                "Bearer tokens that requests carried, by what became of them: verified (`ok`), verified before by the same worker (`cached`), or `refused`.",
                vec![("outcome", outcome.to_owned())],
            )
        };
        Self {
            verified: RefCell::default(),
            introspected: RefCell::default(),
            ok: outcome("ok"),
            cached: outcome("cached"),
            refused: outcome("refused"),
        }
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

    /// The user of a token that the issuer called active, as long as that is new.
    pub(super) fn find_introspected(&self, key: &Key<'_, TokenBytes<'_>>, now: Timestamp) -> Option<Rc<Visitor>> {
        let mut introspected = self.introspected.borrow_mut();
        let found = introspected.find(key)?;
        if now >= found.fresh_until {
            introspected.forget(key);
            return None;
        }
        self.cached.increment();
        Some(Rc::clone(&found.visitor))
    }

    /// Remembers the user of a token that the issuer called active.
    /// `token_bytes` is the length of the token, which its user and its lease have.
    pub(super) fn remember_introspected(&self, key: &Key<'_, TokenBytes<'_>>, found: Introspected, token_bytes: usize) {
        self.ok.increment();
        let weight = found.visitor.identity().weight() + found.visitor.weight() + 2 * token_bytes;
        self.introspected.borrow_mut().remember(key, Rc::new(found), weight);
    }

    /// Counts a token that was refused.
    pub(super) fn refuse(&self) {
        self.refused.increment();
    }
}

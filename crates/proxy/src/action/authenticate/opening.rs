//! Opens the session of a request, in three steps:
//!
//! 1. *Carried*: the cookies of the request are parsed. Nothing is decrypted.
//! 2. *Remembered*: this worker has opened the same cookies before. No step takes a lock or waits.
//! 3. *Load*: the session is read from where sessions are kept. Only this step depends on the place, and only it may wait.
//!
//! Most requests end after the second step.

use std::rc::Rc;
use std::sync::Arc;

use http::HeaderMap;

use crate::action::authenticate::decision::Absence;
use crate::action::authenticate::flights::Renewal;
use crate::action::authenticate::gate::Authenticate;
use crate::action::authenticate::session_lease::SessionLease;
use crate::action::authenticate::signed_in::SignedIn;
use crate::action::authenticate::worker_state::WorkerState;
use crate::action::visitor::{self, Claimed, Origins, Visitor, VisitorParts};
use crate::clock::Timestamp;
use crate::session;
use crate::session::cache::Key;
use crate::session::record::Session;
use crate::session::shards::{self, Found, Shards};

impl Authenticate {
    /// The session of a request to `host`: all three steps.
    pub(super) async fn open(
        self: &Arc<Self>,
        worker: &WorkerState,
        host: &str,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Rc<SignedIn>, Absence> {
        let key = self.carried(host, headers).map_err(|absence| worker.count(absence))?;
        match self.remembered(worker, &key, now) {
            Some(remembered) => remembered,
            // Boxed, so that a request whose session is remembered does not reserve the memory for it.
            None => Box::pin(self.load(worker, &key, now)).await,
        }
    }

    /// The user of the session that a request carries, if there is one. Nothing is refreshed.
    pub(in crate::action) async fn user_of(
        self: &Arc<Self>,
        worker: &WorkerState,
        host: &str,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Option<Rc<Visitor>> {
        let signed_in = self.open(worker, host, headers, now).await.ok()?;
        Some(Rc::clone(&signed_in.visitor))
    }

    /// The first step: the session cookies that a request carries.
    pub(super) fn carried<'r>(&self, host: &'r str, headers: &'r HeaderMap) -> Result<Key<'r, Shards<'r>>, Absence> {
        match shards::find(headers, self.factory.sessions.base()) {
            Found::Whole(shards) => Ok(Key { scope: self.id, host, evidence: shards }),
            Found::Broken => Err(Absence::Invalid),
            Found::Nothing => Err(Absence::Nothing),
        }
    }

    /// The second step: the session if this worker has opened it before. `None` if it must be loaded.
    fn remembered(
        &self,
        worker: &WorkerState,
        key: &Key<'_, Shards<'_>>,
        now: Timestamp,
    ) -> Option<Result<Rc<SignedIn>, Absence>> {
        let mut opened = worker.opened.borrow_mut();
        let signed_in = opened.find(key)?;
        if signed_in.lease.is_over(now) {
            opened.forget(key);
            return Some(Err(worker.count(signed_in.lease.absence())));
        }
        worker.cached.increment();
        Some(Ok(signed_in))
    }

    /// The third step: reads the session and remembers it.
    async fn load(
        self: &Arc<Self>,
        worker: &WorkerState,
        key: &Key<'_, Shards<'_>>,
        now: Timestamp,
    ) -> Result<Rc<SignedIn>, Absence> {
        let session = self.read(key.host, &key.evidence).await.map_err(|absence| worker.count(absence))?;
        // Another request with the same cookies may have been faster.
        if let Some(remembered) = self.remembered(worker, key, now) {
            return remembered;
        }
        if session.generation > 0 {
            self.memory.flights.seen(&session.id, session.generation, now);
        }
        let signed_in = Rc::new(self.signed_in(key.host, session, None));
        if signed_in.lease.is_over(now) {
            return Err(worker.count(signed_in.lease.absence()));
        }
        worker.ok.increment();
        worker.remember(&mut worker.opened.borrow_mut(), key, &signed_in);
        Ok(signed_in)
    }

    async fn read(self: &Arc<Self>, host: &str, shards: &Shards<'_>) -> Result<Session, Absence> {
        let session = self.factory.sessions.load(host, shards).await.map_err(|error| match error {
            session::error::Error::Version => Absence::Nothing,
            session::error::Error::Invalid | session::error::Error::TooLarge => Absence::Invalid,
        })?;
        // The session of another rule under the same name. It is valid, but not for this rule (attacks S-03, pitfalls 29).
        if self.gate_of(&session).is_some() { Ok(session) } else { Err(Absence::Nothing) }
    }

    /// The gate of the provider that a session is from. `None` if it is from none of this action.
    fn gate_of(self: &Arc<Self>, session: &Session) -> Option<&Arc<Self>> {
        self.signing_in().iter().find(|gate| gate.factory.is_from_our_provider(session))
    }

    /// Every session that the cookies of a request can be read as, of any provider and also if it has expired: for the sign-out, which
    /// ends all of them. Cookies that come twice have more than one reading.
    pub(super) async fn every_session(&self, host: &str, headers: &HeaderMap) -> Vec<Session> {
        let mut sessions = Vec::new();
        for shards in shards::possible(headers, self.factory.sessions.base()) {
            sessions.extend(self.factory.sessions.load(host, &shards).await);
        }
        sessions
    }

    /// `renewal` has the new cookies for a browser with an older cookie of the session. What becomes of the user later is the business of the
    /// provider that the session is from.
    pub(super) fn signed_in(self: &Arc<Self>, host: &str, session: Session, renewal: Option<Arc<Renewal>>) -> SignedIn {
        let gate = self.gate_of(&session).unwrap_or(self);
        gate.signed_in_here(host, session, renewal)
    }

    fn signed_in_here(self: &Arc<Self>, host: &str, session: Session, renewal: Option<Arc<Renewal>>) -> SignedIn {
        let identity = Arc::clone(&session.identity);
        let prepared = self.claims.prepare(&identity, self.factory.client.client_id());
        for header in prepared.inexpressible() {
            self.metrics.left_out.count(header, &self.memory.left_out);
        }
        let renewer = Arc::clone(&self.renewer);
        let lease = Rc::new(SessionLease::new(session, host, self.settings.session_timeout, renewer));
        let visitor = Visitor::new(VisitorParts {
            identity,
            claimed: Some(Claimed { headers: Arc::clone(&self.claims), prepared }),
            origins: Origins::SameHostAnd(Arc::clone(&self.settings.allowed_origins)),
            lease: Rc::clone(&lease) as Rc<dyn visitor::Lease>,
            reidentify: Arc::clone(self) as Arc<dyn visitor::Reidentify>,
        });
        SignedIn { visitor: Rc::new(visitor), lease, renewal }
    }
}

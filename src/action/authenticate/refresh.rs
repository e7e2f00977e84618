//! Asks for new tokens when most of the access token's life is gone, and gives them to the requests that wait.
//!
//! [`flights`](super::flights) sees to it that a session asks once. A flight is never cut short: a token that was issued is not
//! lost because a browser went away.
//!
//! A refusal ends the refused tokens, and what is open with them (`session::revoked`). It does not end the session's id: where
//! another replica was first and has rotated the tokens, the browser comes with a newer cookie of the same session, and that is
//! good.
//!
//! What this cannot do without a store: two replicas that refresh the same session at the same moment make two calls.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use crate::action::authenticate::Authenticate;
use crate::action::authenticate::decision::Absence;
use crate::action::authenticate::flights::{Flight, Known, Landing, Outcome, Renewal};
use crate::action::authenticate::issuing::Issuing;
use crate::action::authenticate::local::Local;
use crate::action::authenticate::memory::Memory;
use crate::action::authenticate::metrics::Refreshes;
use crate::action::authenticate::signed_in::SignedIn;
use crate::clock::Timestamp;
use crate::drain::Control;
use crate::oidc;
use crate::session::opened::Key;
use crate::session::record::Session;
use crate::session::shards::{self, Found};

/// How long requests wait for new tokens, from the moment that they were asked for, while the old one is still good. Then
/// they go on with that.
const WAIT_BEFORE_EXPIRY: Duration = Duration::from_secs(2);

/// How long they wait when the old one is over. Longer than a provider's own deadline of 10 s, for the token endpoint and
/// then userinfo.
const WAIT_AFTER_EXPIRY: Duration = Duration::from_secs(25);

/// What refreshes the sessions of one action. Shared with the sessions themselves, because a connection that only streams needs
/// new tokens, too.
#[derive(Debug)]
pub(super) struct Renewer {
    pub(super) issuing: Arc<Issuing>,
    pub(super) control: Control,
    pub(super) refreshes: Refreshes,
    pub(super) memory: Memory,
}

impl Renewer {
    /// Begins a flight.
    pub(super) fn start(&self, session: Session, host: &str, landing: Landing) {
        let (issuing, refreshes, memory) = (Arc::clone(&self.issuing), self.refreshes.clone(), self.memory.clone());
        let host = host.to_owned();
        self.control.start(async move {
            let outcome = renew(&issuing, &session, &host).await;
            let now = issuing.clock.now();
            match &outcome {
                Outcome::Renewed(_) => refreshes.renewed.increment(),
                Outcome::Refused => {
                    refreshes.ended.increment();
                    // Before anyone who waits is told: what they ask next finds it over.
                    memory.refuse(&session, now);
                }
                Outcome::Failed => refreshes.failed.increment(),
            }
            landing.land(outcome, now);
        });
    }
}

impl Authenticate {
    /// Renews a session whose refresh is due. The worker then remembers the renewed session under the old cookie, so that
    /// others who come with that are given it without being asked again.
    pub(super) async fn refresh(
        &self,
        local: &Local,
        (host, headers): (&str, &HeaderMap),
        signed_in: &Rc<SignedIn>,
        now: Timestamp,
    ) -> Result<Rc<SignedIn>, Absence> {
        let newest = match signed_in.look(now) {
            Known::Renewed(renewal) => Some(renewal),
            Known::NotBefore(_, newest) => newest,
            Known::Superseded => return Err(local.count(Absence::Expired)),
            Known::UnderWay(flight, newest) => match flight_outcome(flight, signed_in, now).await {
                Outcome::Renewed(renewal) => Some(renewal),
                Outcome::Failed => newest,
                Outcome::Refused => return Err(local.count(Absence::Expired)),
            },
        };
        let signed_in = match newest {
            Some(renewal) => self.remember_renewed(local, (host, headers), renewal),
            None => Rc::clone(signed_in),
        };
        // It may have been signed out, or refused, since the cookie was looked at.
        if signed_in.is_over(now) { Err(local.count(Absence::Expired)) } else { Ok(signed_in) }
    }

    fn remember_renewed(
        &self,
        local: &Local,
        (host, headers): (&str, &HeaderMap),
        renewal: Arc<Renewal>,
    ) -> Rc<SignedIn> {
        let Found::Whole(shards) = shards::find(headers, self.issuing.sessions.base()) else {
            return Rc::new(self.signed_in(host, renewal.session.clone(), Some(renewal)));
        };
        let key = Key { scope: self.id, host, shards: &shards };
        let mut opened = local.opened.borrow_mut();
        // Another request of this worker, which waited for the same flight, may have been first.
        let is_same = |known: &Rc<SignedIn>| known.session().generation == renewal.session.generation;
        if let Some(known) = opened.find(&key).filter(is_same) {
            return known;
        }
        let signed_in = Rc::new(self.signed_in(host, renewal.session.clone(), Some(renewal)));
        local.remember(&mut opened, &key, &signed_in);
        signed_in
    }
}

/// Waits for a flight, all who wait until the same moment: a provider that hangs delays a session's requests once.
async fn flight_outcome(flight: Flight, signed_in: &SignedIn, now: Timestamp) -> Outcome {
    let wait = if signed_in.is_access_token_over(now) { WAIT_AFTER_EXPIRY } else { WAIT_BEFORE_EXPIRY };
    let wait = wait.saturating_sub(now.since(flight.started_at));
    flight.outcome(wait).await
}

/// One call to the provider. Never repeated: a refresh token that has arrived must not arrive again (pitfalls 38).
async fn renew(issuing: &Issuing, session: &Session, host: &str) -> Outcome {
    let Some(refresh_token) = session.refresh_token.clone() else { return Outcome::Failed };
    let asked = oidc::RefreshRequest {
        refresh_token,
        subject: session.identity.subject().to_owned(),
        nonce_hash: session.nonce_hash.clone(),
    };
    let login = match issuing.client.refresh(asked).await {
        Ok(login) => login,
        Err(error) => {
            let is_fatal = error.is_fatal_for_session();
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, ended = is_fatal, "a session's tokens were not refreshed");
            return if is_fatal { Outcome::Refused } else { Outcome::Failed };
        }
    };
    let now = issuing.clock.now();
    let renewed = issuing.renew(session, login, now);
    let saved = renewed.and_then(|new| {
        let cookies = issuing.sessions.save(host, &new, now).ok()?;
        Some(Renewal { is_rotated: new.refresh_token != session.refresh_token, session: new, cookies })
    });
    // Another user, or more than fits: the old tokens may be gone, so there is nothing to go on with.
    saved.map_or(Outcome::Refused, |renewal| Outcome::Renewed(Arc::new(renewal)))
}

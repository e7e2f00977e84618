//! Tokens that the issuer is asked about (RFC 7662): `validation: introspection`, and `auto` for what has not the form of a JWT.
//!
//! A worker remembers the user of a token by the SHA-256 of the token until the answer of the issuer is too old. What the issuer said is also
//! remembered for all workers ([`oidc::introspection`](crate::oidc::introspection)), before the settings of an action are applied to it. So an answer is
//! used by every action of the same issuer, and each of them checks its own audience, scopes and claims (attacks B-11).

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use crate::action::bearer::gate::Bearer;
use crate::action::bearer::introspected_lease::IntrospectedLease;
use crate::action::bearer::worker_state::{BearerState, Introspected, TokenBytes};
use crate::action::visitor::{Lease, Visitor};
use crate::clock::Timestamp;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::uri::CanonicalRequest;
use crate::oidc::access_token::AccessTokenFault;
use crate::oidc::introspection::digest::{Digest, digest};
use crate::oidc::introspection::fairness::Asker;
use crate::oidc::introspection::outcome::{Active, Found, IntrospectionError, Outcome};
use crate::oidc::settings::TOKEN_BYTES_MAX;
use crate::session::cache::Key;
use crate::telemetry::traces::scope;

impl Bearer {
    /// Identifies the user of a token by what the issuer says of it.
    ///
    /// # Errors
    ///
    /// [`Reason::BearerInvalid`], [`Reason::BearerScope`], [`Reason::BearerIntrospectionUnavailable`], [`Reason::BearerIntrospectionBusy`].
    pub(super) async fn introspected(
        self: &Arc<Self>,
        worker: &BearerState,
        token: &str,
        request: &CanonicalRequest,
        (client, now): (IpAddr, Timestamp),
    ) -> Result<Rc<Visitor>, Rejection> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(self.invalid(AccessTokenFault::TooLong, request));
        }
        let digest = digest(token);
        let key = Key { scope: self.id, host: "", evidence: TokenBytes::of_digest(&digest) };
        if let Some(visitor) = worker.find_introspected(&key, now) {
            return Ok(visitor);
        }
        let active = match self.outcome(token, &digest, (Asker::Client(client), now)).await? {
            Outcome::Active(active) => active,
            Outcome::Inactive => return Err(self.invalid(AccessTokenFault::Inactive, request)),
            Outcome::Failed(error) => return Err(Rejection::new(Reason::BearerIntrospectionUnavailable, error)),
        };
        let visitor = self.vouched(token, digest, &active, request)?;
        let found = Introspected { visitor: Rc::clone(&visitor), fresh_until: active.fresh_until };
        worker.remember_introspected(&key, found, token.len());
        Ok(visitor)
    }

    async fn outcome(
        self: &Arc<Self>,
        token: &str,
        digest: &Digest,
        asked: (Asker, Timestamp),
    ) -> Result<Outcome, Rejection> {
        match self.look(token, digest, asked) {
            Found::Known(outcome) => Ok(outcome),
            // The call goes on if this request ends.
            Found::UnderWay(flight) => {
                Ok(flight.landed().await.unwrap_or_else(|| Outcome::Failed(Arc::new(IntrospectionError::Abandoned))))
            }
            Found::Busy => Err(Reason::BearerIntrospectionBusy.into()),
        }
    }

    /// What is known of a token. A call that it needs runs on the control runtime.
    pub(super) fn look(&self, token: &str, digest: &Digest, asked: (Asker, Timestamp)) -> Found {
        self.client.introspection(token, digest, asked, |call| self.control.start_detached(scope::carried(call)))
    }

    fn vouched(
        self: &Arc<Self>,
        token: &str,
        digest: Digest,
        active: &Active,
        request: &CanonicalRequest,
    ) -> Result<Rc<Visitor>, Rejection> {
        // Only the identity headers need the token.
        let kept = self.claims.is_some().then_some(token);
        let accepted = self.client.accept_introspected(active, kept, &self.settings.wanted);
        let accepted = accepted.map_err(|fault| self.invalid(fault, request))?;
        self.check(&accepted.claims, request)?;
        let lease =
            IntrospectedLease::new(Arc::clone(self), (token, digest), accepted.accepted_until, active.fresh_until);
        Ok(Rc::new(self.visitor(accepted, Rc::new(lease) as Rc<dyn Lease>)))
    }
}

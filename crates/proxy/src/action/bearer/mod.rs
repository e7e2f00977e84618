//! `jwt-validation` (ALB §8): the request must carry a valid access token. Also one half of `session-or-bearer`.
//!
//! There is one [`Bearer`] per action, shared by the workers. A worker verifies a token once and remembers its user by the bytes of the
//! token until it ends ([`worker_state`]). Tokens that the issuer is asked about are the business of [`introspected`]. Start at [`Bearer::run`].

mod challenge;
mod credential;
mod gate;
mod introspected;
mod introspected_lease;
mod metadata;
mod reidentify;
mod token_lease;
mod wanted_claims;
pub mod worker_state;

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderMap;
use serde_json::Value;

use crate::action::settings::{BearerSettings, Validation};
use crate::action::supposed_user::Supposed;
use crate::action::visitor::{Claimed, Lease, Origins, Reidentify, Visitor, VisitorParts};
use crate::clock::Timestamp;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::identity::endings::{Endings, Standing};
use crate::identity::{Claims, Identity};
use crate::jose::compact;
use crate::jose::verify::Fault;
use crate::message::uri::CanonicalRequest;
use crate::oidc::access_token::{AccessToken, AccessTokenFault, Decided};
use crate::oidc::error::Error;
use crate::oidc::introspection::outcome::Active;
use crate::session::cache::Key;
use crate::telemetry::traces::scope;
use challenge::Problem;
use credential::Carried;
pub use gate::Bearer;
use token_lease::TokenLease;
use wanted_claims::{has_scope, holds};
use worker_state::{BearerState, TokenBytes};

/// The token lacks what the action wants beside its signature.
#[derive(Debug, thiserror::Error)]
enum Lacking {
    #[error("the token does not have the scope `{0}`")]
    Scope(String),
    #[error("the claim `{0}` of the token has none of the values that `additional_claims` wants")]
    Claim(String),
}

impl Bearer {
    /// Identifies the user of the token that the request must carry.
    ///
    /// # Errors
    ///
    /// [`Reason::BearerMissing`], and the errors of [`carried`](Self::carried).
    pub(in crate::action) async fn run(
        self: &Arc<Self>,
        worker: &BearerState,
        exchange: &mut Exchange,
        (request, headers): (&CanonicalRequest, &HeaderMap),
    ) -> Result<Rc<Visitor>, Rejection> {
        match self.carried(worker, exchange, (request, headers)).await? {
            Some(visitor) => Ok(visitor),
            None => Err(self.missing(request, Reason::BearerMissing.into())),
        }
    }

    /// Identifies the user of the token that the request carries. `None` if it carries none.
    ///
    /// # Errors
    ///
    /// [`Reason::BearerMalformed`], [`Reason::BearerInvalid`], [`Reason::BearerScope`], [`Reason::BearerKeysUnavailable`], and those of
    /// [`introspected`](Self::introspected).
    pub(in crate::action) async fn carried(
        self: &Arc<Self>,
        worker: &BearerState,
        exchange: &mut Exchange,
        (request, headers): (&CanonicalRequest, &HeaderMap),
    ) -> Result<Option<Rc<Visitor>>, Rejection> {
        let bytes = match credential::of(headers) {
            Carried::Nothing => return Ok(None),
            Carried::Malformed => return Err(self.malformed(worker, request)),
            Carried::Unread(bytes) => bytes,
        };
        let now = exchange.started_at;
        let key = Key { scope: self.id, host: "", evidence: TokenBytes::of(bytes) };
        let visitor = match worker.find(&key, now) {
            Some(visitor) => visitor,
            // Boxed, so that a request whose token is remembered does not reserve the memory for it.
            None => {
                let Some(token) = credential::token(bytes) else { return Err(self.malformed(worker, request)) };
                let verifying = self.unknown(worker, token, &key, (request, exchange.client, now));
                let verified = Box::pin(scope::within(exchange.scope(), verifying)).await;
                verified.inspect_err(|_| worker.refuse())?
            }
        };
        exchange.subject = Some(Rc::clone(visitor.subject()));
        Ok(Some(visitor))
    }

    /// Says in the answer that a token, or another one, would do.
    pub(in crate::action) fn missing(&self, request: &CanonicalRequest, rejection: Rejection) -> Rejection {
        self.challenged(rejection, Problem::Nothing, request)
    }

    #[cold]
    fn malformed(&self, worker: &BearerState, request: &CanonicalRequest) -> Rejection {
        worker.refuse();
        self.challenged(Reason::BearerMalformed.into(), Problem::Malformed, request)
    }

    /// The user of a token that this worker has not verified.
    async fn unknown(
        self: &Arc<Self>,
        worker: &BearerState,
        token: &str,
        key: &Key<'_, TokenBytes<'_>>,
        (request, client, now): (&CanonicalRequest, IpAddr, Timestamp),
    ) -> Result<Rc<Visitor>, Rejection> {
        if self.settings.validation.introspects(token) {
            self.introspected(worker, token, request, (client, now)).await
        } else {
            self.of_issuer_of(token).verify(worker, token, key, request).await
        }
    }

    /// The part of this action that verifies a token: the one of the issuer that the token names.
    fn of_issuer_of(self: &Arc<Self>, token: &str) -> &Arc<Self> {
        if self.others.is_empty() {
            return self;
        }
        // Not verified: it only selects who verifies the token.
        let claims = compact::unverified_claims(token).unwrap_or_default();
        let issuer = claims.get("iss").and_then(Value::as_str);
        let is_of = |one: &&Arc<Self>| Some(one.client.issuer()) == issuer;
        std::iter::once(self).chain(&self.others).find(is_of).unwrap_or(self)
    }

    async fn verify(
        self: &Arc<Self>,
        worker: &BearerState,
        token: &str,
        key: &Key<'_, TokenBytes<'_>>,
        request: &CanonicalRequest,
    ) -> Result<Rc<Visitor>, Rejection> {
        let answer = match self.client.verify_with_known_keys(token, &self.settings.wanted) {
            Some(Decided { answer, are_keys_old }) => {
                if are_keys_old {
                    self.renew_keys();
                }
                answer
            }
            None => self.ask(token.to_owned()).await?,
        };
        let token = answer.map_err(|fault| self.invalid(fault, request))?;
        self.check(&token.claims, request)?;
        let (accepted_until, signed_by) = (token.accepted_until, token.key.clone());
        let sign_in = self.endings.as_ref().map(|endings| self.sign_in(endings, &token));
        let lease = Rc::new(TokenLease { accepted_until, key: signed_by, sign_in, bearer: Arc::clone(self) });
        if lease.has_been_ended() {
            return Err(self.challenged(
                Reason::BearerEnded.into(),
                Problem::Invalid("the user was signed out"),
                request,
            ));
        }
        let visitor = Rc::new(self.visitor(token, lease as Rc<dyn Lease>));
        worker.remember(key, &visitor);
        Ok(visitor)
    }

    /// What the issuer says of the sign-in that a token is from.
    fn sign_in(&self, endings: &Arc<Endings>, token: &AccessToken) -> Standing {
        let issued_at = token.claims.get("iat").and_then(Value::as_u64).unwrap_or_default();
        Standing::new(Arc::clone(endings), token.identity.subject(), &token.claims, Timestamp::from_seconds(issued_at))
    }

    /// Has the keys of the issuer fetched again, behind the request, if they are old.
    pub(super) fn renew_keys(&self) {
        let client = Arc::clone(&self.client);
        self.control.start_detached(scope::carried(async move { client.renew_keys().await }));
    }

    /// Verifies a token with the keys of its issuer, which may have to be fetched, on the control runtime.
    async fn ask(&self, token: String) -> Result<Result<AccessToken, AccessTokenFault>, Rejection> {
        let (client, settings) = (Arc::clone(&self.client), Arc::clone(&self.settings));
        let verifying = async move { client.verify_access_token(&token, &settings.wanted).await };
        let asked = self.control.run(scope::carried(verifying)).await;
        let asked = asked.map_err(|error| Rejection::new(Reason::Internal, error))?;
        asked.map_err(|error: Error| Rejection::new(Reason::BearerKeysUnavailable, error))
    }

    fn invalid(&self, fault: AccessTokenFault, request: &CanonicalRequest) -> Rejection {
        let told = told(&fault);
        self.challenged(Rejection::new(Reason::BearerInvalid, fault), Problem::Invalid(told), request)
    }

    /// The user whom a token with these claims would give. Nothing is verified: for `check` only.
    ///
    /// # Errors
    ///
    /// Why a token with these claims would be refused, whoever signed it.
    pub fn supposed(&self, payload: Claims, request: &CanonicalRequest) -> Result<Supposed, Rejection> {
        let named = payload.get("iss").and_then(Value::as_str);
        let other = self.others.iter().find(|other| Some(other.client.issuer()) == named);
        if let Some(other) = other.filter(|_| named != Some(self.client.issuer())) {
            return other.supposed(payload, request);
        }
        let is_introspected = match self.settings.validation {
            Validation::Keys => false,
            Validation::Introspection => true,
            // Only an answer of the issuer has this member.
            Validation::ByForm => payload.contains_key("active"),
        };
        let supposed = if is_introspected {
            self.client.supposed_introspected(payload, &self.settings.wanted)
        } else {
            self.client.supposed_token(payload, &self.settings.wanted)
        };
        let (identity, claims) = supposed.map_err(|fault| self.invalid(fault, request))?;
        self.check(&claims, request)?;
        let client = self.client_of(&claims).to_owned();
        Ok(Supposed { identity, claims: self.claims.clone().map(|headers| (headers, client)) })
    }

    /// Where Vestibule is no client of the issuer, the client is the one that got the token.
    fn client_of<'c>(&'c self, claims: &'c Claims) -> &'c str {
        let said = ["client_id", "azp"].iter().find_map(|name| claims.get(*name).and_then(Value::as_str));
        Some(self.client.client_id()).filter(|id| !id.is_empty()).or(said).unwrap_or_default()
    }

    /// The user of a token, if it is still accepted by what the issuer says of it now.
    fn still_accepts(&self, active: &Active) -> Option<Identity> {
        let accepted = self.client.accept_introspected(active, None, &self.settings.wanted).ok()?;
        self.lacking(&accepted.claims).is_none().then_some(accepted.identity)
    }

    /// Checks what the action wants beside a valid token.
    fn check(&self, claims: &Claims, request: &CanonicalRequest) -> Result<(), Rejection> {
        let Some(lacking) = self.lacking(claims) else { return Ok(()) };
        let (reason, told) = match &lacking {
            Lacking::Claim(_) => (Reason::BearerInvalid, Problem::Invalid("a claim is missing or has another value")),
            Lacking::Scope(_) => (Reason::BearerScope, Problem::Scope(&self.settings.scopes)),
        };
        Err(self.challenged(Rejection::new(reason, lacking), told, request))
    }

    fn lacking(&self, claims: &Claims) -> Option<Lacking> {
        let BearerSettings { additional_claims, scopes, .. } = &*self.settings;
        let claim = additional_claims.iter().find(|wanted| !holds(wanted, claims));
        let claim = claim.map(|wanted| Lacking::Claim(wanted.name.clone()));
        let scope = || scopes.iter().find(|scope| !has_scope(claims, scope)).cloned().map(Lacking::Scope);
        claim.or_else(scope)
    }

    fn visitor(self: &Arc<Self>, token: AccessToken, lease: Rc<dyn Lease>) -> Visitor {
        let AccessToken { identity, claims, .. } = token;
        let claimed = self.claims.as_ref().map(|headers| {
            let prepared = headers.prepare(&identity, self.client_of(&claims));
            Claimed { prepared, headers: Arc::clone(headers) }
        });
        Visitor::new(VisitorParts {
            identity: Arc::new(identity),
            claimed,
            // No browser adds a bearer token to the request of a page of another site.
            origins: Origins::Any,
            lease,
            reidentify: Arc::clone(self) as Arc<dyn Reidentify>,
        })
    }
}

/// What a client is told of a token that is refused: what it can use. The log has the rest.
const fn told(fault: &AccessTokenFault) -> &'static str {
    match fault {
        AccessTokenFault::Token(Fault::Expired) => "the token has expired",
        AccessTokenFault::Token(Fault::NotYetValid | Fault::IssuedInFuture) => "the token is not valid yet",
        AccessTokenFault::Token(Fault::Audience(_)) => "the token is for another audience",
        AccessTokenFault::Token(Fault::Issuer(_)) => "the token is of another issuer",
        AccessTokenFault::OtherKind(_) => "the token is of another kind",
        AccessTokenFault::Bound => "the token is bound to a key",
        AccessTokenFault::Inactive => "the token is not active",
        AccessTokenFault::TooLong => "the token is too long",
        AccessTokenFault::Form(_)
        | AccessTokenFault::Algorithm
        | AccessTokenFault::Token(_)
        | AccessTokenFault::Subject => "the token is not valid",
    }
}

//! `jwt-validation` (ALB §8): the request must carry a valid access token. Also one half of `session-or-bearer`.
//!
//! There is one [`Bearer`] per action, shared by the workers. A worker verifies a token once and remembers its user by the bytes of the
//! token until it ends ([`worker_state`]). Start at [`Bearer::run`].

mod challenge;
mod credential;
mod gate;
mod metadata;
mod reidentify;
mod token_lease;
mod wanted_claims;
pub(crate) mod worker_state;

use std::rc::Rc;
use std::sync::Arc;

use http::HeaderMap;
use serde_json::Value;

use crate::action::supposed_user::Supposed;
use crate::action::visitor::{Claimed, Lease, Origins, Reidentify, Visitor, VisitorParts};
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::identity::Claims;
use crate::jose::verify::Fault;
use crate::message::uri::CanonicalRequest;
use crate::oidc::access_token::{AccessToken, AccessTokenFault, Decided};
use crate::oidc::error::Error;
use crate::session::cache::Key;
use challenge::Problem;
use credential::Carried;
pub(crate) use gate::Bearer;
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
    /// [`Reason::BearerMalformed`], [`Reason::BearerInvalid`], [`Reason::BearerScope`], [`Reason::BearerKeysUnavailable`].
    pub(in crate::action) async fn carried(
        self: &Arc<Self>,
        worker: &BearerState,
        exchange: &mut Exchange,
        (request, headers): (&CanonicalRequest, &HeaderMap),
    ) -> Result<Option<Rc<Visitor>>, Rejection> {
        let token = match credential::of(headers) {
            Carried::Nothing => return Ok(None),
            Carried::Malformed => {
                worker.refuse();
                return Err(self.challenged(Reason::BearerMalformed.into(), Problem::Malformed, request));
            }
            Carried::Token(token) => token,
        };
        let now = exchange.started_at;
        let key = Key { scope: self.id, host: "", evidence: TokenBytes::of(token) };
        let visitor = match worker.find(&key, now) {
            Some(visitor) => visitor,
            // Boxed, so that a request whose token is remembered does not reserve the memory for it.
            None => Box::pin(self.verify(worker, token, &key, request)).await.inspect_err(|_| worker.refuse())?,
        };
        exchange.subject = Some(Rc::clone(visitor.subject()));
        Ok(Some(visitor))
    }

    /// Says in the answer that a token would do.
    pub(in crate::action) fn missing(&self, request: &CanonicalRequest, rejection: Rejection) -> Rejection {
        self.challenged(rejection, Problem::Nothing, request)
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
                    let client = Arc::clone(&self.client);
                    self.control.start_detached(async move { client.renew_keys().await });
                }
                answer
            }
            None => self.ask(token.to_owned()).await?,
        };
        let token = answer.map_err(|fault| self.invalid(fault, request))?;
        self.check(&token.claims, request)?;
        let visitor = Rc::new(self.visitor(token));
        worker.remember(key, &visitor);
        Ok(visitor)
    }

    /// Verifies a token with the keys of its issuer, which may have to be fetched, on the control runtime.
    async fn ask(&self, token: String) -> Result<Result<AccessToken, AccessTokenFault>, Rejection> {
        let (client, settings) = (Arc::clone(&self.client), Arc::clone(&self.settings));
        let asked = self.control.run(async move { client.verify_access_token(&token, &settings.wanted).await }).await;
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
    pub(crate) fn supposed(&self, payload: Claims, request: &CanonicalRequest) -> Result<Supposed, Rejection> {
        let supposed = self.client.supposed_token(payload, &self.settings.wanted);
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

    /// Checks what the action wants beside a valid token.
    fn check(&self, claims: &Claims, request: &CanonicalRequest) -> Result<(), Rejection> {
        if let Some(wanted) = self.settings.additional_claims.iter().find(|wanted| !holds(wanted, claims)) {
            let lacking = Lacking::Claim(wanted.name.clone());
            let rejection = Rejection::new(Reason::BearerInvalid, lacking);
            let told = Problem::Invalid("a claim is missing or has another value");
            return Err(self.challenged(rejection, told, request));
        }
        if let Some(scope) = self.settings.scopes.iter().find(|scope| !has_scope(claims, scope)) {
            let rejection = Rejection::new(Reason::BearerScope, Lacking::Scope(scope.clone()));
            return Err(self.challenged(rejection, Problem::Scope(&self.settings.scopes), request));
        }
        Ok(())
    }

    fn visitor(self: &Arc<Self>, token: AccessToken) -> Visitor {
        let AccessToken { identity, claims, accepted_until } = token;
        let claimed = self.claims.as_ref().map(|headers| {
            let prepared = headers.prepare(&identity, self.client_of(&claims));
            Claimed { prepared, headers: Arc::clone(headers) }
        });
        Visitor::new(VisitorParts {
            identity: Arc::new(identity),
            claimed,
            // No browser adds a bearer token to the request of a page of another site.
            origins: Origins::Any,
            lease: Rc::new(TokenLease { accepted_until }) as Rc<dyn Lease>,
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
        AccessTokenFault::Form(_)
        | AccessTokenFault::Algorithm
        | AccessTokenFault::Token(_)
        | AccessTokenFault::Subject => "the token is not valid",
    }
}

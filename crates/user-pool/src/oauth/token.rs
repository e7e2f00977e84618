//! Token endpoint (RFC 6749 §3.2): redeems codes and refresh tokens.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::clock::Timestamp;
use crate::database;
use crate::directory::client::Client;
use crate::directory::user::User;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::oauth::client_auth::{self, Caller};
use crate::oauth::error::Error;
use crate::oauth::grant::record::{Fault, Grant, Presented, Redeemed, Refused};
use crate::oauth::holder::Holder;
use crate::oauth::issuer::IdToken;
use crate::oauth::provider::Provider;
use crate::oauth::request::{self, one};
use crate::reply;
use crate::seen::Seen;
use crate::settings::Pkce;

const NOT_FOR_USERS: Error = Error::new("unauthorized_client", "the client may not use authorization_code");

impl Provider {
    /// Answers a token request.
    pub(crate) async fn token(&self, headers: &HeaderMap, form: &Form<'_>, caller: Caller) -> WholeResponse {
        self.try_token(headers, form, caller).await.unwrap_or_else(Error::answer)
    }

    async fn try_token(&self, headers: &HeaderMap, form: &Form<'_>, caller: Caller) -> Result<WholeResponse, Error> {
        let now = self.clock.now();
        let client = self.client(headers, form, caller)?;
        let seen = Seen::of(headers, caller.address());
        match one(form, "grant_type")? {
            Some("authorization_code") => self.by_code(&client, form, seen, now).await,
            Some("refresh_token") => self.by_refresh_token(&client, form, seen, now).await,
            Some("client_credentials") => self.by_client_credentials(&client, form, now),
            Some(_) => Err(Error::new("unsupported_grant_type", "the token endpoint does not know this grant_type")),
            None => Err(Error::request("grant_type is missing")),
        }
    }

    /// The client that sends a request, if it has proved that.
    pub(super) fn client(&self, headers: &HeaderMap, form: &Form<'_>, caller: Caller) -> Result<Arc<Client>, Error> {
        let now = self.clock.now();
        client_auth::authenticate(headers, form, &self.directory, caller, |client, secret| {
            self.secrets.check(client, secret, caller.address(), now)
        })
    }

    async fn by_code(
        &self,
        client: &Client,
        form: &Form<'_>,
        seen: Seen,
        now: Timestamp,
    ) -> Result<WholeResponse, Error> {
        if !client.options().grant_types.has_code() {
            return Err(NOT_FOR_USERS);
        }
        let presented = Presented {
            code: one(form, "code")?.ok_or(Error::request("code is missing"))?,
            client_id: client.id(),
            redirect_uri: one(form, "redirect_uri")?.ok_or(Error::request("redirect_uri is missing"))?,
            code_verifier: one(form, "code_verifier")?,
        };
        if client.pkce() == Pkce::Required && presented.code_verifier.is_none() {
            return Err(Error::request("code_verifier is missing"));
        }
        let resource = request::resource(form, client)?;
        // The redirect URI may have been removed from the configuration since the code was issued.
        if !client.allows_redirect(presented.redirect_uri) {
            return Err(Error::NOT_VALID);
        }
        // Before the code is used up: if the database fails, the client can try again.
        let holder = match self.stored(self.grants.grant_of_code(presented.code).await)? {
            Some(grant) => self.stored(self.holder(&grant).await)?,
            None => Holder::Nobody,
        };
        let redeemed = self.grants.redeem(&presented, seen, now).await.map_err(|fault| self.refused(fault, client))?;
        check_resource(resource, &redeemed.grant, client)?;
        // The user signed out between the redirect and this request.
        if self.sessions.has_ended(redeemed.grant.session(), now) {
            return Err(Error::NOT_VALID);
        }
        let user = self.counted(holder)?;
        let answer = self.answer(client, (&redeemed, &user), &redeemed.grant.scope, now);
        self.metrics.tokens_by_code.increment();
        Ok(answer)
    }

    async fn by_refresh_token(
        &self,
        client: &Client,
        form: &Form<'_>,
        seen: Seen,
        now: Timestamp,
    ) -> Result<WholeResponse, Error> {
        if !client.options().grant_types.has_refresh() {
            return Err(Error::new("unauthorized_client", "the client may not use refresh_token"));
        }
        let token = one(form, "refresh_token")?.ok_or(Error::request("refresh_token is missing"))?;
        let (wanted, resource) = (one(form, "scope")?, request::resource(form, client)?);
        let refused = |fault| self.refused(fault, client);
        let token = self.grants.open_refresh_token(token, client.id(), wanted, now).await.map_err(refused)?;
        check_resource(resource, token.grant(), client).map_err(|_| Error::NOT_VALID)?;
        // A token that is not in force is not used up: a configuration that is taken back may put it in force again.
        if !token.grant().has("offline_access") && self.sessions.has_ended(token.grant().session(), now) {
            // RP-Initiated Logout §2: only `offline_access` outlives the session.
            return Err(Error::NOT_VALID);
        }
        let user = self.counted(self.stored(self.holder(token.grant()).await)?)?;
        let redeemed = self.grants.refresh(token, seen, now).await.map_err(refused)?;
        // RFC 6749 §6: the requested scope may be smaller than the granted one, but not larger.
        let scope = wanted.unwrap_or(&redeemed.grant.scope);
        let answer = self.answer(client, (&redeemed, &user), scope, now);
        self.metrics.tokens_by_refresh.increment();
        Ok(answer)
    }

    /// The user of a grant that is presented. Counts those for whom it is not enough any more.
    fn counted(&self, holder: Holder) -> Result<Arc<User>, Error> {
        if matches!(holder, Holder::NotEnough) {
            self.metrics.grants_not_enough.increment();
        }
        holder.user()
    }

    fn answer(
        &self,
        client: &Client,
        (redeemed, user): (&Redeemed, &User),
        scope: &str,
        now: Timestamp,
    ) -> WholeResponse {
        let Redeemed { grant, nonce, family, refresh_token } = redeemed;
        let access_token = self.issuer.access_token((grant, user), scope, family, now);
        let mut grant = grant.clone();
        scope.clone_into(&mut grant.scope);
        let mut body = json!({
            "access_token": access_token.expose(),
            "token_type": "Bearer",
            "expires_in": self.issuer.lifetimes(client.id()).access.as_secs(),
            "scope": grant.scope,
        });
        if client.options().grant_types.has_refresh()
            && let Some(body) = body.as_object_mut()
        {
            body.insert("refresh_token".into(), refresh_token.expose().as_str().into());
        }
        if grant.has("openid")
            && let Some(body) = body.as_object_mut()
        {
            let id_token = IdToken {
                algorithm: client.id_token_algorithm(),
                grant: &grant,
                user,
                nonce: nonce.as_deref(),
                access_token: &access_token,
                family,
            };
            let id_token = self.issuer.id_token(&id_token, now);
            body.insert("id_token".into(), id_token.expose().as_str().into());
        }
        reply::json(StatusCode::OK, &body)
    }

    /// What the database answers. Its failure is reported.
    pub(super) fn stored<T>(&self, answer: Result<T, database::Error>) -> Result<T, Error> {
        answer.map_err(|error| {
            self.failures.report(&error);
            Error::unavailable()
        })
    }

    /// Why a request fails although the client is not refused.
    pub(super) fn not_refused(&self, fault: Fault) -> Result<(), Error> {
        match fault {
            Fault::Refused(_) => Ok(()),
            Fault::Database(error) => self.stored(Err(error)),
        }
    }

    pub(super) fn refused(&self, fault: Fault, client: &Client) -> Error {
        let refused = match fault {
            Fault::Refused(refused) => refused,
            Fault::Database(error) => {
                self.failures.report(&error);
                return Error::unavailable();
            }
        };
        match refused {
            Refused::Invalid => Error::NOT_VALID,
            Refused::Scope => Error::new("invalid_scope", "more is asked for than was granted"),
            Refused::TooMany(wait) => Error::too_many(wait),
            Refused::Reused => {
                self.metrics.reuse_detected.increment();
                tracing::warn!(
                    app_client.id = client.id(),
                    "a code or refresh token was used twice; everything that was issued from it is revoked"
                );
                Error::NOT_VALID
            }
        }
    }
}

/// The token is for the resource of the grant, which the client may still have. RFC 8707 §2.2: a request for another one is refused.
fn check_resource(asked: Option<String>, grant: &Grant, client: &Client) -> Result<(), Error> {
    let is_allowed = grant.resource.as_deref().is_none_or(|resource| client.audience(resource) == Some(resource));
    let is_same = asked.is_none() || asked == grant.resource;
    if is_allowed && is_same { Ok(()) } else { Err(Error::target("the grant is not for this resource")) }
}

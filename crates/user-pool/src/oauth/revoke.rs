//! Revocation endpoint (RFC 7009).

use http::HeaderMap;

use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::oauth::client_auth::Caller;
use crate::oauth::error::Error;
use crate::oauth::grant::record::Revoked;
use crate::oauth::provider::Provider;
use crate::oauth::request::one;
use crate::reply;

impl Provider {
    /// Ends the family of a refresh token: its refresh tokens, and its access tokens at the endpoints of the pool (pool §8.5).
    pub(crate) async fn revoke(&self, headers: &HeaderMap, form: &Form<'_>, caller: Caller) -> WholeResponse {
        self.try_revoke(headers, form, caller).await.unwrap_or_else(Error::answer)
    }

    async fn try_revoke(&self, headers: &HeaderMap, form: &Form<'_>, caller: Caller) -> Result<WholeResponse, Error> {
        let (client, now) = (self.client(headers, form, caller)?, self.clock.now());
        let token = one(form, "token")?.ok_or(Error::request("token is missing"))?;
        if self.issuer.is_signed(token, now) {
            return Err(Error::new("unsupported_token_type", "only refresh tokens can be revoked"));
        }
        match self.stored(self.grants.revoke(token, client.id(), now).await)? {
            // RFC 7009 §2.2: a token that is not valid is no error, because the client could do nothing about it.
            Revoked::Done | Revoked::Unknown => Ok(reply::nothing()),
            Revoked::OfAnother => Err(Error::new("unauthorized_client", "the token is another client's")),
        }
    }
}

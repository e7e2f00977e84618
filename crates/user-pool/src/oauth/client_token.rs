//! Tokens of clients for themselves: the grant `client_credentials` (RFC 6749 §4.4, pool §8.3).

use http::StatusCode;
use serde_json::json;

use crate::client_options::GrantTypes;
use crate::clock::Timestamp;
use crate::directory::client::Client;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::oauth::error::Error;
use crate::oauth::provider::Provider;
use crate::oauth::request::one;
use crate::reply;

impl Provider {
    /// Issues an access token for the scopes of resource servers that the client asks for, or for all that it may have.
    pub(super) fn by_client_credentials(
        &self,
        client: &Client,
        form: &Form<'_>,
        now: Timestamp,
    ) -> Result<WholeResponse, Error> {
        if client.is_public() || client.options().grant_types != GrantTypes::ClientCredentials {
            return Err(Error::new("unauthorized_client", "the client may not use client_credentials"));
        }
        let allowed: Vec<&str> = client.options().of_resource_servers().collect();
        let scopes: Vec<&str> = match one(form, "scope")? {
            // RFC 6749 §3.3: without a scope, the default ones.
            None => allowed,
            Some(asked) => {
                let asked: Vec<&str> = asked.split(' ').filter(|scope| !scope.is_empty()).collect();
                if asked.iter().any(|scope| !allowed.contains(scope)) {
                    return Err(Error::new("invalid_scope", "the client may not have this scope"));
                }
                asked
            }
        };
        if scopes.is_empty() {
            return Err(Error::new("invalid_scope", "the client has no scope"));
        }
        self.grants.count_client(client.id(), now).map_err(|refused| self.refused(refused.into(), client))?;
        let token = self.issuer.client_token(client.id(), &scopes, now);
        self.metrics.tokens_by_client.increment();
        let body = json!({
            "access_token": token.expose(),
            "token_type": "Bearer",
            "expires_in": self.issuer.lifetimes(client.id()).access.as_secs(),
            "scope": scopes.join(" "),
        });
        Ok(reply::json(StatusCode::OK, &body))
    }
}

//! Introspection endpoint (RFC 7662).

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::directory::client::Client;
use crate::identity::{ASKED_AT, Claims};
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::oauth::access::text;
use crate::oauth::client_auth::Caller;
use crate::oauth::error::Error;
use crate::oauth::issuer::members;
use crate::oauth::provider::Provider;
use crate::oauth::request::one;
use crate::reply;

/// The claims of an access token that the answer repeats (RFC 7662 §2.2, RFC 9068 §6).
const REPEATED: &[&str] =
    &["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "auth_time", ASKED_AT, "username", "acr", "amr"];

impl Provider {
    /// Says whether a token is in force, and what it stands for. A client learns that of its own tokens, and one with `introspection: true` of all.
    pub(crate) async fn introspect(&self, headers: &HeaderMap, form: &Form<'_>, caller: Caller) -> WholeResponse {
        let answer = self.try_introspect(headers, form, caller).await;
        answer.map_or_else(Error::answer, |answer| reply::json(StatusCode::OK, &answer))
    }

    async fn try_introspect(&self, headers: &HeaderMap, form: &Form<'_>, caller: Caller) -> Result<Value, Error> {
        let (client, now) = (self.client(headers, form, caller)?, self.clock.now());
        // RFC 7662 §2.1: who asks must have proved who it is, so that nobody tries tokens.
        if client.is_public() {
            return Err(Error::new("invalid_client", "a client without a secret cannot ask about tokens"));
        }
        let token = one(form, "token")?.ok_or(Error::request("token is missing"))?;
        let found = match self.issuer.read_any_access_token(token, now) {
            Some(claims) => self.of_access_token(claims).await?,
            None => self.of_refresh_token(token, &client, now).await?,
        };
        // RFC 7662 §2.2: about a token that the client may not ask about it learns no more than about one that is none.
        let mut found = found.filter(|found| is_allowed(&client, found)).unwrap_or_default();
        found.insert("active".into(), (!found.is_empty()).into());
        Ok(Value::Object(found))
    }

    async fn of_access_token(&self, claims: Claims) -> Result<Option<Claims>, Error> {
        // A user of the configuration may have the ID of a client as the `sub`. Only a token of a user has a family and a name.
        let is_of_client = ["origin_jti", "username"].iter().all(|name| !claims.contains_key(*name));
        let claims = if is_of_client {
            let client_id = text(&claims, "client_id").unwrap_or_default();
            self.directory.client(client_id).is_some().then_some(claims)
        } else {
            let Some(token) = self.issuer.access_token_of(claims) else { return Ok(None) };
            self.stored(self.access(token).await)?.map(|access| access.claims)
        };
        Ok(claims.map(|mut claims| {
            claims.retain(|name, _| REPEATED.contains(&name.as_str()));
            claims.insert("token_type".into(), "Bearer".into());
            claims
        }))
    }

    /// Only its own client has one.
    async fn of_refresh_token(&self, token: &str, client: &Client, now: Timestamp) -> Result<Option<Claims>, Error> {
        let opened = match self.grants.open_refresh_token(token, client.id(), None, now).await {
            Ok(opened) => opened,
            Err(fault) => return self.not_refused(fault).map(|()| None),
        };
        let grant = opened.grant();
        if !opened.is_good() || self.stored(self.holder(grant).await)?.user().is_err() {
            return Ok(None);
        }
        let mut found = members(json!({
            "iss": self.issuer.url(),
            "sub": grant.subject,
            "client_id": grant.client_id,
            "scope": grant.scope,
            "exp": opened.expires_at().seconds(),
            "auth_time": grant.auth_time,
        }));
        found.extend(grant.asked_before().map(|asked_at| (ASKED_AT.to_owned(), asked_at.into())));
        Ok(Some(found))
    }
}

fn is_allowed(client: &Client, found: &Claims) -> bool {
    client.options().may_introspect || text(found, "client_id") == Some(client.id())
}

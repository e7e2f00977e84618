//! The endpoint for pushed authorization requests (RFC 9126 §2).

use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::database;
use crate::message::WholeResponse;
use crate::message::form::{self, Form};
use crate::oauth::client_auth::Caller;
use crate::oauth::error::Error;
use crate::oauth::provider::Provider;
use crate::oauth::pushed::{LIFETIME, PREFIX, Pushed};
use crate::oauth::request::{self, one};
use crate::reply;

/// Maximum length of a request, in bytes.
const MAX_BYTES: usize = 8192;

impl Provider {
    /// Keeps an authorization request of a client, and answers with its name. Only clients with a secret can do this: what others send would fill
    /// the database.
    pub(crate) async fn push(&self, headers: &HeaderMap, form: &Form<'_>, caller: Caller) -> WholeResponse {
        self.try_push(headers, form, caller).await.unwrap_or_else(Error::answer)
    }

    async fn try_push(&self, headers: &HeaderMap, form: &Form<'_>, caller: Caller) -> Result<WholeResponse, Error> {
        let (client, now) = (self.client(headers, form, caller)?, self.clock.now());
        let pushed = self.pushed.as_ref().filter(|_| !client.is_public());
        let pushed = pushed.ok_or(Error::new("invalid_client", "a client without a secret cannot push requests"))?;
        // RFC 9126 §2.1.
        if one(form, "request_uri")?.is_some() {
            return Err(Error::request("request_uri cannot be pushed"));
        }
        if one(form, "client_id")?.is_some_and(|id| id != client.id()) {
            return Err(Error::request("client_id is another client's"));
        }
        let redirect_uri = one(form, "redirect_uri")?.filter(|uri| client.allows_redirect(uri));
        let redirect_uri = redirect_uri.ok_or(Error::request("redirect_uri is missing or not registered"))?;
        // Whatever would be refused later is refused now, where the client sees it (§2.3).
        self.check_request(form, &client, redirect_uri)?;
        let fields = request::PARAMETERS.iter().chain(&["resource"]).filter(|name| **name != "client_id");
        let fields = fields.filter_map(|&name| Some((name, form.one(name).ok()??)));
        let request = form::encode(fields.chain([("client_id", client.id())]));
        if request.len() > MAX_BYTES {
            return Err(Error::request("the request is too long"));
        }
        self.grants.count_client(client.id(), now).map_err(|refused| self.refused(refused.into(), &client))?;
        let request_uri = self.stored(pushed.add(client.id(), request, now).await)?;
        let answer = json!({"request_uri": request_uri, "expires_in": LIFETIME.as_secs()});
        Ok(reply::json(StatusCode::CREATED, &answer))
    }

    /// The request that was pushed, if `form` names one of this client. It is taken.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(super) async fn pushed_request(&self, form: &Form<'_>) -> Result<Pushed, database::Error> {
        let field = |name| form.one(name).ok().flatten();
        let (Some(uri), Some(pushed)) = (field("request_uri"), &self.pushed) else { return Ok(Pushed::None) };
        let Some(name) = uri.strip_prefix(PREFIX) else { return Ok(Pushed::None) };
        let client_id = field("client_id").unwrap_or_default();
        let taken = pushed.take(name, client_id, self.clock.now()).await?;
        Ok(taken.map_or(Pushed::Unknown, Pushed::Request))
    }
}

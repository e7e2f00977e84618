//! End-session endpoint (OpenID Connect RP-Initiated Logout): identifies the client and the redirect URI.

use crate::message::form::{self, Form};
use crate::oauth::error::PageError;
use crate::oauth::provider::Provider;
use crate::oauth::request::PARAMETERS;
use crate::routes;
use crate::signin::sso::Session;

/// A valid end-session request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Logout {
    /// The registered redirect URI with `state`. `None` if the request has none.
    pub(crate) location: Option<String>,
    /// The name of the relying party.
    pub(crate) client: Option<String>,
    /// Whether the request has an ID token of this session. If not, the user is asked: a link on a page of another site must not
    /// sign users out (RP-Initiated Logout §6).
    pub(crate) is_vouched_for: bool,
}

impl Provider {
    /// Reads an end-session request.
    ///
    /// # Errors
    ///
    /// [`PageError`] if the redirect URI is not registered.
    pub(crate) fn logout(&self, form: &Form<'_>, session: Option<&Session>) -> Result<Logout, PageError> {
        let field = |name| form.one(name).map_err(|_| PageError::Malformed);
        let now = self.clock.now();
        let hint = field("id_token_hint")?.and_then(|token| self.issuer.read_id_token_hint(token, now));
        let says = |name: &str| hint.as_ref()?.get(name)?.as_str();
        let hinted = says("aud");
        let client_id = match (field("client_id")?, hinted) {
            (Some(asked), Some(hinted)) if asked != hinted => return Err(PageError::UnknownClient),
            (asked, hinted) => asked.or(hinted),
        };
        let client = client_id.map(|id| self.directory.client(id).ok_or(PageError::UnknownClient)).transpose()?;
        // `logout_uri` is what Cognito calls it.
        let asked = field("post_logout_redirect_uri")?.or(field("logout_uri")?);
        let location = match (asked, field("redirect_uri")?, client) {
            (Some(uri), _, Some(client)) if client.allows_post_logout(uri) => Some(with_state(uri, field("state")?)),
            (None, Some(uri), Some(client)) if client.allows_redirect(uri) => Some(to_sign_in(form)?),
            (None, None, _) => None,
            _ => return Err(PageError::UnknownRedirect),
        };
        let is_vouched_for = session.is_some_and(|session| {
            says("sub") == Some(session.subject.as_str()) && says("sid") == Some(session.id.as_str())
        });
        let client = client.map(|client| client.name().unwrap_or(client.id()).to_owned());
        Ok(Logout { location, client, is_vouched_for })
    }
}

/// The sign-in page, with the authorization request that came along (pool §9.6). It is checked there.
fn to_sign_in(form: &Form<'_>) -> Result<String, PageError> {
    let mut fields = Vec::new();
    for name in PARAMETERS {
        let value = form.one(name).map_err(|_| PageError::Malformed)?;
        // It was read here, and says who was signed in until now.
        fields.extend(value.filter(|_| *name != "id_token_hint").map(|value| (*name, value)));
    }
    Ok(format!("{}?{}", routes::LOGIN, form::encode(fields)))
}

fn with_state(uri: &str, state: Option<&str>) -> String {
    let Some(state) = state else { return uri.to_owned() };
    let separator = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{separator}{}", form::encode([("state", state)]))
}

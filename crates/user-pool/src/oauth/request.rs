//! Authorization requests: their parameters (RFC 6749 §4.1.1, OIDC Core §3.1.2.1, RFC 7636 §4.3), and which of them are refused.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::client_options::resource_server;
use crate::directory::client::Client;
use crate::message::form::Form;
use crate::oauth::claims_request::RequestedClaims;
use crate::oauth::error::Error;
use crate::signin::proof::Level;

/// Maximum length of `state` and `nonce`, because both are part of the sign-in form.
const CARRIED_MAX_BYTES: usize = 2048;

/// Maximum length of `ui_locales`, because it is part of the sign-in form.
const UI_LOCALES_MAX_BYTES: usize = 128;

/// All parameters that are read. A request with one of them twice is refused (RFC 6749 §3.1).
pub(super) const PARAMETERS: &[&str] = &[
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "prompt",
    "max_age",
    "login_hint",
    "id_token_hint",
    "code_challenge",
    "code_challenge_method",
    "request",
    "request_uri",
    "registration",
    "ui_locales",
    "lang",
    "claims",
    "acr_values",
    "identity_provider",
    "idp_identifier",
];

/// How an answer reaches the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ResponseMode {
    /// In the query of the redirect URI.
    #[default]
    Query,
    /// In the body of a form that is sent to the redirect URI.
    FormPost,
}

/// A valid authorization request, as stored in the sign-in form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(super) scope: String,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) code_challenge: Option<String>,
    /// The audience that the access token is for. `None`: the userinfo endpoint.
    #[serde(default)]
    pub(super) resource: Option<String>,
    /// The `sub` of the `id_token_hint`. No other user may sign in to this request (OIDC Core §3.1.2.2).
    #[serde(default)]
    subject: Option<String>,
    /// Claims that are asked for by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) claims: Option<RequestedClaims>,
    #[serde(default)]
    pub(super) response_mode: ResponseMode,
    /// The languages that the relying party asks for, in order of preference.
    #[serde(default)]
    pub(crate) ui_locales: Option<String>,
    /// What another provider is told, if the user signs in there.
    #[serde(default)]
    pub(crate) asked: Asked,
    /// How sure of the user the relying party wants to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) level: Option<WantedLevel>,
}

/// A level that a request asks for (pool §8.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WantedLevel {
    /// The lowest that will do.
    pub(super) least: Level,
    /// Whether an answer below is an error (OIDC Core §5.5.1.1). Otherwise the ID token says what was reached.
    pub(super) is_essential: bool,
}

/// How the relying party wants the user to sign in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// The name of a provider of the pool, or [`OURSELVES`]. `None`: the user chooses.
    pub(crate) provider: Option<String>,
    /// `prompt`, other than `none`.
    pub(crate) prompt: Option<String>,
    /// In seconds.
    pub(crate) max_age: Option<u64>,
    pub(crate) login_hint: Option<String>,
}

/// What `identity_provider` calls the pool itself (pool §9.3).
pub(crate) const OURSELVES: &str = "COGNITO";

impl AuthorizationRequest {
    /// Whether the user with this `sub` may sign in to this request.
    pub(crate) fn is_for(&self, subject: &str) -> bool {
        self.subject.as_deref().is_none_or(|hinted| hinted == subject)
    }

    /// The scopes that are granted, and those of the claims that are asked for by name: what the client learns and may do.
    pub(crate) fn data_scopes(&self) -> Vec<&str> {
        let mut scopes: Vec<&str> = self.scope.split(' ').filter(|scope| !scope.is_empty()).collect();
        for scope in self.claims.iter().flat_map(RequestedClaims::scopes) {
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        scopes
    }

    /// The level that the user is asked for.
    pub(crate) fn wanted_level(&self) -> Option<Level> {
        self.level.map(|wanted| wanted.least)
    }

    /// Whether an ID token with this level is no answer to the request.
    pub(super) fn is_unmet_by(&self, level: Level) -> bool {
        self.level.is_some_and(|wanted| wanted.is_essential && level < wanted.least)
    }

    /// The application that the token is for, if it is for one.
    pub(crate) fn resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    /// Where its answer goes, and how.
    pub(super) fn destination(&self) -> (&str, ResponseMode) {
        (&self.redirect_uri, self.response_mode)
    }

    /// The CSP sources for `form-action`. They include the relying party, because Chromium also checks redirects after a form.
    pub(crate) fn form_action(&self) -> String {
        form_action(&self.redirect_uri)
    }
}

/// The CSP sources for `form-action` of a page whose form leads to `redirect_uri`.
pub(crate) fn form_action(redirect_uri: &str) -> String {
    let Ok(url) = Url::parse(redirect_uri) else { return "'self'".to_owned() };
    match url.scheme() {
        "http" | "https" => format!("'self' {}", url.origin().ascii_serialization()),
        // A private-use scheme of an app (RFC 8252 §7.1) has no origin.
        scheme => format!("'self' {scheme}:"),
    }
}

/// Reads the parameters that do not depend on the client.
pub(super) fn read(
    form: &Form<'_>,
    client: &Client,
    redirect_uri: &str,
    (subject, claims, level): (Option<String>, Option<RequestedClaims>, Option<WantedLevel>),
) -> Result<AuthorizationRequest, Error> {
    for name in PARAMETERS {
        one(form, name)?;
    }
    refuse_unsupported(form)?;
    let response_mode = match one(form, "response_mode")? {
        Some(asked) => response_mode(asked).ok_or(Error::request("response_mode must be query or form_post"))?,
        None => ResponseMode::Query,
    };
    let resource = resource(form, client)?;
    let scope = one(form, "scope")?.unwrap_or_default();
    // Without `openid` it is a request of OAuth, for a token that says something to the resource.
    let granted = client.options().granted(scope);
    let says_something = granted.iter().any(|scope| scope == "openid" || resource_server(scope).is_some());
    if resource.is_none() && !says_something {
        return Err(Error::new("invalid_scope", "scope must hold openid"));
    }
    let carried = |name| match one(form, name)? {
        Some(value) if value.len() > CARRIED_MAX_BYTES => Err(Error::request("state or nonce is too long")),
        value => Ok(value.map(str::to_owned)),
    };
    Ok(AuthorizationRequest {
        client_id: client.id().to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        scope: granted.join(" "),
        state: carried("state")?,
        nonce: carried("nonce")?,
        code_challenge: code_challenge(form)?,
        resource,
        subject,
        claims,
        response_mode,
        ui_locales: ui_locales(form)?,
        asked: Asked::default(),
        level: match level {
            Some(level) => Some(level),
            None => acr_values(form)?,
        },
    })
}

/// The level that `acr_values` asks for (OIDC Core §3.1.2.1): a wish. Names that nobody knows are ignored.
fn acr_values(form: &Form<'_>) -> Result<Option<WantedLevel>, Error> {
    let names = one(form, "acr_values")?.unwrap_or_default();
    let least = names.split(' ').filter_map(Level::named).min();
    Ok(least.map(|least| WantedLevel { least, is_essential: false }))
}

/// The audience of the resource that a token is asked for (RFC 8707 §2). One that the client may not have is refused: it would not know that
/// its token is for something else.
pub(super) fn resource(form: &Form<'_>, client: &Client) -> Result<Option<String>, Error> {
    let asked = form.one("resource").map_err(|_| Error::target("a token is for one resource"))?;
    let Some(asked) = asked.filter(|asked| !asked.is_empty()) else { return Ok(None) };
    let known = client.audience(asked).map(str::to_owned);
    known.map(Some).ok_or(Error::target("the client may not have tokens for this resource"))
}

/// The languages that the relying party asks for: `ui_locales`, or `lang` as with Cognito. OIDC Core §3.1.2.1: no error if none of
/// them is known, so a list that is too long is ignored as well.
fn ui_locales(form: &Form<'_>) -> Result<Option<String>, Error> {
    let locales = one(form, "ui_locales")?.or(one(form, "lang")?);
    Ok(locales.filter(|locales| locales.len() <= UI_LOCALES_MAX_BYTES).map(str::to_owned))
}

fn refuse_unsupported(form: &Form<'_>) -> Result<(), Error> {
    let has = |name| Ok(one(form, name)?.is_some());
    // OIDC Core §3.1.2.6: request objects take precedence over the query, so they must not be ignored.
    if has("request")? {
        return Err(Error::new("request_not_supported", "request objects are not supported"));
    }
    if has("request_uri")? {
        return Err(Error::new("request_uri_not_supported", "request objects are not supported"));
    }
    if has("registration")? {
        return Err(Error::new("registration_not_supported", "the registration parameter is not supported"));
    }
    match one(form, "response_type")? {
        Some("code") => {}
        Some(_) => return Err(Error::new("unsupported_response_type", "response_type must be code")),
        None => return Err(Error::request("response_type is missing")),
    }
    Ok(())
}

/// A response mode by its name. `None` if it is not supported.
pub(super) fn response_mode(name: &str) -> Option<ResponseMode> {
    match name {
        "query" => Some(ResponseMode::Query),
        "form_post" => Some(ResponseMode::FormPost),
        _ => None,
    }
}

/// The PKCE challenge, if the request has one. `plain` is refused, because it protects nothing (RFC 7636 §7.2).
fn code_challenge(form: &Form<'_>) -> Result<Option<String>, Error> {
    let (challenge, method) = (one(form, "code_challenge")?, one(form, "code_challenge_method")?);
    let challenge = match (challenge, method) {
        (Some(challenge), Some("S256")) => challenge,
        (None, None) => return Ok(None),
        (None, Some(_)) => return Err(Error::request("code_challenge is missing")),
        (Some(_), _) => return Err(Error::request("code_challenge_method must be S256")),
    };
    // RFC 7636 §4.2: base64url of 32 bytes.
    let is_hash = challenge.len() == 43 && challenge.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if !is_hash {
        return Err(Error::request("code_challenge is not a SHA-256 in base64url"));
    }
    Ok(Some(challenge.to_owned()))
}

/// A parameter that may occur once. A parameter without a value counts as absent (RFC 6749 §3.1).
pub(super) fn one<'f>(form: &'f Form<'_>, name: &str) -> Result<Option<&'f str>, Error> {
    let field = form.one(name).map_err(|_| Error::request("a parameter came more than once"))?;
    Ok(field.filter(|value| !value.is_empty()))
}

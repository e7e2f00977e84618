//! The token endpoint: reading its answers, refreshing (RFC 6749 §6) and giving back (RFC 7009).

use url::Url;

use crate::oidc::document::Document;
use crate::secret::Secret;
use crate::token_client::calls::Calls;
use crate::token_client::error::Error;
use crate::token_client::server;

/// What an issuer gave.
#[derive(Clone, Debug)]
pub struct Token {
    /// Only characters that a bearer token may have (RFC 6750 §2.1).
    pub access: Secret<String>,
    pub refresh: Option<Secret<String>>,
    /// Seconds.
    pub expires_in: Option<u64>,
    /// What was granted, if it is not what was asked for.
    pub scope: Option<String>,
}

/// A grant that was stored: from whom, to which client, for what.
#[derive(Clone, Copy, Debug)]
pub struct Held<'t> {
    pub issuer: &'t str,
    pub client_id: &'t str,
    /// The `resource` that was asked for.
    pub resource: Option<&'t str>,
}

impl Token {
    /// Reads the answer of a token endpoint (RFC 6749 §5.1).
    pub(super) fn read(document: &Document, endpoint: &Url) -> Result<Self, Error> {
        let unreadable = |fault| Error::Answer(endpoint.as_str().into(), fault);
        let access = Secret::new(document.required_text("access_token").map_err(unreadable)?);
        let kind = document.text("token_type").map_err(unreadable)?;
        let is_bearer = kind.is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
        if !is_bearer || !is_b64token(access.expose()) {
            return Err(Error::NoBearer(endpoint.as_str().into()));
        }
        Ok(Self {
            access,
            refresh: document.text("refresh_token").map_err(unreadable)?.map(Secret::new),
            expires_in: document.seconds("expires_in"),
            scope: document.text("scope").map_err(unreadable)?,
        })
    }
}

/// RFC 6750 §2.1. Anything else could be more than one header, or something that a terminal obeys.
fn is_b64token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

/// Gets the next access token with a refresh token. It goes to the issuer that it came from, whatever the application says now.
pub async fn refresh(calls: &Calls, held: Held<'_>, refresh: &Secret<String>) -> Result<Token, Error> {
    let server = server::find(calls, held.issuer).await?;
    let mut fields = vec![
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.expose().as_str()),
        ("client_id", held.client_id),
    ];
    fields.extend(held.resource.map(|resource| ("resource", resource)));
    let document = calls.post_form(&server.token, &fields).await?;
    Token::read(&document, &server.token)
}

/// Whether the issuer was told that a token is not used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    Yes,
    /// It has no endpoint for that.
    Impossible,
}

/// Gives a token back: the refresh token with everything that came from it, or the access token.
pub async fn revoke(calls: &Calls, held: Held<'_>, token: &Secret<String>, hint: &str) -> Result<Revoked, Error> {
    let server = server::find(calls, held.issuer).await?;
    let Some(endpoint) = &server.revocation else { return Ok(Revoked::Impossible) };
    let fields = [("token", token.expose().as_str()), ("token_type_hint", hint), ("client_id", held.client_id)];
    calls.post_form(endpoint, &fields).await?;
    Ok(Revoked::Yes)
}

//! The token endpoint (RFC 6749 §4.1.3, §6): redeems codes and refresh tokens.
//!
//! A call is never repeated: a second try could use a refresh token that the provider has already replaced (pitfalls 38).

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreIdToken, CoreJsonWebKey,
    CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessToken, AuthType, AuthorizationCode, ClientId, ClientSecret, EmptyAdditionalClaims, EndpointNotSet,
    EndpointSet, IssuerUrl, OAuth2TokenResponse, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    StandardErrorResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::jose::compact;
use crate::jose::mismatch::quoted;
use crate::oidc::caller::{Caller, Refusal, TokenEndpoint};
use crate::oidc::discovery::Metadata;
use crate::oidc::document::{Document, Unreadable};
use crate::oidc::error::Error;
use crate::oidc::flow::Pending;
use crate::oidc::settings::{ClientAuth, Settings};
use crate::secret::Secret;

/// The tokens of a response.
#[derive(Debug)]
pub struct Tokens {
    pub access_token: Secret<String>,
    /// The expiry according to the response, otherwise that of the token, otherwise [`Settings::default_token_lifetime`] from now.
    pub access_token_expires_at: Option<Timestamp>,
    pub refresh_token: Option<Secret<String>>,
    /// After a refresh, `None` if the response has no newer one.
    pub id_token: Option<Secret<String>>,
}

type TokenClient = openidconnect::Client<
    EmptyAdditionalClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Answer,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
    EndpointNotSet,
>;

/// The parameters for redeeming a code.
#[derive(Debug)]
pub(crate) struct CodeGrant<'g> {
    pub(crate) code: &'g Secret<String>,
    pub(crate) pending: &'g Pending,
    /// The redirect URI of the authorization request.
    pub(crate) redirect_uri: String,
}

/// Redeems a code (RFC 6749 §4.1.3, RFC 7636 §4.5).
pub(crate) async fn redeem(
    settings: &Settings,
    metadata: &Metadata,
    caller: &Caller,
    grant: CodeGrant<'_>,
    now: Timestamp,
) -> Result<Tokens, Error> {
    let client = client(settings, metadata)?;
    let redirect_uri = RedirectUrl::new(grant.redirect_uri).map_err(|_| not_a_url("redirect_uri"))?;
    let mut request = client
        .exchange_code(AuthorizationCode::new(grant.code.expose().clone()))
        .set_redirect_uri(Cow::Owned(redirect_uri));
    if let Some(verifier) = &grant.pending.code_verifier {
        request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier.clone()));
    }
    request.request_async(&TokenEndpoint(caller)).await.map_err(translate)?.into_tokens(settings, now)
}

/// Redeems a refresh token (RFC 6749 §6). Requests no scope, which means the granted scope. It may be smaller than the scope of the
/// authorization request.
pub(crate) async fn refresh(
    settings: &Settings,
    metadata: &Metadata,
    caller: &Caller,
    refresh_token: &Secret<String>,
    now: Timestamp,
) -> Result<Tokens, Error> {
    let client = client(settings, metadata)?;
    let refresh_token = RefreshToken::new(refresh_token.expose().clone());
    let answer = client.exchange_refresh_token(&refresh_token).request_async(&TokenEndpoint(caller)).await;
    answer.map_err(translate)?.into_tokens(settings, now)
}

fn not_a_url(name: &'static str) -> Error {
    Error::TokenResponse(Unreadable::Type { name, wanted: "a URL" })
}

fn client(settings: &Settings, metadata: &Metadata) -> Result<TokenClient, Error> {
    let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|_| not_a_url("issuer"))?;
    let client =
        openidconnect::Client::new(ClientId::new(settings.client_id.clone()), issuer, CoreJsonWebKeySet::new(vec![]))
            .set_token_uri(TokenUrl::from_url(metadata.token_endpoint.clone()));
    let method = settings.token_endpoint_auth_method.unwrap_or(metadata.client_auth);
    Ok(match (&settings.client_secret, method) {
        (None, _) | (_, ClientAuth::None) => client.set_auth_type(AuthType::RequestBody),
        (Some(secret), ClientAuth::ClientSecretBasic) => {
            client.set_client_secret(ClientSecret::new(secret.expose().clone())).set_auth_type(AuthType::BasicAuth)
        }
        (Some(secret), ClientAuth::ClientSecretPost) => {
            client.set_client_secret(ClientSecret::new(secret.expose().clone())).set_auth_type(AuthType::RequestBody)
        }
    })
}

/// The source of a parse error quotes the body, so it is dropped.
fn translate(error: RequestTokenError<Refusal, StandardErrorResponse<CoreErrorResponseType>>) -> Error {
    match error {
        RequestTokenError::Request(Refusal::Call(error)) => Error::TokenUnreachable(error),
        RequestTokenError::Request(Refusal::Status { status, code })
            if !status.is_server_error() && code.as_str() == "invalid_grant" =>
        {
            Error::CodeRejected
        }
        RequestTokenError::Request(Refusal::Status { status, code }) => Error::TokenRefused { status, code },
        RequestTokenError::Request(Refusal::Content(why)) => Error::TokenResponse(why),
        // `TokenEndpoint` has parsed the response as an object, and `Answer` accepts every object.
        RequestTokenError::Parse(..) | RequestTokenError::ServerResponse(_) | RequestTokenError::Other(_) => {
            Error::TokenResponse(Unreadable::NotAnObject("something else".into()))
        }
    }
}

/// A token response (RFC 6749 §5.1, OIDC Core §3.1.3.3). [`Answer::into_tokens`] reads the members, and names a wrong one.
#[derive(Deserialize, Serialize)]
struct Answer {
    #[serde(flatten)]
    members: Map<String, Value>,
    /// Required by the trait. Never used.
    #[serde(skip, default = "no_token")]
    no_token: AccessToken,
}

fn no_token() -> AccessToken {
    AccessToken::new(String::new())
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer(…)")
    }
}

impl Answer {
    fn into_tokens(self, settings: &Settings, now: Timestamp) -> Result<Tokens, Error> {
        let document = Document(self.members);
        let text = |name| document.text(name).map_err(Error::TokenResponse);
        check_type(&document).map_err(Error::TokenResponse)?;
        let access_token = document.required_text("access_token").map_err(Error::TokenResponse)?;
        // RFC 6749 §A.12. The token is sent in headers, to the provider and to the target.
        if !access_token.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) {
            let wanted = "text in the characters that a token may have";
            return Err(Error::TokenResponse(Unreadable::Type { name: "access_token", wanted }));
        }
        let expires_at = match document.seconds("expires_in") {
            Some(seconds) => now + Duration::from_secs(seconds),
            None => own_expiry(&access_token, now).unwrap_or(now + settings.default_token_lifetime),
        };
        Ok(Tokens {
            access_token: Secret::new(access_token),
            access_token_expires_at: Some(expires_at),
            refresh_token: text("refresh_token")?.map(Secret::new),
            id_token: text("id_token")?.map(Secret::new),
        })
    }
}

/// RFC 6749 §5.1: case-insensitive. Other types need a proof of possession, which is not supported (RFC 9449). If the member is
/// missing, the token is used as a bearer token.
fn check_type(document: &Document) -> Result<(), Unreadable> {
    match document.text("token_type")? {
        Some(kind) if !kind.trim().eq_ignore_ascii_case("bearer") => {
            Err(Unreadable::Value { name: "token_type", value: quoted(&kind), wanted: "`Bearer`" })
        }
        _ => Ok(()),
    }
}

/// `exp` of an access token that is a JWT. It only determines when to refresh, so nothing is verified.
fn own_expiry(access_token: &str, now: Timestamp) -> Option<Timestamp> {
    let claims = Document(compact::unverified_claims(access_token)?);
    let expires_at = Timestamp::from_seconds(claims.seconds("exp")?);
    (expires_at > now).then_some(expires_at)
}

impl OAuth2TokenResponse for Answer {
    type TokenType = CoreTokenType;
    fn access_token(&self) -> &AccessToken {
        &self.no_token
    }
    fn token_type(&self) -> &CoreTokenType {
        &CoreTokenType::Bearer
    }
    fn expires_in(&self) -> Option<Duration> {
        None
    }
    fn refresh_token(&self) -> Option<&RefreshToken> {
        None
    }
    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

impl
    openidconnect::TokenResponse<
        EmptyAdditionalClaims,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    > for Answer
{
    fn id_token(&self) -> Option<&CoreIdToken> {
        None
    }
}

//! The token endpoint (RFC 6749 §4.1.3, §6): redeems codes and refresh tokens, once each.
//!
//! No call is made twice: a second try would spend a refresh token that the provider may have rotated (pitfalls 38).

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
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::oidc::caller::{Caller, Refusal};
use crate::oidc::discovery::Metadata;
use crate::oidc::error::Error;
use crate::oidc::flow::Pending;
use crate::oidc::settings::{ClientAuth, Settings};
use crate::secret::Secret;

/// What the provider issued.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) access_token: Secret<String>,
    /// `None` where the provider does not say.
    pub(crate) access_token_expires_at: Option<Timestamp>,
    pub(crate) refresh_token: Option<Secret<String>>,
    /// After a refresh `None` where there is nothing newer than what the session has.
    pub(crate) id_token: Option<Secret<String>>,
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

/// Redeems a code (RFC 6749 §4.1.3, RFC 7636 §4.5).
pub(crate) async fn redeem(
    settings: &Settings,
    metadata: &Metadata,
    caller: &Caller,
    (code, pending, redirect_uri): (&Secret<String>, &Pending, String),
    now: Timestamp,
) -> Result<Tokens, Error> {
    let client = client(settings, metadata)?;
    let redirect_uri = RedirectUrl::new(redirect_uri).map_err(|_| Error::TokenResponse("our address is not a URL"))?;
    let answer = client
        .exchange_code(AuthorizationCode::new(code.expose().clone()))
        .set_pkce_verifier(PkceCodeVerifier::new(pending.code_verifier.clone()))
        .set_redirect_uri(Cow::Owned(redirect_uri))
        .request_async(caller)
        .await
        .map_err(translate)?;
    answer.into_tokens(now)
}

/// Redeems a refresh token (RFC 6749 §6). No scope is asked for: that is the one that was granted, which may be less than
/// was asked for at login.
pub(crate) async fn refresh(
    settings: &Settings,
    metadata: &Metadata,
    caller: &Caller,
    refresh_token: &Secret<String>,
    now: Timestamp,
) -> Result<Tokens, Error> {
    let client = client(settings, metadata)?;
    let refresh_token = RefreshToken::new(refresh_token.expose().clone());
    let answer = client.exchange_refresh_token(&refresh_token).request_async(caller).await.map_err(translate)?;
    answer.into_tokens(now)
}

fn client(settings: &Settings, metadata: &Metadata) -> Result<TokenClient, Error> {
    let issuer =
        IssuerUrl::new(settings.issuer.clone()).map_err(|_| Error::TokenResponse("the issuer is not a URL"))?;
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
            if status.is_client_error() && code.as_str() == "invalid_grant" =>
        {
            Error::CodeRejected
        }
        RequestTokenError::Request(Refusal::Status { status, code }) => Error::TokenRefused { status, code },
        RequestTokenError::Parse(..) => Error::TokenResponse("not a token response"),
        RequestTokenError::ServerResponse(_) | RequestTokenError::Other(_) => Error::TokenResponse("not JSON"),
    }
}

/// RFC 6749 §5.1, OIDC Core §3.1.3.3. The ID token is kept as text: it is read strictly before it is believed.
#[derive(Debug, Deserialize, Serialize)]
struct Answer {
    access_token: AccessToken,
    #[serde(deserialize_with = "bearer")]
    token_type: CoreTokenType,
    #[serde(default, deserialize_with = "lifetime")]
    expires_in: Option<u64>,
    #[serde(default)]
    refresh_token: Option<RefreshToken>,
    #[serde(default)]
    id_token: Option<Text>,
}

/// Text that `Debug` does not show.
#[derive(Deserialize, Serialize)]
#[serde(transparent)]
struct Text(String);

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Answer {
    fn into_tokens(self, now: Timestamp) -> Result<Tokens, Error> {
        let access_token = self.access_token.into_secret();
        // RFC 6749 §A.12. It goes into a header, of ours and of the request to the target.
        if access_token.is_empty() || !access_token.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) {
            return Err(Error::TokenResponse("the access token has characters that no token has"));
        }
        let refresh_token = self.refresh_token.map(RefreshToken::into_secret).filter(|token| !token.is_empty());
        Ok(Tokens {
            access_token: Secret::new(access_token),
            access_token_expires_at: self.expires_in.map(|seconds| now + Duration::from_secs(seconds)),
            refresh_token: refresh_token.map(Secret::new),
            id_token: self.id_token.map(|text| Secret::new(text.0)),
        })
    }
}

impl OAuth2TokenResponse for Answer {
    type TokenType = CoreTokenType;
    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }
    fn token_type(&self) -> &CoreTokenType {
        &self.token_type
    }
    fn expires_in(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }
    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
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

/// RFC 6749 §5.1: compared without case. Another type would need a proof that we do not make (RFC 9449).
fn bearer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<CoreTokenType, D::Error> {
    let name = Cow::<str>::deserialize(deserializer)?;
    if name.eq_ignore_ascii_case("bearer") {
        Ok(CoreTokenType::Bearer)
    } else {
        Err(D::Error::custom("not a bearer token"))
    }
}

/// A number of seconds; some providers send it as a string.
fn lifetime<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::Number(number) => Ok(number.as_u64().or_else(|| number.as_f64().map(|seconds| seconds.max(0.0) as u64))),
        Value::String(digits) => digits.parse().map(Some).map_err(|_| D::Error::custom("not a number of seconds")),
        _ => Err(D::Error::custom("not a number of seconds")),
    }
}

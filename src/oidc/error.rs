//! What failed in the flow, and whether the user, the provider or nobody in particular is at fault.
//!
//! No variant quotes a token, a body or an address with a query; a provider's own words are kept as a code of letters only.

use http::StatusCode;

use crate::backchannel;
use crate::jose::compact;

/// Why a login was not begun or finished, or a session not refreshed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The provider's metadata could not be had.
    #[error("the provider's metadata could not be had")]
    ProviderUnavailable(#[source] FetchError),
    /// A parameter that the rule adds would take the place of one of ours (attacks C-16). The operator's fault; the
    /// configuration is checked for it.
    #[error("a parameter of the sign-in request is not the configuration's to set")]
    ReservedParameter,
    /// The token endpoint was not reached or did not answer.
    #[error("the token endpoint did not answer")]
    TokenUnreachable(#[source] backchannel::error::Error),
    /// The token endpoint answered with an error, other than about the code or refresh token itself.
    #[error("the token endpoint answered {status} ({code})")]
    TokenRefused { status: StatusCode, code: ErrorCode },
    /// `invalid_grant` (RFC 6749 §5.2): the code or refresh token was used before, has expired, or is not ours.
    #[error("the token endpoint does not accept the code or refresh token")]
    CodeRejected,
    /// The token endpoint's answer is not one of RFC 6749 §5.1.
    #[error("the token endpoint's answer is not usable: {0}")]
    TokenResponse(&'static str),
    /// The ID token is missing or does not verify.
    #[error("the ID token is not valid")]
    IdToken(#[source] IdTokenFault),
    /// The keys that sign ID tokens could not be had.
    #[error("the provider's keys could not be had")]
    KeysUnavailable(#[source] FetchError),
    /// The userinfo endpoint was not reached or did not answer.
    #[error("the userinfo endpoint did not answer")]
    UserinfoUnreachable(#[source] backchannel::error::Error),
    /// The userinfo endpoint answered with an error.
    #[error("the userinfo endpoint answered {0}")]
    UserinfoRefused(StatusCode),
    /// The userinfo answer is not a JSON object of claims, or its signature does not verify.
    #[error("the userinfo answer is not usable: {0}")]
    UserinfoInvalid(&'static str),
    /// Userinfo or a refreshed ID token is about another user (OIDC Core §5.3.2, §12.2).
    #[error("the provider spoke of two different users")]
    SubjectMismatch,
    /// `iss` in the provider's answer is missing or not the provider that was asked (RFC 9207 §2.4).
    #[error("the answer came from another issuer than the one that was asked")]
    IssuerMismatch,
}

impl Error {
    /// Whether a refresh that failed with this ends the session: the provider has said no, or spoken of another user.
    pub(crate) fn is_fatal_for_session(&self) -> bool {
        match self {
            Self::CodeRejected | Self::IdToken(_) | Self::SubjectMismatch | Self::IssuerMismatch => true,
            Self::TokenRefused { status, code } => !status.is_server_error() && !is_busy(*status) && !code.is_passing(),
            Self::UserinfoRefused(status) => matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN),
            Self::ProviderUnavailable(_)
            | Self::ReservedParameter
            | Self::TokenUnreachable(_)
            | Self::TokenResponse(_)
            | Self::KeysUnavailable(_)
            | Self::UserinfoUnreachable(_)
            | Self::UserinfoInvalid(_) => false,
        }
    }

    /// Whether the same may succeed later, so that a session is kept until its own end.
    pub(crate) fn is_transient(&self) -> bool {
        !self.is_fatal_for_session()
    }
}

fn is_busy(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// Why a document of the provider was not had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// There was no answer.
    #[error("the call failed")]
    Call(#[from] backchannel::error::Error),
    /// The answer is not a 200.
    #[error("the provider answered {0}")]
    Status(StatusCode),
    /// The answer is another thing than what was asked for.
    #[error("the answer is not usable: {0}")]
    Content(&'static str),
    /// The metadata is another issuer's (OpenID Connect Discovery §4.3, attacks O-01).
    #[error("the metadata names another issuer")]
    Issuer,
    /// The metadata sends us to an address that we do not call (attacks O-02).
    #[error("the metadata's {0} is not an address that is called")]
    Endpoint(&'static str),
    /// It failed a moment ago, and the provider is left alone for a while.
    #[error("it failed a moment ago and is not tried again yet")]
    BackingOff,
}

/// Why an ID token was refused (OIDC Core §3.1.3.7, §12.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IdTokenFault {
    /// The answer has no ID token.
    #[error("there is no ID token")]
    Missing,
    /// It is not a plain signed JWT.
    #[error("it is not a plain signed JWT")]
    Form(#[from] compact::Error),
    /// No key of the provider has its key id and type.
    #[error("no key of the provider has its key id and type")]
    NoKey,
    /// The signature does not verify.
    #[error("the signature does not verify")]
    Signature,
    /// `iss` is not the provider.
    #[error("it is another issuer's")]
    Issuer,
    /// `aud` is not us, or not us alone without `azp`.
    #[error("it is for another client")]
    Audience,
    /// `azp` is not us.
    #[error("it was made for another client")]
    AuthorizedParty,
    /// `exp` is in the past.
    #[error("it has expired")]
    Expired,
    /// `nbf` is in the future.
    #[error("it is not valid yet")]
    NotYetValid,
    /// `iat` is in the future.
    #[error("it was issued in the future")]
    IssuedInFuture,
    /// `nonce` is missing or another login's.
    #[error("it belongs to another login")]
    Nonce,
    /// `at_hash` is not that of the access token.
    #[error("it belongs to another access token")]
    AccessTokenHash,
    /// `sub` is missing, empty, longer than 255 characters or not printable.
    #[error("it does not name its user")]
    Subject,
    /// A claim is missing or has another type than the standard gives it.
    #[error("the claim {0} is missing or of the wrong type")]
    Claim(&'static str),
}

/// An OAuth error code (RFC 6749 §5.2), as far as it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ErrorCode(Box<str>);

impl ErrorCode {
    /// Takes what a provider sent: at most 64 of `[a-z_]`, else `unknown`.
    pub(crate) fn of(text: &str) -> Self {
        let plain =
            (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase());
        Self(if plain { text } else { "unknown" }.into())
    }

    /// The code.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it tells of the provider's or the operator's trouble, not of the user: not a reason to end a session.
    fn is_passing(&self) -> bool {
        matches!(self.as_str(), "temporarily_unavailable" | "server_error" | "slow_down" | "invalid_client")
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

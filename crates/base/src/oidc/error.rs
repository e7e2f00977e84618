//! Errors of the sign-in flow, and whose fault they are.
//!
//! No variant contains a token, a body or an address with a query. Of a provider's error only the code is kept.

use std::fmt;

use http::StatusCode;

use crate::backchannel;
use crate::jose::compact;
use crate::jose::mismatch::{self, Mismatch};
use crate::jose::verify::Fault;
use crate::oidc::document::Unreadable;

/// Why a sign-in could not be started or finished, or a session could not be refreshed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The metadata of the provider could not be fetched.
    #[error("the provider's metadata is not available")]
    ProviderUnavailable(#[source] FetchError),
    /// An extra parameter of the rule has the name of a protocol parameter (attacks C-16). The operator's fault; the validation of
    /// the configuration reports it.
    #[error("a parameter of the sign-in request is not the configuration's to set")]
    ReservedParameter,
    /// The sign-in was started before `pkce` or `nonce` was required, and lacks it. The user can sign in again.
    #[error("the login was begun under other settings of the provider")]
    SettingsChanged,
    /// The token endpoint could not be reached or did not answer.
    #[error("the token endpoint did not answer")]
    TokenUnreachable(#[source] backchannel::call::Error),
    /// The token endpoint answered with an error that is not about the code or the refresh token.
    #[error("the token endpoint answered {status} ({code}){}", hint(*status, code))]
    TokenRefused { status: StatusCode, code: ErrorCode },
    /// `invalid_grant` (RFC 6749 §5.2): the code or refresh token was already used, has expired, or belongs to another client.
    #[error("the token endpoint does not accept the code or refresh token")]
    CodeRejected,
    /// The response of the token endpoint does not conform to RFC 6749 §5.1.
    #[error("the token endpoint's answer is not usable: {0}")]
    TokenResponse(Unreadable),
    /// The ID token is missing, or its verification failed.
    #[error("the ID token is not valid")]
    IdToken(#[source] IdTokenFault),
    /// The keys that verify ID tokens could not be fetched, so the token could not be verified.
    #[error("the provider's keys are not available")]
    KeysUnavailable(#[source] FetchError),
    /// The userinfo endpoint could not be reached or did not answer.
    #[error("the userinfo endpoint did not answer")]
    UserinfoUnreachable(#[source] backchannel::call::Error),
    /// The userinfo endpoint answered with an error.
    #[error("the userinfo endpoint answered {0}")]
    UserinfoRefused(StatusCode),
    /// The userinfo response is not a JSON object of claims, or the verification of a signed response failed.
    #[error("the userinfo answer is not usable")]
    UserinfoInvalid(#[source] UserinfoFault),
    /// Microsoft Graph could not be reached or did not answer, or not all pages came in time.
    #[error("Microsoft Graph did not answer")]
    GroupsUnreachable(#[source] backchannel::call::Error),
    /// Microsoft Graph answered with an error.
    #[error("Microsoft Graph answered {status}{}", graph_hint(*status))]
    GroupsRefused { status: StatusCode },
    /// The answer of Microsoft Graph is not a list of groups that can be read to its end.
    #[error("the answer of Microsoft Graph is not usable: {0}")]
    GroupsInvalid(GroupsFault),
    /// Userinfo or a refreshed ID token is about another user (OIDC Core §5.3.2, §12.2).
    #[error("the provider spoke of two different users")]
    SubjectMismatch,
    /// `iss` in the authorization response is missing or names another provider (RFC 9207 §2.4).
    #[error("the answer came from another issuer than the one that was asked: its `iss` is {0}")]
    IssuerMismatch(Mismatch),
}

/// Whose fault a failed refresh is. It decides whether the session ends (`docs/PROVIDERS.md` has the table).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The provider has revoked the grant of the user, or its response belongs to another session. The session ends.
    Grant,
    /// Credentials, addresses or permissions of this client at the provider are wrong. Sessions are kept, so that a mistake of the
    /// operator signs nobody out.
    Operator,
    /// The provider or the network fails. Sessions are kept, and the refresh is tried again.
    Provider,
}

impl Error {
    /// Whose fault a failed refresh is. **This is the table**: one line for each outcome.
    pub(crate) fn blame(&self) -> Blame {
        match self {
            Self::CodeRejected | Self::SubjectMismatch | Self::IssuerMismatch(_) => Blame::Grant,
            Self::IdToken(IdTokenFault::Token(Fault::NoKey)) => Blame::Provider,
            Self::IdToken(_) => Blame::Grant,
            Self::TokenRefused { status, code } => blame_of_refusal(*status, code),
            // The provider gave this token just now: what is refused is to ask about this user, or on behalf of this user.
            Self::UserinfoRefused(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
            | Self::GroupsRefused { status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN } => Blame::Grant,
            Self::GroupsRefused { status } if !status.is_server_error() && *status != StatusCode::TOO_MANY_REQUESTS => {
                Blame::Operator
            }
            Self::ReservedParameter | Self::SettingsChanged => Blame::Operator,
            Self::ProviderUnavailable(_)
            | Self::TokenUnreachable(_)
            | Self::TokenResponse(_)
            | Self::KeysUnavailable(_)
            | Self::UserinfoUnreachable(_)
            | Self::UserinfoRefused(_)
            | Self::UserinfoInvalid(_)
            | Self::GroupsUnreachable(_)
            | Self::GroupsRefused { .. }
            | Self::GroupsInvalid(_) => Blame::Provider,
        }
    }

    /// Whether a refresh that failed with this error ends the session.
    pub fn is_fatal_for_session(&self) -> bool {
        self.blame() == Blame::Grant
    }

    /// Whether the same refresh may succeed later. Then the session is kept until it expires.
    pub(crate) fn is_transient(&self) -> bool {
        !self.is_fatal_for_session()
    }
}

/// RFC 6749 §5.2. The error code takes precedence over the status, because some providers send errors with 200.
fn blame_of_refusal(status: StatusCode, code: &ErrorCode) -> Blame {
    if status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) {
        return Blame::Provider;
    }
    match code.as_str() {
        // The user must sign in again, or is not allowed to (OIDC Core §3.1.2.6 has the codes that require the user).
        "invalid_grant"
        | "access_denied"
        | "interaction_required"
        | "login_required"
        | "consent_required"
        | "account_selection_required"
        // A refresh requests no scope, so this means that the granted scope is no longer valid.
        | "invalid_scope" => Blame::Grant,
        "invalid_client" | "unauthorized_client" | "unsupported_grant_type" => Blame::Operator,
        "temporarily_unavailable" | "server_error" | "slow_down" => Blame::Provider,
        // No known code: the status decides.
        _ if status.is_redirection() || status == StatusCode::NOT_FOUND || status == StatusCode::METHOD_NOT_ALLOWED => {
            Blame::Operator
        }
        _ if status == StatusCode::UNAUTHORIZED => Blame::Operator,
        _ if status.is_success() => Blame::Provider,
        // A 400 or 403 without a code is a refusal. Some providers send nothing else for a revoked refresh token.
        _ => Blame::Grant,
    }
}

/// Advice for the operator.
fn hint(status: StatusCode, code: &ErrorCode) -> &'static str {
    match code.as_str() {
        "invalid_client" => ": check `client_id`, `client_secret` and `token_endpoint_auth_method`",
        "unauthorized_client" => ": the provider does not allow this client this grant type",
        _ if status.is_redirection() => ": redirects are not followed; check `token_endpoint`",
        _ if status == StatusCode::UNAUTHORIZED => {
            ": check `client_id`, `client_secret` and `token_endpoint_auth_method`"
        }
        _ => "",
    }
}

fn graph_hint(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            ": does the `scope` of the action have `User.Read`, and does the user or an administrator consent to it?"
        }
        _ => "",
    }
}

/// Why a document of the provider is not available.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The fetch has just failed.
    #[error(transparent)]
    Failed(Fetch),
    /// The last fetch failed, and the pause before the next one has not passed.
    #[error("it failed a moment ago and is not tried again yet")]
    BackingOff,
}

/// A failed fetch of a document: which document, its URL, and the cause.
#[derive(Debug)]
pub struct Fetch {
    /// `discovery` or `the key set`.
    pub(crate) document: &'static str,
    /// The URL, without its query.
    pub(crate) url: Box<str>,
    pub(crate) cause: FetchFault,
}

impl fmt::Display for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} {}", self.document, self.url, self.cause)
    }
}

impl std::error::Error for Fetch {
    /// The text already contains the cause, so the source is the source of the cause.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.source()
    }
}

/// Why a fetch failed. The texts follow "discovery at https://…".
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchFault {
    /// There was no response.
    #[error("did not answer")]
    Call(#[source] backchannel::call::Error),
    /// The URL cannot be used in an HTTP request.
    #[error("cannot be asked for: the address has characters that HTTP does not allow")]
    Address,
    /// The status is not a success.
    #[error("answered {0}")]
    Status(StatusCode),
    /// The body cannot be used.
    #[error("is not usable: {0}")]
    Content(Unreadable),
    /// The key set has no key that can verify a signature.
    #[error("has no key that can verify an ID token (skipped: {0}, because of another use or algorithm)")]
    NoUsableKey(usize),
    /// The body is not a key set.
    #[error("is not a key set: it is not a JSON object with an array `keys`")]
    NotAKeySet,
    /// The metadata belongs to another issuer (OpenID Connect Discovery §4.3, attacks O-01).
    #[error("says issuer {}, the file says {}", .0.found(), .0.expected())]
    Issuer(Mismatch),
    /// The metadata contains an address that may not be called (attacks O-02).
    #[error("says `{name}` is {}, which is not called: {why}", mismatch::quoted(value))]
    Endpoint { name: &'static str, value: Box<str>, why: &'static str },
}

/// Why an ID token was refused (OIDC Core §3.1.3.7, §12.2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenFault {
    /// The response has no ID token.
    #[error("there is no ID token in the answer; does the scope contain `openid`?")]
    Missing,
    /// The token is not a signed JWT.
    #[error("it is not a plain signed JWT")]
    Form(#[from] compact::Error),
    /// The signature or a registered claim is wrong.
    #[error(transparent)]
    Token(#[from] Fault),
    /// `azp` names another client, or is missing although there are several audiences.
    #[error("it was made for another client: its `azp` is {0}")]
    AuthorizedParty(Mismatch),
    /// `nonce` is missing or belongs to another sign-in.
    #[error("its `nonce` is {0}")]
    Nonce(NonceFault),
    /// `at_hash` does not match the access token.
    #[error("it belongs to another access token: `at_hash` differs")]
    AccessTokenHash,
    /// `auth_time` is older than the `max_age` that was asked for.
    #[error("the user signed in at the provider before the time that `max_age` allows: its `auth_time` is too old")]
    AuthTime,
    /// `sub` is missing, empty, longer than 255 characters or not printable.
    #[error("its `sub` is missing, empty, too long or not printable")]
    Subject,
}

impl IdTokenFault {
    /// Whether the provider did not say when the user signed in, although it was asked with `max_age`.
    pub fn is_auth_time_missing(&self) -> bool {
        matches!(self, Self::Token(Fault::Claim("auth_time")))
    }

    /// Whether the user signed in at the provider longer ago than `max_age` allows.
    pub fn is_auth_time_too_old(&self) -> bool {
        matches!(self, Self::AuthTime)
    }
}

/// What is wrong with a `nonce`. The value is a secret of the sign-in and is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NonceFault {
    /// The request had a nonce, but the token has none.
    #[error("missing, although one was sent; `nonce: off` is for providers that cannot return it")]
    Missing,
    /// The nonce belongs to another sign-in.
    #[error("another login's")]
    Foreign,
}

/// Why a userinfo response was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserinfoFault {
    /// Neither a JSON object nor a signed JWT.
    #[error("{0}")]
    Content(Unreadable),
    /// The token is not a signed JWT.
    #[error("it is not a plain signed JWT")]
    Form(#[from] compact::Error),
    /// The signature or a claim is wrong.
    #[error(transparent)]
    Token(#[from] Fault),
    /// The request could not be built.
    #[error("the request could not be made")]
    Request,
}

/// Why an answer of Microsoft Graph cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupsFault {
    /// Not a list of groups.
    #[error("{0}")]
    Content(Unreadable),
    /// The request could not be built.
    #[error("the request could not be made")]
    Request,
    /// The next page has another origin than the address in the configuration.
    #[error("its next page is at {0}, which is not called")]
    Elsewhere(Box<str>),
    /// There is no end of pages.
    #[error("the user is in more groups than are read")]
    TooMany,
}

/// An OAuth error code (RFC 6749 §5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorCode(Box<str>);

impl ErrorCode {
    /// Parses an error code: at most 64 characters of `[a-z_]`; anything else becomes `unknown`.
    pub(crate) fn of(text: &str) -> Self {
        let plain =
            (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase());
        Self(if plain { text } else { "unknown" }.into())
    }

    /// The code.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

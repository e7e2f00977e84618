//! What failed in the flow, and whose fault it is.
//!
//! No variant quotes a token, a body or an address with a query; a provider's own words are kept as a code of letters only.

use std::fmt;

use http::StatusCode;

use crate::backchannel;
use crate::jose::compact;
use crate::jose::mismatch::{self, Mismatch};
use crate::jose::verify::Fault;
use crate::oidc::document::Unreadable;

/// Why a login was not begun or finished, or a session not refreshed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The provider's metadata could not be had.
    #[error("the provider's metadata is not available")]
    ProviderUnavailable(#[source] FetchError),
    /// A parameter that the rule adds would take the place of one of ours (attacks C-16). The operator's fault; the
    /// configuration is checked for it.
    #[error("a parameter of the sign-in request is not the configuration's to set")]
    ReservedParameter,
    /// The login was begun before `pkce` or `nonce` were required, and lacks one. The user can begin again.
    #[error("the login was begun under other settings of the provider")]
    SettingsChanged,
    /// The token endpoint was not reached or did not answer.
    #[error("the token endpoint did not answer")]
    TokenUnreachable(#[source] backchannel::error::Error),
    /// The token endpoint answered with an error, other than about the code or refresh token itself.
    #[error("the token endpoint answered {status} ({code}){}", hint(*status, code))]
    TokenRefused { status: StatusCode, code: ErrorCode },
    /// `invalid_grant` (RFC 6749 §5.2): the code or refresh token was used before, has expired, or is not ours.
    #[error("the token endpoint does not accept the code or refresh token")]
    CodeRejected,
    /// The token endpoint's answer is not one of RFC 6749 §5.1.
    #[error("the token endpoint's answer is not usable: {0}")]
    TokenResponse(Unreadable),
    /// The ID token is missing or does not verify.
    #[error("the ID token is not valid")]
    IdToken(#[source] IdTokenFault),
    /// The keys that sign ID tokens could not be had, so it cannot be said whether a token is good.
    #[error("the provider's keys are not available")]
    KeysUnavailable(#[source] FetchError),
    /// The userinfo endpoint was not reached or did not answer.
    #[error("the userinfo endpoint did not answer")]
    UserinfoUnreachable(#[source] backchannel::error::Error),
    /// The userinfo endpoint answered with an error.
    #[error("the userinfo endpoint answered {0}")]
    UserinfoRefused(StatusCode),
    /// The userinfo answer is not a JSON object of claims, or a signed one does not verify.
    #[error("the userinfo answer is not usable")]
    UserinfoInvalid(#[source] UserinfoFault),
    /// Userinfo or a refreshed ID token is about another user (OIDC Core §5.3.2, §12.2).
    #[error("the provider spoke of two different users")]
    SubjectMismatch,
    /// `iss` in the provider's answer is missing or not the provider that was asked (RFC 9207 §2.4).
    #[error("the answer came from another issuer than the one that was asked: its `iss` is {0}")]
    IssuerMismatch(Mismatch),
}

/// Whose fault a failed refresh is. This decides what becomes of the session (`docs/PROVIDERS.md` has the table).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The provider has withdrawn this user's grant, or spoke of something that is not this session: it ends.
    Grant,
    /// Our credentials, addresses or permissions at the provider are wrong. Sessions are kept: an operator's mistake signs
    /// nobody out.
    Operator,
    /// The provider, or the way to it, has trouble. Sessions are kept, and it is tried again.
    Provider,
}

impl Error {
    /// Whose fault it is, where a session was to be refreshed. **This is the table**: one line for each outcome.
    pub(crate) fn blame(&self) -> Blame {
        match self {
            Self::CodeRejected | Self::SubjectMismatch | Self::IssuerMismatch(_) => Blame::Grant,
            Self::IdToken(IdTokenFault::Token(Fault::NoKey)) => Blame::Provider,
            Self::IdToken(_) => Blame::Grant,
            Self::TokenRefused { status, code } => blame_of_refusal(*status, code),
            Self::UserinfoRefused(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Blame::Grant,
            Self::ReservedParameter | Self::SettingsChanged => Blame::Operator,
            Self::ProviderUnavailable(_)
            | Self::TokenUnreachable(_)
            | Self::TokenResponse(_)
            | Self::KeysUnavailable(_)
            | Self::UserinfoUnreachable(_)
            | Self::UserinfoRefused(_)
            | Self::UserinfoInvalid(_) => Blame::Provider,
        }
    }

    /// Whether a refresh that failed with this ends the session.
    pub(crate) fn is_fatal_for_session(&self) -> bool {
        self.blame() == Blame::Grant
    }

    /// Whether the same may succeed later, so that a session is kept until its own end.
    pub(crate) fn is_transient(&self) -> bool {
        !self.is_fatal_for_session()
    }
}

/// RFC 6749 §5.2. What the code says counts more than the status: some providers send errors with 200.
fn blame_of_refusal(status: StatusCode, code: &ErrorCode) -> Blame {
    if status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) {
        return Blame::Provider;
    }
    match code.as_str() {
        // The user has to come back, or may not (OIDC Core §3.1.2.6 has the codes that ask for the user).
        "invalid_grant"
        | "access_denied"
        | "interaction_required"
        | "login_required"
        | "consent_required"
        | "account_selection_required"
        // We ask for no scope, so what was granted is not valid any more.
        | "invalid_scope" => Blame::Grant,
        "invalid_client" | "unauthorized_client" | "unsupported_grant_type" => Blame::Operator,
        "temporarily_unavailable" | "server_error" | "slow_down" => Blame::Provider,
        // No code that says anything: what the status means at a token endpoint.
        _ if status.is_redirection() || status == StatusCode::NOT_FOUND || status == StatusCode::METHOD_NOT_ALLOWED => {
            Blame::Operator
        }
        _ if status == StatusCode::UNAUTHORIZED => Blame::Operator,
        _ if status.is_success() => Blame::Provider,
        // A plain 400 or 403 is a refusal. Some providers say no more of a refresh token that was revoked.
        _ => Blame::Grant,
    }
}

/// What an operator can do about a refusal.
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

/// Why there is no document of the provider.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// It was asked for just now, in vain.
    #[error(transparent)]
    Failed(Fetch),
    /// It failed a moment ago, and the provider is left alone for a while.
    #[error("it failed a moment ago and is not tried again yet")]
    BackingOff,
}

/// A document that was asked for in vain: which, where, why.
#[derive(Debug)]
pub(crate) struct Fetch {
    /// `discovery` or `the key set`.
    pub(crate) document: &'static str,
    /// Without a query.
    pub(crate) url: Box<str>,
    pub(crate) cause: FetchFault,
}

impl fmt::Display for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} {}", self.document, self.url, self.cause)
    }
}

impl std::error::Error for Fetch {
    /// The cause is in the text already, so the next in the chain is the cause's own source.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.source()
    }
}

/// Why a document was not had. Worded to follow "discovery at https://…".
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchFault {
    /// There was no answer.
    #[error("did not answer")]
    Call(#[source] backchannel::error::Error),
    /// The URL is none that HTTP can ask for.
    #[error("cannot be asked for: the address has characters that HTTP does not allow")]
    Address,
    /// The answer is not a success.
    #[error("answered {0}")]
    Status(StatusCode),
    /// The answer is another thing than what was asked for.
    #[error("is not usable: {0}")]
    Content(Unreadable),
    /// The key set has no key that verifies a signature.
    #[error("has no key that can verify an ID token (skipped: {0}, because of another use or algorithm)")]
    NoUsableKey(usize),
    /// It is not a key set.
    #[error("is not a key set: it is not a JSON object with an array `keys`")]
    NotAKeySet,
    /// The metadata is another issuer's (OpenID Connect Discovery §4.3, attacks O-01).
    #[error("says issuer {}, the file says {}", .0.found(), .0.expected())]
    Issuer(Mismatch),
    /// The metadata sends us to an address that we do not call (attacks O-02).
    #[error("says `{name}` is {}, which is not called: {why}", mismatch::quoted(value))]
    Endpoint { name: &'static str, value: Box<str>, why: &'static str },
}

/// Why an ID token was refused (OIDC Core §3.1.3.7, §12.2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IdTokenFault {
    /// The answer has no ID token.
    #[error("there is no ID token in the answer; does the scope contain `openid`?")]
    Missing,
    /// It is not a plain signed JWT.
    #[error("it is not a plain signed JWT")]
    Form(#[from] compact::Error),
    /// Its signature or one of its registered claims is wrong.
    #[error(transparent)]
    Token(#[from] Fault),
    /// `azp` is not us, or missing beside several audiences.
    #[error("it was made for another client: its `azp` is {0}")]
    AuthorizedParty(Mismatch),
    /// `nonce` is missing or another login's.
    #[error("its `nonce` is {0}")]
    Nonce(NonceFault),
    /// `at_hash` is not that of the access token.
    #[error("it belongs to another access token: `at_hash` differs")]
    AccessTokenHash,
    /// `sub` is missing, empty, longer than 255 characters or not printable.
    #[error("its `sub` is missing, empty, too long or not printable")]
    Subject,
}

/// What is wrong with a `nonce`. The value is not shown: it is a login's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NonceFault {
    /// We sent one, and it did not come back.
    #[error("missing, although one was sent; `nonce: off` is for providers that cannot return it")]
    Missing,
    /// It is another login's.
    #[error("another login's")]
    Foreign,
}

/// Why a userinfo answer was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UserinfoFault {
    /// Neither a JSON object nor a signed JWT.
    #[error("{0}")]
    Content(Unreadable),
    /// It is not a plain signed JWT.
    #[error("it is not a plain signed JWT")]
    Form(#[from] compact::Error),
    /// The signature, or a claim that is there, is wrong.
    #[error(transparent)]
    Token(#[from] Fault),
    /// The request could not be made.
    #[error("the request could not be made")]
    Request,
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
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

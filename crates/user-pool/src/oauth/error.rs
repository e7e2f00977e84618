//! Errors of OAuth (RFC 6749 §4.1.2.1 and §5.2, OIDC Core §3.1.2.6).
//!
//! Descriptions are fixed texts. They contain nothing from the request.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::message::WholeResponse;
use crate::page::Code;
use crate::reply;

/// An error response to a relying party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Error {
    pub code: &'static str,
    pub(crate) description: &'static str,
    /// Set if the request may succeed later.
    later: Option<Later>,
    /// In the access log, where the code does not say enough.
    reason: Option<Code>,
}

/// Why a request may succeed later, with `Retry-After` in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Later {
    TooMany(u64),
    Unavailable(u64),
}

/// How long a client waits while the database fails, in seconds.
const UNAVAILABLE_FOR: u64 = 5;

/// The reason of [`Error::NOT_ENOUGH`].
pub(crate) const TOKEN_NOT_ENOUGH: &str = "token.not_enough";

impl Error {
    /// A code or refresh token counts for nothing (RFC 6749 §5.2).
    pub(super) const NOT_VALID: Self =
        Self::grant("the code or refresh token is not valid, was used before, or is another client's");
    /// The user cannot prove the level that the request needs (OpenID Connect Core Error Code unmet_authentication_requirements).
    pub(super) const UNMET: Self =
        Self::new("unmet_authentication_requirements", "the user has not reached the level that is asked for");
    /// A sign-in would ask for more today than was proved when the grant was made.
    pub(super) const NOT_ENOUGH: Self = Self {
        reason: Some(Code(TOKEN_NOT_ENOUGH)),
        ..Self::grant("the user has to sign in again: a sign-in asks for more now than was proved for this grant")
    };

    /// An error with a code of the standards and a description.
    pub(crate) const fn new(code: &'static str, description: &'static str) -> Self {
        Self { code, description, later: None, reason: None }
    }

    /// `invalid_request`: a parameter is missing, repeated or invalid.
    pub(crate) const fn request(description: &'static str) -> Self {
        Self::new("invalid_request", description)
    }

    /// `invalid_grant`: the code or refresh token is invalid, or belongs to another client.
    pub(crate) const fn grant(description: &'static str) -> Self {
        Self::new("invalid_grant", description)
    }

    /// `invalid_target`: the client may not have a token for the resource (RFC 8707 §2).
    pub(crate) const fn target(description: &'static str) -> Self {
        Self::new("invalid_target", description)
    }

    /// Too many requests. RFC 6749 §5.2 has no code for it. This uses a code of §4.1.2.1 with status 429.
    pub(crate) fn too_many(wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX);
        Self {
            later: Some(Later::TooMany(seconds)),
            ..Self::new("temporarily_unavailable", "too many requests; try again later")
        }
    }

    /// The database fails.
    pub(crate) const fn unavailable() -> Self {
        let (code, description) =
            ("temporarily_unavailable", "the user pool cannot answer at the moment; try again later");
        Self { later: Some(Later::Unavailable(UNAVAILABLE_FOR)), ..Self::new(code, description) }
    }

    /// The error as a response of the token endpoint (RFC 6749 §5.2).
    pub(crate) fn answer(self) -> WholeResponse {
        let unauthorized = self.code == "invalid_client";
        let status = match self.later {
            Some(Later::TooMany(_)) => StatusCode::TOO_MANY_REQUESTS,
            Some(Later::Unavailable(_)) => StatusCode::SERVICE_UNAVAILABLE,
            None if unauthorized => StatusCode::UNAUTHORIZED,
            None => StatusCode::BAD_REQUEST,
        };
        let body = json!({"error": self.code, "error_description": self.description});
        let mut response = reply::json(status, &body);
        if let Some(Later::TooMany(seconds) | Later::Unavailable(seconds)) = self.later {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if unauthorized {
            let challenge = HeaderValue::from_static(r#"Basic realm="token", charset="UTF-8""#);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(reason) = self.reason {
            response.extensions_mut().insert(reason);
        }
        response
    }
}

/// Why an authorization or end-session request is answered with an error page: no redirect is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PageError {
    /// The client is not registered.
    #[error("the client is not registered")]
    UnknownClient,
    /// The redirect URI is not registered for the client.
    #[error("the redirect URI is not registered for this client")]
    UnknownRedirect,
    /// The request that was pushed (RFC 9126) is not there any more.
    #[error("the request was not pushed, has expired, or was used before")]
    UnknownRequest,
    /// The request cannot be parsed.
    #[error("the request cannot be read")]
    Malformed,
}

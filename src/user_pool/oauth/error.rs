//! Errors of OAuth (RFC 6749 §4.1.2.1 and §5.2, OIDC Core §3.1.2.6) and where each may be sent.
//!
//! Descriptions are ours, word for word: nothing that a stranger sent is in them.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::message::WholeResponse;
use crate::user_pool::reply;

/// An error that a relying party is told, in the words of the standards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Error {
    pub(crate) code: &'static str,
    pub(crate) description: &'static str,
    /// When to ask again, in seconds: too many requests.
    retry_after: Option<u64>,
}

impl Error {
    /// `code` of the standards, with a description of ours.
    pub(crate) const fn new(code: &'static str, description: &'static str) -> Self {
        Self { code, description, retry_after: None }
    }

    /// `invalid_request`: the request lacks something, has it twice, or has it wrong.
    pub(crate) const fn request(description: &'static str) -> Self {
        Self::new("invalid_request", description)
    }

    /// `invalid_grant`: the code or refresh token is not good, or not this client's.
    pub(crate) const fn grant(description: &'static str) -> Self {
        Self::new("invalid_grant", description)
    }

    /// Too many requests. RFC 6749 §5.2 has no code for it: this is the one of §4.1.2.1, and the status says the rest.
    pub(crate) fn too_many(wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX);
        Self {
            retry_after: Some(seconds),
            ..Self::new("temporarily_unavailable", "too many requests; try again later")
        }
    }

    /// As the token endpoint answers it (RFC 6749 §5.2).
    pub(crate) fn answer(self) -> WholeResponse {
        let unauthorized = self.code == "invalid_client";
        let status = match self.retry_after {
            Some(_) => StatusCode::TOO_MANY_REQUESTS,
            None if unauthorized => StatusCode::UNAUTHORIZED,
            None => StatusCode::BAD_REQUEST,
        };
        let body = json!({"error": self.code, "error_description": self.description});
        let mut response = reply::json(status, &body);
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if unauthorized {
            let challenge = HeaderValue::from_static(r#"Basic realm="token", charset="UTF-8""#);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Why an authorization or end-session request is answered with a page of ours: there is no address that may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PageError {
    /// No client of ours has asked.
    #[error("the client is not registered")]
    UnknownClient,
    /// The address to go back to is not one of the client's.
    #[error("the redirect URI is not registered for this client")]
    UnknownRedirect,
    /// The request cannot be read at all.
    #[error("the request cannot be read")]
    Malformed,
}

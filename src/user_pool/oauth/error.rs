//! Errors of OAuth (RFC 6749 §4.1.2.1 and §5.2, OIDC Core §3.1.2.6) and where each may be sent.
//!
//! Descriptions are ours, word for word: nothing that a stranger sent is in them.

use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::message::WholeResponse;
use crate::user_pool::reply;

/// An error that a relying party is told, in the words of the standards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Error {
    pub(crate) code: &'static str,
    pub(crate) description: &'static str,
}

impl Error {
    /// `code` of the standards, with a description of ours.
    pub(crate) const fn new(code: &'static str, description: &'static str) -> Self {
        Self { code, description }
    }

    /// `invalid_request`: the request lacks something, has it twice, or has it wrong.
    pub(crate) const fn request(description: &'static str) -> Self {
        Self::new("invalid_request", description)
    }

    /// `invalid_grant`: the code or refresh token is not good, or not this client's.
    pub(crate) const fn grant(description: &'static str) -> Self {
        Self::new("invalid_grant", description)
    }

    /// As the token endpoint answers it (RFC 6749 §5.2).
    pub(crate) fn answer(self) -> WholeResponse {
        let unauthorized = self.code == "invalid_client";
        let status = if unauthorized { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        let body = json!({"error": self.code, "error_description": self.description});
        let mut response = reply::json(status, &body);
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

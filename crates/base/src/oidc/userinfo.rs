//! The userinfo endpoint (OIDC Core §5.3), and the merging of its claims with those of the ID token.

use bytes::Bytes;
use http::{Request, StatusCode, header};
use serde_json::Value;
use url::Url;

use crate::identity::ASKED_AT;
use crate::identity::{Claims, has_groups_overage};
use crate::oidc::caller::{Caller, Endpoint};
use crate::oidc::document::{Document, Unreadable, without_mark};
use crate::oidc::error::{Error, UserinfoFault};
use crate::secret::Secret;

/// Claims about the token, not about the user.
const PROTOCOL_MEMBERS: [&str; 11] =
    ["iss", "aud", "exp", "iat", "nbf", "jti", "nonce", "at_hash", "c_hash", "s_hash", "azp"];

/// A response of the userinfo endpoint.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Unsigned claims.
    Plain(Claims),
    /// A signed JWT (OIDC Core §5.3.2), not yet verified.
    Signed(String),
}

/// Requests the claims of the user of `access_token`. Ignores the content type: a JSON object begins with a brace, and a JWT does
/// not.
pub(crate) async fn ask(caller: &Caller, endpoint: &Url, access_token: &Secret<String>) -> Result<Answer, Error> {
    let request = Request::get(endpoint.as_str())
        .header(header::ACCEPT, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {}", access_token.expose()))
        .body(Bytes::new())
        .map_err(|_| Error::UserinfoInvalid(UserinfoFault::Request))?;
    let response = caller.call(Endpoint::Userinfo, request).await.map_err(Error::UserinfoUnreachable)?;
    // RFC 9110 §15.3.5: a 204 response has no content.
    if !response.status().is_success() || response.status() == StatusCode::NO_CONTENT {
        return Err(Error::UserinfoRefused(response.status()));
    }
    match token(response.body()) {
        Some(token) => Ok(Answer::Signed(token)),
        None => Document::read(response.body())
            .map(|document| Answer::Plain(document.0))
            .map_err(|error| Error::UserinfoInvalid(UserinfoFault::Content(error))),
    }
}

/// The body as a JWT, if it has the form of one: base64url segments separated by dots.
fn token(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(without_mark(body)).ok()?.trim();
    let is_token = text.contains('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'='));
    is_token.then(|| text.to_owned())
}

/// Checks that `claims` belong to `subject`. OIDC Core §5.3.2 forbids their use otherwise. A number is compared as its digits.
pub(crate) fn check_subject(mut claims: Claims, subject: &str) -> Result<Claims, Error> {
    match claims.get("sub") {
        Some(Value::String(name)) if name == subject => Ok(claims),
        Some(Value::Number(name)) if name.to_string() == subject => {
            claims.insert("sub".to_owned(), subject.into());
            Ok(claims)
        }
        Some(Value::String(_) | Value::Number(_)) => Err(Error::SubjectMismatch),
        None | Some(Value::Null) => Err(invalid(Unreadable::Missing("sub"))),
        Some(_) => Err(invalid(Unreadable::Type { name: "sub", wanted: "text" })),
    }
}

fn invalid(why: Unreadable) -> Error {
    Error::UserinfoInvalid(UserinfoFault::Content(why))
}

/// Drops what is about the sign-in and not about the user. Only the ID token of the sign-in says it (OIDC Core §2), and its signature
/// is verified. In userinfo, a member of such a name can be an attribute that users edit.
pub(crate) fn without_sign_in(mut claims: Claims) -> Claims {
    claims.retain(|name, _| !matches!(name.as_str(), "auth_time" | "acr" | "amr" | ASKED_AT));
    claims
}

/// Merges `over` into `claims`; `over` wins. Drops the claims of the protocol.
pub(crate) fn merge(mut claims: Claims, mut over: Claims) -> Claims {
    // A source that calls an address verified says so of its own address (OIDC Core §5.1), not of one in another source.
    match (claims.get("email"), over.get("email")) {
        (Some(email), Some(other)) if email != other => drop(claims.remove("email_verified")),
        (Some(_), None) => drop(over.remove("email_verified")),
        (None, Some(_)) => drop(claims.remove("email_verified")),
        (Some(_), Some(_)) | (None, None) => {}
    }
    // Neither source takes a mark of the other away: that groups are missing is true whatever else is elsewhere (attacks A-12).
    let lacks_groups = has_groups_overage(&claims);
    claims.extend(over);
    if lacks_groups && !has_groups_overage(&claims) {
        claims.insert("hasgroups".to_owned(), true.into());
    }
    claims.retain(|name, _| !PROTOCOL_MEMBERS.contains(&name.as_str()));
    claims
}

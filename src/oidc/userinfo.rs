//! The userinfo endpoint (OIDC Core §5.3), and the claims that come of it and of the ID token.

use bytes::Bytes;
use http::{Request, StatusCode, header};
use serde_json::Value;
use url::Url;

use crate::identity::Claims;
use crate::jose::compact::Compact;
use crate::jose::strict_json;
use crate::message::WholeResponse;
use crate::oidc::caller::Caller;
use crate::oidc::error::{Error, IdTokenFault};
use crate::oidc::jwks::Keys;
use crate::secret::Secret;

/// Members that speak of the token, not of the user.
const PROTOCOL_MEMBERS: [&str; 11] =
    ["iss", "aud", "exp", "iat", "nbf", "jti", "nonce", "at_hash", "c_hash", "s_hash", "azp"];

/// An answer of the userinfo endpoint.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Claims as they are.
    Plain(Claims),
    /// A signed JWT (OIDC Core §5.3.2), which is for [`signed`] to read.
    Signed(String),
}

/// Asks for the claims of whom `access_token` was issued for.
pub(crate) async fn ask(caller: &Caller, endpoint: &Url, access_token: &Secret<String>) -> Result<Answer, Error> {
    let request = Request::get(endpoint.as_str())
        .header(header::ACCEPT, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {}", access_token.expose()))
        .body(Bytes::new())
        .map_err(|_| Error::UserinfoInvalid("the request could not be made"))?;
    let response = caller.call(request).await.map_err(Error::UserinfoUnreachable)?;
    if response.status() != StatusCode::OK {
        return Err(Error::UserinfoRefused(response.status()));
    }
    if is_signed(&response) {
        let text = String::from_utf8(response.into_body().into()).map_err(|_| Error::UserinfoInvalid("not a token"))?;
        return Ok(Answer::Signed(text));
    }
    strict_json::object(response.body()).map(Answer::Plain).map_err(|_| Error::UserinfoInvalid("not a JSON object"))
}

fn is_signed(response: &WholeResponse) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/jwt"))
}

/// Reads a signed answer: signature, and `iss` and `aud`, which it should have and which must be right (§5.3.2).
pub(crate) fn signed(token: Compact<'_>, keys: &Keys, issuer: &str, client_id: &str) -> Result<Claims, IdTokenFault> {
    keys.verify(&token)?;
    let claims = token.unverified_payload;
    let is_ours = match claims.get("aud") {
        Some(Value::String(audience)) => audience == client_id,
        Some(Value::Array(audiences)) => audiences.iter().any(|audience| audience == client_id),
        _ => false,
    };
    if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
        return Err(IdTokenFault::Issuer);
    }
    if is_ours { Ok(claims) } else { Err(IdTokenFault::Audience) }
}

/// Checks that `claims` are about `subject`: OIDC Core §5.3.2 has them not used otherwise.
pub(crate) fn check_subject(claims: &Claims, subject: &str) -> Result<(), Error> {
    match claims.get("sub") {
        Some(Value::String(name)) if name == subject => Ok(()),
        Some(Value::String(_)) => Err(Error::SubjectMismatch),
        _ => Err(Error::UserinfoInvalid("it does not name its user")),
    }
}

/// Lays `over` over `claims`, and drops what is the protocol's own.
pub(crate) fn merge(mut claims: Claims, over: Claims) -> Claims {
    claims.extend(over);
    claims.retain(|name, _| !PROTOCOL_MEMBERS.contains(&name.as_str()));
    claims
}

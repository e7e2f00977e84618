//! Authenticates the app client at the token endpoint: basic, post, or none with PKCE (RFC 6749 §2.3).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;

use crate::message::form::Form;
use crate::secret::Secret;
use crate::user_pool::directory::Directory;
use crate::user_pool::directory::client::Client;
use crate::user_pool::oauth::error::Error;

/// One answer for every cause: which clients there are is nobody's business.
const INVALID_CLIENT: Error = Error::new("invalid_client", "the client is not known or did not prove itself");

/// The client that asks.
///
/// # Errors
///
/// `invalid_client`; `invalid_request` where the client names itself in two ways (RFC 6749 §2.3).
pub(crate) fn authenticate(headers: &HeaderMap, form: &Form<'_>, directory: &Directory) -> Result<Arc<Client>, Error> {
    let field = |name| form.one(name).map_err(|_| Error::request("a parameter came more than once"));
    let (in_form, secret_in_form) = (field("client_id")?, field("client_secret")?);
    let basic = headers.get(header::AUTHORIZATION).map(|value| credentials(value).ok_or(INVALID_CLIENT)).transpose()?;
    if basic.is_some() && secret_in_form.is_some() {
        return Err(Error::request("the client proves itself in two ways"));
    }
    let (id, secret) = match (basic, in_form) {
        (Some((id, _)), Some(in_form)) if id != in_form => {
            return Err(Error::request("the client names itself in two ways"));
        }
        (Some((id, secret)), _) => (id, Some(secret)),
        (None, Some(id)) => (id.to_owned(), secret_in_form.map(|secret| Secret::new(secret.to_owned()))),
        (None, None) => return Err(INVALID_CLIENT),
    };
    let client = directory.client(&id).ok_or(INVALID_CLIENT)?;
    let has_proved = match secret {
        Some(secret) => client.has_secret(&secret),
        None => client.is_public(),
    };
    if has_proved { Ok(Arc::clone(client)) } else { Err(INVALID_CLIENT) }
}

/// `Basic`, where both halves are form-encoded first (RFC 6749 §2.3.1).
fn credentials(value: &http::HeaderValue) -> Option<(String, Secret<String>)> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = Secret::new(String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?);
    let (id, secret) = text.expose().split_once(':')?;
    let decoded = |text: &str| Some(percent_decode_str(&text.replace('+', " ")).decode_utf8().ok()?.into_owned());
    Some((decoded(id)?, Secret::new(decoded(secret)?)))
}

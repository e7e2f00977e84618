//! The parameter `claims` of an authorization request (OIDC Core §5.5).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::directory::client::Client;
use crate::directory::user::User;
use crate::identity::Claims;
use crate::oauth::error::Error;
use crate::oauth::user_claims;
use crate::signin::proof::Level;

/// Maximum length, because it is part of the sign-in form and of the grant.
const MAX_BYTES: usize = 2048;

/// Claims that are asked for by name, in addition to those of the scope. Claims that nobody has are left out (§5.5.1: also essential ones).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RequestedClaims {
    id_token: Vec<String>,
    userinfo: Vec<String>,
}

/// What the parameter says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) claims: Option<RequestedClaims>,
    /// No other user may sign in (§5.5.1: `sub` with a value).
    pub(super) subject: Option<String>,
    /// The lowest level of those that `acr` of the ID token may have, and whether it must.
    pub(super) level: Option<(Level, bool)>,
}

impl RequestedClaims {
    /// The scopes of the claims that say something of the user.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = &'static str> {
        let names = self.id_token.iter().chain(&self.userinfo);
        names.filter(|name| user_claims::is_of_user(name)).map(|name| user_claims::scope_of(name))
    }

    /// Those for the ID token that the user has.
    pub(crate) fn of_id_token(&self, user: &User) -> Claims {
        select(&self.id_token, user)
    }

    /// Those for the userinfo endpoint that the user has.
    pub(crate) fn of_userinfo(&self, user: &User) -> Claims {
        select(&self.userinfo, user)
    }
}

fn select(names: &[String], user: &User) -> Claims {
    let mut claims = user_claims::all_claims_of(user);
    claims.retain(|name, _| names.contains(name));
    claims
}

/// Reads the parameter. A client is given claims only of scopes that it may have.
///
/// # Errors
///
/// `invalid_request` if it is not a JSON object of this form.
pub(super) fn read(text: Option<&str>, client: &Client) -> Result<Read, Error> {
    const MALFORMED: Error = Error::request("claims is not a JSON object as in OpenID Connect Core 5.5");
    let Some(text) = text else { return Ok(Read::default()) };
    if text.len() > MAX_BYTES {
        return Err(Error::request("claims is too long"));
    }
    let asked: Map<String, Value> = serde_json::from_str(text).map_err(|_| MALFORMED)?;
    let allowed: Vec<&str> = client.options().allowed().collect();
    let names = |member: &str| -> Result<Vec<String>, Error> {
        let Some(asked) = asked.get(member).filter(|asked| !asked.is_null()) else { return Ok(Vec::new()) };
        let asked = asked.as_object().ok_or(MALFORMED)?;
        if asked.values().any(|how| !how.is_null() && !how.is_object()) {
            return Err(MALFORMED);
        }
        let names = asked.keys().filter(|name| allowed.contains(&user_claims::scope_of(name)));
        Ok(names.cloned().collect())
    };
    let claims = RequestedClaims { id_token: names("id_token")?, userinfo: names("userinfo")? };
    let value_of = |member: &str| asked.get(member)?.get("sub")?.get("value")?.as_str().map(str::to_owned);
    let subject = value_of("id_token").or_else(|| value_of("userinfo"));
    let level = match asked.get("id_token").and_then(|asked| asked.get("acr")) {
        Some(acr) => level(acr)?,
        None => None,
    };
    let claims = Some(claims).filter(|claims| *claims != RequestedClaims::default());
    Ok(Read { claims, subject, level })
}

/// What a request says of `acr` (§5.5.1.1).
fn level(acr: &Value) -> Result<Option<(Level, bool)>, Error> {
    let is_essential = acr.get("essential") == Some(&Value::Bool(true));
    let several = acr.get("values").and_then(Value::as_array).into_iter().flatten();
    let named: Vec<&str> = several.chain(acr.get("value")).filter_map(Value::as_str).collect();
    match named.iter().filter_map(|name| Level::named(name)).min() {
        Some(least) => Ok(Some((least, is_essential))),
        None if is_essential && !named.is_empty() => Err(Error::UNMET),
        None => Ok(None),
    }
}

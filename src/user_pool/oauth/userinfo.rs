//! UserInfo endpoint (OIDC Core §5.3).

use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::user_pool::oauth::issuer;
use crate::user_pool::oauth::provider::Provider;
use crate::user_pool::reply;
use crate::user_pool::signin::sso::Key;

impl Provider {
    /// Returns the claims that the scope of the access token allows. The token is read from the header or from a form body
    /// (RFC 6750 §2.1, §2.2), never from the query.
    pub(crate) fn userinfo(&self, headers: &HeaderMap, form: &Form<'_>) -> WholeResponse {
        let in_form = form.one("access_token").ok().flatten();
        let Some(token) = bearer(headers).or(in_form) else {
            return refused(StatusCode::UNAUTHORIZED, r#"Bearer realm="userinfo""#);
        };
        match self.claims_for(token) {
            Some(claims) => reply::json(StatusCode::OK, &claims),
            None => refused(StatusCode::UNAUTHORIZED, r#"Bearer realm="userinfo", error="invalid_token""#),
        }
    }

    fn claims_for(&self, token: &str) -> Option<Value> {
        let now = self.clock.now();
        let (token, inside) = self.issuer.read_access_token(token, now)?;
        let text = |name: &str| token.get(name)?.as_str();
        let (subject, client_id) = (text("sub")?, text("client_id")?);
        // A client that was removed from the configuration has no access any more.
        self.directory.client(client_id)?;
        if self.grants.is_revoked((subject, client_id), &inside.family, now) {
            return None;
        }
        if let Some(id) = &inside.session_id
            && self.sessions.has_ended(Key { subject, id, auth_time: token.get("auth_time")?.as_u64()? }, now)
        {
            return None;
        }
        let user = self.directory.user(subject, &inside.fingerprint)?;
        let mut claims = json!({"sub": user.subject()});
        claims.as_object_mut()?.extend(issuer::claims_of(user, text("scope")?));
        Some(claims)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn refused(status: StatusCode, challenge: &'static str) -> WholeResponse {
    let mut response = reply::json(status, &json!({"error": "invalid_token"}));
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

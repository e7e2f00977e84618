//! UserInfo endpoint (OIDC Core §5.3).

use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::database;
use crate::identity::Claims;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::oauth::provider::Provider;
use crate::oauth::user_claims::claims_of;
use crate::reply;

impl Provider {
    /// Returns the claims that the scope of the access token allows. The token is read from the header or from a form body
    /// (RFC 6750 §2.1, §2.2), never from the query.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn userinfo(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
    ) -> Result<WholeResponse, database::Error> {
        let in_form = form.one("access_token").ok().flatten();
        let Some(token) = bearer(headers).or(in_form) else {
            return Ok(refused(StatusCode::UNAUTHORIZED, r#"Bearer realm="userinfo""#));
        };
        let access = match self.issuer.read_access_token(token, self.clock.now()) {
            Some(token) => self.access(token).await?,
            None => None,
        };
        Ok(match access {
            Some(access) => {
                let mut claims = Claims::new();
                claims.insert("sub".into(), access.user.subject().into());
                claims.extend(claims_of(&access.user, access.scope()));
                claims.extend(access.asked.as_ref().map(|asked| asked.of_userinfo(&access.user)).unwrap_or_default());
                reply::json(StatusCode::OK, &Value::Object(claims))
            }
            None => refused(StatusCode::UNAUTHORIZED, r#"Bearer realm="userinfo", error="invalid_token""#),
        })
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

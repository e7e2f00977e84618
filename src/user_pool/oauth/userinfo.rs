//! UserInfo endpoint (OIDC Core §5.3).

use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::database;
use crate::identity::Claims;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::user_pool::oauth::issuer;
use crate::user_pool::oauth::provider::Provider;
use crate::user_pool::reply;
use crate::user_pool::signin::sso::Key;

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
        let user = match self.reader(token).await? {
            Some(reader) => {
                let user = self.directory.user(&reader.subject, &reader.fingerprint).await?;
                user.map(|user| (user, reader.scope))
            }
            None => None,
        };
        Ok(match user {
            Some((user, scope)) => {
                let mut claims = Claims::new();
                claims.insert("sub".into(), user.subject().into());
                claims.extend(issuer::claims_of(&user, &scope));
                reply::json(StatusCode::OK, &Value::Object(claims))
            }
            None => refused(StatusCode::UNAUTHORIZED, r#"Bearer realm="userinfo", error="invalid_token""#),
        })
    }

    /// What an access token that is in force says.
    async fn reader(&self, token: &str) -> Result<Option<Reader>, database::Error> {
        let now = self.clock.now();
        let Some((reader, client_id, family)) = self.read(token, now) else { return Ok(None) };
        let is_revoked = self.grants.is_revoked((&reader.subject, &client_id), &family, now).await?;
        Ok((!is_revoked).then_some(reader))
    }

    /// The same, with the client and the family, which may be revoked.
    fn read(&self, token: &str, now: Timestamp) -> Option<(Reader, String, String)> {
        let (token, inside) = self.issuer.read_access_token(token, now)?;
        let text = |name: &str| token.get(name)?.as_str();
        let (subject, client_id) = (text("sub")?, text("client_id")?);
        // A client that was removed from the configuration has no access any more.
        self.directory.client(client_id)?;
        if let Some(id) = &inside.session_id
            && self.sessions.has_ended(Key { subject, id, auth_time: token.get("auth_time")?.as_u64()? }, now)
        {
            return None;
        }
        let (subject, scope) = (subject.to_owned(), text("scope")?.to_owned());
        let reader = Reader { subject, fingerprint: inside.fingerprint, scope };
        Some((reader, client_id.to_owned(), inside.family))
    }
}

/// Whose claims an access token may read, and which.
struct Reader {
    subject: String,
    fingerprint: String,
    scope: String,
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

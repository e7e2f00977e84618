//! The request to an introspection endpoint, and its answer (RFC 7662 §2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use serde_json::Value;
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::identity::Claims;
use crate::message::{WholeRequest, WholeResponse, form};
use crate::oidc::document::Document;
use crate::oidc::introspection::outcome::IntrospectionError;
use crate::oidc::settings::{ClientAuth, Settings};

/// What an answer says.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// The token is active. The members of the answer, without `active` and those that are `null`.
    Active(Claims),
    /// The token is not active, or the answer does not say `"active": true` (attacks B-12).
    Inactive,
}

/// Asks about `token`. The client authenticates as at the token endpoint (RFC 7662 §2.1, RFC 6749 §2.3.1).
pub(super) fn request(
    settings: &Settings,
    (endpoint, method): (&Url, ClientAuth),
    token: &str,
) -> Result<WholeRequest, IntrospectionError> {
    let secret = settings.client_secret.as_ref().map(|secret| secret.expose().as_str());
    let (id, is_basic) = (settings.client_id.as_str(), method == ClientAuth::ClientSecretBasic);
    let asked = [("token", token), ("token_type_hint", "access_token")];
    let body = match secret.filter(|_| !is_basic) {
        Some(secret) => form::encode(asked.into_iter().chain([("client_id", id), ("client_secret", secret)])),
        None => form::encode(asked),
    };
    let mut request = Request::post(endpoint.as_str())
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from(body))
        .map_err(|_| IntrospectionError::Address)?;
    if let Some(secret) = secret.filter(|_| is_basic) {
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let credentials = STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
        let mut value =
            HeaderValue::try_from(format!("Basic {credentials}")).map_err(|_| IntrospectionError::Address)?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    Ok(request)
}

/// Reads an answer. Its content type is not looked at.
pub(super) fn read(response: &WholeResponse) -> Result<Said, IntrospectionError> {
    if response.status() != StatusCode::OK {
        return Err(IntrospectionError::Refused { status: response.status() });
    }
    let Document(mut members) = Document::read(response.body()).map_err(IntrospectionError::Content)?;
    // Only the JSON value `true`: a text or a number is what another reader may take for true.
    if members.remove("active") != Some(Value::Bool(true)) {
        return Ok(Said::Inactive);
    }
    members.retain(|_, value| !value.is_null());
    Ok(Said::Active(members))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::form::Form;
    use crate::secret::Secret;

    fn answer(status: u16, body: &str) -> Result<Said, IntrospectionError> {
        let mut response = WholeResponse::new(Bytes::from(body.to_owned()));
        *response.status_mut() = StatusCode::from_u16(status).expect("three digits");
        read(&response)
    }

    #[test]
    fn b_12_only_the_value_true_says_that_a_token_is_active() {
        let Ok(Said::Active(claims)) = answer(200, r#"{"active":true,"sub":"alice","aud":null}"#) else { panic!() };
        assert_eq!(Value::Object(claims), json!({"sub": "alice"}));
        for body in [
            r#"{"active":false,"sub":"alice"}"#,
            r#"{"active":"true","sub":"alice"}"#,
            r#"{"active":1,"sub":"alice"}"#,
            r#"{"active":null,"sub":"alice"}"#,
            r#"{"active":[true],"sub":"alice"}"#,
            r#"{"active":{"active":true}}"#,
            r#"{"Active":true,"sub":"alice"}"#,
            r#"{"sub":"alice"}"#,
            "{}",
        ] {
            assert_eq!(answer(200, body).expect(body), Said::Inactive, "{body}");
        }
    }

    #[test]
    fn what_is_no_answer_says_nothing() {
        let deep = format!(r#"{{"active":true,"a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        for (status, body) in [
            (200, ""),
            (200, "true"),
            (200, r#"[{"active":true}]"#),
            (200, r#"{"active":false,"active":true}"#),
            (200, r#"{"active":true}{"active":true}"#),
            (200, "eyJ0eXAiOiJ0b2tlbi1pbnRyb3NwZWN0aW9uK2p3dCJ9.e30.x"),
            (200, deep.as_str()),
            (201, r#"{"active":true}"#),
            (204, ""),
            (302, r#"{"active":true}"#),
            (401, r#"{"active":true}"#),
            (500, r#"{"active":true}"#),
        ] {
            let said = answer(status, body);
            assert!(said.is_err(), "{status} {body}: {said:?}");
        }
    }

    #[test]
    fn the_client_authenticates_as_at_the_token_endpoint() {
        let url = Url::parse("https://idp.test/introspect").expect("a URL");
        let settings = Settings {
            client_secret: Some(Secret::new("s3cret/+ :".into())),
            ..Settings::new("corp", "https://idp.test", "api:1")
        };
        let field = |request: &WholeRequest, name: &str| {
            Form::parse(request.body()).expect("a form").one(name).expect("once").map(str::to_owned)
        };
        let basic = request(&settings, (&url, ClientAuth::ClientSecretBasic), "a+/=").expect("a request");
        assert_eq!(field(&basic, "token").as_deref(), Some("a+/="));
        assert_eq!(field(&basic, "token_type_hint").as_deref(), Some("access_token"));
        assert_eq!((field(&basic, "client_id"), field(&basic, "client_secret")), (None, None));
        let value = basic.headers()[header::AUTHORIZATION].to_str().expect("ASCII").to_owned();
        let decoded = STANDARD.decode(value.strip_prefix("Basic ").expect("Basic")).expect("base64");
        assert_eq!(String::from_utf8(decoded).expect("UTF-8"), "api%3A1:s3cret%2F%2B+%3A");
        assert!(!format!("{basic:?}").contains(&value), "it is not printed");

        let post = request(&settings, (&url, ClientAuth::ClientSecretPost), "t").expect("a request");
        assert_eq!(field(&post, "client_secret").as_deref(), Some("s3cret/+ :"));
        assert!(!post.headers().contains_key(header::AUTHORIZATION));
    }
}

//! For `fuzz/`: what a provider answers when it is asked about a token.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value};

use crate::message::WholeResponse;
use crate::oidc::introspection::answer::{self, Said};

/// A token is active only where an ordinary reader of the same bytes sees `"active": true`, and an error says nothing.
pub fn introspection(input: &[u8]) {
    let answered = |status| {
        let mut response = WholeResponse::new(Bytes::copy_from_slice(input));
        *response.status_mut() = status;
        answer::read(&response)
    };
    for status in [StatusCode::CREATED, StatusCode::FOUND, StatusCode::UNAUTHORIZED, StatusCode::BAD_GATEWAY] {
        assert!(answered(status).is_err(), "{status} says something");
    }
    let text = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    let ordinary = serde_json::from_slice::<Map<String, Value>>(text);
    match answered(StatusCode::OK) {
        Ok(Said::Active(claims)) => {
            let mut ordinary = ordinary.expect("an object");
            assert_eq!(ordinary.remove("active"), Some(Value::Bool(true)));
            ordinary.retain(|_, value| *value != Value::Null);
            assert_eq!(claims, ordinary);
        }
        Ok(Said::Inactive) => assert_ne!(ordinary.expect("an object").get("active"), Some(&Value::Bool(true))),
        // What an ordinary reader takes, too, may have a name twice or nest too deep.
        Err(_) => {}
    }
}

use http::{HeaderMap, header};
use serde_json::{Value, json};

use super::*;
use crate::claims::settings::{Encoding, Format};
use crate::jose::signing_key::SigningKey;
use crate::message::header::Protected;
use crate::secret::Secret;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

pub(super) fn signing_key() -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate_pem()).expect("a generated key reads back")
}

pub(super) fn identity(claims: Value) -> Identity {
    let claims = claims.as_object().expect("an object").clone();
    Identity::assertion("https://idp.test".into(), "alice".into(), claims, Some(Secret::new("token".into())))
}

fn headers_for(mapped: &[(&str, &str)], access_token_header: bool) -> ClaimsHeaders {
    let claim_headers = mapped
        .iter()
        .map(|(header, path)| ClaimHeader {
            header: header.parse().expect("a header name"),
            claim: path.split('/').map(str::to_owned).collect(),
            encoding: Encoding::default(),
        })
        .collect();
    ClaimsHeaders::new(Settings {
        signer: "arn:vestibule:test".into(),
        format: Format::Jwt,
        signing_key: signing_key(),
        other_keys: Vec::new(),
        access_token_header,
        claim_headers,
        header_bytes_max: 32 * 1024,
    })
}

fn applied(headers: &ClaimsHeaders, identity: &Identity, request: &mut HeaderMap) {
    let prepared = headers.prepare(identity, "dashboard");
    let mut fields = OwnFields::default();
    headers.apply(&prepared, &"app".into(), NOW, &mut fields).expect("signs");
    fields.write_into(request);
}

#[test]
fn a_request_carries_the_three_headers_and_the_mapped_claims() {
    let headers =
        headers_for(&[("x-forwarded-email", "email"), ("x-roles", "realm_access/roles"), ("x-sub", "sub")], true);
    let mut request = HeaderMap::new();
    let claims = json!({"email": "alice@example.com", "realm_access": {"roles": ["a", "b"]}});
    applied(&headers, &identity(claims), &mut request);
    assert_eq!(request["x-amzn-oidc-identity"], "alice");
    assert_eq!(request["x-amzn-oidc-accesstoken"], "token");
    assert_eq!(request["x-amzn-oidc-data"].to_str().expect("ASCII").split('.').count(), 3);
    assert_eq!(request["x-forwarded-email"], "alice@example.com");
    assert_eq!(request["x-roles"], "a,b");
    assert_eq!(request["x-sub"], "alice");
    assert!(request["x-amzn-oidc-data"].is_sensitive() && request["x-amzn-oidc-accesstoken"].is_sensitive());
}

#[test]
fn h_09_an_absent_claim_removes_the_header() {
    let headers = headers_for(&[("x-forwarded-email", "email"), ("x-deep", "a/b/c")], false);
    for claims in [json!({}), json!({"email": null, "a": {"b": 1}}), json!({"email": "", "a": []})] {
        let mut request = HeaderMap::new();
        request.append("x-forwarded-email", HeaderValue::from_static("admin@corp"));
        request.append("x-forwarded-email", HeaderValue::from_static("root@corp"));
        request.append("x-deep", HeaderValue::from_static("x"));
        request.append("x-amzn-oidc-accesstoken", HeaderValue::from_static("forged"));
        request.append("x-amzn-oidc-data", HeaderValue::from_static("forged"));
        applied(&headers, &identity(claims), &mut request);
        for name in ["x-forwarded-email", "x-deep", "x-amzn-oidc-accesstoken"] {
            assert!(!request.contains_key(name), "{name}");
        }
        assert_eq!(request.get_all("x-amzn-oidc-data").iter().count(), 1);
        assert_ne!(request["x-amzn-oidc-data"], "forged");
    }
}

#[test]
fn mapped_headers_are_ours_under_every_spelling() {
    let headers = headers_for(&[("x-team", "team")], false);
    let protected = Protected::new(headers.owned_names());
    assert!(protected.contains(&"x_team".parse().expect("a header name")));
    assert!(!protected.contains(&header::ACCEPT));
}

#[test]
fn h_12_no_claim_breaks_out_of_its_header() {
    let headers = headers_for(&[("x-name", "name")], false);
    let mut request = HeaderMap::new();
    let name = "bob\r\nX-Forwarded-Groups: admin\0";
    let hostile = Identity::assertion(
        "https://idp.test".into(),
        "al\nice ü".into(),
        json!({"name": name}).as_object().expect("an object").clone(),
        Some(Secret::new("to\r\nken".into())),
    );
    applied(&headers, &hostile, &mut request);
    assert_eq!(request["x-name"], "bob%0D%0AX-Forwarded-Groups: admin%00");
    assert_eq!(request["x-amzn-oidc-identity"], "al%0Aice %C3%BC");
    // Three headers and nothing else.
    assert_eq!(request.len(), 3);
}

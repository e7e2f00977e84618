//! How a request ends: what the gates decide about sessions and tokens, and what targets get.

use serde_json::Value;

use super::*;
use crate::app::explain::outcome::{Header, Outcome};

const DEFAULT: &str = "      - type: authenticate-oidc\n        provider: corp\n      - type: forward\n";
const BEARER: &str = "provider: corp, audience: [api], scope: read, additional_claims: [{ name: tenant, format: single-string, values: [acme] }]";
const EITHER: &str = "      - type: session-or-bearer\n        provider: corp\n        bearer: { provider: corp, audience: [api] }\n      - type: forward\n";

fn supposed(text: &str, headers: &[&str], session: Option<&str>, token: Option<&str>) -> Explanation {
    let config = load_in(&files("outcome"), text).unwrap_or_else(|report| panic!("{report}"));
    let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
    let probe = Probe::parse("https://app.example.com:8443/x", &headers, None).expect("a request");
    let read = |text: &str| serde_json::from_str(text).expect("claims");
    let probe = probe.with_claims(session.map(read), token.map(read));
    explain(config, &[probe]).expect("it can be assembled").remove(0).of.remove(0)
}

fn with_default(actions: &str) -> String {
    assert!(SOUND.contains(DEFAULT));
    SOUND.replace(DEFAULT, actions)
}

/// The outcome in one line.
fn end(actions: &str, headers: &[&str], session: Option<&str>, token: Option<&str>) -> String {
    supposed(&with_default(actions), headers, session, token).outcome.to_string()
}

#[test]
fn nobody_is_sent_to_sign_in_or_refused_as_serving_does() {
    let at = |headers: &[&str]| end(DEFAULT, headers, None, None);
    assert_eq!(at(&[]), "the browser is sent to sign in with `corp`");
    assert_eq!(at(&["accept: text/html"]), "the browser is sent to sign in with `corp`");
    assert_eq!(at(&["accept: application/json"]), "refused with 401 `auth.required`");
    assert_eq!(at(&["sec-fetch-mode: cors"]), "refused with 401 `auth.required`");
}

#[test]
fn where_users_choose_it_is_said_among_which_providers_and_whose_claims_are_supposed() {
    let partner = "identity_providers:\n  partner: { issuer: https://partner.example.com, client_id: x, token_endpoint_auth_method: none, \
                   callback_path: /cb }\n";
    let text = with_default(&DEFAULT.replace("provider: corp", "providers: [corp, partner]"));
    let text = text.replace("identity_providers:\n", partner);
    let config = || load_in(&files("choice"), &text).unwrap_or_else(|report| panic!("{report}"));
    let at = |url: &str, claims: Option<&str>| {
        let probe = Probe::parse(url, &[], None).expect("a request");
        let claims = claims.map(|claims| serde_json::from_str(claims).expect("claims"));
        explain(config(), &[probe.with_claims(claims, None)]).expect("it can be assembled").remove(0).of.remove(0)
    };
    let asked = at("https://app.example.com:8443/x", None);
    assert_eq!(asked.outcome.to_string(), "the browser is sent to sign in with `corp or partner`");
    assert!(
        asked.text.contains("authenticate-oidc with `corp` or `partner` (without a session: sign in)"),
        "{}",
        asked.text
    );
    let hinted = at("https://app.example.com:8443/x?idp=partner", None);
    assert_eq!(hinted.outcome.to_string(), "the browser is sent to sign in with `partner`");
    for (issuer, client) in [("https://partner.example.com", "x"), ("https://login.example.com", "dashboard")] {
        let explained = at("https://app.example.com:8443/x", Some(&format!(r#"{{"sub": "ada", "iss": "{issuer}"}}"#)));
        let Outcome::Forward { headers, .. } = &explained.outcome else { panic!("{explained:?}") };
        let data = headers.iter().find(|header| header.name == "x-amzn-oidc-data").expect("claims");
        let data: Value = serde_json::from_str(&data.value).expect("the payload");
        assert_eq!((&data["iss"], &data["client_id"]), (&issuer.into(), &Value::Null), "{client}");
    }
}

#[test]
fn a_target_gets_the_headers_of_serving_and_no_token_that_anybody_accepts() {
    let claims = r#"{"sub": "ada", "email": "ada@example.com"}"#;
    let sent =
        ["x-amzn-oidc-identity: root", "te: trailers", "x-forwarded-for: 9.9.9.9", "x-app: 1", "x-amzn-oidc-data: x"];
    let explained = supposed(SOUND, &sent, Some(claims), None);
    let Outcome::Forward { target_group, headers, removed, path: _ } = &explained.outcome else {
        panic!("{explained:?}")
    };
    let value = |wanted: &str| -> Vec<&str> {
        headers.iter().filter(|Header { name, .. }| name == wanted).map(|header| header.value.as_str()).collect()
    };
    assert_eq!(target_group, "app");
    assert_eq!(value("x-amzn-oidc-identity"), ["ada"], "not the client's");
    assert_eq!(value("x-forwarded-proto"), ["https"]);
    assert_eq!(value("host"), ["app.example.com:8443"]);
    assert_eq!(value("x-app"), ["1"]);
    let data: Value = serde_json::from_str(value("x-amzn-oidc-data")[0]).expect("the payload, no token");
    assert_eq!((&data["sub"], &data["email"]), (&"ada".into(), &"ada@example.com".into()));
    assert_eq!(removed, &["te"]);
    assert!(!explained.text.contains("eyJ"), "{}", explained.text);
}

#[test]
fn a_token_is_judged_by_its_claims_as_serving_does() {
    let gate = format!("      - {{ type: jwt-validation, {BEARER} }}\n      - type: forward\n");
    let at = |token: Option<&str>| end(&gate, &[], None, token);
    let good = r#"{"sub": "ci", "aud": "api", "scope": "read", "tenant": "acme"}"#;
    assert_eq!(at(Some(good)), "forwarded to `app` with these headers");
    assert_eq!(end(&gate, &[], Some(good), None), "forwarded to `app` with these headers", "`--claims` are a token's");
    assert_eq!(at(None), "refused with 401 `bearer.missing`");
    for (token, expected) in [
        (r#"{"sub": "ci", "aud": "web", "scope": "read", "tenant": "acme"}"#, "401 `bearer.invalid`"),
        (r#"{"sub": "ci", "scope": "read", "tenant": "acme"}"#, "401 `bearer.invalid`"),
        (r#"{"sub": "ci", "aud": "api", "scope": "write", "tenant": "acme"}"#, "403 `bearer.scope`"),
        (r#"{"sub": "ci", "aud": "api", "scope": "read", "tenant": "evil"}"#, "401 `bearer.invalid`"),
        (r#"{"sub": "ci", "aud": "api", "scope": "read", "tenant": "acme", "exp": 1}"#, "401 `bearer.invalid`"),
        (
            r#"{"sub": "ci", "aud": "api", "scope": "read", "tenant": "acme", "iss": "https://evil.test"}"#,
            "401 `bearer.invalid`",
        ),
        (r#"{"sub": "ci", "aud": "api", "scope": "read", "tenant": "acme", "nonce": "x"}"#, "401 `bearer.invalid`"),
        (r#"{"sub": "ci", "aud": "api", "scope": "read", "tenant": "acme", "cnf": {}}"#, "401 `bearer.invalid`"),
        (r#"{"aud": "api", "scope": "read", "tenant": "acme"}"#, "401 `bearer.invalid`"),
    ] {
        let told = at(Some(token));
        assert!(told.contains(expected), "{token}: {told}");
    }
    let of_another = r#"{"sub": "ci", "aud": "web", "scope": "read", "tenant": "acme"}"#;
    let told = at(Some(of_another));
    assert!(
        told.starts_with("refused with 401 `bearer.invalid`: the token is not valid: ") && told.contains("web"),
        "{told}"
    );
}

#[test]
fn a_session_and_a_token_of_two_users_are_refused() {
    let (ada, eve) = (r#"{"sub": "ada", "aud": "api"}"#, r#"{"sub": "eve"}"#);
    assert_eq!(end(EITHER, &[], Some(eve), Some(ada)), "refused with 400 `bearer.other_user`");
    assert_eq!(end(EITHER, &[], None, Some(ada)), "forwarded to `app` with these headers");
    assert_eq!(end(EITHER, &[], Some(eve), None), "forwarded to `app` with these headers");
    assert_eq!(end(EITHER, &[], None, None), "the browser is sent to sign in with `corp`");
    // A token that is not valid is refused, whatever session comes with it (attacks B-13).
    let refused = end(EITHER, &[], Some(eve), Some(eve));
    assert!(refused.contains("refused with 401 `bearer.invalid`"), "{refused}");
}

#[test]
fn the_answer_of_a_provider_that_is_asked_about_tokens_is_judged() {
    let gates =
        |validation: &str| EITHER.replace("audience: [api]", &format!("audience: [api], validation: {validation}"));
    for (claims, expected) in [
        (r#"{"sub": "ci", "aud": "api"}"#, "forwarded to `app` with these headers"),
        (
            r#"{"active": true, "token_type": "bearer", "sub": "ci", "aud": "api"}"#,
            "forwarded to `app` with these headers",
        ),
        (r#"{"active": false, "sub": "ci", "aud": "api"}"#, "refused with 401 `bearer.invalid`"),
        (r#"{"active": "true", "sub": "ci", "aud": "api"}"#, "refused with 401 `bearer.invalid`"),
        (
            r#"{"active": true, "token_type": "refresh_token", "sub": "ci", "aud": "api"}"#,
            "refused with 401 `bearer.invalid`",
        ),
        (r#"{"active": true, "sub": "ci"}"#, "refused with 401 `bearer.invalid`"),
    ] {
        assert!(end(&gates("introspection"), &[], None, Some(claims)).contains(expected), "{claims}");
        assert!(end(&gates("auto"), &[], None, Some(claims)).contains(expected), "{claims}");
    }
    // With the form of an answer it is judged as one, otherwise as a JWT.
    assert!(end(&gates("auto"), &[], None, Some(r#"{"sub": "ci", "aud": "api", "exp": 1}"#)).contains("401"));
}

#[test]
fn a_user_whom_authorize_refuses_reaches_no_target() {
    let gates = format!(
        "{}      - {{ type: authorize, all: [{{ claim: groups, contains: [staff] }}] }}\n      - type: forward\n",
        DEFAULT.replace("      - type: forward\n", "")
    );
    assert_eq!(end(&gates, &[], Some(r#"{"sub": "eve"}"#), None), "refused with 403 `auth.not_allowed`");
    let staff = r#"{"sub": "ada", "groups": ["staff"]}"#;
    assert_eq!(end(&gates, &[], Some(staff), None), "forwarded to `app` with these headers");
}

/// Nobody signs in at a rule that takes tokens only.
#[test]
fn a_rule_that_takes_tokens_says_whom_it_lets_in() {
    let told = |gate: &str| {
        let told = supposed(&with_default(gate), &[], Some(r#"{"sub": "ci", "aud": "api"}"#), None).text;
        without_outcome(&told).lines().last().expect("a line").trim().to_owned()
    };
    let tokens = "      - { type: jwt-validation, provider: corp, audience: [api] }\n      - type: forward\n";
    assert_eq!(told(tokens), "nothing else is required: every valid token is let in");
    assert_eq!(told(EITHER), "nothing is required: everybody who is signed in is let in, and every valid token");
}

/// The proxy that the request comes through is supposed to be a machine, not the address of its network.
#[test]
fn the_supposed_proxy_is_a_host_of_its_network() {
    for (network, host) in [
        ("10.0.0.0/8", "10.0.0.1"),
        ("10.0.0.7/32", "10.0.0.7"),
        ("10.0.0.6/31", "10.0.0.6"),
        ("fd00::/8", "fd00::1"),
        ("fd00::7/128", "fd00::7"),
        ("0.0.0.0/0", "0.0.0.1"),
    ] {
        assert_eq!(host_of(&network.parse().expect("a network")).to_string(), host, "{network}");
    }
}

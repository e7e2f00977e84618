//! What the application is told verifies with libraries that nobody here wrote: npm's `aws-jwt-verify`, as code written for
//! an ALB uses it, and PyPI's `PyJWT`. They fetch our keys over TLS, and what should not verify does not.
//!
//! They tell the time by the machine's clock, so the proxy's clock stands there, or before.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use vestibule::clock::{Clock, Timestamp};

use crate::harness::app::{Proxy, Setup, folder};
use crate::harness::browser::Protocol;
use crate::harness::process::{self, Process};
use crate::harness::provider::{CLIENT_ID, Key, Provider};
use crate::harness::target;

/// `aws-jwt-verify` takes no signer of another form.
const LOAD_BALANCER: &str =
    "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/vestibule/50dc6c495c0c9188";
const OTHER_LOAD_BALANCER: &str =
    "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/other/50dc6c495c0c9188";

#[test]
fn alb_format_verifies_with_aws_jwt_verify() {
    let sent = Sent::at("alb", Clock::system().now());
    let verified = sent.aws_jwt_verify(&sent.token, &json!({}));
    assert_eq!(verified["ok"], true, "{verified}");
    assert_eq!(verified["header"]["alg"], "ES256");
    assert_eq!(verified["header"]["signer"], LOAD_BALANCER);
    assert_eq!(verified["header"]["client"], CLIENT_ID);
    assert_eq!(verified["payload"]["sub"], "alice");
    assert_eq!(verified["payload"]["email"], "alice@example.com");
    assert_eq!(verified["payload"]["groups"], json!(["staff"]));
}

#[test]
fn aws_jwt_verify_refuses_what_was_changed_or_is_not_meant_for_it() {
    let sent = Sent::at("alb", Clock::system().now());
    for (what, token) in sent.forgeries() {
        let refused = sent.aws_jwt_verify(&token, &json!({}));
        let errors = ["JwtInvalidSignatureError", "JwtInvalidSignatureAlgorithmError", "JwtParseError"];
        assert!(errors.iter().any(|error| refused["error"] == *error), "{what}: {refused}");
    }
    for (expected, error) in [
        (json!({"clientId": "another-client"}), "AlbJwtInvalidClientIdError"),
        (json!({"albArn": OTHER_LOAD_BALANCER}), "AlbJwtInvalidSignerError"),
        (json!({"issuer": "https://login.example.com"}), "JwtInvalidIssuerError"),
    ] {
        let refused = sent.aws_jwt_verify(&sent.token, &expected);
        assert_eq!((&refused["ok"], &refused["error"]), (&json!(false), &json!(error)), "{expected}: {refused}");
    }
}

#[test]
fn aws_jwt_verify_refuses_what_is_over() {
    let sent = Sent::at("alb", Clock::system().now() - Duration::from_secs(300));
    let refused = sent.aws_jwt_verify(&sent.token, &json!({}));
    assert_eq!((&refused["ok"], &refused["error"]), (&json!(false), &json!("JwtExpiredError")), "{refused}");
}

#[test]
fn standard_format_verifies_with_pyjwt() {
    let sent = Sent::at("jwt", Clock::system().now());
    let verified = sent.pyjwt(&sent.token, &json!({}));
    assert_eq!(verified["ok"], true, "{verified}");
    let claims = &verified["claims"];
    assert_eq!(claims["sub"], "alice");
    assert_eq!(claims["aud"], "app");
    assert_eq!(claims["iss"], sent.issuer);
    assert_eq!(claims["email"], "alice@example.com");
    let lifetime = claims["exp"].as_u64().expect("exp") - claims["iat"].as_u64().expect("iat");
    assert!(lifetime <= 120, "{lifetime} s");
}

#[test]
fn pyjwt_refuses_what_was_changed_or_is_not_meant_for_it() {
    let sent = Sent::at("jwt", Clock::system().now());
    for (what, token) in sent.forgeries() {
        let refused = sent.pyjwt(&token, &json!({}));
        let errors = ["InvalidSignatureError", "InvalidAlgorithmError"];
        assert!(errors.iter().any(|error| refused["error"] == *error), "{what}: {refused}");
    }
    for (expected, error) in [
        (json!({"audience": "other-target-group"}), "InvalidAudienceError"),
        (json!({"issuer": "https://login.example.com"}), "InvalidIssuerError"),
        (json!({"algorithms": ["RS256"]}), "InvalidAlgorithmError"),
    ] {
        let refused = sent.pyjwt(&sent.token, &expected);
        assert_eq!((&refused["ok"], &refused["error"]), (&json!(false), &json!(error)), "{expected}: {refused}");
    }
}

#[test]
fn pyjwt_refuses_what_is_over() {
    let sent = Sent::at("jwt", Clock::system().now() - Duration::from_secs(300));
    let refused = sent.pyjwt(&sent.token, &json!({}));
    assert_eq!((&refused["ok"], &refused["error"]), (&json!(false), &json!("ExpiredSignatureError")), "{refused}");
}

/// The claims that a proxy has sent for a user who signed in.
struct Sent {
    proxy: Proxy,
    issuer: String,
    token: String,
}

impl Sent {
    #[track_caller]
    fn at(format: &str, now: Timestamp) -> Self {
        let (provider, target) = (Provider::start(), target::echo());
        provider.say(|script| script.now = now.seconds());
        let rest = format!(
            "claims: {{ signer: '{LOAD_BALANCER}', format: {format}, signing_key_file: claims-key.pem }}\n\
             session: {{ key_files: [session-key] }}\n"
        );
        let proxy = Proxy::start_in(folder(), &Setup::new(&provider, &target).rest(&rest).yaml(), now);
        proxy.signed_in(Protocol::Http2, &provider);
        let token = target.last().header("x-amzn-oidc-data").expect("signed claims").to_owned();
        Self { proxy, issuer: provider.issuer(), token }
    }

    /// Below it are our public keys, on the listener that strangers reach.
    fn keys(&self) -> String {
        format!("https://localhost:{}/.well-known/vestibule", self.proxy.address().port())
    }

    #[track_caller]
    fn aws_jwt_verify(&self, token: &str, changed: &Value) -> Value {
        let asked = json!({
            "token": token,
            "albArn": LOAD_BALANCER,
            "issuer": self.issuer,
            "clientId": CLIENT_ID,
            "keyBaseUrl": format!("{}/keys", self.keys()),
            "caFile": self.proxy.folder().join("ca.pem"),
        });
        verdict(process::node("verify-alb.mjs", &[]), asked, changed)
    }

    #[track_caller]
    fn pyjwt(&self, token: &str, changed: &Value) -> Value {
        let asked = json!({
            "token": token,
            "jwks_url": format!("{}/jwks.json", self.keys()),
            "audience": "app",
            "issuer": self.issuer,
            "ca_file": self.proxy.folder().join("ca.pem"),
        });
        verdict(process::python("python/verify_jwks.py", &[]), asked, changed)
    }

    /// The token, changed: nobody may take these for ours.
    fn forgeries(&self) -> Vec<(&'static str, String)> {
        let parts: Vec<&str> = self.token.split('.').collect();
        let [header, payload, signature] = parts[..] else { panic!("three parts: {}", self.token) };
        let (mut said, mut as_none) = (decode(payload), decode(header));
        said["sub"] = "mallory".into();
        as_none["alg"] = "none".into();
        let (said, as_none) = (encode(payload, &said.to_string()), encode(header, &as_none.to_string()));
        let flipped = flip(signature);
        let foreign = Key::new(decode(header)["kid"].as_str().expect("a key id"));
        let by_another = foreign.sign(&decode(header), &decode(payload).to_string());
        vec![
            ("another user", format!("{header}.{said}.{signature}")),
            ("one bit of the signature", format!("{header}.{payload}.{flipped}")),
            ("no signature", format!("{header}.{payload}.")),
            ("alg none", format!("{as_none}.{payload}.")),
            ("alg none, with the signature", format!("{as_none}.{payload}.{signature}")),
            ("the same key id, another key", by_another),
        ]
    }
}

#[track_caller]
fn verdict(command: std::process::Command, mut asked: Value, changed: &Value) -> Value {
    for (name, value) in changed.as_object().expect("an object") {
        asked[name] = value.clone();
    }
    let mut process = Process::start(command);
    process.say_all(&asked.to_string());
    process.next_json()
}

#[track_caller]
fn decode(part: &str) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// As `like` is encoded: the ALB's form has padding, the standard's has none.
fn encode(like: &str, text: &str) -> String {
    if like.contains('=') { URL_SAFE.encode(text) } else { URL_SAFE_NO_PAD.encode(text) }
}

fn flip(signature: &str) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(signature.trim_end_matches('=')).expect("base64url");
    bytes[10] ^= 1;
    let encoded = URL_SAFE_NO_PAD.encode(bytes);
    format!("{encoded}{}", "=".repeat(signature.len() - encoded.len()))
}

//! Bearer tokens, judged for another proxy.

use serde_json::json;

use super::front::{Front, Kind, untouched};
use crate::harness::browser::on_both;

/// The gates are those of the proxy: a token decides, and nothing of the question is one.
#[test]
fn b_a_token_is_judged_for_another_proxy_as_for_our_own() {
    let front = Front::start(Kind::Caddy);
    let yaml = front.door.yaml();
    let issuer = front.provider.issuer();
    let gates = [
        (
            "jwt",
            format!("{{ type: jwt-validation, issuer: '{issuer}', jwks_endpoint: '{issuer}/jwks', audience: [api] }}"),
        ),
        ("either", "{ type: session-or-bearer, provider: corp, bearer: { audience: [api] } }".to_owned()),
    ];
    let rules: String = gates
        .iter()
        .zip(10..)
        .map(|((name, gate), priority)| {
            format!(
                "      - priority: {priority}\n        conditions: [{{ path_pattern: [\"/{name}/*\"] }}]\n        \
                 actions: [{gate}, {{ type: allow, audience: app }}]\n"
            )
        })
        .collect();
    let with_tokens = yaml.replace("    rules:\n", &format!("    rules:\n{rules}"));
    assert_ne!(with_tokens, yaml);
    front.door.reload(&with_tokens).expect("it is sound");
    let now = front.door.clock.now().seconds();
    let token = |claims: serde_json::Value| {
        let mut all = json!({"iss": issuer, "sub": "build", "aud": "api", "exp": now + 3600, "iat": now});
        all.as_object_mut().expect("an object").extend(claims.as_object().expect("an object").clone());
        let key = front.provider.key();
        format!("Bearer {}", key.sign(&json!({"alg": "ES256", "kid": key.kid, "typ": "at+jwt"}), &all.to_string()))
    };
    let (good, bad) = (token(json!({})), token(json!({"aud": "other"})));
    on_both(|protocol| {
        for (name, _) in &gates {
            let url = format!("https://app.test/{name}/x");
            let mut browser = front.browser(protocol).scripted();
            assert_eq!(browser.send("GET", &url, &[("authorization", &good)], b"").status, 200, "{name}");
            let received = front.target.last();
            assert_eq!(received.header("x-amzn-oidc-identity"), Some("build"), "{name}");
            assert_eq!(received.header("authorization"), Some(&*good), "{name}");
            for (headers, status) in [
                (vec![("authorization", &*bad)], 401),
                (vec![("authorization", "Bearer a,b")], 400),
                (vec![("x-forwarded-access-token", good.trim_start_matches("Bearer "))], 401),
                (vec![("proxy-authorization", &*good)], 401),
                (vec![], 401),
            ] {
                let answer = untouched(&front, name, || browser.send("GET", &url, &headers, b""));
                assert_eq!(answer.status, status, "{name} {headers:?}: {answer:?}");
                let challenges = answer.headers.get_all("www-authenticate").iter();
                let is_told = challenges.filter_map(|said| said.to_str().ok()).any(|said| said.starts_with("Bearer "));
                assert!(is_told, "{name} {headers:?}: {answer:?}");
            }
        }
    });
}

//! `jwt-validation` and `session-or-bearer`: bearer tokens (ALB §8, RFC 6750, RFC 9068, RFC 9470).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::app::wait_until;
use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::provider::{Key, Provider};
use crate::harness::scenario::Scenario;
use crate::harness::server::Reply;

pub const API: &str = "https://app.test/api";

/// A proxy whose default actions begin with these.
pub fn scenario_of(actions: impl Fn(&str) -> String) -> Scenario {
    Scenario::start(|setup| {
        let actions = actions(setup.issuer());
        setup.default_actions(&format!("\n{actions}      - {{ type: forward, target_group: app }}\n"))
    })
}

/// A proxy that takes tokens of the issuer, by its keys, as one moves from the ALB.
pub fn scenario(more: &str) -> Scenario {
    scenario_of(|issuer| {
        format!(
            "      - type: jwt-validation\n        issuer: '{issuer}'\n        jwks_endpoint: '{issuer}/jwks'\n        audience: [api]\n{more}"
        )
    })
}

impl Scenario {
    /// A token of Alice for `api` that lives for an hour, with these claims; `null` leaves one out.
    pub fn token(&self, claims: &Value) -> String {
        self.token_as(&json!({}), claims, self.provider.key())
    }

    pub fn token_as(&self, header: &Value, claims: &Value, key: &Key) -> String {
        let now = self.proxy.clock.now().seconds();
        let mut all = json!({
            "iss": self.provider.issuer(), "sub": "alice", "aud": "api", "exp": now + 3600, "iat": now,
            "client_id": "cli", "scope": "read write", "groups": ["staff"],
        });
        let mut head = json!({"alg": "ES256", "kid": key.kid, "typ": "at+jwt"});
        for (base, more) in [(&mut all, claims), (&mut head, header)] {
            let base = base.as_object_mut().expect("an object");
            base.extend(more.as_object().expect("an object").clone());
            base.retain(|_, value| !value.is_null());
        }
        key.sign(&head, &all.to_string())
    }

    pub fn client(&self, protocol: Protocol) -> Browser {
        self.proxy.browser(protocol).scripted()
    }

    pub fn reached(&self) -> usize {
        self.target.received().len()
    }
}

pub fn with(browser: &mut Browser, token: &str) -> Answer {
    browser.send("GET", API, &[("authorization", &format!("Bearer {token}"))], b"")
}

/// The refusal, and that no target saw the request.
#[track_caller]
fn refused(scenario: &Scenario, answer: &Answer, status: u16, code: &str, challenge: &str) {
    assert_eq!((answer.status, answer.reason().as_deref()), (status, Some(code)), "{}", answer.text());
    let said: Vec<_> =
        answer.headers.get_all("www-authenticate").iter().filter_map(|said| said.to_str().ok()).collect();
    assert!(said.iter().any(|said| said.starts_with("Bearer ") && said.contains(challenge)), "{said:?}");
    assert_eq!(scenario.reached(), 0);
    assert!(answer.set_cookies().is_empty());
}

#[test]
fn the_target_is_told_whose_token_it_is_as_for_a_session() {
    on_both(|protocol| {
        let scenario = scenario("");
        let token = scenario.token(&json!({}));
        let answer = with(&mut scenario.client(protocol), &token);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let [request] = &scenario.target.received()[..] else { panic!("one request") };
        assert_eq!(request.header("x-amzn-oidc-identity"), Some("alice"));
        assert_eq!(request.header("x-amzn-oidc-accesstoken"), Some(&*token));
        assert_eq!(
            request.header("authorization"),
            Some(&*format!("Bearer {token}")),
            "it goes on as it came (ALB §8.3)"
        );
        let payload =
            request.header("x-amzn-oidc-data").expect("signed claims").split('.').nth(1).expect("a payload").to_owned();
        let payload: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&payload).expect("base64url")).expect("JSON");
        assert_eq!(
            (&payload["sub"], &payload["groups"], &payload["aud"]),
            (&json!("alice"), &json!(["staff"]), &json!("app"))
        );
        let [record] = &scenario.proxy.access_log(1)[..] else { panic!("one record") };
        assert_eq!(record["user.id"], "alice");
        assert_eq!(record["actions"], json!(["jwt-validation", "forward"]));
        assert!(!record.to_string().contains(&token), "no token is logged (attacks L-01)");
    });
}

#[test]
fn b_01_b_02_a_request_without_a_token_is_401_and_is_not_sent_anywhere() {
    on_both(|protocol| {
        let scenario = scenario("");
        let mut browser = scenario.proxy.browser(protocol);
        let token = scenario.token(&json!({}));
        for (path, header) in [
            ("", None),
            (&*format!("?access_token={token}"), None),
            ("", Some("Basic YWxpY2U6YQ==")),
            ("", Some("Token abc")),
        ] {
            let headers: Vec<_> = header.map(|value| ("authorization", value)).into_iter().collect();
            let answer = browser.send("GET", &format!("{API}{path}"), &headers, b"");
            refused(&scenario, &answer, 401, "bearer.missing", r#"realm="vestibule""#);
            assert!(!answer.header("www-authenticate").expect("a challenge").contains("error"), "RFC 6750 §3.1");
        }
        // One that is no token, or is not alone.
        let mut twice = vec![("authorization", "Bearer a.b.c"), ("authorization", "Bearer a.b.c")];
        for headers in
            [vec![("authorization", "Bearer a,b")], vec![("authorization", "Bearer")], std::mem::take(&mut twice)]
        {
            let answer = browser.send("GET", API, &headers, b"");
            refused(&scenario, &answer, 400, "bearer.malformed", r#"error="invalid_request""#);
        }
    });
}

#[test]
fn b_03_to_b_06_a_token_that_is_not_for_us_is_refused() {
    on_both(|protocol| {
        refuses_what_is_not_for_us(&scenario(""), protocol);
        refuses_what_is_not_for_us(&either(""), protocol);
    });
}

fn refuses_what_is_not_for_us(scenario: &Scenario, protocol: Protocol) {
    let now = scenario.proxy.clock.now().seconds();
    let foreign = Key::new("provider-key-1");
    let key = scenario.provider.key();
    let of = |header: Value, claims: Value| scenario.token_as(&header, &claims, key);
    let plain = |claims: Value| of(json!({}), claims);
    let ours = scenario.token(&json!({}));
    let tokens = [
        ("another audience", plain(json!({"aud": ["other", "apis"]}))),
        ("no audience", plain(json!({"aud": null}))),
        ("another issuer", plain(json!({"iss": "https://idp2.test"}))),
        ("no issuer", plain(json!({"iss": null}))),
        ("no end", plain(json!({"exp": null}))),
        ("an end that is text", plain(json!({"exp": (now + 60).to_string()}))),
        ("over", plain(json!({"exp": now - 61}))),
        ("not yet valid", plain(json!({"nbf": now + 62}))),
        ("from the future", plain(json!({"iat": now + 62}))),
        ("no subject", plain(json!({"sub": null}))),
        ("a subject for a header", plain(json!({"sub": "a\r\nx: y"}))),
        ("an ID token with a nonce", of(json!({"typ": "JWT"}), json!({"nonce": "n"}))),
        ("an ID token of Cognito", of(json!({"typ": null}), json!({"token_use": "id"}))),
        ("an ID token of Keycloak", of(json!({"typ": "JWT"}), json!({"typ": "ID"}))),
        ("a refresh token", of(json!({"typ": "JWT"}), json!({"typ": "Refresh"}))),
        ("a logout token", of(json!({"typ": "logout+jwt"}), json!({}))),
        ("a logout token that says JWT", of(json!({"typ": "JWT"}), json!({"events": {}}))),
        ("bound to a key", plain(json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}))),
        ("signed by somebody else", scenario.token_as(&json!({}), &json!({}), &foreign)),
        ("no signature", format!("{}.", ours.rsplit_once('.').expect("a signature").0)),
        ("alg none", of(json!({"alg": "none"}), json!({}))),
        ("a shared secret", of(json!({"alg": "HS256"}), json!({}))),
        ("its own key", of(json!({"jwk": key.jwk()}), json!({}))),
        ("not a JWT", "opaque-token".to_owned()),
        ("five parts", format!("{ours}.a.b")),
    ];
    let mut client = scenario.client(protocol);
    for (what, token) in tokens {
        let answer = with(&mut client, &token);
        assert_eq!(answer.status, 401, "{what}: {}", answer.text());
        refused(scenario, &answer, 401, "bearer.invalid", r#"error="invalid_token""#);
        // Nor is it remembered as a good one.
        assert_eq!(with(&mut client, &token).status, 401, "{what}");
    }
    assert_eq!(with(&mut client, &ours).status, 200);
    // The claims that we sign for targets are no token for us (B-10).
    let claims = scenario.target.received()[0].header("x-amzn-oidc-data").expect("signed claims").to_owned();
    assert_eq!(with(&mut client, &claims).status, 401);
    assert!(!format!("{:?}", scenario.proxy.access_log(51)).contains(&ours));
}

#[test]
fn b_09_algorithms_and_additional_claims_are_enforced() {
    on_both(|protocol| {
        let scenario = scenario(
            "        algorithms: [RS256]\n        additional_claims:\n          - { name: client_id, format: single-string, values: [cli, web] }\n",
        );
        let mut client = scenario.client(protocol);
        assert_eq!(with(&mut client, &scenario.token(&json!({}))).status, 401, "ES256 is not listed");

        let scenario = self::scenario(
            "        additional_claims:\n          - { name: client_id, format: single-string, values: [cli, web] }\n          - { name: groups, format: string-array, values: [staff, sre] }\n          - { name: scope, format: space-separated-values, values: [admin, read] }\n",
        );
        let mut client = scenario.client(protocol);
        for (claims, status) in [
            (json!({}), 200),
            (json!({"client_id": "web", "groups": ["x", "sre"], "scope": "admin"}), 200),
            (json!({"client_id": "other"}), 401),
            (json!({"client_id": ["cli"]}), 401),
            (json!({"client_id": null}), 401),
            (json!({"groups": ["x"]}), 401),
            (json!({"groups": "staff"}), 401),
            (json!({"scope": "write"}), 401),
            (json!({"scope": "readers"}), 401),
        ] {
            assert_eq!(with(&mut client, &scenario.token(&claims)).status, status, "{claims}");
        }
    });
}

#[test]
fn a_token_without_the_scopes_is_403_and_says_which() {
    on_both(|protocol| {
        let scenario = scenario("        scope: read admin\n");
        let mut client = scenario.client(protocol);
        let answer = with(&mut client, &scenario.token(&json!({})));
        refused(&scenario, &answer, 403, "bearer.scope", r#"error="insufficient_scope", scope="read admin""#);
        assert_eq!(with(&mut client, &scenario.token(&json!({"scope": null, "scp": ["admin", "read"]}))).status, 200);
    });
}

#[test]
fn token_types_are_told_apart() {
    on_both(|protocol| {
        let rfc = scenario("        token_type: at+jwt\n");
        let mut client = rfc.client(protocol);
        let of = |typ: Value| rfc.token_as(&json!({"typ": typ}), &json!({}), rfc.provider.key());
        assert_eq!(with(&mut client, &of(json!("application/AT+JWT"))).status, 200);
        for typ in [json!("JWT"), json!(null)] {
            assert_eq!(with(&mut client, &of(typ)).status, 401);
        }
        let id = scenario("        token_type: id\n");
        let mut client = id.client(protocol);
        let of = |typ: Value, claims: Value| id.token_as(&json!({"typ": typ}), &claims, id.provider.key());
        assert_eq!(with(&mut client, &of(json!("JWT"), json!({"nonce": "n"}))).status, 200);
        assert_eq!(with(&mut client, &of(json!("at+jwt"), json!({}))).status, 401);
        assert_eq!(with(&mut client, &of(json!("JWT"), json!({"token_use": "access"}))).status, 401);
    });
}

#[test]
fn a_token_is_verified_once_by_each_worker_and_ends_with_its_time() {
    let scenario = scenario("");
    let mut client = scenario.client(Protocol::Http2);
    let token = scenario.token(&json!({}));
    for _ in 0..20 {
        assert_eq!(with(&mut client, &token).status, 200);
    }
    let count =
        |outcome: &str| scenario.proxy.metric(&format!("vestibule_bearer_tokens_total{{outcome=\"{outcome}\"}}"));
    assert!(count("ok") <= 2, "at most once for each of the two workers");
    assert_eq!(count("ok") + count("cached"), 20);
    scenario.advance(Duration::from_secs(3600 + 59));
    assert_eq!(with(&mut client, &token).status, 200, "the clocks may differ by a minute");
    scenario.advance(Duration::from_secs(2));
    let answer = with(&mut client, &token);
    assert_eq!(answer.status, 401);
    assert!(answer.header("www-authenticate").expect("a challenge").contains("the token has expired"));
}

#[test]
fn d_18_unknown_keys_are_fetched_rarely_and_a_provider_that_is_down_changes_nothing() {
    on_both(|protocol| {
        let scenario = scenario("");
        let mut client = scenario.client(protocol);
        assert_eq!(with(&mut client, &scenario.token(&json!({}))).status, 200);
        let fetched = || scenario.provider.requests("/jwks").len();
        assert_eq!(fetched(), 1);
        let unknown = Key::new("nobody-knows-it");
        for number in 0..40 {
            let token = scenario.token_as(&json!({}), &json!({"jti": number}), &unknown);
            assert_eq!(with(&mut client, &token).status, 401);
        }
        assert!(fetched() <= 2, "{} fetches at one moment", fetched());
        assert_eq!(scenario.proxy.metric("vestibule_bearer_tokens_total{outcome=\"refused\"}"), 40);
        // The keys grow old, and cannot be fetched again.
        scenario.provider.say(|script| {
            script.instead = Some(Arc::new(|request| {
                (request.target() == "/jwks").then(|| Reply::new("503 Service Unavailable", &[], ""))
            }));
        });
        scenario.advance(Duration::from_secs(2 * 3600));
        assert_eq!(with(&mut client, &scenario.token(&json!({}))).status, 200, "by the keys that are known");
        wait_until("they are asked for, behind the request", || (fetched() >= 3).then_some(()));
        // A new key of the provider is found when a token needs it.
        let new = Key::new("provider-key-2");
        let set = json!({"keys": [new.jwk()]});
        scenario.provider.say(|script| (script.instead, script.key_set) = (None, Some(set)));
        scenario.advance(Duration::from_secs(120));
        assert_eq!(with(&mut client, &scenario.token_as(&json!({}), &json!({}), &new)).status, 200);
    });
}

/// Has the provider publish these keys only.
fn publish(scenario: &Scenario, keys: &[&Key]) {
    let set = json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()});
    scenario.provider.say(|script| script.key_set = Some(set));
}

#[test]
fn b_23_a_remembered_token_ends_when_its_key_is_withdrawn() {
    on_both(|protocol| {
        let scenario = scenario("");
        let mut client = scenario.client(protocol);
        let (withdrawn, kept) = (Key::new("withdrawn"), Key::new("kept"));
        publish(&scenario, &[&withdrawn, &kept]);
        let [bad, good] = [&withdrawn, &kept].map(|key| scenario.token_as(&json!({}), &json!({}), key));
        let count =
            |outcome: &str| scenario.proxy.metric(&format!("vestibule_bearer_tokens_total{{outcome=\"{outcome}\"}}"));
        for _ in 0..20 {
            assert_eq!((with(&mut client, &bad).status, with(&mut client, &good).status), (200, 200));
        }
        // A token with a new key has the keys fetched. Then everybody knows that one is missing.
        let new = Key::new("new");
        publish(&scenario, &[&kept, &new]);
        assert_eq!(with(&mut client, &scenario.token_as(&json!({}), &json!({}), &new)).status, 200);
        let (reached, verified) = (scenario.reached(), count("ok"));
        for _ in 0..20 {
            let answer = with(&mut client, &bad);
            assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("bearer.invalid")));
        }
        assert_eq!(scenario.reached(), reached);
        // Tokens of the other keys are as well remembered as before: each worker verifies one at most once.
        for _ in 0..20 {
            assert_eq!(with(&mut client, &good).status, 200);
        }
        assert!(count("ok") <= verified + 1, "{} and {verified}", count("ok"));
        // A key that comes back is a key again.
        publish(&scenario, &[&withdrawn, &kept]);
        scenario.advance(Duration::from_secs(120));
        assert_eq!(with(&mut client, &bad).status, 200);
    });
}

#[test]
fn b_23_keys_are_fetched_again_though_all_tokens_are_remembered() {
    let scenario = scenario("");
    let mut client = scenario.client(Protocol::Http2);
    let key = Key::new("withdrawn");
    publish(&scenario, &[&key]);
    let far = scenario.proxy.clock.now().seconds() + 86_400;
    let token = scenario.token_as(&json!({}), &json!({"exp": far}), &key);
    let fetched = || scenario.provider.requests("/jwks").len();
    for _ in 0..20 {
        assert_eq!(with(&mut client, &token).status, 200);
    }
    assert_eq!(fetched(), 1);
    // The issuer is down for some time: its keys stay what they were, and are asked for now and then.
    scenario.provider.say(|script| {
        script.instead = Some(Arc::new(|request| {
            (request.target() == "/jwks").then(|| Reply::new("503 Service Unavailable", &[], ""))
        }));
    });
    scenario.advance(Duration::from_secs(3600));
    for _ in 0..20 {
        assert_eq!(with(&mut client, &token).status, 200);
    }
    wait_until("the keys are asked for, behind the request", || (fetched() >= 2).then_some(()));
    assert_eq!(fetched(), 2);
    publish(&scenario, &[&Key::new("other")]);
    scenario.provider.say(|script| script.instead = None);
    scenario.advance(Duration::from_secs(60));
    wait_until("the key is known to be withdrawn", || (with(&mut client, &token).status == 401).then_some(()));
    for _ in 0..20 {
        assert_eq!(with(&mut client, &token).status, 401);
    }
}

#[test]
fn without_any_keys_the_answer_is_500_and_not_401() {
    on_both(|protocol| {
        let scenario = scenario("");
        scenario.provider.say(|script| {
            script.instead = Some(Arc::new(|request| {
                (request.target() == "/jwks").then(|| Reply::new("503 Service Unavailable", &[], ""))
            }));
        });
        let answer = with(&mut scenario.client(protocol), &scenario.token(&json!({})));
        assert_eq!((answer.status, answer.reason().as_deref()), (500, Some("bearer.keys_unavailable")), "ALB §8.3");
        assert_eq!(scenario.reached(), 0);
    });
}

/// A rule where browsers sign in and programs bring tokens.
pub fn either(more: &str) -> Scenario {
    scenario_of(|_| {
        format!(
            "      - type: session-or-bearer\n        provider: corp\n        bearer: {{ audience: [api] }}\n{more}"
        )
    })
}

#[test]
fn a_browser_with_a_session_and_a_program_with_a_token_reach_the_same_rule() {
    on_both(|protocol| {
        let scenario = either("");
        let mut browser = scenario.signed_in(protocol);
        let reached = scenario.reached();
        assert_eq!(browser.get(API).status, 200);
        assert_eq!(with(&mut scenario.client(protocol), &scenario.token(&json!({"sub": "build"}))).status, 200);
        let told: Vec<_> = scenario.target.received()[reached..]
            .iter()
            .map(|request| request.header("x-amzn-oidc-identity").map(str::to_owned))
            .collect();
        assert_eq!(told, [Some("alice".to_owned()), Some("build".to_owned())]);
    });
}

#[test]
fn b_08_a_session_and_a_token_of_two_users_are_refused() {
    on_both(|protocol| {
        let scenario = either("");
        let mut browser = scenario.signed_in(protocol);
        let reached = scenario.reached();
        let answer = with(&mut browser, &scenario.token(&json!({"sub": "mallory"})));
        assert_eq!((answer.status, answer.reason().as_deref()), (400, Some("bearer.other_user")));
        assert_eq!(scenario.reached(), reached);
        assert_eq!(with(&mut browser, &scenario.token(&json!({"scope": "read"}))).status, 200, "of the same user");
        // Workers write their records in any order.
        let is_it = |record: &Value| record["reason"] == "bearer.other_user";
        let record = wait_until("its record", || scenario.proxy.access_log(1).into_iter().find(is_it));
        assert_eq!(record["user.id"], Value::Null, "it is nobody's request");
    });
}

/// A user is who an issuer says it is, so nobody can know that two issuers mean the same person.
#[test]
fn b_08_a_session_and_a_token_of_two_issuers_are_of_two_users_whatever_they_say() {
    on_both(|protocol| {
        let partner = Provider::start();
        let scenario = scenario_of(|_| {
            let issuer = partner.issuer();
            format!(
                "      - type: session-or-bearer\n        provider: corp\n        bearer: {{ issuer: '{issuer}', jwks_endpoint: '{issuer}/jwks', audience: [api] }}\n"
            )
        });
        let token = scenario.token_as(&json!({}), &json!({"iss": partner.issuer()}), partner.key());
        assert_eq!(with(&mut scenario.client(protocol), &token).status, 200, "alone it is good");
        let mut browser = scenario.signed_in(protocol);
        let reached = scenario.reached();
        let answer = with(&mut browser, &token);
        assert_eq!((answer.status, answer.reason().as_deref()), (400, Some("bearer.other_user")), "{}", answer.text());
        assert_eq!(scenario.reached(), reached);
    });
}

#[test]
fn b_13_a_bad_token_is_401_whatever_session_comes_with_it() {
    on_both(|protocol| {
        let scenario = either("");
        let mut browser = scenario.signed_in(protocol);
        let reached = scenario.reached();
        for token in [scenario.token(&json!({"aud": "other"})), "garbage".to_owned()] {
            let answer = with(&mut browser, &token);
            assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("bearer.invalid")), "{}", answer.text());
            assert!(answer.header("location").is_none() && answer.set_cookies().is_empty());
        }
        assert_eq!(scenario.reached(), reached);
        assert_eq!(browser.get(API).status, 200, "the session is as it was");
    });
}

#[test]
fn without_either_a_page_is_sent_to_sign_in_and_a_program_is_told_both_ways() {
    on_both(|protocol| {
        let scenario = either("");
        assert_eq!(scenario.proxy.browser(protocol).get(API).status, 302);
        let answer = scenario.client(protocol).get(API);
        assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.required")));
        let challenges: Vec<_> =
            answer.headers.get_all("www-authenticate").iter().map(|value| value.to_str().expect("ASCII")).collect();
        assert!(
            matches!(&challenges[..], [session, bearer] if session.starts_with("Session ") && bearer.starts_with("Bearer "))
        );
        assert_eq!(scenario.reached(), 0);
    });
}

#[test]
fn authorize_asks_the_claims_of_a_token() {
    on_both(|protocol| {
        for scenario in [
            either("      - { type: authorize, any: [{ claim: groups, contains: [staff] }] }\n"),
            scenario("      - { type: authorize, any: [{ claim: groups, contains: [staff] }] }\n"),
        ] {
            let mut client = scenario.client(protocol);
            assert_eq!(with(&mut client, &scenario.token(&json!({}))).status, 200);
            let reached = scenario.reached();
            for groups in [json!(["sales"]), json!(null), json!("staff,x")] {
                let answer = with(&mut client, &scenario.token(&json!({"groups": groups})));
                assert_eq!((answer.status, answer.reason().as_deref()), (403, Some("bearer.not_allowed")), "{groups}");
                // A program is told what helps a program.
                let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
                let [challenge] = challenges[..] else { panic!("{challenges:?}") };
                let challenge = challenge.to_str().expect("ASCII");
                assert!(challenge.starts_with("Bearer ") && challenge.contains("resource_metadata="), "{challenge}");
                assert!(!challenge.contains("error"), "no other scope helps (RFC 6750 §3.1): {challenge}");
                assert!(
                    !answer.text().contains("igned in") && answer.header("location").is_none(),
                    "{}",
                    answer.text()
                );
            }
            let json = [
                ("authorization", &*format!("Bearer {}", scenario.token(&json!({"groups": []})))),
                ("accept", "application/json"),
            ];
            let told = client.send("GET", API, &json, b"").json();
            assert_eq!((&told["error"], &told["token_of"]), (&json!("bearer.not_allowed"), &json!("alice")), "{told}");
            assert!(told.get("sign_in").is_none() && told.get("signed_in_as").is_none(), "{told}");
            let browser = with(&mut scenario.proxy.browser(protocol), &scenario.token(&json!({"groups": []})));
            assert!(
                browser.text().contains("The token is of") && !browser.text().contains("class=\"button\""),
                "{}",
                browser.text()
            );
            assert_eq!(scenario.reached(), reached);
        }
    });
}

#[test]
fn a_token_of_too_old_or_too_weak_a_sign_in_is_challenged_as_rfc_9470_says() {
    on_both(|protocol| {
        let scenario = either("      - { type: authorize, max_age: 1h, acr: [phr, phrh] }\n");
        let now = scenario.proxy.clock.now().seconds();
        let mut client = scenario.client(protocol);
        for claims in
            [json!({"acr": "phr", "auth_time": now - 3700}), json!({"acr": "pwd", "auth_time": now}), json!({})]
        {
            let answer = with(&mut client, &scenario.token(&claims));
            assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("bearer.step_up_required")), "{claims}");
            let challenges: Vec<_> =
                answer.headers.get_all("www-authenticate").iter().map(|value| value.to_str().expect("ASCII")).collect();
            let asked = r#"error="insufficient_user_authentication""#;
            let bearer = challenges.iter().find(|challenge| challenge.contains(asked)).expect("a challenge");
            assert!(bearer.contains(r#"acr_values="phr phrh", max_age="3600""#), "{bearer}");
            assert!(answer.header("location").is_none() && challenges.len() == 1, "{challenges:?}");
        }
        assert_eq!(scenario.reached(), 0);
        assert_eq!(with(&mut client, &scenario.token(&json!({"acr": "phrh", "auth_time": now - 60}))).status, 200);
    });
}

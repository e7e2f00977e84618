//! Opaque bearer tokens, of which the provider is asked whether they are active (RFC 7662).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::app::{Proxy, Setup};
use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::provider::{Key, Provider};
use crate::harness::scenario::PAGE;
use crate::harness::server::{Received, Reply, Server};
use crate::harness::target;

const API: &str = "https://app.test/api";
const ENDPOINT: &str = "/introspect";
/// The default of `introspection_cache`.
const CACHE: Duration = Duration::from_secs(60);

/// A provider that answers questions about tokens, a target that echoes, and a proxy.
pub struct Opaque {
    pub provider: Provider,
    pub target: Server,
    pub proxy: Proxy,
    /// What the provider says, by token. It knows no other tokens.
    said: Arc<Mutex<HashMap<String, Value>>>,
}

impl Opaque {
    /// `actions` stand before the `forward` of the default actions; `rules` and `keys` of the provider as in [`Setup`].
    #[track_caller]
    fn start_with(rules: &str, actions: &str, keys: &str) -> Self {
        Self::start_as(actions, |setup| setup.rules(rules).provider(keys))
    }

    /// `actions` stand before the `forward` of the default actions.
    #[track_caller]
    pub fn start_as(actions: &str, change: impl FnOnce(Setup) -> Setup) -> Self {
        let (provider, target) = (Provider::start(), target::echo());
        let said: Arc<Mutex<HashMap<String, Value>>> = Arc::default();
        let (known, issuer) = (Arc::clone(&said), provider.issuer());
        provider.say(|script| {
            script.metadata = json!({"introspection_endpoint": format!("{issuer}{ENDPOINT}")});
            script.instead = Some(Arc::new(move |request| answer(&known, request)));
        });
        let actions = format!("\n{actions}      - {{ type: forward, target_group: app }}\n");
        let proxy = change(Setup::new(&provider, &target).default_actions(&actions)).start();
        Self { provider, target, proxy, said }
    }

    /// A rule for tokens of the provider for `api`, with more settings.
    #[track_caller]
    fn start(more: &str) -> Self {
        Self::start_with(
            " []",
            &format!(
                "      - type: jwt-validation\n        provider: corp\n        validation: introspection\n        audience: [api]\n{more}"
            ),
            "",
        )
    }

    /// The same, with more keys of the listener.
    #[track_caller]
    fn start_behind(listener: &str) -> Self {
        let action = "      - type: jwt-validation\n        provider: corp\n        validation: introspection\n        audience: [api]\n";
        Self::start_as(action, |setup| setup.listener(listener))
    }

    /// From now on the provider says that `token` is an access token of Alice for `api`, with these members; `null` leaves one out.
    pub fn say(&self, token: &str, members: &Value) {
        let now = self.proxy.clock.now().seconds();
        let mut all = json!({
            "active": true, "token_type": "Bearer", "iss": self.provider.issuer(), "sub": "alice", "aud": "api", "client_id": "cli",
            "scope": "read write", "exp": now + 3600, "iat": now, "groups": ["staff"],
        });
        let object = all.as_object_mut().expect("an object");
        object.extend(members.as_object().expect("an object").clone());
        object.retain(|_, value| !value.is_null());
        self.said.lock().expect("unpoisoned").insert(token.to_owned(), all);
    }

    /// From now on the provider answers questions about `token` so: the status line, then the body.
    pub fn answer_as(&self, token: &str, text: &str) {
        self.said.lock().expect("unpoisoned").insert(token.to_owned(), text.into());
    }

    fn revoke(&self, token: &str) {
        self.said.lock().expect("unpoisoned").remove(token);
    }

    fn asked(&self) -> usize {
        self.provider.requests(ENDPOINT).len()
    }

    pub fn client(&self, protocol: Protocol) -> Browser {
        self.proxy.browser(protocol).scripted()
    }
}

fn answer(said: &Mutex<HashMap<String, Value>>, request: &Received) -> Option<Reply> {
    if request.target() != ENDPOINT {
        return None;
    }
    let said = said.lock().expect("unpoisoned").get(&field(request, "token").unwrap_or_default()).cloned();
    Some(match said {
        // What the provider sends besides JSON.
        Some(Value::String(text)) => {
            Reply::new(text.lines().next().unwrap_or_default(), &[], text.lines().nth(1).unwrap_or_default())
        }
        Some(members) => Reply::json(&members),
        None => Reply::json(&json!({"active": false})),
    })
}

fn field(request: &Received, name: &str) -> Option<String> {
    let mut fields = url::form_urlencoded::parse(&request.body);
    fields.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

pub fn with(browser: &mut Browser, token: &str) -> Answer {
    at(browser, API, token)
}

fn at(browser: &mut Browser, url: &str, token: &str) -> Answer {
    browser.send("GET", url, &[("authorization", &format!("Bearer {token}"))], b"")
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.reason().as_deref()), (status, Some(code)), "{}", answer.text());
    assert!(answer.header("location").is_none() && answer.set_cookies().is_empty());
}

#[test]
fn the_target_is_told_whose_opaque_token_it_is_and_the_provider_who_asks() {
    on_both(|protocol| {
        let opaque = Opaque::start("");
        opaque.say("2YotnFZFEjr1zCsicMWpAA", &json!({}));
        let answer = with(&mut opaque.client(protocol), "2YotnFZFEjr1zCsicMWpAA");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let [request] = &opaque.target.received()[..] else { panic!("one request") };
        assert_eq!(request.header("x-amzn-oidc-identity"), Some("alice"));
        assert_eq!(request.header("x-amzn-oidc-accesstoken"), Some("2YotnFZFEjr1zCsicMWpAA"));
        assert_eq!(request.header("authorization"), Some("Bearer 2YotnFZFEjr1zCsicMWpAA"));
        assert!(request.header("x-amzn-oidc-data").is_some());
        let [call] = &opaque.provider.requests(ENDPOINT)[..] else { panic!("one call") };
        assert!(call.line.starts_with("POST /introspect "), "{}", call.line);
        assert_eq!(field(call, "token").as_deref(), Some("2YotnFZFEjr1zCsicMWpAA"));
        assert_eq!(field(call, "token_type_hint").as_deref(), Some("access_token"));
        let credentials = STANDARD.encode("dashboard:a-client-secret-of-some-length");
        assert_eq!(call.header("authorization"), Some(&*format!("Basic {credentials}")));
        let [record] = &opaque.proxy.access_log(1)[..] else { panic!("one record") };
        assert_eq!(record["user.id"], "alice");
        assert!(!record.to_string().contains("2YotnFZF"), "no token is logged (attacks L-01)");
    });
}

#[test]
fn b_12_b_03_to_b_06_a_token_is_refused_unless_the_provider_calls_it_an_active_access_token_for_us() {
    on_both(|protocol| {
        let opaque = Opaque::start("");
        let now = opaque.proxy.clock.now().seconds();
        let mut client = opaque.client(protocol);
        let cases = [
            ("not active", json!({"active": false})),
            ("active as text", json!({"active": "true"})),
            ("active as a number", json!({"active": 1})),
            ("active is not said", json!({"active": null})),
            ("another audience", json!({"aud": ["other", "apis"]})),
            ("no audience", json!({"aud": null})),
            ("an audience that is no text", json!({"aud": {"api": true}})),
            ("another issuer", json!({"iss": "https://idp2.test"})),
            ("an issuer that is no text", json!({"iss": 1})),
            ("over", json!({"exp": now})),
            ("an end that is text", json!({"exp": (now + 60).to_string()})),
            ("not yet valid", json!({"nbf": now + 62})),
            ("from the future", json!({"iat": now + 62})),
            ("no subject", json!({"sub": null})),
            ("a subject for a header", json!({"sub": "a\r\nx: y"})),
            ("a kind that is not said", json!({"token_type": null})),
            ("a refresh token", json!({"token_type": "refresh_token"})),
            ("a refresh token of Hydra", json!({"token_use": "refresh_token"})),
            ("a refresh token of Keycloak", json!({"typ": "Refresh"})),
            ("an ID token", json!({"token_type": "id_token"})),
            ("an ID token of Keycloak", json!({"typ": "ID"})),
            ("an ID token with a nonce", json!({"nonce": "n"})),
            ("a token with a proof", json!({"token_type": "DPoP"})),
            ("bound to a key", json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}})),
        ];
        for (number, (what, members)) in cases.iter().enumerate() {
            let token = format!("token-{number}");
            opaque.say(&token, members);
            for _ in 0..2 {
                let answer = with(&mut client, &token);
                assert_eq!(answer.status, 401, "{what}: {}", answer.text());
                refused(&answer, 401, "bearer.invalid");
                assert!(answer.header("www-authenticate").expect("a challenge").contains(r#"error="invalid_token""#));
            }
        }
        assert_eq!(opaque.target.received().len(), 0);
        assert_eq!(opaque.asked(), cases.len(), "each was asked about once");
        for members in [
            json!({}),
            json!({"token_type": "bearer", "iss": null, "exp": null, "iat": null}),
            json!({"token_type": null, "typ": "Bearer", "aud": ["x", "api"]}),
            json!({"token_type": "access_token"}),
        ] {
            opaque.say(&members.to_string().replace(|c: char| !c.is_ascii_alphanumeric(), "-"), &members);
            let token = members.to_string().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
            assert_eq!(with(&mut client, &token).status, 200, "{members}");
        }
    });
}

#[test]
fn what_is_no_token_is_never_asked_about() {
    on_both(|protocol| {
        let opaque = Opaque::start("");
        let mut client = opaque.client(protocol);
        for header in ["Bearer a,b", "Bearer", "Bearer a b", "Bearer a\tb"] {
            let answer = client.send("GET", API, &[("authorization", header)], b"");
            refused(&answer, 400, "bearer.malformed");
        }
        refused(&client.get(API), 401, "bearer.missing");
        refused(&client.get(&format!("{API}?access_token=abc")), 401, "bearer.missing");
        refused(&with(&mut client, &"a".repeat(16 * 1024 + 1)), 401, "bearer.invalid");
        assert_eq!(opaque.asked(), 0);
        refused(&with(&mut client, &"a".repeat(16 * 1024)), 401, "bearer.invalid");
        assert_eq!(opaque.asked(), 1);
    });
}

#[test]
fn scopes_claims_and_sign_ins_are_asked_of_the_answer() {
    let opaque = Opaque::start(
        "        scope: read\n        additional_claims: [{ name: client_id, format: single-string, values: [cli] }]\n      - { type: authorize, any: [{ claim: groups, contains: [staff] }], max_age: 1h, acr: [phr] }\n",
    );
    let now = opaque.proxy.clock.now().seconds();
    let strong = json!({"acr": "phr", "auth_time": now - 60});
    let mut client = opaque.client(Protocol::Http2);
    for (token, members, status, code) in [
        ("scope", json!({"scope": "write"}), 403, "bearer.scope"),
        ("client", json!({"client_id": "other"}), 401, "bearer.invalid"),
        ("group", json!({"groups": ["sales"]}), 403, "bearer.not_allowed"),
        ("weak", json!({"acr": "pwd"}), 401, "bearer.step_up_required"),
        ("old", json!({"auth_time": now - 3700}), 401, "bearer.step_up_required"),
    ] {
        let mut all = strong.clone();
        all.as_object_mut().expect("an object").extend(members.as_object().expect("an object").clone());
        opaque.say(token, &all);
        let answer = with(&mut client, token);
        assert_eq!((answer.status, answer.reason().as_deref()), (status, Some(code)), "{token}: {}", answer.text());
    }
    assert_eq!(opaque.target.received().len(), 0);
    opaque.say("good", &strong);
    assert_eq!(with(&mut client, "good").status, 200);
}

#[test]
fn an_answer_is_used_again_until_it_is_too_old_or_the_token_expires() {
    let opaque = Opaque::start("");
    let mut client = opaque.client(Protocol::Http2);
    opaque.say("long", &json!({}));
    for _ in 0..10 {
        assert_eq!(with(&mut client, "long").status, 200);
        // Another connection may be served by the other worker.
        assert_eq!(with(&mut opaque.client(Protocol::Http1), "long").status, 200);
    }
    assert_eq!(opaque.asked(), 1, "once for all workers");
    opaque.revoke("long");
    opaque.proxy.clock.advance(CACHE - Duration::from_secs(1));
    assert_eq!(with(&mut client, "long").status, 200, "a revoked token is accepted for `introspection_cache` at most");
    opaque.proxy.clock.advance(Duration::from_secs(1));
    let answer = with(&mut client, "long");
    refused(&answer, 401, "bearer.invalid");
    assert!(answer.header("www-authenticate").expect("a challenge").contains("the token is not active"));
    assert_eq!(opaque.asked(), 2);

    let exp = opaque.proxy.clock.now().seconds() + 10;
    opaque.say("short", &json!({"exp": exp}));
    assert_eq!(with(&mut client, "short").status, 200);
    opaque.proxy.clock.advance(Duration::from_secs(9));
    assert_eq!(with(&mut client, "short").status, 200);
    opaque.proxy.clock.advance(Duration::from_secs(1));
    refused(&with(&mut client, "short"), 401, "bearer.invalid");

    // One that the provider does not know yet is asked about again soon.
    refused(&with(&mut client, "new"), 401, "bearer.invalid");
    opaque.say("new", &json!({}));
    refused(&with(&mut client, "new"), 401, "bearer.invalid");
    opaque.proxy.clock.advance(Duration::from_secs(5));
    assert_eq!(with(&mut client, "new").status, 200);
}

#[test]
fn the_time_that_an_answer_is_used_again_is_a_setting() {
    let action = "      - { type: jwt-validation, provider: corp, validation: introspection, audience: [api] }\n";
    let opaque = Opaque::start_with(
        " []",
        action,
        "    introspection_cache: 5s\n    token_endpoint_auth_method: client_secret_post",
    );
    let mut client = opaque.client(Protocol::Http1);
    opaque.say("a", &json!({}));
    assert_eq!(with(&mut client, "a").status, 200);
    opaque.revoke("a");
    opaque.proxy.clock.advance(Duration::from_secs(5));
    refused(&with(&mut client, "a"), 401, "bearer.invalid");
    let call = opaque.provider.requests(ENDPOINT).remove(0);
    assert_eq!(field(&call, "client_secret").as_deref(), Some("a-client-secret-of-some-length"));
    assert_eq!(call.header("authorization"), None);
}

#[test]
fn d_20_made_up_tokens_cause_few_calls_and_lock_nobody_out_who_is_in() {
    let opaque = Opaque::start("");
    let mut client = opaque.client(Protocol::Http2);
    opaque.say("good", &json!({}));
    assert_eq!(with(&mut client, "good").status, 200);
    let mut busy = 0;
    for number in 0..500 {
        let answer = with(&mut client, &format!("made-up-{number}"));
        match answer.status {
            401 => refused(&answer, 401, "bearer.invalid"),
            _ => {
                refused(&answer, 503, "bearer.introspection_busy");
                busy += 1;
            }
        }
    }
    // The clock stands still, so no call is added to those that may come at once.
    assert_eq!((opaque.asked(), busy), (235, 266), "one was for the good token; the rest is for other networks");
    assert_eq!(with(&mut client, "good").status, 200);
    opaque.proxy.clock.advance(Duration::from_millis(5));
    assert_eq!(with(&mut client, "another-made-up").status, 503);
    opaque.proxy.clock.advance(CACHE);
    for number in 0..400 {
        with(&mut client, &format!("later-{number}"));
    }
    assert_eq!(with(&mut client, "good").status, 200, "it is asked about although no made-up token is");
    assert_eq!(opaque.target.received().len(), 3);
}

#[test]
fn d_29_one_network_with_made_up_tokens_keeps_no_other_out() {
    on_both(|protocol| {
        let opaque = Opaque::start_behind("    trusted_proxies: ['127.0.0.0/8']");
        let mut client = opaque.client(protocol);
        let mut from = |network: &str, token: &str| {
            let headers = [("authorization", &*format!("Bearer {token}")), ("x-forwarded-for", network)];
            client.send("GET", API, &headers, b"")
        };
        let flood = |number: usize| format!("2001:db8:0:1::{number:x}");
        // One network, by all of its addresses.
        let answers: Vec<u16> =
            (0..400).map(|number| from(&flood(number), &format!("made-up-{number}")).status).collect();
        assert_eq!(answers.last(), Some(&503), "it has had all that there is for it");
        // Those who come for the first time, each with a token of its own.
        for number in 0..20 {
            let (network, token) = (format!("198.51.100.{number}"), format!("new-{number}"));
            opaque.say(&token, &json!({}));
            assert_eq!(from(&network, &token).status, 200, "{network}");
        }
        refused(&from(&flood(1000), "made-up-again"), 503, "bearer.introspection_busy");
        // A second network with made-up tokens has its share, and no more.
        let second: Vec<u16> = (0..20).map(|number| from("203.0.113.9", &format!("other-{number}")).status).collect();
        assert_eq!(second.iter().filter(|status| **status == 401).count(), 10);
        opaque.say("late", &json!({}));
        assert_eq!(from("198.51.100.77", "late").status, 200);
    });
}

#[test]
fn what_says_nothing_lets_nobody_in_and_is_503() {
    on_both(|protocol| {
        let opaque = Opaque::start("");
        let mut client = opaque.client(protocol);
        opaque.say("good", &json!({}));
        let active = r#"{"active":true,"token_type":"Bearer","sub":"alice","aud":"api"}"#;
        let answers = [
            "500 Internal Server Error\n".to_owned(),
            format!("500 Internal Server Error\n{active}"),
            format!("401 Unauthorized\n{active}"),
            format!("302 Found\n{active}"),
            format!("201 Created\n{active}"),
            "200 OK\n<html>sign in</html>".to_owned(),
            "200 OK\n".to_owned(),
            "200 OK\ntrue".to_owned(),
            format!("200 OK\n[{active}]"),
            format!("200 OK\n{}", active.replace("{", r#"{"active":false,"#)),
            format!("200 OK\n{active}{}", " ".repeat(512 * 1024)),
        ];
        for (number, answer) in answers.iter().enumerate() {
            let token = format!("token-{number}");
            opaque.said.lock().expect("unpoisoned").insert(token.clone(), answer.as_str().into());
            let answered = with(&mut client, &token);
            assert_eq!(answered.status, 503, "{}", answer.get(..80).unwrap_or(answer));
            refused(&answered, 503, "bearer.introspection_unavailable");
        }
        assert_eq!(opaque.target.received().len(), 0);
        // It is tried again soon, and works once the provider does.
        opaque.say("token-0", &json!({}));
        assert_eq!(with(&mut client, "token-0").status, 503);
        opaque.proxy.clock.advance(Duration::from_secs(1));
        assert_eq!(with(&mut client, "token-0").status, 200);
        // One that was active is not accepted either once its answer is too old.
        assert_eq!(with(&mut client, "good").status, 200);
        opaque.said.lock().expect("unpoisoned").insert("good".into(), "503 Service Unavailable\n".into());
        opaque.proxy.clock.advance(CACHE);
        refused(&with(&mut client, "good"), 503, "bearer.introspection_unavailable");
    });
}

#[test]
fn without_an_endpoint_the_answer_is_503_and_the_log_says_what_to_set() {
    let opaque = Opaque::start("");
    opaque.provider.say(|script| script.metadata = json!({}));
    let other = Setup::new(&opaque.provider, &opaque.target)
        .default_actions(
            "\n      - { type: jwt-validation, provider: corp, validation: introspection, audience: [api] }\n      - { type: forward, target_group: app }\n",
        )
        .start();
    refused(&with(&mut other.browser(Protocol::Http1).scripted(), "abc"), 503, "bearer.introspection_unavailable");
    assert_eq!(opaque.target.received().len(), 0);
}

/// A signed JWT of the provider for `api`.
fn jwt(opaque: &Opaque, header: &Value, claims: &Value, key: &Key) -> String {
    let now = opaque.proxy.clock.now().seconds();
    let mut all = json!({"iss": opaque.provider.issuer(), "sub": "alice", "aud": "api", "exp": now + 3600, "iat": now});
    let mut head = json!({"alg": "ES256", "kid": key.kid, "typ": "at+jwt"});
    for (base, more) in [(&mut all, claims), (&mut head, header)] {
        base.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    }
    key.sign(&head, &all.to_string())
}

#[test]
fn with_auto_a_jwt_that_is_refused_is_never_asked_about() {
    on_both(|protocol| {
        let action = "      - { type: jwt-validation, provider: corp, validation: auto, audience: [api] }\n";
        let opaque = Opaque::start_with(" []", action, "");
        let mut client = opaque.client(protocol);
        let (key, foreign) = (opaque.provider.key(), Key::new("provider-key-1"));
        let plain = json!({});
        let good = jwt(&opaque, &plain, &plain, key);
        let unsigned = format!("{}.", good.rsplit_once('.').expect("three parts").0);
        let refused_tokens = [
            unsigned,
            jwt(&opaque, &json!({"alg": "none"}), &plain, key),
            jwt(&opaque, &json!({"alg": "HS256"}), &plain, key),
            jwt(&opaque, &plain, &plain, &foreign),
            jwt(&opaque, &plain, &json!({"aud": "other"}), key),
            jwt(&opaque, &plain, &json!({"exp": 1}), key),
            jwt(&opaque, &plain, &json!({"nonce": "an ID token"}), key),
            "a.b.c".to_owned(),
            "..x".to_owned(),
            format!("{good}="),
        ];
        for token in &refused_tokens {
            // The provider would vouch for each of them.
            opaque.say(token, &json!({}));
            refused(&with(&mut client, token), 401, "bearer.invalid");
        }
        assert_eq!(opaque.target.received().len(), 0);
        assert_eq!(with(&mut client, &good).status, 200);
        assert_eq!(opaque.asked(), 0);
        // Whatever has not three parts is the provider's to judge: an opaque token, and an encrypted one.
        for token in ["opaque", "a.b", "a.b.c.d.e"] {
            refused(&with(&mut client, token), 401, "bearer.invalid");
            let known = format!("{token}-known");
            opaque.say(&known, &json!({}));
            assert_eq!(with(&mut client, &known).status, 200, "{token}");
        }
        assert_eq!(opaque.asked(), 6);
    });
}

#[test]
fn b_11_each_rule_asks_the_same_answer_for_its_own_audience_and_scopes() {
    let rule = |name: &str, more: &str| {
        format!(
            "\n      - name: {name}\n        conditions: [{{ path_pattern: ['/{name}'] }}]\n        actions:\n\
             \x20         - {{ type: jwt-validation, provider: corp, validation: introspection, {more} }}\n\
             \x20         - {{ type: forward, target_group: app }}"
        )
    };
    let rules = [("one", "audience: [api]"), ("two", "audience: [other]"), ("three", "audience: [api], scope: admin")];
    let rules: String = rules
        .iter()
        .enumerate()
        .map(|(number, (name, more))| {
            rule(name, more)
                .replace("        conditions", &format!("        priority: {}\n        conditions", number + 1))
        })
        .collect();
    on_both(|protocol| {
        let opaque = Opaque::start_with(&rules, "", "");
        opaque.say("token", &json!({}));
        let mut client = opaque.client(protocol);
        for _ in 0..2 {
            assert_eq!(at(&mut client, "https://app.test/one", "token").status, 200);
            refused(&at(&mut client, "https://app.test/two", "token"), 401, "bearer.invalid");
            refused(&at(&mut client, "https://app.test/three", "token"), 403, "bearer.scope");
        }
        assert_eq!((opaque.asked(), opaque.target.received().len()), (1, 2));
    });
}

#[test]
fn b_08_b_13_a_session_and_an_opaque_token_on_one_rule() {
    on_both(|protocol| {
        let action = "      - type: session-or-bearer\n        provider: corp\n        bearer: { validation: introspection, audience: [api] }\n";
        let opaque = Opaque::start_with(" []", action, "");
        let mut browser = opaque.proxy.browser(protocol);
        assert_eq!(opaque.provider.sign_in(&mut browser, PAGE).status, 200);
        let reached = opaque.target.received().len();
        opaque.say("mallory", &json!({"sub": "mallory"}));
        refused(&with(&mut browser, "mallory"), 400, "bearer.other_user");
        refused(&with(&mut browser, "unknown"), 401, "bearer.invalid");
        assert_eq!(opaque.target.received().len(), reached);
        opaque.say("alice", &json!({}));
        assert_eq!(with(&mut browser, "alice").status, 200);
        assert_eq!(with(&mut opaque.client(protocol), "mallory").status, 200);
    });
}

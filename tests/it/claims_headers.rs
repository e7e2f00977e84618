//! What the target is told of a user: the signed claims in both formats, verified as a stranger would, from the keys that we
//! publish; and the paths that tell others who is signed in.

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::harness::app::{Proxy, START, Setup, folder};
use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::provider::{CLIENT_ID, Provider};
use crate::harness::scenario::Scenario;
use crate::harness::server::Server;
use crate::harness::target;

const PAGE: &str = "https://app.test/page";
const NOW: u64 = START.seconds();

fn scenario(claims: &str) -> Scenario {
    Scenario::start(|setup| setup.rest(&rest(claims)))
}

fn rest(claims: &str) -> String {
    format!(
        "claims: {{ signer: 'arn:vestibule:test', signing_key_file: claims-key.pem{claims} }}\n\
         session: {{ key_files: [session-key] }}\n"
    )
}

impl Scenario {
    /// The assertion of one more request.
    #[track_caller]
    fn assertion(&self, browser: &mut Browser) -> String {
        assert_eq!(browser.get(PAGE).status, 200);
        self.target.last().header("x-amzn-oidc-data").expect("an assertion").to_owned()
    }
}

/// The members of a segment, in their order.
fn decoded(segment: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segment.trim_end_matches('=')).expect("base64url")).expect("JSON")
}

fn names(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// The point of a key of a key set.
fn point(key: &Value) -> Vec<u8> {
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().expect("text")).expect("base64url");
    [vec![4], coordinate("x"), coordinate("y")].concat()
}

/// The point of a PEM public key: the end of its DER form.
fn point_of_pem(pem: &str) -> Vec<u8> {
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(base64).expect("base64");
    der[der.len() - 65..].to_vec()
}

/// Verifies as a library does: the signature is over everything before the last dot.
fn is_signed_by(token: &str, point: &[u8]) -> bool {
    let (input, signature) = token.rsplit_once('.').expect("three segments");
    let signature = URL_SAFE_NO_PAD.decode(signature.trim_end_matches('=')).expect("base64url");
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(input.as_bytes(), &signature).is_ok()
}

/// The key of that id in a key set.
#[track_caller]
fn key_of(set: &Value, kid: &Value) -> Value {
    let keys = set["keys"].as_array().expect("keys");
    keys.iter().find(|key| key["kid"] == *kid).unwrap_or_else(|| panic!("{kid} in {set}")).clone()
}

#[test]
fn the_signed_claims_are_a_standard_jwt_that_the_published_keys_verify() {
    let scenario = scenario("");
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        let token = scenario.assertion(&mut browser);
        let segments: Vec<&str> = token.split('.').collect();
        assert_eq!(segments.len(), 3);
        assert!(!token.contains('='), "K-05: unpadded");
        let (header, payload) = (decoded(segments[0]), decoded(segments[1]));
        assert_eq!(names(&header), ["typ", "kid", "alg", "iss", "client", "signer", "exp"]);
        let kid = header["kid"].clone();
        let issuer = scenario.provider.issuer();
        assert_eq!(
            header,
            json!({
                "typ": "JWT", "kid": kid, "alg": "ES256", "iss": issuer, "client": CLIENT_ID,
                "signer": "arn:vestibule:test", "exp": NOW + 120,
            })
        );
        assert_eq!(
            payload,
            json!({
                "email": "alice@example.com", "name": "Alice", "groups": ["staff"],
                "sub": "alice", "iss": issuer, "aud": "app", "iat": NOW, "exp": NOW + 120,
            })
        );
        assert_eq!(scenario.target.last().header("x-amzn-oidc-identity"), Some("alice"));
        assert!(
            scenario.target.last().header("x-amzn-oidc-accesstoken").is_some_and(|token| token.starts_with("access-"))
        );

        let kid_text = kid.as_str().expect("text");
        let mut admin = Browser::new(Protocol::Http1, scenario.proxy.admin());
        let mut stranger = scenario.proxy.browser(protocol);
        let listener = |path: &str| format!("https://app.test/.well-known/vestibule/{path}");
        let operator = |path: &str| format!("http://{}/.well-known/vestibule/{path}", scenario.proxy.admin());
        let sets = [stranger.get(&listener("jwks.json")), admin.get(&operator("jwks.json"))];
        let pem = format!("keys/{kid_text}");
        let pems = [stranger.get(&listener(&pem)), admin.get(&operator(&pem))];
        for set in sets {
            assert_eq!((set.status, set.header("content-type")), (200, Some("application/jwk-set+json")));
            let key = key_of(&set.json(), &kid);
            assert_eq!((&key["alg"], &key["use"], key.get("d")), (&json!("ES256"), &json!("sig"), None));
            assert!(is_signed_by(&token, &point(&key)));
        }
        for pem in pems {
            assert_eq!((pem.status, pem.header("content-type")), (200, Some("application/x-pem-file")));
            assert!(pem.text().starts_with("-----BEGIN PUBLIC KEY-----\n"), "{}", pem.text());
            assert!(is_signed_by(&token, &point_of_pem(pem.text())));
        }
        let changed = token.replacen(segments[1], &URL_SAFE_NO_PAD.encode(r#"{"sub":"admin"}"#), 1);
        assert!(!is_signed_by(&changed, &point(&key_of(&stranger.get(&listener("jwks.json")).json(), &kid))));
    });
}

#[test]
fn k_02_a_key_that_is_not_ours_is_not_found() {
    let scenario = scenario("");
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        for kid in ["nobody", "..", "%2e%2e", "a%2Fb", "jwks.json"] {
            let answer = browser.get(&format!("https://app.test/.well-known/vestibule/keys/{kid}"));
            assert!(matches!(answer.status, 302 | 400 | 404), "{kid}: {}", answer.status);
            assert!(!String::from_utf8_lossy(&answer.body).contains("PUBLIC KEY"));
        }
        for method in ["POST", "PUT", "DELETE"] {
            let answer = browser.send(method, "https://app.test/.well-known/vestibule/jwks.json", &[], b"");
            assert_eq!(answer.status, 405, "{method}");
        }
    });
    assert_eq!(scenario.target.count(), 0);
}

#[test]
fn the_albs_format_has_the_albs_bytes() {
    let scenario = scenario(", format: alb");
    on_both(|protocol| {
        // Each length of claims has another padding.
        for name in ["", "A", "Al", "Ali"] {
            scenario.provider.say(|script| script.userinfo = Some(json!({"sub": "alice", "name": name, "exp": "x"})));
            let mut browser = scenario.signed_in(protocol);
            let token = scenario.assertion(&mut browser);
            let segments: Vec<&str> = token.split('.').collect();
            assert_eq!(segments.len(), 3);
            for segment in &segments {
                assert_eq!(segment.len() % 4, 0, "padded: {segment}");
                assert!(URL_SAFE.decode(segment).is_ok(), "{segment}");
            }
            assert!(segments[2].ends_with("==") && segments[2].len() == 88);
            let header = URL_SAFE.decode(segments[0]).expect("padded");
            let kid = decoded(segments[0])["kid"].as_str().expect("text").to_owned();
            let issuer = scenario.provider.issuer();
            assert_eq!(
                String::from_utf8(header).expect("UTF-8"),
                format!(
                    r#"{{"typ":"JWT","kid":"{kid}","alg":"ES256","iss":"{issuer}","client":"dashboard","signer":"arn:vestibule:test","exp":{}}}"#,
                    NOW + 120
                )
            );
            let payload = String::from_utf8(URL_SAFE.decode(segments[1]).expect("padded")).expect("UTF-8");
            let claims = decoded(segments[1]);
            assert!(payload.ends_with(&format!(r#","exp":{},"iss":"{issuer}"}}"#, NOW + 120)), "{payload}");
            assert_eq!((&claims["sub"], &claims["name"]), (&json!("alice"), &json!(name)));
            assert_eq!((claims.get("aud"), claims.get("iat")), (None, None), "as the ALB");
            // The padding is under the signature.
            let set = browser.get("https://app.test/.well-known/vestibule/jwks.json").json();
            let key = point(&key_of(&set, &json!(kid)));
            assert!(is_signed_by(&token, &key));
            let unpadded = segments.iter().map(|segment| segment.trim_end_matches('=')).collect::<Vec<_>>().join(".");
            let has_padding = segments[..2].iter().any(|segment| segment.ends_with('='));
            assert_eq!(is_signed_by(&unpadded, &key), !has_padding);
        }
    });
}

#[test]
fn an_assertion_is_made_anew_when_half_its_life_is_gone() {
    let scenario = scenario("");
    let mut browser = scenario.signed_in(Protocol::Http2);
    let issued_at = |token: &str| decoded(token.split('.').nth(1).expect("a payload"))["iat"].as_u64().expect("a time");
    for second in 0..240 {
        let token = scenario.assertion(&mut browser);
        let age = NOW + second - issued_at(&token);
        assert!(age < 60, "{age} s old");
        scenario.proxy.clock.advance(Duration::from_secs(1));
    }
    // A clock that was set back does not stretch its life either.
    scenario.proxy.clock.rewind(Duration::from_secs(200));
    let now = scenario.proxy.clock.now().seconds();
    for _ in 0..8 {
        assert!(issued_at(&scenario.assertion(&mut browser)) <= now);
    }
}

#[test]
fn the_audience_is_the_target_group() {
    let (provider, target, other) = (Provider::start(), target::echo(), target::echo());
    let rules = "
      - name: other
        priority: 1
        conditions: [{ path_pattern: [/other] }]
        actions:
          - { type: authenticate-oidc, provider: corp, scope: openid profile email, session_timeout: 8h }
          - { type: forward, target_group: other }
";
    let group = format!("  other:\n    targets: ['{}']", other.address());
    let proxy = Setup::new(&provider, &target).rules(rules).target_group(&group).start();
    let mut browser = proxy.signed_in(Protocol::Http2, &provider);
    let audience = |server: &Server| {
        let token = server.last().header("x-amzn-oidc-data").expect("an assertion").to_owned();
        decoded(token.split('.').nth(1).expect("a payload"))["aud"].clone()
    };
    for _ in 0..3 {
        browser.get(PAGE);
        browser.get("https://app.test/other");
        assert_eq!((audience(&target), audience(&other)), (json!("app"), json!("other")), "K-04");
    }
}

#[test]
fn k_01_two_deployments_do_not_vouch_for_each_other() {
    let (one, two) = (scenario(""), scenario(""));
    let token = one.assertion(&mut one.signed_in(Protocol::Http2));
    let set = |scenario: &Scenario| {
        scenario.proxy.browser(Protocol::Http2).get("https://app.test/.well-known/vestibule/jwks.json").json()
    };
    let signs = |set: &Value| set["keys"].as_array().expect("keys").iter().any(|key| is_signed_by(&token, &point(key)));
    assert!(signs(&set(&one)) && !signs(&set(&two)));
}

#[test]
fn a_key_is_published_before_and_after_it_signs() {
    let (provider, target) = (Provider::start(), target::echo());
    // Two keys, as two runs make them.
    let pem = |_| {
        let proxy = Setup::new(&provider, &target).start();
        std::fs::read_to_string(proxy.folder().join("claims-key.pem")).expect("it was made")
    };
    let pems: [String; 2] = [0, 1].map(pem);
    let public = RefCell::new(String::new());
    let write = |folder: &Path| {
        for (name, text) in [("old.pem", &pems[0]), ("new.pem", &pems[1]), ("old.pub", &*public.borrow())] {
            std::fs::write(folder.join(name), text).expect("written");
        }
    };
    let start = |signing: &str, previous: &str| {
        let folder = folder();
        write(&folder);
        let rest = format!(
            "claims: {{ signer: 'arn:x', signing_key_file: {signing}, previous_key_files: {previous} }}\n\
             session: {{ key_files: [session-key] }}\n"
        );
        Proxy::start_in(folder, &Setup::new(&provider, &target).rest(&rest).yaml(), START)
    };
    let signed = |proxy: &Proxy| -> (String, Value, Vec<Value>) {
        let mut browser = proxy.signed_in(Protocol::Http2, &provider);
        let token = target.last().header("x-amzn-oidc-data").expect("an assertion").to_owned();
        let set = browser.get("https://app.test/.well-known/vestibule/jwks.json").json();
        let kid = decoded(token.split('.').next().expect("a header"))["kid"].clone();
        let kids = set["keys"].as_array().expect("keys").iter().map(|key| key["kid"].clone()).collect();
        assert!(is_signed_by(&token, &point(&key_of(&set, &kid))));
        for kid in set["keys"].as_array().expect("keys").iter().map(|key| key["kid"].as_str().expect("text")) {
            let pem: Answer = browser.get(&format!("https://app.test/.well-known/vestibule/keys/{kid}"));
            assert_eq!(pem.status, 200);
        }
        (token, kid, kids)
    };
    let (_, old, published) = signed(&start("old.pem", "[new.pem]"));
    assert_eq!((published.len(), &published[0]), (2, &old), "the new one is there before it signs");
    let kid = old.as_str().expect("text");
    let address = format!("https://app.test/.well-known/vestibule/keys/{kid}");
    *public.borrow_mut() = start("old.pem", "[]").browser(Protocol::Http2).get(&address).text().to_owned();
    let (_, new, published) = signed(&start("new.pem", "[old.pem]"));
    assert_ne!(new, old);
    assert!(published.contains(&old) && published.contains(&new), "the old one after");
    let (_, _, published) = signed(&start("new.pem", "[old.pub]"));
    assert_eq!(published, [new.clone(), old], "of the old one its public half is enough");
    let (_, alone, published) = signed(&start("new.pem", "[]"));
    assert_eq!((alone, published), (new.clone(), vec![new]));
}

#[test]
fn claims_go_into_the_headers_that_the_configuration_names_and_absent_ones_are_taken_out() {
    let mapped = ", headers: { x-forwarded-user: sub, x-forwarded-email: email, x-forwarded-groups: groups, \
                  x-team: team.name, x-claim: [a.b, c] }, access_token_header: false";
    let scenario = scenario(mapped);
    on_both(|protocol| {
        scenario.provider.say(|script| {
            script.id_token = json!({"sub": "alice"});
            script.userinfo = Some(json!({"sub": "alice", "groups": ["staff", "ops"], "team": {"name": "Jürgen\r\nx: y"}, "a.b": {"c": 7}}));
        });
        let mut browser = scenario.signed_in(protocol);
        let forged = [
            ("x-forwarded-user", "root"),
            ("x-forwarded-email", "root@example.com"),
            ("x-amzn-oidc-accesstoken", "forged"),
            ("x-amzn-oidc-data", "forged"),
            ("x-amzn-oidc-identity", "root"),
        ];
        assert_eq!(browser.send("GET", PAGE, &forged, b"").status, 200);
        let request = scenario.target.last();
        assert_eq!(request.header("x-forwarded-user"), Some("alice"));
        assert_eq!(request.header("x-amzn-oidc-identity"), Some("alice"));
        assert_eq!(request.header("x-forwarded-email"), None, "absent is not what the client says");
        assert_eq!(request.header("x-amzn-oidc-accesstoken"), None, "switched off");
        assert_eq!(request.header("x-forwarded-groups"), Some("staff,ops"));
        assert_eq!(request.header("x-team"), Some("J%C3%BCrgen%0D%0Ax: y"));
        assert_eq!(request.header("x-claim"), Some("7"));
        assert!(request.header("x-amzn-oidc-data").is_some_and(|token| token.split('.').count() == 3));
    });
}

#[test]
fn l_03_userinfo_tells_who_is_signed_in_and_never_a_token() {
    let scenario = scenario("");
    scenario.provider.say(|script| script.token_response = json!({"refresh_token": "refresh-secret"}));
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        for mut browser in [browser.clone(), browser.clone().scripted()] {
            let about = browser.get("https://app.test/oauth2/userinfo");
            assert_eq!((about.status, about.header("content-type")), (200, Some("application/json")));
            assert_eq!(about.header("cache-control"), Some("no-store"));
            assert_eq!(
                about.json(),
                json!({
                    "sub": "alice", "iss": scenario.provider.issuer(), "email": "alice@example.com", "name": "Alice",
                    "groups": ["staff"], "expires_at": NOW + 8 * 3600,
                })
            );
            for secret in ["access-token", "refresh-secret", "eyJ"] {
                assert!(!about.text().contains(secret), "{secret} in {}", about.text());
            }
        }
        assert_eq!(browser.send("POST", "https://app.test/oauth2/userinfo", &[], b"").status, 405);
        let nobody = scenario.proxy.browser(protocol).get("https://app.test/oauth2/userinfo");
        assert_eq!((nobody.status, nobody.json()["error"].as_str()), (401, Some("auth.required")));
    });
}

#[test]
fn a_provider_without_userinfo_says_enough_in_the_id_token() {
    let scenario = scenario("");
    scenario.provider.say(|script| {
        script.userinfo = None;
        script.id_token = json!({"sub": "alice", "email": "alice@example.com", "groups": ["x"], "at_hash": null});
    });
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        let token = scenario.assertion(&mut browser);
        let payload = decoded(token.split('.').nth(1).expect("a payload"));
        assert_eq!(
            names(&payload),
            ["email", "groups", "sub", "iss", "aud", "iat", "exp"],
            "the token's own are left out"
        );
        assert_eq!(payload["email"], json!("alice@example.com"));
        assert_eq!(scenario.provider.requests("/userinfo").len(), 0);
    });
}

#[test]
fn c_16_groups_with_a_comma_reach_the_target_in_each_encoding() {
    let mapped = ", headers: { x-plain: groups, x-csv: { claim: groups, encoding: csv }, \
                  x-json: { claim: [groups], encoding: json }, x-repeated: { claim: groups, encoding: repeated }, \
                  x-percent: { claim: groups, encoding: percent }, x-name: name }";
    let scenario = scenario(mapped);
    scenario.provider.say(|script| {
        script.userinfo = Some(json!({"sub": "alice", "groups": ["staff", "Sales, EMEA"], "name": "x,admin"}));
    });
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        assert_eq!(browser.send("GET", PAGE, &[("x-repeated", "root")], b"").status, 200);
        let request = scenario.target.last();
        assert_eq!(request.header("x-plain"), Some("staff,Sales%2C EMEA"), "the default loses nothing");
        assert_eq!(request.header("x-percent"), Some("staff,Sales%2C EMEA"));
        assert_eq!(request.header("x-csv"), Some("staff,\"Sales, EMEA\""));
        assert_eq!(request.header("x-json"), Some(r#"["staff","Sales, EMEA"]"#));
        assert_eq!(request.header("x-name"), Some("x%2Cadmin"), "a text is no list");
        let repeated: Vec<&str> =
            request.headers.iter().filter(|(name, _)| name == "x-repeated").map(|(_, value)| value.as_str()).collect();
        assert_eq!(repeated, ["staff", "Sales%2C EMEA"]);
    });
}

#[test]
fn c_16_a_claim_that_cannot_be_written_is_left_out_and_counted() {
    let scenario = scenario(", headers: { x-long: long, x-mail: email }");
    let long = "x".repeat(8193);
    scenario.provider.say(|script| script.userinfo = Some(json!({"sub": "alice", "email": "a@b.c", "long": long})));
    let mut browser = scenario.signed_in(Protocol::Http2);
    assert_eq!(browser.send("GET", PAGE, &[("x-long", "forged")], b"").status, 200);
    let request = scenario.target.last();
    assert_eq!((request.header("x-long"), request.header("x-mail")), (None, Some("a@b.c")));
    assert_ne!(scenario.proxy.metric("vestibule_claims_left_out_total{header=\"x-long\"}"), 0);
    assert_eq!(scenario.proxy.metric("vestibule_claims_left_out_total{header=\"x-mail\"}"), 0);
}

#[test]
fn e_9_a_header_that_is_too_long_for_targets_is_refused_with_a_page() {
    let scenario = scenario(", header_bytes_max: 4096");
    let groups: Vec<String> = (0..400).map(|number| format!("group-{number}")).collect();
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        assert_eq!(browser.get(PAGE).status, 200);
        let count = scenario.target.count();
        scenario.provider.say(|script| script.userinfo = Some(json!({"sub": "alice", "groups": groups})));
        let mut browser = scenario.proxy.browser(protocol);
        let answer = scenario.provider.sign_in(&mut browser, PAGE);
        assert_eq!((answer.status, answer.reason().as_deref()), (500, Some("auth.header_too_large")));
        assert_eq!(scenario.target.count(), count);
        scenario.provider.say(|script| script.userinfo = Some(json!({"sub": "alice"})));
    });
}

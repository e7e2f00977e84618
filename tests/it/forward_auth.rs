//! Vestibule as the door of another proxy: nginx, Caddy, Envoy, with the files of `docs/FORWARD_AUTH.md`.

mod attacks;
mod choosing;
mod front;
mod headers;
mod pool;
mod tokens;

use std::time::Duration;

use serde_json::json;

use crate::harness::browser::{Protocol, on_both};
use crate::harness::server::Reply;
use attacks::{
    f_01_f_02_f_04_f_05_no_header_chooses_the_path, f_06_f_08_the_client_is_the_peer_of_the_proxy,
    f_09_a_broken_session_is_no_permission, f_11_the_endpoints_are_no_pages,
    f_12_no_host_but_the_one_of_the_site_is_asked_about, h_01_h_02_h_03_h_09_no_client_says_who_it_is,
    h_15_the_application_gets_no_cookie_of_ours, p_04_to_p_09_no_path_reaches_another_rule,
    w_02_a_page_of_another_site_opens_no_websocket, w_05_no_other_protocol_is_spoken_with_the_application,
};
use choosing::a_user_chooses_a_provider;
use front::{Front, Kind, untouched};

/// Each test behind each proxy.
macro_rules! behind {
    ($($proxy:ident: $kind:ident),+; $tests:tt) => { $(behind!(@ $proxy $kind $tests);)+ };
    (@ $proxy:ident $kind:ident { $($test:ident)+ }) => {
        mod $proxy {
            $(#[test] fn $test() { super::$test(super::Kind::$kind); })+
        }
    };
}

behind!(nginx: Nginx, caddy: Caddy, envoy_http: Envoy, envoy_grpc: EnvoyGrpc; {
    a_user_signs_in_and_the_application_knows_who_it_is
    a_refusal_reaches_the_client_whole
    a_refreshed_session_reaches_the_browser
    a_user_signs_out
    b_01_b_03_a_program_finds_the_issuer_and_brings_a_token
    a_user_chooses_a_provider
    h_01_h_02_h_03_h_09_no_client_says_who_it_is
    h_15_the_application_gets_no_cookie_of_ours
    f_01_f_02_f_04_f_05_no_header_chooses_the_path
    f_06_f_08_the_client_is_the_peer_of_the_proxy
    f_09_a_broken_session_is_no_permission
    f_11_the_endpoints_are_no_pages
    p_04_to_p_09_no_path_reaches_another_rule
    w_02_a_page_of_another_site_opens_no_websocket
    w_05_no_other_protocol_is_spoken_with_the_application
    f_12_no_host_but_the_one_of_the_site_is_asked_about
    a_door_that_is_gone_lets_nobody_in
});

fn a_user_signs_in_and_the_application_knows_who_it_is(kind: Kind) {
    let front = Front::start(kind);
    on_both(|protocol| {
        let mut browser = front.browser(protocol);
        let begun = untouched(&front, "no session", || browser.get("https://app.test/x?y=%2F"));
        assert_eq!(begun.status, 302, "{begun:?}");
        let callback = front.provider.callback_of(begun.location());
        assert!(callback.starts_with("https://app.test/oauth2/idpresponse?"), "{callback}");
        let back = browser.get(&callback);
        assert_eq!((back.status, back.location()), (302, "/x?y=%2F"));
        browser.set_cookie("app.test", "theme", "dark");
        for (method, body) in [("GET", ""), ("POST", "a=b")] {
            let answer = browser.send(method, "https://app.test/x?y=%2F", &[], body.as_bytes());
            assert_eq!(answer.status, 200, "{answer:?}");
            let received = front.target.last();
            assert_eq!(received.line, format!("{method} /x?y=%2F HTTP/1.1"));
            assert_eq!(received.body_text(), body);
            assert_eq!(received.header("x-amzn-oidc-identity"), Some("alice"));
            assert_eq!(received.header("cookie"), Some("theme=dark"));
            assert!(received.header("x-amzn-trace-id").is_some_and(|id| id.starts_with("Root=")));
            let claims = received.header("x-amzn-oidc-data").expect("signed claims").split('.').nth(1).expect("claims");
            let claims =
                base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims).expect("base64");
            let claims: serde_json::Value = serde_json::from_slice(&claims).expect("JSON");
            assert_eq!((&claims["aud"], &claims["sub"]), (&json!("app"), &json!("alice")));
            assert!(answer.header("x-amzn-oidc-data").is_none() && answer.set_cookies().is_empty(), "{answer:?}");
        }
    });
    let records = front.door.access_log(8);
    // Workers write their records in any order.
    let is_it = |record: &&serde_json::Value| {
        record["actions"] == json!(["authenticate", "allow"]) && record["http.request.method"] == "GET"
    };
    let allowed = records.iter().find(is_it).expect("a record");
    assert_eq!(allowed["url.path"], "/x");
    assert_eq!((&allowed["http.response.status_code"], &allowed["user.id"]), (&json!(200), &json!("alice")));
}

fn a_refusal_reaches_the_client_whole(kind: Kind) {
    let front = Front::start(kind);
    on_both(|protocol| {
        let script = [("accept", "application/json"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")];
        for (path, headers) in [("/", &script[..]), ("/api/x", &script[..])] {
            let mut browser = front.browser(protocol);
            let answer =
                untouched(&front, path, || browser.send("GET", &format!("https://app.test{path}"), headers, b""));
            assert_eq!((answer.status, answer.json()["error"].as_str()), (401, Some("auth.required")), "{answer:?}");
            assert!(answer.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Session ")));
            assert!(answer.set_cookies().is_empty());
        }
        let mut browser = front.browser(protocol);
        let form = untouched(&front, "a form", || browser.send("POST", "https://app.test/", &[], b"a=b"));
        assert_eq!((form.status, form.reason().as_deref()), (401, Some("auth.form_not_sent")));
        assert!(form.text().starts_with("<!doctype html>"), "{}", form.text());
        assert_eq!(browser.get("https://app.test/public/x").status, 200);
        assert_eq!(front.target.last().header("x-amzn-oidc-identity"), None);
    });
}

fn a_refreshed_session_reaches_the_browser(kind: Kind) {
    let front = Front::start(kind);
    front.target.script(|_| {
        let headers =
            [("set-cookie", "theme=dark"), ("cache-control", "public, max-age=60"), ("content-type", "text/plain")];
        Reply::new("200 OK", &headers, "hello")
    });
    on_both(|protocol| {
        let mut browser = front.signed_in(protocol);
        let first = browser.cookie_header("app.test");
        front.door.clock.advance(Duration::from_secs(3500));
        front.provider.say(|script| script.now += 3500);
        let answer = browser.get("https://app.test/x");
        assert_eq!((answer.status, answer.new_session().len()), (200, 1), "{answer:?}");
        assert!(answer.set_cookies().iter().any(|line| line.starts_with("theme=dark")), "{answer:?}");
        let caching: Vec<_> =
            answer.headers.get_all("cache-control").iter().map(|value| value.to_str().expect("ASCII")).collect();
        assert!(caching.iter().any(|value| value.contains("private")), "{caching:?}");
        assert_ne!(browser.cookie_header("app.test"), first);
        assert!(browser.get("https://app.test/x").new_session().is_empty(), "the browser has the new cookie");
    });
}

fn b_01_b_03_a_program_finds_the_issuer_and_brings_a_token(kind: Kind) {
    let front = Front::start(kind);
    let rule = "      - priority: 3\n        conditions: [{ path_pattern: [\"/machine/*\"] }]\n        actions:\n          - { type: jwt-validation, provider: corp, audience: [api], resource_path: /machine }\n          - { type: allow, audience: app }\n    default_actions:\n";
    let yaml = front.door.yaml();
    front.door.reload(&yaml.replacen("    default_actions:\n", rule, 1)).expect("it is sound");
    let now = front.door.clock.now().seconds();
    let token = |audience: &str| {
        let claims =
            json!({"iss": front.provider.issuer(), "sub": "build", "aud": audience, "exp": now + 3600, "iat": now});
        front
            .provider
            .key()
            .sign(&json!({"alg": "ES256", "kid": front.provider.key().kid, "typ": "at+jwt"}), &claims.to_string())
    };
    on_both(|protocol| {
        let mut client = front.browser(protocol).scripted();
        let refused = untouched(&front, "no token", || client.get("https://app.test/machine/x"));
        assert_eq!((refused.status, refused.reason().as_deref()), (401, Some("bearer.missing")), "{refused:?}");
        let metadata = "https://app.test/.well-known/oauth-protected-resource/machine";
        let challenge = refused.header("www-authenticate").expect("a challenge");
        assert!(challenge.contains(&format!("resource_metadata=\"{metadata}\"")), "{challenge}");
        let told = untouched(&front, "metadata", || client.get(metadata));
        assert_eq!(told.status, 200, "{told:?}");
        assert_eq!(
            (&told.json()["resource"], &told.json()["authorization_servers"]),
            (&json!("https://app.test/machine"), &json!([front.provider.issuer()]))
        );
        for other in ["", "/", "/machine/", "/other"] {
            let url = format!("https://app.test/.well-known/oauth-protected-resource{other}");
            let answer = untouched(&front, other, || client.get(&url));
            assert!(answer.status >= 300, "{other}: {answer:?}");
        }
        let mut with = |audience: &str| {
            let authorization = format!("Bearer {}", token(audience));
            client.send("GET", "https://app.test/machine/x", &[("authorization", &authorization)], b"")
        };
        let foreign = untouched(&front, "a token for another audience", || with("other"));
        assert_eq!((foreign.status, foreign.reason().as_deref()), (401, Some("bearer.invalid")), "{foreign:?}");
        assert_eq!(with("api").status, 200);
        assert_eq!(front.target.last().header("x-amzn-oidc-identity"), Some("build"));
    });
}

fn a_user_signs_out(kind: Kind) {
    let front = Front::start(kind);
    let mut browser = front.signed_in(Protocol::Http2);
    assert_eq!(browser.get("https://app.test/oauth2/userinfo").json()["sub"], json!("alice"));
    let before = front.target.count();
    assert!(browser.get("https://app.test/oauth2/sign_out").status < 400);
    assert_eq!(front.target.count(), before);
    let answer = untouched(&front, "signed out", || browser.get("https://app.test/api/x"));
    assert_eq!(answer.status, 401, "{answer:?}");
}

fn a_door_that_is_gone_lets_nobody_in(kind: Kind) {
    let mut front = Front::start(kind);
    let mut browser = front.signed_in(Protocol::Http1);
    front.door.shutdown();
    for path in ["/x", "/public/x", "/api/x"] {
        let answer = untouched(&front, path, || browser.get(&format!("https://app.test{path}")));
        assert!(answer.status >= 500, "{answer:?}");
    }
}

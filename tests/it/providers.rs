//! Providers that are another way than most, seen from outside: what may be switched off, what is forgiven, what is said.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use vestibule::clock::Clock;

use crate::harness::app::{Proxy, START, Setup, wait_until};
use crate::harness::browser::{Browser, Protocol, on_both};
use crate::harness::process::{self, Process};
use crate::harness::provider::{Key, Provider};
use crate::harness::server::Reply;
use crate::harness::target;

const PAGE: &str = "https://app.test/";
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_provider_without_nonces_or_pkce_signs_users_in() {
    let (provider, target) = (Provider::start(), target::echo());
    provider.say(|script| script.id_token = json!({"sub": "alice", "nonce": null}));
    let proxy = Setup::new(&provider, &target).provider("    pkce: off\n    nonce: off\n").start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let sent = browser.get(PAGE);
        assert!(
            !sent.location().contains("nonce") && !sent.location().contains("code_challenge"),
            "{}",
            sent.location()
        );
        let state = url::Url::parse(sent.location()).expect("a URL");
        let state = state.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
        let back = browser.get(&format!("https://app.test/oauth2/idpresponse?code=x&state={state}"));
        assert_eq!(back.status, 302, "{}", back.text());
        assert_eq!(browser.get(PAGE).status, 200);
        let redeemed = provider.requests("/token").pop().expect("a token request");
        assert!(!redeemed.body_text().contains("code_verifier"), "{}", redeemed.body_text());
        // The state still binds the answer to the browser.
        let count = provider.requests("/token").len();
        let stranger =
            proxy.browser(protocol).get(&format!("https://app.test/oauth2/idpresponse?code=x&state={state}"));
        assert_eq!(stranger.new_session(), [""; 0]);
        assert_eq!(provider.requests("/token").len(), count, "the code goes nowhere");
    });
}

#[test]
fn odd_documents_that_say_what_matters_are_enough() {
    let (provider, target) = (Provider::start(), target::echo());
    let odd = json!({
        "subject_types_supported": null, "response_types_supported": null, "id_token_signing_alg_values_supported": null,
        "end_session_endpoint": "", "registration_endpoint": 7,
    });
    provider.say(|script| {
        script.metadata = odd;
        script.token_response = json!({"token_type": null, "expires_in": "3600"});
    });
    let proxy = Setup::new(&provider, &target).start();
    on_both(|protocol| {
        let keys = json!({"keys": [{"kty": "EC", "crv": "P-999", "kid": []}, "odd", provider.key().jwk()]});
        provider.say(|script| script.key_set = Some(keys));
        proxy.signed_in(protocol, &provider);
    });
}

#[test]
fn a_failed_fetch_of_the_keys_while_they_change_ends_no_session() {
    let (provider, target) = (Provider::start(), target::echo());
    provider.say(|script| script.token_response = json!({"refresh_token": "r"}));
    let proxy = Setup::new(&provider, &target).start();
    let mut browsers: Vec<_> = (0..4).map(|_| proxy.signed_in(Protocol::Http2, &provider)).collect();
    // The provider signs with a key that nobody can fetch for a while.
    let key = Arc::new(Key::new("provider-key-2"));
    let now = START.seconds() + HOUR.as_secs();
    let claims = json!({"iss": provider.issuer(), "aud": "dashboard", "sub": "alice", "iat": now, "exp": now + 3600});
    let token = key.sign(&json!({"alg": "ES256", "kid": "provider-key-2"}), &claims.to_string());
    provider.say(|script| {
        script.raw_id_token = Some(token);
        script.now = now;
        script.instead = Some(Arc::new(|request| {
            (request.target() == "/jwks").then(|| Reply::new("503 Service Unavailable", &[], ""))
        }));
    });
    proxy.clock.advance(HOUR);
    for browser in &mut browsers {
        assert_eq!(browser.get(PAGE).status, 200);
        assert_eq!(browser.get(PAGE).status, 200, "also with the new cookie");
    }
    // And a second later everybody can sign in with the new key.
    let keys = json!({"keys": [key.jwk()]});
    provider.say(|script| {
        script.instead = None;
        script.key_set = Some(keys);
    });
    proxy.clock.advance(HOUR * 4 / 5);
    for browser in &mut browsers {
        assert_eq!(browser.get(PAGE).status, 200);
    }
}

#[test]
fn readyz_tells_of_a_provider_that_fails_and_stays_ready() {
    let (provider, target) = (Provider::start(), target::echo());
    provider.say(|script| script.metadata = json!({"issuer": "https://other.test"}));
    let proxy = Setup::new(&provider, &target).start();
    assert_eq!(proxy.browser(Protocol::Http1).get(PAGE).status, 503);
    let mut probe = TcpStream::connect(proxy.admin()).expect("the operator's endpoint accepts");
    probe.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("sent");
    let mut answer = String::new();
    probe.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(body.starts_with("ready\nprovider `corp`: discovery has failed since 2026-11-24T08:00:00Z ("), "{body}");
    assert!(body.contains(r#"says issuer "https://other.test", the file says "http://127.0.0.1:"#), "{body}");
}

#[test]
fn a_provider_with_a_callback_of_its_own_is_answered_there_and_nowhere_else() {
    let (provider, target) = (Provider::start(), target::echo());
    let proxy = Setup::new(&provider, &target).provider("    callback_path: /oauth2/idpresponse/corp\n").start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let sent = browser.get(PAGE);
        let callback = provider.callback_of(sent.location());
        assert!(callback.starts_with("https://app.test/oauth2/idpresponse/corp?"), "{callback}");
        let count = provider.requests("/token").len();
        // As if another provider had been made to answer with this one's state (RFC 9700 §4.4).
        let elsewhere = browser.clone().get(&callback.replace("/corp?", "?"));
        assert_eq!((elsewhere.status, elsewhere.reason().as_deref()), (401, Some("auth.state_mismatch")));
        assert_eq!(provider.requests("/token").len(), count, "the code goes nowhere");
        assert_eq!(browser.get(&callback).status, 302);
        assert_eq!(browser.get(PAGE).status, 200);
        let redeemed = provider.requests("/token").pop().expect("a token request");
        assert!(redeemed.body_text().contains("idpresponse%2Fcorp"), "{}", redeemed.body_text());
    });
}

/// What `command` says of a file that names `provider`, as a process.
fn with_file(proxy: &Proxy, setup: &Setup, command: &[&str]) -> Process {
    let path = proxy.folder().join("vestibule.yaml");
    std::fs::write(&path, setup.yaml()).expect("writes");
    let path = path.to_str().expect("UTF-8");
    Process::start(process::vestibule(&[command, &["--config", path]].concat()))
}

#[test]
fn check_online_says_what_each_provider_answers() {
    let (provider, target) = (Provider::start(), target::echo());
    let setup = Setup::new(&provider, &target);
    // It makes the keys that the file names.
    let proxy = setup.start();
    let check = || with_file(&proxy, &setup, &["check", "--online"]).finish();
    let token = |status: &'static str, code: &'static str| {
        provider.say(|script| {
            script.metadata = json!({});
            script.instead = Some(Arc::new(move |request| match request.target() {
                "/token" => Some(Reply::new(status, &[], format!(r#"{{"error":"{code}"}}"#))),
                "/userinfo" => Some(Reply::new("401 Unauthorized", &[], "")),
                _ => None,
            }));
        });
    };
    token("400 Bad Request", "invalid_grant");
    let said = check();
    assert_eq!(said.code, Some(0), "{} {}", said.output, said.errors);
    for line in [
        "provider `corp`",
        "  ok      discovery: http://127.0.0.1:",
        "  ok      keys: 1 can verify ID tokens\n",
        "  ok      credentials: the token endpoint accepts client `dashboard`",
        "  ok      userinfo: http://127.0.0.1:",
    ] {
        assert!(said.output.contains(line), "{line} in {}", said.output);
    }
    let asked = provider.requests("/token").pop().expect("a token request");
    assert!(
        asked.body_text().contains("code=vestibule-check-"),
        "no grant of anybody is touched: {}",
        asked.body_text()
    );

    token("401 Unauthorized", "invalid_client");
    let said = check();
    assert_eq!(said.code, Some(1), "{}", said.output);
    assert!(said.output.contains("  error   credentials of client `dashboard`: "), "{}", said.output);
    assert!(said.output.contains("check `client_id`, `client_secret`"), "{}", said.output);

    token("400 Bad Request", "invalid_grant");
    provider.say(|script| script.metadata = json!({"issuer": "https://other.test"}));
    let said = check();
    assert_eq!(said.code, Some(1), "{}", said.output);
    assert!(
        said.output.contains(r#" says issuer "https://other.test", the file says "http://127.0.0.1:"#),
        "{}",
        said.output
    );

    provider.say(|script| {
        script.metadata = json!({"id_token_signing_alg_values_supported": ["HS256"]});
        script.key_set = Some(json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}));
    });
    let said = check();
    assert_eq!(said.code, Some(1), "{}", said.output);
    assert!(said.output.contains("  warning the provider signs ID tokens with HS256 only"), "{}", said.output);
    assert!(said.output.contains("has no key that can verify an ID token (skipped: 1,"), "{}", said.output);
}

#[test]
fn check_online_says_whether_microsoft_graph_answers() {
    const GRAPH: &str = "/v1.0/me/transitiveMemberOf/microsoft.graph.group";
    let (provider, target) = (Provider::start(), target::echo());
    let keys = format!("    entra_groups: graph\n    graph_endpoint: {}/v1.0\n", provider.issuer());
    let actions = |requirement: &str| {
        format!(
            "\n      - {{ type: authenticate-oidc, provider: corp, scope: openid User.Read{requirement} }}\n      \
             - {{ type: forward, target_group: app }}\n"
        )
    };
    let setup =
        |requirement: &str| Setup::new(&provider, &target).provider(&keys).default_actions(&actions(requirement));
    let asks = setup(", allowed_groups: [sre]");
    // It makes the keys that the file names.
    let proxy = asks.start();
    let said = |setup: &Setup, status: &'static str| {
        provider.say(|script| {
            script.instead = Some(Arc::new(move |request| match request.target() {
                "/token" => Some(Reply::new("400 Bad Request", &[], r#"{"error":"invalid_grant"}"#)),
                "/userinfo" => Some(Reply::new("401 Unauthorized", &[], "")),
                target if target.starts_with(GRAPH) => Some(Reply::new(status, &[], "")),
                _ => None,
            }));
        });
        let said = with_file(&proxy, setup, &["check", "--online"]).finish();
        assert_eq!(said.code, Some(0), "{} {}", said.output, said.errors);
        said.output
    };
    let at = format!("{}{GRAPH}", provider.issuer());
    let fine = said(&asks, "401 Unauthorized");
    assert!(fine.contains(&format!("  ok      Microsoft Graph: {at} answers\n")), "{fine}");
    let asked = provider.requests(GRAPH).pop().expect("a request");
    assert_eq!(asked.header("authorization"), None, "there is no user");
    let wrong = said(&asks, "404 Not Found");
    let line = format!("  warning Microsoft Graph at {at} answered 404 Not Found where 401 was expected\n");
    assert!(wrong.contains(&line), "{wrong}");
    let count = provider.requests(GRAPH).len();
    let unasked = said(&setup(""), "401 Unauthorized");
    assert!(unasked.contains("  warning Microsoft Graph is never asked: no `authorize` names a group\n"), "{unasked}");
    assert_eq!(provider.requests(GRAPH).len(), count);
}

#[test]
fn serve_says_at_start_whether_a_provider_answers() {
    let (provider, target) = (Provider::start(), target::echo());
    let setup = Setup::new(&provider, &target);
    let proxy = setup.start();
    for (issuer, says) in [
        (None, "an identity provider answered provider.name=corp"),
        (Some("https://other.test"), r#"says issuer "https://other.test", the file says "http://127.0.0.1:"#),
    ] {
        provider.say(|script| script.metadata = issuer.map_or(json!({}), |issuer| json!({"issuer": issuer})));
        let serving = with_file(&proxy, &setup, &["serve"]);
        let line = wait_until("the log says it", || {
            serving.errors().lines().find(|line| line.contains("an identity provider")).map(str::to_owned)
        });
        let line = line.replace('\\', "");
        assert!(line.contains(says) && line.contains("corp"), "{line}");
        serving.signal("TERM");
        assert_eq!(serving.finish().code, Some(0));
    }
}

#[test]
fn a_sign_in_that_fails_is_a_log_line_with_provider_and_rule() {
    let (provider, target) = (Provider::start(), target::echo());
    let rule = "
      - name: reports
        priority: 1
        conditions: [{ path_pattern: [/reports] }]
        actions:
          - { type: authenticate-oidc, provider: corp }
          - { type: forward, target_group: app }
";
    let setup = Setup::new(&provider, &target).rules(rule);
    let proxy = setup.start();
    let serving = with_file(&proxy, &setup, &["serve"]);
    let address = wait_until("it listens", || {
        let errors = serving.errors();
        let line = errors.lines().find(|line| line.contains("listener.name=public"))?;
        field(line, "address")?.parse().ok()
    });
    let mut browser = Browser::new(Protocol::Http1, address);
    provider.say(|script| {
        script.now = Clock::system().now().seconds();
        script.id_token = json!({"aud": "another-client"});
    });
    let sent = browser.get("https://app.test/reports");
    assert_eq!(browser.get(&provider.callback_of(sent.location())).status, 401);
    let failures = || -> Vec<String> {
        serving.errors().lines().filter(|line| line.contains("a sign-in failed")).map(str::to_owned).collect()
    };
    let line = wait_until("the log says it", || failures().pop());
    assert!(line.contains(" WARN "), "{line}");
    assert_eq!(
        (field(&line, "provider.name"), field(&line, "rule.name")),
        (Some("\"corp\""), Some("\"reports\"")),
        "{line}"
    );
    assert_eq!(field(&line, "reason"), Some("\"auth.id_token_invalid\""), "{line}");
    let error = line.replace('\\', "");
    assert!(error.contains(r#"its `aud` is "another-client", expected "dashboard""#), "{error}");
    // A stranger's callback is a line too, but not one for each.
    for _ in 0..200 {
        assert_eq!(browser.get("https://app.test/oauth2/idpresponse?code=x&state=y").status, 401);
    }
    let strays = wait_until("the log says it", || Some(failures()).filter(|lines| lines.len() > 1));
    assert!(strays.len() < 100, "{} lines", strays.len());
    assert_eq!(field(strays.last().expect("one"), "provider.name"), None, "no word that could be a name");
    for line in serving.errors().lines() {
        assert!(!line.contains("=\"\""), "no field is empty: {line}");
    }
    serving.signal("TERM");
    assert_eq!(serving.finish().code, Some(0));
}

/// A field of a log line in text form.
fn field<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let (_, rest) = line.split_once(&format!(" {name}="))?;
    rest.split(' ').next()
}

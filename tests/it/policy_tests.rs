//! `vestibule test`, and what `check --request` says of users, tokens and the headers of targets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::app::folder;
use crate::harness::browser::Protocol;
use crate::harness::process::{self, Finished, Process};
use crate::harness::scenario::Scenario;

fn run(arguments: &[&str]) -> Finished {
    Process::start(process::vestibule(arguments)).finish()
}

/// The two files of docs/POLICY_TESTS.md, in a folder with the keys that they need.
fn documented() -> (PathBuf, String, String) {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/POLICY_TESTS.md")).expect("the page");
    let mut blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().expect("an end").to_owned());
    let (config, cases) = (blocks.next().expect("a configuration"), blocks.next().expect("cases"));
    let folder = folder();
    let at = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    assert_eq!(run(&["keys", "session", "--out", &at("session-key")]).code, Some(0));
    assert_eq!(run(&["keys", "signing", "--out", &at("claims-key")]).code, Some(0));
    std::fs::write(at("secret"), "hunter2\n").expect("a secret");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(at("secret"), mode).expect("a mode");
    std::fs::write(at("vestibule.yaml"), &config).expect("a configuration");
    std::fs::write(at("policy.yaml"), &cases).expect("cases");
    (folder, config, cases)
}

#[test]
fn the_documented_file_holds_and_what_does_not_hold_is_told_at_once() {
    let (folder, config, cases) = documented();
    let at = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    let finished = run(&["test", &at("policy.yaml")]);
    assert_eq!(finished.code, Some(0), "{}{}", finished.output, finished.errors);
    let count = cases.matches("- name:").count();
    assert!(finished.output.ends_with(&format!("\n{count} of {count} cases hold\n")), "{}", finished.output);

    // Somebody opens the admin pages: every case that this changes fails, and the others hold.
    let open = config.replace("          - { type: authorize, all: [{ claim: groups, contains: [staff] }] }\n", "");
    assert_ne!(open, config);
    std::fs::write(at("open.yaml"), open.replace("scope: deploy", "scope: read")).expect("a configuration");
    let finished = run(&["test", &at("policy.yaml"), "--config", &at("open.yaml")]);
    assert_eq!(finished.code, Some(1), "{}", finished.errors);
    for expected in [
        "ok      staff may see the admin pages\n",
        "FAILED  others are kept out of the admin pages\n  outcome: expected `refuse`, but it is `forward`\n",
        "FAILED  the pipeline may deploy\n  outcome: expected `forward`, but it is `refuse`\n",
        "FAILED  a token for reading may not\n",
        "    rule `admin` (priority 10): takes the request\n",
        "refused with 403 `bearer.scope`: the token does not have the scope `read`",
    ] {
        let output: Vec<_> = finished.output.lines().map(str::trim_end).collect();
        let output = output.join("\n") + "\n";
        assert!(output.contains(expected) || output.contains(&format!("  {expected}")), "{expected}: {output}");
    }
    let told = run(&["test", &at("policy.yaml"), "--config", &at("open.yaml"), "--json"]);
    let told: Value = serde_json::from_str(&told.output).expect("JSON");
    assert_eq!((&told["failed"], told["cases"].as_array().map(Vec::len)), (&json!(3), Some(count)));
}

#[test]
fn a_mistake_in_the_file_tests_nothing_and_is_shown_where_it_is() {
    let (folder, _, cases) = documented();
    let at = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    for (from, to, expected) in [
        ("outcome: sign-in", "outcom: sign-in", "outcom"),
        ("outcome: sign-in", "outcome: signin", "sign-in"),
        ("provider: corp }", "status: 302 }", "`status` needs `outcome: refuse`"),
        ("client: 10.0.0.1", "client: 10.0.0", "not an IP address"),
        (
            "outcome: sign-in",
            "listener: public, outcome: sign-in",
            "help: `listener` is a key of the case: write it beside `expect`",
        ),
        ("GET https://app.example.com/health", "GET /health", "is not a request"),
        ("name: strangers sign in", "name: staff may see the admin pages", "two cases have the same name"),
        ("expect: { rule: health, outcome: answer, status: 200 }", "expect: {}", "neither `rule` nor `outcome`"),
        ("config: vestibule.yaml", "config: other.yaml", "cannot be read"),
        ("config: vestibule.yaml\n", "", "does not name a configuration"),
    ] {
        assert!(cases.contains(from), "{from}");
        std::fs::write(at("policy.yaml"), cases.replacen(from, to, 1)).expect("cases");
        let finished = run(&["test", &at("policy.yaml")]);
        assert_eq!(finished.code, Some(2), "{to}: {}{}", finished.output, finished.errors);
        assert!(finished.errors.contains(expected), "{to}: {}", finished.errors);
        assert_eq!(finished.output, "", "{to}");
    }
    std::fs::write(at("policy.yaml"), "config: vestibule.yaml\ncases: []\n").expect("cases");
    let finished = run(&["test", &at("policy.yaml")]);
    assert_eq!(finished.code, Some(2));
    assert!(finished.errors.contains("there is no case"), "{}", finished.errors);
}

/// A name that the configuration does not have is no answer of the configuration.
#[test]
fn a_name_that_the_configuration_does_not_have_tests_nothing() {
    let (folder, _, cases) = documented();
    let at = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    for (from, to, expected, hint) in [
        (
            "rule: admin, outcome: sign-in",
            "rule: admn, outcome: sign-in",
            "there is no rule `admn`",
            "did you mean `admin`? there are `health`, `admin`, `api`, `default`",
        ),
        ("rule: health,", "rule: Health,", "there is no rule `Health`", "did you mean `health`?"),
        (
            "expect: { rule: health,",
            "listener: publik\n    expect: { rule: health,",
            "no listener `publik`",
            "`public`",
        ),
        ("target_group: app", "target_group: web", "there is no target group `web`", "there are `app`"),
        ("provider: corp }", "provider: corp or partner }", "there is no provider `partner`", "there are `corp`"),
        ("reason: bearer.scope", "reason: bearer.scop", "there is no reason `bearer.scop`", "`bearer.scope`"),
    ] {
        assert!(cases.contains(from), "{from}");
        std::fs::write(at("policy.yaml"), cases.replacen(from, to, 1)).expect("cases");
        let finished = run(&["test", &at("policy.yaml")]);
        assert_eq!(finished.code, Some(2), "{to}: {}{}", finished.output, finished.errors);
        assert!(finished.errors.contains(expected), "{to}: {}", finished.errors);
        assert!(finished.errors.contains(hint) && finished.errors.contains("policy.yaml:"), "{}", finished.errors);
        assert_eq!(finished.output, "", "{to}");
    }
}

#[test]
fn the_path_and_the_host_are_those_that_the_target_receives() {
    let (folder, config, cases) = documented();
    let at = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    assert_eq!(run(&["test", &at("policy.yaml")]).code, Some(0));
    assert!(cases.contains("path: /v2/deploy") && cases.contains("host: api.internal"), "{cases}");
    let path = "path: expected `/v2/deploy`, but it is `/api/deploy`";
    let host = "host: expected `api.internal`, but it is `app.example.com`";
    for (transform, expected) in [
        ("          url_rewrite: { regex: \"^/api/\", replace: /v2/ }\n", path),
        ("          host_header_rewrite: { regex: \"^app[.]example[.]com$\", replace: api.internal }\n", host),
    ] {
        assert!(config.contains(transform), "{config}");
        std::fs::write(at("vestibule.yaml"), config.replace(transform, "")).expect("a configuration");
        let finished = run(&["test", &at("policy.yaml")]);
        assert_eq!(finished.code, Some(1), "{}", finished.errors);
        assert!(finished.output.contains(expected), "{}", finished.output);
        assert_eq!(finished.output.matches("FAILED").count(), 1, "{}", finished.output);
    }
    std::fs::write(at("policy.yaml"), cases.replacen("outcome: sign-in,", "outcome: sign-in, path: /x,", 1))
        .expect("cases");
    let finished = run(&["test", &at("policy.yaml")]);
    assert!(finished.code == Some(2) && finished.errors.contains("`path` needs `outcome: forward`"));
}

/// The headers that a target got, as `check` shows them: by name, the payload in place of the signed claims, and without what differs in each
/// request.
fn got(scenario: &Scenario) -> BTreeMap<String, String> {
    let received = scenario.target.last();
    let payload = |token: &str| {
        let part = token.split('.').nth(1).expect("a payload");
        comparable(&URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).expect("base64url"))
    };
    let pairs = received.headers.iter().map(|(name, value)| match name.as_str() {
        "x-amzn-oidc-data" => (name.clone(), payload(value)),
        "x-amzn-oidc-accesstoken" => (name.clone(), "(the access token of the user)".to_owned()),
        _ => (name.clone(), value.clone()),
    });
    pairs.filter(|(name, _)| !PER_CONNECTION.contains(&name.as_str())).collect()
}

/// Headers that belong to the request on the wire, or are new in each request.
const PER_CONNECTION: [&str; 5] = ["x-amzn-trace-id", "authorization", "content-length", "connection", "cookie"];

/// Claims without the times.
fn comparable(payload: &[u8]) -> String {
    let mut payload: Value = serde_json::from_slice(payload).expect("JSON");
    payload.as_object_mut().expect("an object").retain(|name, _| !["iat", "exp"].contains(&name.as_str()));
    payload.to_string()
}

#[test]
fn check_says_of_tokens_what_serving_does() {
    let scenario = Scenario::start(|setup| {
        let issuer = setup.issuer().to_owned();
        setup.default_actions(&format!(
            "
      - {{ type: jwt-validation, issuer: '{issuer}', jwks_endpoint: '{issuer}/jwks', audience: [api], scope: read }}
      - {{ type: authorize, all: [{{ claim: groups, contains: [staff] }}] }}
      - {{ type: forward, target_group: app }}
"
        ))
    });
    let folder = scenario.proxy.folder();
    let (config, claims_file) = (folder.join("explained.yaml"), folder.join("token.json"));
    std::fs::write(&config, scenario.proxy.yaml()).expect("a configuration");
    let now = scenario.proxy.clock.now().seconds();
    let base = json!({"sub": "alice", "aud": "api", "scope": "read", "groups": ["staff"], "client_id": "cli"});
    for (name, value) in [
        ("x", json!(1)),
        ("aud", json!("other")),
        ("scope", json!("write")),
        ("groups", json!(["sales"])),
        ("sub", json!("")),
        ("nonce", json!("n")),
        ("cnf", json!({})),
        ("token_use", json!("refresh")),
        ("iss", json!("https://evil.test")),
    ] {
        let mut claims = base.clone();
        claims[name] = value;
        std::fs::write(&claims_file, claims.to_string()).expect("claims");
        let told = run(&[
            "check",
            "--json",
            "--config",
            config.to_str().expect("UTF-8"),
            "--request",
            "GET https://app.test/api",
            "--header",
            "x-app: 1",
            "--header",
            "x-amzn-oidc-identity: root",
            "--token-claims",
            claims_file.to_str().expect("UTF-8"),
        ]);
        assert_eq!(told.code, Some(0), "{}", told.errors);
        let told: Value = serde_json::from_str(&told.output).expect("JSON");
        let told = &told[0]["outcome"];
        for (member, value) in
            [("iss", json!(scenario.provider.issuer())), ("exp", json!(now + 600)), ("iat", json!(now))]
        {
            claims.as_object_mut().expect("an object").entry(member).or_insert(value);
        }
        let key = scenario.provider.key();
        let token = key.sign(&json!({"alg": "ES256", "kid": key.kid}), &claims.to_string());
        let headers =
            [("authorization", &*format!("Bearer {token}")), ("x-app", "1"), ("x-amzn-oidc-identity", "root")];
        let served =
            scenario.proxy.browser(Protocol::Http1).scripted().send("GET", "https://app.test/api", &headers, b"");
        match told["type"].as_str() {
            Some("refuse") => assert_eq!(
                (json!(served.status), json!(served.reason())),
                (told["status"].clone(), told["reason"].clone()),
                "{name}"
            ),
            Some("forward") => {
                assert_eq!(served.status, 200, "{name}");
                let explained: BTreeMap<_, _> = told["headers"]
                    .as_array()
                    .expect("headers")
                    .iter()
                    .map(|header| {
                        let text = |member: &str| header[member].as_str().expect("text").to_owned();
                        let value = if text("name") == "x-amzn-oidc-data" {
                            comparable(text("value").as_bytes())
                        } else {
                            text("value")
                        };
                        (text("name"), value)
                    })
                    .filter(|(name, _)| !PER_CONNECTION.contains(&name.as_str()))
                    .collect();
                let mut got = got(&scenario);
                // The scripted client sends these, and the hypothetical request does not have them.
                got.retain(|name, _| explained.contains_key(name) || name.starts_with("x-"));
                assert_eq!(explained, got, "{name}");
                assert_eq!(explained["x-amzn-oidc-identity"], "alice");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

//! `check --request` says what serving does: both are asked about the same requests.

use crate::harness::app::{Proxy, Setup};
use crate::harness::process::{self, Process};
use crate::harness::raw;
use crate::harness::target;

const RULES: &str = "
      - name: sign-in
        priority: 10
        conditions: [{ path_pattern: [\"/in/*\"] }]
        actions:
          - { type: authenticate-oidc, provider: corp, on_unauthenticated_request: deny }
          - { type: forward, target_group: app }
      - name: kept
        priority: 20
        encoded_slash: keep
        conditions: [{ path_pattern: [\"/kept/*\"] }]
        actions: [{ type: forward, target_group: app }]
      - name: address
        priority: 30
        conditions: [{ source_ip: [203.0.113.0/24] }]
        actions: [{ type: forward, target_group: app }]
      - name: partner
        priority: 40
        conditions: [{ http_header: { name: x-partner, values: [\"yes\"] } }, { query_string: [{ key: version, value: \"2\" }] }]
        actions: [{ type: forward, target_group: app }]
      - name: delete
        priority: 50
        conditions: [{ http_request_method: [DELETE] }, { host_header: [\"*.test\"] }]
        actions: [{ type: fixed-response, status_code: 403 }]";

/// Method and target, and headers besides `Host`.
const REQUESTS: &[(&str, &str, &[&str])] = &[
    ("GET", "/", &[]),
    ("GET", "/in/x", &[]),
    ("GET", "/in/%78", &[]),
    ("GET", "//in//x", &[]),
    ("GET", "/IN/x", &[]),
    ("GET", "/in/x;a=b", &[]),
    ("GET", "/in/../x", &[]),
    ("GET", "/in/%2e%2e/x", &[]),
    ("GET", "/in%2Fx", &[]),
    ("GET", "/in/a%2Fb", &[]),
    ("GET", "/kept/a%2Fb", &[]),
    ("GET", "/kept/%2E%2E%2Fin", &[]),
    ("GET", "/a%00b", &[]),
    ("GET", "/a%zz", &[]),
    ("GET", "/a\\b", &[]),
    ("GET", "/a?b=\"<c>", &[]),
    ("GET", "/a?b#c", &[]),
    ("GET", "/a\"b#c", &[]),
    ("GET", "/x?version=2", &["x-partner: yes"]),
    ("GET", "/x?VERSION=2", &["X-Partner: YES"]),
    ("GET", "/x?version=2", &["x-partner: no"]),
    ("DELETE", "/x", &[]),
    ("delete", "/x", &[]),
    ("TRACE", "/", &[]),
    ("PURGE", "/", &[]),
    // Nobody is trusted here to say who the client is.
    ("GET", "/x", &["x-forwarded-for: 203.0.113.7"]),
    ("GET", "/x", &["x-http-method-override: DELETE"]),
    ("POST", "/x", &["x-http-method-override: POST", "content-length: 0"]),
    ("POST", "/x", &["content-length: 007"]),
    ("POST", "/x", &["content-length: none"]),
    ("POST", "/x", &["content-length: 0", "content-length: 0"]),
    ("POST", "/x", &["content-length: 0", "content-length: 1"]),
    ("POST", "/x", &["transfer-encoding: chunked", "content-length: 5"]),
    ("GET", "/oauth2/idpresponse?code=x", &[]),
    ("GET", "/oauth2/sign_out", &[]),
    ("GET", "/oauth2/%73ign_out", &[]),
    ("GET", "/oauth2/other", &[]),
    ("GET", "/.well-known/vestibule/jwks.json", &[]),
    ("GET", "/.well-known/vestibule/other", &[]),
];

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// By the proxy itself.
    Ours,
    Rule(String),
    Refused(String),
}

/// What the explanation says.
#[track_caller]
fn explained(config: &str, method: &str, target: &str, headers: &[&str]) -> Outcome {
    let request = format!("{method} https://app.test{target}");
    let headers = headers.iter().flat_map(|header| ["--header", *header]);
    let arguments: Vec<&str> = ["check", "--config", config, "--request", &request, "--source-ip", "127.0.0.1"]
        .into_iter()
        .chain(headers)
        .collect();
    let finished = Process::start(process::vestibule(&arguments)).finish();
    assert_eq!(finished.code, Some(0), "{request}: {}", finished.errors);
    let said = |line: &str| -> Option<Outcome> {
        if let Some(refused) = line.strip_prefix("  refused with ") {
            let (status, rest) = refused.split_once(" `")?;
            return Some(Outcome::Refused(format!("{status} {}", rest.split_once('`')?.0)));
        }
        let name = line.strip_suffix(": takes the request").map(|rule| match rule.split('`').nth(1) {
            Some(name) => name.to_owned(),
            None => "default".to_owned(),
        });
        name.map(Outcome::Rule).or_else(|| line.starts_with("  answered by ").then_some(Outcome::Ours))
    };
    finished.output.lines().filter_map(said).next_back().unwrap_or_else(|| panic!("{request}: {}", finished.output))
}

/// What happens, by the access log.
fn served(proxy: &Proxy, method: &str, target: &str, headers: &[&str]) -> Outcome {
    let count = proxy.access_log(0).len();
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let head = format!("{method} {target} HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n{headers}\r\n");
    raw::exchange(proxy.address(), "app.test", head);
    let records = proxy.access_log(count + 1);
    let record = records.last().expect("a record");
    match (record["rule.name"].as_str(), record["reason"].as_str()) {
        (Some(rule), _) => Outcome::Rule(rule.to_owned()),
        (None, Some(reason)) if !reason.starts_with("auth.") => {
            Outcome::Refused(format!("{} {reason}", record["http.response.status_code"]))
        }
        // The endpoints of the sign-in have reasons of their own, which depend on more than the request.
        _ => Outcome::Ours,
    }
}

#[test]
fn check_explains_what_serving_does() {
    let target = target::echo();
    let setup = Setup::open(&[target.address()]).rules(RULES);
    let proxy = setup.start();
    let file = proxy.folder().join("vestibule.yaml");
    std::fs::write(&file, setup.yaml()).expect("it can be written");
    let config = file.to_str().expect("UTF-8");
    let mut outcomes = Vec::new();
    for (method, target, headers) in REQUESTS {
        let served = served(&proxy, method, target, headers);
        let explained = explained(config, method, target, headers);
        if served != explained {
            outcomes.push(format!("{method} {target} {headers:?}: served {served:?}, explained {explained:?}"));
        }
    }
    assert!(outcomes.is_empty(), "{outcomes:#?}");
}

/// ALB §7.4: whoever may move back to a load balancer is told what it would refuse.
#[test]
fn check_says_what_a_load_balancer_would_refuse_only_if_it_is_asked() {
    let rule = "
      - name: many
        priority: 1
        conditions: [{ path_pattern: [/a, /b, /c, /d] }]
        actions: [{ type: forward, target_group: app }]";
    let proxy = Setup::open(&[target::echo().address()]).rules(rule).start();
    let file = proxy.folder().join("quotas.yaml");
    std::fs::write(&file, proxy.yaml()).expect("the folder is writable");
    let check = |more: &[&str]| {
        let arguments = [&["check", "--config", file.to_str().expect("UTF-8")], more].concat();
        Process::start(process::vestibule(&arguments)).finish()
    };
    let asked = check(&["--alb-quotas"]);
    let says = "warning: rule `many` of listener `public`: more than 3 values in one condition, which an Application Load Balancer refuses";
    assert_eq!(asked.code, Some(0), "a warning is no mistake: {}", asked.errors);
    assert!(asked.errors.contains(says), "{}", asked.errors);
    let within = "the file is within the quotas of an Application Load Balancer\n";
    assert!(!asked.output.contains(within), "{}", asked.output);
    let not_asked = check(&[]);
    assert_eq!(not_asked.code, Some(0), "{}", not_asked.errors);
    assert!(!not_asked.errors.contains("Load Balancer"), "{}", not_asked.errors);
    assert!(!not_asked.output.contains("Load Balancer"), "{}", not_asked.output);
    std::fs::write(&file, proxy.yaml().replace("[/a, /b, /c, /d]", "[/a]")).expect("the folder is writable");
    let asked = check(&["--alb-quotas"]);
    assert!(asked.code == Some(0) && asked.output.ends_with(within), "{}{}", asked.errors, asked.output);
}

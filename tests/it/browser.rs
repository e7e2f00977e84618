//! A real Chromium, as a person uses it: through `vestibule dev`, and where the clock must move, through a proxy and user
//! pool in this process.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule::clock::Clock;

use crate::harness::app::{Proxy, folder, wait_until};
use crate::harness::dev::{Dev, State};
use crate::harness::process::{self, Process};
use crate::harness::server::{Reply, Server};
use crate::harness::{target, websocket};

#[test]
fn a_person_signs_in_to_dev_and_sees_the_application() {
    let dev = Dev::start();
    let mut settings = dev.settings();
    // Pictures are taken at the width of a phone, too, and no page may be wider than that.
    settings["screenshots"] = dev.folder().join("pictures").to_str().expect("UTF-8").into();
    for scenario in ["login", "login-without-javascript"] {
        let seen = run(scenario, &settings);
        let from = seen["sign_in_url"].as_str().expect("an address");
        assert!(from.starts_with("https://localhost:"), "the pool is on a host of its own: {from}");
        assert_eq!(seen["cookies"], json!([format!("{}-0", dev.session_cookie())]));
        assert_eq!(seen["problems"], json!([]));
    }
    dev.stop();
}

#[test]
fn a_person_signs_out_of_dev_and_must_sign_in_again() {
    let dev = Dev::start();
    let seen = run("sign-out", &dev.settings());
    assert_eq!(seen["offered_by_the_application"], true);
    assert_eq!(seen["signed_out_at"], format!("{}/oauth2/sign_out?state=signed-out", dev.address));
    dev.stop();
}

/// Sign-up, messages and passkeys work without anything to set up.
#[test]
fn a_newcomer_signs_up_at_dev_and_adds_a_passkey() {
    let dev = Dev::start();
    let pool = dev.address.replace("127.0.0.1", "localhost");
    let after = |label: &str| {
        let line = dev.said.lines().find_map(|line| line.trim_start().strip_prefix(label));
        line.unwrap_or_else(|| panic!("it says {label:?}: {}", dev.said)).trim()
    };
    let mut settings = dev.settings();
    settings["messages"] = after("Messages").into();
    settings["add_passkey"] = format!("{pool}/passkeys/add").into();
    settings["pool"] = pool.into();
    if let Ok(pictures) = std::env::var("VESTIBULE_TEST_PICTURES") {
        settings["screenshots"] = pictures.into();
    }
    let seen = run("dev", &settings);
    assert_eq!(seen["credentials"], 1, "{seen:#}");
    dev.stop();
}

#[test]
fn a_wrong_password_is_told_without_saying_whether_the_user_exists() {
    let dev = Dev::start();
    let seen = run("wrong-password", &dev.settings());
    assert_eq!(seen["alert"], "Incorrect user name or password.");
    dev.stop();
}

#[test]
fn two_tabs_sign_in_side_by_side() {
    let dev = Dev::start();
    run("second-tab", &dev.settings());
    dev.stop();
}

#[test]
fn dev_stands_in_front_of_an_application_of_one_s_own() {
    let target = target::echo();
    let dev = Dev::start_in(State::new(), &["--upstream", &format!("http://{}", target.address())]);
    let mut settings = dev.settings();
    settings["signed_in"] = "x-forwarded-email".into();
    run("login", &settings);
    let request = target.last();
    assert_eq!(request.header("x-forwarded-user"), Some("demo"));
    assert_eq!(request.header("x-forwarded-email"), Some("demo@example.com"));
    assert_eq!(request.header("x-forwarded-groups"), Some("developers"));
    assert_eq!(request.header("cookie"), None, "our own cookie is nobody else's business");
    dev.stop();
}

#[test]
fn an_expired_session_is_asked_for_again_and_the_page_is_not_lost() {
    let target = target::echo();
    let proxy = Proxy::start_in(folder(), &with_a_pool(&target.address().to_string()), Clock::system().now());
    let to_us = |name: &str| format!("MAP {name} {}", proxy.address());
    let settings = json!({
        "url": "https://app.test/",
        "username": "ada",
        "password": PASSWORD,
        "signed_in": r#""x-amzn-oidc-identity""#,
        "trust": [proxy.folder().join("cert.pem")],
        "resolve": format!("{}, {}", to_us("app.test"), to_us("login.test")),
    });

    // The pool remembers the browser for eight hours: then nobody is bothered. After that the form comes.
    for (hours, again) in [(2, "silently"), (9, "form")] {
        let mut chromium = Process::start(process::node("browser.mjs", &["expired-session", &settings.to_string()]));
        assert_eq!(chromium.next_json(), json!({"waiting": "expire"}));
        proxy.clock.advance(Duration::from_secs(hours * 3600));
        chromium.say("it is over");
        let seen = verdict(&chromium);
        assert_eq!(seen["signed_in_again"], again, "{seen}");
        // What the script was told is JSON, with the reason.
        let told: Value = serde_json::from_str(seen["fetch"]["body"].as_str().expect("text")).expect("JSON");
        assert_eq!(told["error"], "auth.session_expired", "{seen}");
    }
}

/// An application with a service worker, pages that may be kept, a frame and a form.
pub fn application() -> Server {
    Server::start(|request| {
        let path = request.target();
        let worker = |answer: &str| {
            let script = format!(
                "addEventListener('install', () => skipWaiting());\n\
                 addEventListener('activate', (event) => event.waitUntil(clients.claim()));\n\
                 addEventListener('fetch', (event) => event.respondWith({answer}));\n"
            );
            Reply::new("200 OK", &[("content-type", "text/javascript")], script)
        };
        let page = |keep: &str, html: &str| {
            let user = request.header("x-amzn-oidc-identity").unwrap_or("nobody");
            let body = format!("<!doctype html><title>Application</title><p>Signed in as {user}</p>{html}");
            Reply::new("200 OK", &[("content-type", "text/html"), ("cache-control", keep)], body)
        };
        match path.split('?').next().unwrap_or_default() {
            "/worker-pass.js" => worker("fetch(event.request)"),
            "/worker-copy.js" => worker("fetch(new Request(event.request, { cache: 'no-cache' }))"),
            "/worker-address.js" => worker("fetch(event.request.url)"),
            "/kept" => page("max-age=600", ""),
            "/outer" => page(
                "no-store",
                "<iframe src=/inner width=700 height=500></iframe><form method=post action=/send><button name=a value=b>Send</button></form>",
            ),
            "/send" => page("no-store", &format!("<p>{} {}</p>", request.line, request.body_text())),
            _ => page("no-store", ""),
        }
    })
}

/// Runs a scenario against [`application`] with a pool of this process.
fn run_with_a_pool(scenario: &str, pictures: Option<&str>) -> Value {
    let target = application();
    let proxy = Proxy::start_in(folder(), &with_a_pool(&target.address().to_string()), Clock::system().now());
    let to_us = |name: &str| format!("MAP {name} {}", proxy.address());
    let mut settings = json!({
        "url": "https://app.test/",
        "username": "ada",
        "password": PASSWORD,
        // A service worker is only installed where the certificate is trusted.
        "trust": [proxy.folder().join("cert.pem")],
        "resolve": format!("{}, {}", to_us("app.test"), to_us("login.test")),
    });
    if let Some(pictures) = pictures {
        settings["screenshots"] = proxy.folder().join(pictures).to_str().expect("UTF-8").into();
    }
    let seen = run(scenario, &settings);
    if let Some(pictures) = pictures {
        copy_pictures(&proxy.folder().join(pictures));
    }
    seen
}

#[test]
fn a_service_worker_does_not_keep_the_user_from_signing_in() {
    let seen = run_with_a_pool("service-worker", None);
    assert_eq!(seen["ways"], json!({"pass": "by itself", "copy": "by itself", "address": "by the link"}));
}

#[test]
fn the_back_button_shows_nothing_of_a_user_who_has_signed_out() {
    run_with_a_pool("back-after-sign-out", Some("pictures"));
}

#[test]
fn back_after_a_wrong_password_does_not_ask_to_send_it_again() {
    let seen = run_with_a_pool("back-after-wrong-password", Some("pictures"));
    assert_eq!(seen["told"], "Incorrect user name or password.");
}

#[test]
fn d_23_two_pools_on_one_host_keep_both_sessions() {
    let (one, other) = (Dev::start(), Dev::start());
    let place = |dev: &Dev| json!({"url": dev.address, "username": dev.username, "password": dev.password});
    let mut settings = place(&one);
    settings["other"] = place(&other);
    let seen = run("two-pools", &settings);
    let mut names: Vec<String> = [&one, &other]
        .into_iter()
        .flat_map(|dev| {
            ["", "-form", "-known"].map(|kind| format!("__Host-vestibule-pool{kind}-{}", dev.socket().port()))
        })
        .collect();
    names.sort();
    assert_eq!(seen["cookies"], json!(names));
    one.stop();
    other.stop();
}

#[test]
fn a_person_chooses_a_provider_by_a_click_and_by_an_e_mail_address() {
    let target = application();
    let logo =
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'><circle cx='4' cy='4' r='4' fill='#0a7'/></svg>";
    let folder = folder();
    std::fs::write(folder.join("logo.svg"), logo).expect("written");
    let partners = "user_pools:
  partners:
    issuer: https://partners.test
    title: Partners
    logo_file: logo.svg
    email_domains: [partners.test]
    signing_key_file: partners-key.pem
    applications: [https://app.test]
";
    let yaml = with_a_pool(&target.address().to_string())
        .replace("authenticate-user-pool, user_pool: people,", "authenticate-oidc, providers: [partners, people],")
        .replace("user_pools:\n", partners)
        .replace("    sso_lifetime: 8h\n", "    title: Employees of Example Corporation\n");
    let proxy = Proxy::start_in(folder, &yaml, Clock::system().now());
    let resolve = ["app.test", "login.test", "partners.test"].map(|name| format!("MAP {name} {}", proxy.address()));
    let settings = json!({
        "url": "https://app.test/page?a=1",
        "username": "ada",
        "password": PASSWORD,
        "email": "bob@partners.test",
        "choice": "Employees of Example Corporation",
        "trust": [proxy.folder().join("cert.pem")],
        "resolve": resolve.join(", "),
        "screenshots": proxy.folder().join("pictures"),
    });
    let seen = run("choose", &settings);
    copy_pictures(&proxy.folder().join("pictures"));
    assert_eq!(seen["before"], json!(["Partners", "Employees of Example Corporation"]));
    assert_eq!(seen["focused"], "Partners", "the keyboard begins with the choices");
    assert_eq!(seen["alert"], "No sign-in service is known for this e-mail address. Choose one of the list.");
    assert_eq!((&seen["by_email"], &seen["by_click"]), (&json!("partners.test"), &json!("login.test")));
    assert_eq!(seen["after"], json!(["Employees of Example Corporation\nLast used", "Partners"]));
    assert_eq!(seen["problems"], json!([]));
}

/// Where somebody wants to look at them.
pub fn copy_pictures(pictures: &Path) {
    let Some(copy) = std::env::var_os("VESTIBULE_TEST_PICTURES") else { return };
    std::fs::create_dir_all(&copy).expect("a folder");
    for file in std::fs::read_dir(pictures).expect("pictures").flatten() {
        std::fs::copy(file.path(), Path::new(&copy).join(file.file_name())).expect("copied");
    }
}

#[test]
fn a_frame_and_a_form_of_a_session_that_has_ended_go_on_after_a_sign_in_in_another_tab() {
    let seen = run_with_a_pool("frame-and-form", Some("pictures"));
    let frame = seen["frame"].as_str().expect("text");
    assert!(frame.contains("Please sign in") && frame.contains("auth.required"), "{frame}");
    let form = seen["form"].as_str().expect("text");
    assert!(form.contains("POST /send") && form.contains("a=b"), "the form was sent again: {form}");
}

/// Chromium asks for it over HTTP/2 (RFC 8441) where the server says that it may, and a connection is open.
#[test]
fn a_page_opens_a_websocket_over_the_connection_that_it_came_by() {
    for (protocol, version, expected) in [("h2", "2", "h2"), ("http/1.1", "1.1", "http/1.1")] {
        let (target, socket) = (application(), TcpListener::bind("127.0.0.1:0").expect("a port"));
        let sockets = socket.local_addr().expect("bound");
        let rule = "
    rules:
      - name: socket
        priority: 1
        conditions: [{ path_pattern: ['/socket'] }, { http_request_method: [GET] }]
        actions:
          - { type: authenticate-user-pool, user_pool: people, scope: openid profile email, session_timeout: 1h }
          - { type: forward, target_group: sockets }
    default_actions:";
        let yaml = with_a_pool(&target.address().to_string())
            .replace("\n    default_actions:", rule)
            .replace("target_groups: {", &format!("target_groups: {{ sockets: {{ targets: ['{sockets}'] }},"));
        let proxy = Proxy::start_in(folder(), &yaml, Clock::system().now());
        let serving = websocket::server(socket);
        let to_us = |name: &str| format!("MAP {name} {}", proxy.address());
        let settings = json!({
            "url": "https://app.test/",
            "username": "ada",
            "password": PASSWORD,
            "protocol": protocol,
            "trust": [proxy.folder().join("cert.pem")],
            "resolve": format!("{}, {}", to_us("app.test"), to_us("login.test")),
        });
        let seen = run("websocket", &settings);
        assert_eq!(seen["protocol"], expected, "{seen}");
        assert_eq!(seen["messages"], json!([3, 3, 100_000]), "{seen}");
        assert_eq!((&seen["code"], &seen["wasClean"], &seen["chosen"]), (&json!(1000), &json!(true), &json!("chat")));
        assert_eq!(serving.join().expect("the target saw the end"), Some(1000));
        let record = wait_until("it is recorded", || {
            proxy.access_log(1).into_iter().find(|record| record["rule.name"] == "socket")
        });
        assert_eq!(record["network.protocol.version"], version, "{record}");
        assert_eq!((&record["http.response.status_code"], record["user.id"].is_string()), (&json!(101), true));
    }
}

pub const PASSWORD: &str = "a long passphrase";

/// Runs one of the scenarios of `tests/node/browser.mjs`; answers what was seen.
#[track_caller]
pub fn run(scenario: &str, settings: &Value) -> Value {
    verdict(&Process::start(process::node("browser.mjs", &[scenario, &settings.to_string()])))
}

#[track_caller]
pub fn verdict(chromium: &Process) -> Value {
    let seen = chromium.next_json();
    assert_eq!(seen["ok"], true, "{seen:#}");
    seen
}

/// A session of an hour, in front of `target`, with the pool on a host of its own.
pub fn with_a_pool(target: &str) -> String {
    let mut hashing = Process::start(process::vestibule(&["users", "hash"]));
    hashing.say_all(PASSWORD);
    let hash = hashing.next_line().expect("a hash");
    format!(
        "
listeners:
  - name: public
    address: 127.0.0.1:0
    protocol: https
    certificates: [{{ certificate_file: cert.pem, private_key_file: key.pem }}]
    default_actions:
      - {{ type: authenticate-user-pool, user_pool: people, scope: openid profile email, session_timeout: 1h }}
      - {{ type: forward, target_group: app }}
user_pools:
  people:
    issuer: https://login.test
    signing_key_file: pool-key.pem
    applications: [https://app.test]
    sso_lifetime: 8h
    users: [{{ username: ada, password_hash: '{hash}', name: Ada Lovelace }}]
target_groups: {{ app: {{ targets: ['{target}'] }} }}
session: {{ key_files: [session-key] }}
claims: {{ signer: 'arn:vestibule:test', signing_key_file: claims-key.pem }}
admin: {{ address: 127.0.0.1:0 }}
access_log: {{ destination: access.log }}
"
    )
}

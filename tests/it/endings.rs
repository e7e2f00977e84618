//! The proxy and its own user pool: who was disabled, deleted or signed out at the pool, or got another password, is refused by the rules of
//! every worker within a second (pool §8.5).

use std::path::PathBuf;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use vestibule::clock::Timestamp;

use crate::harness::app::{Proxy, folder, wait_until};
use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::connection::{self, Connection};
use crate::harness::runtime;
use crate::harness::scenario::parameter;
use crate::harness::server::{Reply, Server};
use crate::harness::target;
use crate::stored_users::{PASSWORD, done, sign_in, users, with_store};
use crate::user_pool::{configuration, hash, sign_in_page, submit};

const CALLBACK: &str = "https://wiki.test/callback";
const PAGE: &str = "https://app.test/reports";
/// Enough that each of the two workers has some.
const CONNECTIONS: usize = 12;

/// A proxy whose clock is that of the commands, which are other processes.
fn start(yaml: &str) -> Proxy {
    start_in(folder(), yaml)
}

fn start_in(folder: PathBuf, yaml: &str) -> Proxy {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let now = Timestamp::from_millis(now.as_millis().try_into().expect("a time"));
    let proxy = Proxy::start_in(folder, yaml, now);
    std::fs::write(proxy.folder().join("vestibule.yaml"), proxy.yaml()).expect("written");
    proxy
}

/// A program with the session of a browser, on kept connections to both workers.
struct Program {
    cookie: String,
    connections: Vec<Connection>,
}

impl Program {
    fn new(proxy: &Proxy, browser: &Browser, protocol: Protocol) -> Self {
        let open = async {
            let mut connections = Vec::new();
            for _ in 0..CONNECTIONS {
                connections.push(Connection::open(protocol, proxy.address(), "app.test").await);
            }
            connections
        };
        Self { cookie: browser.cookie_header("app.test"), connections: runtime().block_on(open) }
    }

    /// The answers on all connections.
    fn ask(&mut self) -> Vec<Answer> {
        runtime().block_on(async {
            let mut answers = Vec::new();
            for connection in &mut self.connections {
                let request = connection.request("GET", "/reports").header("cookie", &self.cookie);
                let request =
                    request.header("accept", "application/json").body(connection::empty()).expect("a request");
                answers.push(connection::whole(connection.send(request).await.expect("an answer")).await.0);
            }
            answers
        })
    }

    #[track_caller]
    fn is_let_pass(&mut self) {
        for answer in self.ask() {
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }

    /// Waits until all workers refuse, and that they go on to.
    #[track_caller]
    fn is_refused(&mut self, reason: &str) {
        let refused = |answer: &Answer| answer.status == 401 && answer.reason().as_deref() == Some(reason);
        wait_until("every worker refuses", || self.ask().iter().all(refused).then_some(()));
        assert!(self.ask().iter().all(refused));
    }
}

#[test]
fn each_way_to_end_a_user_ends_the_sessions_at_every_worker() {
    let target = target::echo();
    let proxy = start(&with_store(&target));
    let folder = proxy.folder();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for command in ["disable", "sign-out", "set-password", "reset", "delete"] {
            let name = format!("{command}-{protocol:?}");
            for user in [&name[..], "other"] {
                users(folder, &["add", user]);
            }
            let (mut browser, mut other) = (proxy.browser(protocol), proxy.browser(protocol));
            assert_eq!(sign_in(&mut browser, &name).status, 200);
            assert_eq!(sign_in(&mut other, "other").status, 200);
            let mut programs = [&browser, &other].map(|browser| Program::new(&proxy, browser, protocol));
            programs.iter_mut().for_each(Program::is_let_pass);
            done(users(folder, &[command, &name]));
            let [program, program_of_other] = &mut programs;
            program.is_refused("auth.session_ended");
            program_of_other.is_let_pass();
            let away = browser.get(PAGE);
            assert_eq!(away.status, 302, "{command}: a navigation signs in anew");
            let page = browser.get(away.location());
            assert!(page.text().contains("name=\"password\""), "{command}: the pool asks again: {}", page.text());
            if command == "disable" {
                done(users(folder, &["enable", &name]));
                program.is_refused("auth.session_ended");
            }
            if ["disable", "sign-out", "set-password"].contains(&command) {
                assert_eq!(sign_in(&mut browser, &name).status, 200, "{command}: in the same second, and let in");
                Program::new(&proxy, &browser, protocol).is_let_pass();
            }
        }
    }
    let redirected =
        |record: &Value| record["reason"] == "auth.session_ended" && record["http.response.status_code"] == 302;
    wait_until("the log says why somebody had to sign in again", || {
        proxy.access_log(1).iter().any(redirected).then_some(())
    });
}

#[test]
fn an_ending_survives_a_reload_and_a_restart() {
    let target = target::echo();
    let yaml = with_store(&target);
    let mut proxy = start(&yaml);
    let at = proxy.folder().to_owned();
    done(users(&at, &["add", "grace"]));
    let mut browser = proxy.browser(Protocol::Http1);
    assert_eq!(sign_in(&mut browser, "grace").status, 200);
    proxy.reload(&yaml.replace("title: Sign in to the tests", "title: Another title")).expect("reloaded");
    Program::new(&proxy, &browser, Protocol::Http1).is_let_pass();
    done(users(&at, &["sign-out", "grace"]));
    Program::new(&proxy, &browser, Protocol::Http1).is_refused("auth.session_ended");
    proxy.reload(&yaml).expect("reloaded");
    Program::new(&proxy, &browser, Protocol::Http1).is_refused("auth.session_ended");
    // While nobody serves, another user ends.
    done(users(&at, &["add", "ada"]));
    let mut ada = proxy.browser(Protocol::Http1);
    assert_eq!(sign_in(&mut ada, "ada").status, 200);
    proxy.shutdown();
    done(users(&at, &["sign-out", "ada"]));
    let again = start_in(at, &yaml);
    for browser in [&browser, &ada] {
        let answers = Program::new(&again, browser, Protocol::Http1).ask();
        assert!(answers.iter().all(|answer| answer.status == 401), "from the first request on");
    }
}

#[test]
fn an_answer_that_goes_on_ends_with_its_user() {
    let target = Server::start(|request| match request.target() {
        "/events" => Reply::BytesThenHang(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n"
                .into(),
        ),
        _ => target::echoed(request),
    });
    let proxy = start(&with_store(&target));
    done(users(proxy.folder(), &["add", "grace"]));
    runtime().block_on(async {
        let mut events = Vec::new();
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let mut browser = proxy.browser(protocol);
            tokio::task::block_in_place(|| assert_eq!(sign_in(&mut browser, "grace").status, 200));
            let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
            let request = client.request("GET", "/events").header("cookie", browser.cookie_header("app.test"));
            let mut response =
                client.send(request.body(connection::empty()).expect("a request")).await.expect("a head");
            assert_eq!(connection::chunk(&mut response).await, "first");
            events.push((protocol, client, response));
        }
        tokio::task::block_in_place(|| done(users(proxy.folder(), &["disable", "grace"])));
        for (protocol, _client, response) in events {
            assert!(connection::try_whole(response).await.is_err(), "{protocol:?}: cut by us");
        }
    });
}

/// The users of the configuration have no database: what ends them is a reload.
#[test]
fn a_reload_that_changes_a_password_or_removes_a_user_ends_the_sessions() {
    let target = target::echo();
    let yaml = configuration(&target);
    let other = hash().replacen("c29tZXNhbHRzb21lc2FsdA$", "c29tZXNhbHRzb21lc2FsdA$A", 1);
    for changed in
        [yaml.replace(&hash(), &other), yaml.replace("username: Alice", "username: Bob").replace("user-1", "user-2")]
    {
        let proxy = start(&yaml);
        on_both(|protocol| {
            let mut browser = proxy.browser(protocol);
            let page = sign_in_page(&mut browser, PAGE);
            let back = submit(&mut browser, &page, "alice", crate::user_pool::PASSWORD);
            browser.get(back.location());
            let mut program = Program::new(&proxy, &browser, protocol);
            program.is_let_pass();
            proxy.reload(&yaml.replace("title: Sign in to the tests", "title: Another title")).expect("reloaded");
            program.is_let_pass();
            proxy.reload(&changed).expect("reloaded");
            program.is_refused("auth.session_ended");
            proxy.reload(&yaml).expect("reloaded");
            program.is_refused("auth.session_ended");
        });
    }
}

#[test]
fn a_sign_out_at_the_pool_ends_the_sessions_that_came_of_it() {
    let target = target::echo();
    let proxy = start(&with_store(&target));
    done(users(proxy.folder(), &["add", "grace"]));
    on_both(|protocol| {
        let (mut browser, mut elsewhere) = (proxy.browser(protocol), proxy.browser(protocol));
        assert_eq!(sign_in(&mut browser, "grace").status, 200);
        assert_eq!(sign_in(&mut elsewhere, "grace").status, 200);
        let [mut program, mut other] = [&browser, &elsewhere].map(|browser| Program::new(&proxy, browser, protocol));
        let page = browser.get("https://login.test/sign-in");
        let out = submit(&mut browser, &page, "", "");
        assert_eq!(out.status, 200, "{}", out.text());
        program.is_refused("auth.session_ended");
        other.is_let_pass();
    });
}

/// An access token of the pool for the application.
fn token(browser: &mut Browser, username: &str) -> String {
    let verifier = "dBjftJeZ4CVP-mBTsk9_6q1vQ2yW8Z0aXc3Ef5Gh7Ij";
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    let asked = [
        ("response_type", "code"),
        ("client_id", "wiki"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid"),
        ("resource", "https://app.test"),
        ("code_challenge", &URL_SAFE_NO_PAD.encode(digest)),
        ("code_challenge_method", "S256"),
    ];
    let url = url::Url::parse_with_params("https://login.test/oauth2/authorize", asked).expect("a URL");
    let page = browser.get(url.as_str());
    let back = submit(browser, &page, username, PASSWORD);
    let code = parameter(back.location(), "code").unwrap_or_else(|| panic!("a code: {} {}", back.status, back.text()));
    let redeemed = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", verifier),
        ("client_id", "wiki"),
        ("client_secret", "a-secret-of-the-wiki"),
    ];
    let tokens = browser.post_form("https://login.test/oauth2/token", &redeemed);
    tokens.json()["access_token"].as_str().unwrap_or_else(|| panic!("a token: {}", tokens.text())).to_owned()
}

#[test]
fn a_bearer_token_of_a_user_who_was_signed_out_is_refused() {
    let target = target::echo();
    let yaml = with_store(&target)
        .replace(
            "    default_actions:\n",
            "    rules:\n      - priority: 1\n        conditions: [{ path_pattern: [\"/api/*\"] }]\n        actions:\n          - { type: jwt-validation, user_pool: people, audience: ['https://app.test'] }\n          - { type: forward, target_group: app }\n    default_actions:\n",
        )
        .replace("        client_secret: a-secret-of-the-wiki\n", "        client_secret: a-secret-of-the-wiki\n        resources: ['https://app.test']\n");
    let proxy = start(&yaml);
    done(users(proxy.folder(), &["add", "grace"]));
    on_both(|protocol| {
        let token = || token(&mut proxy.browser(protocol), "grace");
        let ask = |token: &str| {
            let bearer = format!("Bearer {token}");
            proxy.browser(protocol).send("GET", "https://app.test/api/x", &[("authorization", &bearer)], b"")
        };
        let first = token();
        assert_eq!(ask(&first).status, 200);
        done(users(proxy.folder(), &["sign-out", "grace"]));
        let refused = wait_until("it is refused", || Some(ask(&first)).filter(|answer| answer.status == 401));
        assert_eq!(refused.reason().as_deref(), Some("bearer.ended"));
        assert!(
            refused.header("www-authenticate").is_some_and(|it| it.contains("invalid_token")),
            "{:?}",
            refused.headers
        );
        assert_eq!(ask(&token()).status, 200, "a new one is not");
    });
}

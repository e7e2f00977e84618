//! What the load balancer does and no other module of tests shows: each test is named by its section of `docs/ALB.md`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use serde_json::json;

use crate::harness::app::{Proxy, Setup};
use crate::harness::browser::{Protocol, on_both};
use crate::harness::http2::{DATA, END_STREAM, Http2, Outcome, SETTINGS, Stream};
use crate::harness::raw::{self, Raw};
use crate::harness::scenario::{PAGE, Scenario, parameter};
use crate::harness::server::{DEADLINE, Reply, Server};
use crate::harness::wire::Wire;
use crate::harness::{noise, target};

#[test]
fn alb_1_2_the_host_of_the_callback_is_in_lower_case() {
    let scenario = Scenario::start(|setup| setup);
    let navigation = "accept: text/html\r\nsec-fetch-mode: navigate\r\nsec-fetch-dest: document\r\n";
    for host in ["APP.TEST", "App.Test"] {
        let head = format!("GET /Page HTTP/1.1\r\nhost: {host}\r\n{navigation}connection: close\r\n\r\n");
        let answer = raw::exchange(scenario.proxy.address(), "app.test", head);
        let location = answer.lines().find_map(|line| line.strip_prefix("location: ")).expect("a redirect");
        assert_eq!(
            parameter(location, "redirect_uri").as_deref(),
            Some("https://app.test/oauth2/idpresponse"),
            "{location}"
        );
    }
}

#[test]
fn alb_2_3_a_state_needs_no_encoding_in_a_url() {
    let scenario = Scenario::start(|setup| setup);
    on_both(|protocol| {
        for path in ["/", "/a?b=c&d=%2F+e", "/\u{fc}"] {
            let url = url::Url::parse("https://app.test").and_then(|base| base.join(path)).expect("a URL");
            let sent = scenario.proxy.browser(protocol).get(url.as_str());
            let (_, state) = sent.location().split_once("&state=").expect("a state");
            let state = state.split('&').next().expect("its value");
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
            assert!(state.len() > 40 && state.bytes().all(plain), "{state}");
        }
    });
}

#[test]
fn alb_2_4_a_callback_of_http_1_0_without_a_host_is_401() {
    let scenario = Scenario::start(|setup| setup);
    let answer = raw::exchange(
        scenario.proxy.address(),
        "app.test",
        "GET /oauth2/idpresponse?code=a&state=b HTTP/1.0\r\naccept: application/json\r\n\r\n",
    );
    assert_eq!(raw::status(&answer), 401, "{answer}");
    assert!(answer.contains("auth.state_mismatch"), "{answer}");
    assert_eq!(scenario.provider.requests("/token").len(), 0);
}

#[test]
fn alb_2_5_userinfo_that_fails_has_its_status() {
    let table: [(&str, fn() -> Reply, u16, &str); 3] = [
        ("reset", || Reply::Reset, 500, "auth.userinfo_unreachable"),
        ("500", || Reply::new("500 Oops", &[], ""), 561, "auth.userinfo_refused"),
        ("rubbish", || Reply::text("not JSON"), 561, "auth.userinfo_invalid"),
    ];
    let scenario = Scenario::start(|setup| setup);
    on_both(|protocol| {
        for (what, reply, status, reason) in table {
            scenario.provider.say(|script| {
                let instead =
                    move |request: &crate::harness::server::Received| (request.target() == "/userinfo").then(reply);
                script.instead = Some(std::sync::Arc::new(instead));
            });
            let mut browser = scenario.proxy.browser(protocol);
            let failed = scenario.provider.try_sign_in(&mut browser, PAGE);
            assert_eq!((failed.status, failed.reason().as_deref()), (status, Some(reason)), "{what}");
            assert_eq!(failed.new_session(), [""; 0], "{what}");
        }
    });
    assert_eq!(scenario.target.count(), 0);
}

#[test]
fn alb_4_1_the_target_gets_neither_id_token_nor_refresh_token() {
    let scenario = Scenario::start(|setup| setup);
    scenario.provider.say(|script| script.token_response = json!({"refresh_token": "refresh-secret"}));
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        assert_eq!(browser.send("POST", PAGE, &[], b"a=b").status, 200);
        let received = scenario.target.last();
        let out = browser.get("https://app.test/oauth2/sign_out");
        let id_token = parameter(out.location(), "id_token_hint").expect("the ID token");
        let told = format!("{} {:?} {}", received.line, received.headers, received.body_text());
        assert!(told.contains("x-amzn-oidc-accesstoken"), "{told}");
        let signature = id_token.rsplit('.').next().expect("a signature");
        for secret in [&*id_token, signature, "refresh-secret"] {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
    });
}

#[test]
fn alb_6_5_failures_of_the_provider_and_connections_are_counted() {
    let scenario = Scenario::start(|setup| setup);
    let failures = |reason: &str| {
        scenario.proxy.metric(&format!("vestibule_login_failures_total{{provider=\"corp\",reason=\"{reason}\"}}"))
    };
    let sign_in = || scenario.provider.try_sign_in(&mut scenario.proxy.browser(Protocol::Http2), PAGE);
    let token = |request: &crate::harness::server::Received| (request.target() == "/token").then_some(Reply::Reset);
    scenario.provider.say(|script| script.instead = Some(std::sync::Arc::new(token)));
    assert_eq!(sign_in().status, 500);
    assert_eq!(failures("auth.token_endpoint_unreachable"), 1);
    scenario.provider.say(|script| {
        (script.instead, script.userinfo) = (None, Some(json!({"sub": "alice", "x": noise(60_000)})));
    });
    assert_eq!(sign_in().status, 500);
    assert_eq!((failures("auth.claims_too_large"), failures("auth.token_endpoint_unreachable")), (1, 1));

    let proxy = Setup::with_issuer("http://127.0.0.1:1", &["127.0.0.1:1".into()])
        .default_actions(crate::harness::app::FORWARD)
        .start();
    let connections = || proxy.metric("vestibule_connections_total{listener=\"public\"}");
    for count in 1..=3 {
        assert_eq!(proxy.browser(Protocol::Http1).get("https://app.test/").status, 502);
        assert_eq!(connections(), count);
    }
    let none = "vestibule_target_requests_total{target_group=\"app\",target=\"127.0.0.1:1\",status=\"none\"}";
    assert!(proxy.metric(none) >= 3, "{}", proxy.metrics());
}

/// Four targets in two groups, each of which is sticky by the cookie of the application.
#[test]
fn alb_7_3_app_cookies_work_with_several_groups() {
    let own = |name: &'static str| {
        Server::start(move |request| match request.header("cookie") {
            Some(cookies) if cookies.contains("JSESSIONID") => Reply::text(name),
            _ => Reply::new("200 OK", &[("set-cookie", "JSESSIONID=7; Path=/")], name),
        })
    };
    let targets = ["a", "b", "c", "d"].map(own);
    let addresses: Vec<SocketAddr> = targets.iter().map(Server::address).collect();
    let sticky = "    stickiness: { type: app_cookie, cookie_name: JSESSIONID }";
    let groups = format!("{sticky}\n  green:\n    targets: ['{}', '{}']\n{sticky}", addresses[2], addresses[3]);
    let forward = " [{ type: forward, target_groups: [{ target_group: app }, { target_group: green }], stickiness: { duration: 1h } }]";
    let proxy = Setup::open(&addresses[..2]).target_group(&groups).default_actions(forward).start();
    on_both(|protocol| {
        for _ in 0..4 {
            let mut browser = proxy.browser(protocol);
            let first = browser.get(PAGE);
            assert_eq!(first.status, 200, "{}", first.text());
            for _ in 0..8 {
                assert_eq!(browser.get(PAGE).text(), first.text());
            }
        }
    });
}

/// A target behind TLS where the proxy waits for the handshake for 300 ms.
fn in_front_of(target: SocketAddr) -> Proxy {
    let group = "    protocol: https\n    verify: false\n    connect_timeout: 300ms";
    Setup::open(&[target]).target_group(group).start()
}

#[test]
fn alb_9_2_a_handshake_that_takes_too_long_is_504() {
    let silent = Wire::listen();
    let proxy = in_front_of(silent.address());
    on_both(|protocol| {
        let answer = proxy.browser(protocol).get("https://app.test/");
        assert_eq!((answer.status, answer.reason().as_deref()), (504, Some("upstream.connect_timeout")));
    });
}

#[test]
fn alb_9_2_a_target_with_an_old_version_of_tls_is_refused() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = Setup::open(&[socket.local_addr().expect("bound")])
        .target_group("    protocol: https\n    verify: false")
        .start();
    let hello = std::thread::scope(|scope| {
        let playing = scope.spawn(|| {
            let (mut stream, _) = socket.accept().expect("the proxy connects");
            stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
            let mut head = [0; 5];
            stream.read_exact(&mut head).expect("a record");
            let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
            stream.read_exact(&mut hello).expect("a ClientHello");
            // A ServerHello of TLS 1.1, with TLS_RSA_WITH_AES_128_CBC_SHA.
            let body = [&[3, 2][..], &[7; 32], &[0, 0, 0x2f, 0]].concat();
            let length = u8::try_from(body.len()).expect("short");
            let answer = [&[0x16, 3, 2, 0, length + 4, 2, 0, 0, length][..], &body].concat();
            stream.write_all(&answer).expect("the proxy reads");
            let _ = stream.read_to_end(&mut Vec::new());
            hello
        });
        let answer = proxy.browser(Protocol::Http1).get("https://app.test/");
        assert_eq!((answer.status, answer.reason().as_deref()), (502, Some("upstream.tls")));
        playing.join().expect("no panic")
    });
    // The extension supported_versions (RFC 8446 §4.2.1) with 1.3 and 1.2.
    let offered = [0, 0x2b, 0, 5, 4, 3, 4, 3, 3];
    assert!(hello.windows(offered.len()).any(|bytes| bytes == offered), "{hello:x?}");
}

#[test]
fn alb_10_2_an_ipv6_client_is_appended_without_brackets() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("this machine has no IPv6");
        return;
    }
    let target = target::echo();
    let yaml = Setup::open(&[target.address()]).yaml().replacen("address: 127.0.0.1:0", "address: '[::1]:0'", 1);
    let proxy = Proxy::start(&yaml);
    for (sent, expected) in [("", "::1"), ("x-forwarded-for: 2001:db8::1\r\n", "2001:db8::1, ::1")] {
        let request = format!("GET / HTTP/1.1\r\nhost: app.test\r\n{sent}connection: close\r\n\r\n");
        assert_eq!(raw::status(&raw::exchange(proxy.address(), "app.test", request)), 200, "{sent}");
        assert_eq!(target.last().header("x-forwarded-for"), Some(expected));
    }
    let fields = [(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", "/")];
    assert_eq!(Http2::connect(proxy.address(), "app.test").request(&fields), Outcome::Status(200));
    assert_eq!(target.last().header("x-forwarded-for"), Some("::1"));
}

#[test]
fn alb_10_5_http2_is_for_https_and_nothing_is_pushed() {
    const PUSH_PROMISE: u8 = 5;
    let target = Server::start(|_| Reply::new("200 OK", &[("link", "</style.css>; rel=preload; as=style")], "page"));
    let proxy = Setup::open(&[target.address()]).start();
    let mut client = Http2::connect(proxy.address(), "app.test");
    // SETTINGS_ENABLE_PUSH is 1.
    client.frame(SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 1]);
    let fields = [(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", "/")];
    client.open(&fields, Stream::Ended);
    let mut is_whole = false;
    while !is_whole {
        let frame = client.next_frame().expect("the connection goes on");
        assert_ne!(frame.kind, PUSH_PROMISE);
        is_whole = frame.stream == 1 && frame.kind == DATA && frame.flags & END_STREAM != 0;
    }
    assert_eq!(target.count(), 1);

    let mut plain = TcpStream::connect(proxy.address_of("plain")).expect("the proxy accepts");
    plain.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    plain.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").expect("sent");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert_eq!(raw::status(&String::from_utf8_lossy(&answer)), 505);
    // Nor where TLS has agreed on HTTP/1.1.
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(raw::status(&client.read_to_end()), 505);
    assert_eq!(target.count(), 1);
}

//! H: telling the target who one is, in the proxy's place.

use serde_json::{Value, json};

use super::{Fixture, REST};
use crate::harness::app::{Proxy, Setup};
use crate::harness::browser::{Browser, Protocol, on_both};
use crate::harness::http2::{Http2, Outcome, Stream};
use crate::harness::provider::Provider;
use crate::harness::server::Received;
use crate::harness::{raw, target};

/// What an attacker writes; no header that a target receives may have it.
const MARK: &str = "admin-by-attack";

/// Names that say who the user is: the load balancer's, those of other gateways, and those that the configuration maps
/// claims to.
const NAMES: [&str; 18] = [
    "x-amzn-oidc-identity",
    "x-amzn-oidc-data",
    "x-amzn-oidc-accesstoken",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-access-token",
    "x-auth-request-user",
    "x-auth-request-email",
    "x-auth-request-groups",
    "x-remote-user",
    "remote-user",
    "x-webauth-user",
    "x-client-cert",
    "x-forwarded-client-cert",
    "x-name",
    "remote-role",
];

#[track_caller]
fn is_clean(received: &Received, what: &str) {
    let spoofed: Vec<_> = received.headers.iter().chain(&received.trailers).filter(|(_, v)| v.contains(MARK)).collect();
    assert!(spoofed.is_empty(), "{what}: the target was told {spoofed:?}");
}

/// Nobody on the rules that let pass, somebody on every rule.
fn doors(fixture: &Fixture, protocol: Protocol) -> Vec<(Browser, &'static str)> {
    let (nobody, somebody) = (fixture.browser(protocol), fixture.signed_in(protocol));
    let paths = ["/public/x", "/opt/x", "/api/x", "/"];
    let anonymous = paths[..2].iter().map(|path| (nobody.clone(), *path));
    anonymous.chain(paths.iter().map(|path| (somebody.clone(), *path))).collect()
}

#[track_caller]
fn check(fixture: &Fixture, protocol: Protocol, headers: &[(&str, &str)]) {
    for (mut browser, path) in doors(fixture, protocol) {
        let before = fixture.target.count();
        let answer = browser.send("GET", &format!("https://app.test{path}"), headers, b"");
        assert_eq!((answer.status, fixture.target.count()), (200, before + 1), "{path} {headers:?}");
        let received = fixture.target.last();
        is_clean(&received, &format!("{path} {headers:?} on {protocol:?}"));
        let is_signed_in = !browser.cookie_names("app.test").is_empty() && path != "/public/x";
        assert_eq!(received.header("x-amzn-oidc-identity"), is_signed_in.then_some("alice"), "{path}");
    }
}

#[test]
fn h_01_identity_headers_of_a_client_never_reach_the_target() {
    let fixture = Fixture::start();
    let headers: Vec<_> = NAMES.iter().map(|name| (*name, MARK)).collect();
    on_both(|protocol| check(&fixture, protocol, &headers));
}

#[test]
fn h_02_h_03_h_04_nor_under_any_name_that_an_application_folds_to_them() {
    let fixture = Fixture::start();
    on_both(|protocol| {
        // Every character of a header name (RFC 9110 §5.6.2) that is neither letter nor digit: CGI makes `_` of each.
        for separator in "_.~!#$%&'*+^`|".chars() {
            let all = NAMES.iter().map(|name| name.replace('-', &separator.to_string()));
            let first = NAMES.iter().map(|name| name.replacen('-', &separator.to_string(), 1));
            let names: Vec<String> = all.chain(first).collect();
            let headers: Vec<_> = names.iter().map(|name| (name.as_str(), MARK)).collect();
            check(&fixture, protocol, &headers);
        }
    });
}

#[test]
fn h_02_aliases_of_what_we_write_ourselves_are_removed_too() {
    let fixture = Fixture::start();
    let headers = [
        ("x_forwarded_for", "6.6.6.6"),
        ("x-forwarded_for", "6.6.6.6"),
        ("x.forwarded.for", "6.6.6.6"),
        ("x_forwarded_proto", "6.6.6.6"),
        ("x_forwarded_host", "6.6.6.6"),
        ("x_real_ip", "6.6.6.6"),
        ("x_amzn_trace_id", "Root=6.6.6.6"),
        ("content_length", "6.6.6.6"),
        ("transfer_encoding", "6.6.6.6"),
    ];
    on_both(|protocol| {
        fixture.browser(protocol).send("GET", "https://app.test/public/x", &headers, b"");
        let received = fixture.target.last();
        let aliases: Vec<_> = received.headers.iter().filter(|(_, value)| value.contains("6.6.6.6")).collect();
        assert!(aliases.is_empty(), "{aliases:?}");
    });
}

#[test]
fn h_02_no_name_with_another_character_than_letters_digits_and_dashes_reaches_the_target() {
    let fixture = Fixture::start();
    on_both(|protocol| {
        // Whatever it means to an application that we have not heard of.
        let separators = "_.~!#$%&'*+^`|".chars();
        let names = separators.flat_map(|c| [format!("X{c}Own"), format!("{c}X-Own"), format!("X-Own{c}")]);
        let names: Vec<String> = names.chain(["SCRIPT_NAME".into(), "PATH_INFO".into()]).collect();
        let headers: Vec<_> = names.iter().map(|name| (name.as_str(), MARK)).chain([("x-own", "passes")]).collect();
        check(&fixture, protocol, &headers);
        assert_eq!(fixture.target.last().header("x-own"), Some("passes"));
    });
}

/// A request as bytes, with the cookies of `browser`.
fn bytes(browser: &Browser, method: &str, path: &str, lines: &str) -> String {
    let cookies = browser.cookie_header("app.test");
    let cookies = if cookies.is_empty() { String::new() } else { format!("Cookie: {cookies}\r\n") };
    format!("{method} {path} HTTP/1.1\r\nHost: app.test\r\n{cookies}{lines}\r\n")
}

#[test]
fn h_05_in_any_case_twice_or_as_a_list() {
    let fixture = Fixture::start();
    for lines in [
        format!("X-FORWARDED-USER: {MARK}\r\n"),
        format!("x-forwarded-user:{MARK}\r\n"),
        format!("X-Forwarded-User: bob\r\nX-Forwarded-User: {MARK}\r\n"),
        format!("X-Forwarded-User: bob, {MARK}\r\n"),
        format!("X-AMZN-OIDC-IDENTITY: {MARK}\r\nx-amzn-oidc-identity: {MARK}\r\n"),
        format!("X-Amzn-Oidc-Data:\t{MARK}\t\r\n"),
    ] {
        for (browser, path) in doors(&fixture, Protocol::Http1) {
            let answer = fixture.bytes(bytes(&browser, "GET", path, &format!("{lines}Connection: close\r\n")));
            assert_eq!(raw::status(&answer), 200, "{path} {lines}");
            let received = fixture.target.last();
            is_clean(&received, &lines);
            assert!(!received.headers.iter().any(|(_, value)| value == "bob"), "{lines}");
        }
    }
}

#[test]
fn h_06_blanks_around_a_name_and_folded_lines_are_refused() {
    let fixture = Fixture::start();
    for lines in [
        format!("X-Forwarded-User : {MARK}\r\n"),
        format!("X-Forwarded-User\t: {MARK}\r\n"),
        format!("X-Foo: a\r\n X-Forwarded-User: {MARK}\r\n"),
        format!("X-Foo: a\r\n\tX-Forwarded-User: {MARK}\r\n"),
        format!(" X-Forwarded-User: {MARK}\r\n"),
        format!("X-Forwarded-User\r\n: {MARK}\r\n"),
        format!(": {MARK}\r\n"),
    ] {
        let answer = fixture
            .untouched(&lines, || fixture.bytes(bytes(&fixture.browser(Protocol::Http1), "GET", "/public/x", &lines)));
        assert_eq!(raw::status(&answer), 400, "{lines}");
    }
}

#[test]
fn h_07_nor_with_another_method_or_a_websocket_handshake() {
    let fixture = Fixture::start();
    let spoofed: String =
        NAMES.iter().map(|name| format!("{name}: {MARK}\r\n{}: {MARK}\r\n", name.replace('-', "_"))).collect();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let preflight = "Origin: https://app.test\r\nAccess-Control-Request-Method: PUT\r\nConnection: close\r\n";
    for (method, lines) in
        [("GET", upgrade), ("OPTIONS", preflight), ("POST", "Content-Length: 0\r\nConnection: close\r\n")]
    {
        for (browser, path) in doors(&fixture, Protocol::Http1) {
            let before = fixture.target.count();
            let mut raw = raw::Raw::connect(fixture.proxy.address(), "app.test");
            raw.send(bytes(&browser, method, path, &format!("{spoofed}{lines}")));
            let (head, _) = raw.read_response();
            assert_eq!((raw::status(&head), fixture.target.count()), (200, before + 1), "{method} {path}");
            is_clean(&fixture.target.last(), &format!("{method} {path}"));
        }
    }
}

#[test]
fn h_07_our_own_answers_never_repeat_a_header() {
    let fixture = Fixture::start();
    let headers: Vec<_> = NAMES.iter().map(|name| (*name, MARK)).collect();
    on_both(|protocol| {
        for path in ["/healthz", "/oauth2/idpresponse", "/oauth2/userinfo", "/oauth2/sign_out", "/api/x", "/"] {
            let send = || fixture.browser(protocol).send("GET", &format!("https://app.test{path}"), &headers, b"");
            let answer = fixture.untouched(path, send);
            let said = format!("{:?} {}", answer.headers, answer.text());
            assert!(!said.contains(MARK), "{path}: {said}");
        }
    });
}

#[test]
fn h_08_cookie_fields_are_one_to_gate_and_target() {
    let fixture = Fixture::start();
    on_both(|protocol| {
        let mut browser = fixture.signed_in(protocol);
        let session = browser.cookie_header("app.test");
        for fields in [
            vec![("cookie", "a=1"), ("cookie", &*session), ("cookie", "b=2")],
            vec![("cookie", &*session), ("cookie", "a=1; b=2")],
            vec![("cookie", "a=1"), ("cookie", "b=2"), ("cookie", &*session)],
        ] {
            assert_eq!(browser.send("GET", "https://app.test/api/x", &fields, b"").status, 200);
            let received = fixture.target.last();
            assert_eq!(received.header("cookie"), Some("a=1; b=2"));
            assert_eq!(received.header("x-amzn-oidc-identity"), Some("alice"));
        }
    });
}

#[test]
fn h_09_a_claim_that_is_absent_removes_the_header() {
    let fixture = Fixture::start();
    fixture.provider.say(|script| {
        script.id_token = json!({"sub": "alice"});
        script.userinfo = Some(json!({"sub": "alice"}));
    });
    let headers = [("x-forwarded-email", MARK), ("x-forwarded-groups", MARK), ("x-name", MARK), ("remote_role", MARK)];
    on_both(|protocol| {
        check(&fixture, protocol, &headers);
        let received = fixture.target.last();
        assert_eq!(received.header("x-forwarded-user"), Some("alice"));
        for (name, _) in headers {
            assert_eq!(received.header(name), None, "{name}");
        }
    });
}

#[test]
fn h_10_connection_removes_nothing_that_matters() {
    let fixture = Fixture::start();
    let browser = fixture.signed_in(Protocol::Http1);
    let ours = "X-Amzn-Oidc-Data, x-amzn-oidc-identity, X-Amzn-Oidc-Accesstoken, X-Forwarded-User, Remote-Role";
    for connection in [
        format!("close, {ours}, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Forwarded-Port"),
        format!("X-Amzn-Trace-Id, Cookie, Authorization\r\nConnection: {ours}, close"),
        "close, TE, Host, X-Real-Ip, Content-Length, Content-Type, Origin".to_owned(),
        "keep-alive, close, Connection, Transfer-Encoding, Cookie".to_owned(),
    ] {
        let cookies = format!("{}; theme=dark", browser.cookie_header("app.test"));
        let request = format!(
            "POST /api/x HTTP/1.1\r\nHost: app.test\r\nCookie: {cookies}\r\nAuthorization: Basic YWxpY2U6eA==\r\n\
             Origin: https://app.test\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nX-Real-IP: {MARK}\r\n\
             Connection: {connection}\r\n\r\nabc"
        );
        fixture.provider.say(|script| script.id_token["role"] = "reader".into());
        assert_eq!(raw::status(&fixture.bytes(request)), 200, "{connection}");
        let received = fixture.target.last();
        is_clean(&received, &connection);
        let value = |name| received.header(name).unwrap_or_else(|| panic!("{name} after {connection}: {received:?}"));
        assert_eq!((value("x-amzn-oidc-identity"), value("x-forwarded-user")), ("alice", "alice"));
        assert_eq!((value("cookie"), value("authorization")), ("theme=dark", "Basic YWxpY2U6eA=="));
        assert_eq!(
            (value("host"), value("origin"), value("content-type")),
            ("app.test", "https://app.test", "text/plain")
        );
        assert_eq!((value("x-forwarded-for"), value("x-forwarded-proto")), ("127.0.0.1", "https"));
        assert_eq!((value("x-forwarded-host"), received.body_text()), ("app.test", "abc"));
        for name in ["x-amzn-oidc-data", "x-amzn-oidc-accesstoken", "x-amzn-trace-id", "x-forwarded-port"] {
            value(name);
        }
        assert_eq!(received.header("te"), None);
    }
}

#[test]
fn h_10_what_concerns_one_connection_stays_on_it() {
    let fixture = Fixture::start();
    let lines = "Connection: close, Foo-Token\r\nFoo-Token: x\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: trailers\r\n\
                 Proxy-Authorization: Basic eDp5\r\nUpgrade: h2c\r\n";
    fixture.bytes(bytes(&fixture.browser(Protocol::Http1), "GET", "/public/x", lines));
    let received = fixture.target.last();
    for name in ["foo-token", "keep-alive", "proxy-connection", "te", "proxy-authorization", "upgrade"] {
        assert_eq!(received.header(name), None, "{name}");
    }
}

#[test]
fn h_11_octets_that_are_no_text_match_no_rule() {
    let rules = r#"
      - name: staff
        priority: 1
        conditions: [{ http_header: { name: X-Team, values: ["adm*n", "*"] } }]
        actions: [{ type: forward, target_group: app }]"#;
    let fixture = Fixture::with(|setup| setup.rules(rules));
    let send = |value: &[u8]| {
        let mut request = b"GET /x HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\nx-team: ".to_vec();
        request.extend_from_slice(value);
        request.extend_from_slice(b"\r\n\r\n");
        fixture.bytes(request)
    };
    assert_eq!(raw::status(&send(b"admin")), 200);
    for value in [&b"adm\xe9n"[..], b"adm\xff\xfe", b"\x80", b"\xc0\xae", b"\xed\xa0\x80"] {
        let answer = fixture.untouched("octets", || send(value));
        assert_eq!(raw::status(&answer), 401, "{value:?}");
    }
}

/// Signs in with these claims, and answers what the target is told.
#[track_caller]
fn told(fixture: &Fixture, claims: Value) -> Received {
    fixture.provider.say(|script| {
        script.id_token = json!({"sub": claims["sub"].as_str().unwrap_or("alice")});
        script.userinfo = Some(json!({"sub": script.id_token["sub"]}));
        for (name, value) in claims.as_object().expect("claims") {
            script.userinfo.as_mut().expect("just set")[name] = value.clone();
        }
    });
    let mut browser = fixture.browser(Protocol::Http1);
    let page = fixture.provider.sign_in(&mut browser, "https://app.test/");
    assert_eq!(page.status, 200, "{claims}");
    fixture.target.last()
}

#[test]
fn h_12_a_claim_is_one_value_of_one_header() {
    let fixture = Fixture::start();
    let long = "n".repeat(20 * 1024);
    for (name, expected) in [
        ("bob\r\nX-Forwarded-Groups: admin", Some("bob%0D%0AX-Forwarded-Groups: admin")),
        ("bob\nX-Forwarded-Groups: admin", Some("bob%0AX-Forwarded-Groups: admin")),
        ("bob\r", Some("bob%0D")),
        ("bob\0admin", Some("bob%00admin")),
        ("\"bob\", admin", Some("\"bob\"%2C admin")),
        (" bob ", Some("%20bob%20")),
        ("Jürgen", Some("J%C3%BCrgen")),
        ("100%0A", Some("100%250A")),
        ("\u{7f}\u{85}\u{2028}", Some("%7F%C2%85%E2%80%A8")),
        ("", None),
        (&long, None),
    ] {
        let received = told(&fixture, json!({"name": name, "groups": ["staff"]}));
        assert_eq!(received.header("x-name"), expected, "{name:?}");
        assert_eq!(received.header("x-forwarded-groups"), Some("staff"), "{name:?}");
        assert!(received.header("x-amzn-oidc-data").is_some(), "{name:?}");
    }
}

#[test]
fn h_12_one_group_is_never_read_as_two() {
    let fixture = Fixture::start();
    for (groups, expected) in [
        (json!(["a", "b"]), Some("a,b")),
        (json!(["a,admin"]), Some("a%2Cadmin")),
        (json!(["a", "b,admin"]), Some("a,b%2Cadmin")),
        (json!(["a\r\nadmin"]), Some("a%0D%0Aadmin")),
        (json!(["a", ""]), Some("a,")),
        (json!(["a", " admin"]), Some("a,%20admin")),
        (json!(["a|admin"]), Some("a|admin")),
        (json!(["a%2Cadmin"]), Some("a%252Cadmin")),
        (json!("a"), Some("a")),
        (json!([]), None),
        (json!(null), None),
    ] {
        let received = told(&fixture, json!({"groups": groups}));
        assert_eq!(received.header("x-forwarded-groups"), expected, "{groups}");
    }
}

#[test]
fn h_12_a_subject_is_one_value_of_one_header() {
    let fixture = Fixture::start();
    // The load balancer's own header is never a list, and keeps its commas.
    for (subject, identity, user) in
        [("Jürgen", "J%C3%BCrgen", "J%C3%BCrgen"), ("a%41", "a%2541", "a%2541"), ("a, b", "a, b", "a%2C b")]
    {
        let received = told(&fixture, json!({"sub": subject}));
        assert_eq!(received.header("x-amzn-oidc-identity"), Some(identity));
        assert_eq!(received.header("x-forwarded-user"), Some(user));
    }
    for subject in ["al\r\nx-role: admin", "al\0ice", ""] {
        fixture.provider.say(|script| script.id_token = json!({"sub": subject}));
        let mut browser = fixture.browser(Protocol::Http1);
        let sent = browser.get("https://app.test/");
        let answer = fixture.untouched(subject, || browser.get(&fixture.provider.callback_of(sent.location())));
        assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.id_token_invalid")), "{subject:?}");
    }
}

#[test]
fn h_13_other_gateways_headers_are_removed_and_the_users_own_authorization_passes() {
    let fixture = Fixture::start();
    let names = [
        "proxy-authorization",
        "forwarded",
        "x-real-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "fastly-client-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-original-forwarded-for",
        "x-forwarded-client-cert",
        "x-client-cert",
        "x-ssl-client-cert",
        "ssl_client_s_dn",
        "x-amzn-mtls-clientcert-subject",
        "x-forwarded-server",
        "x-forwarded-ssl",
        "x-forwarded-scheme",
        "x-forwarded-prefix",
        "proxy",
    ];
    let mut headers: Vec<_> = names.iter().map(|name| (*name, MARK)).collect();
    headers.push(("authorization", "Basic YWxpY2U6eA=="));
    on_both(|protocol| {
        check(&fixture, protocol, &headers);
        assert_eq!(fixture.target.last().header("authorization"), Some("Basic YWxpY2U6eA=="));
    });
}

#[test]
fn h_13_names_that_move_a_path_or_say_who_somebody_is_to_some_server_are_removed() {
    let fixture = Fixture::start();
    let names = [
        "SCRIPT-NAME",
        "Path-Info",
        "Remote-User",
        "Remote-Groups",
        "X-Forwarded-Protocol",
        "X-Url-Scheme",
        "Front-End-Https",
        "X-Accel-Mapping",
        "X-Sendfile-Type",
        "X-Goog-Authenticated-User-Email",
        "X-MS-Client-Principal-Name",
    ];
    let headers: Vec<_> = names.iter().map(|name| (*name, MARK)).collect();
    on_both(|protocol| check(&fixture, protocol, &headers));
}

/// Names that mean something in a header section, and so must not come after the body.
const TRAILERS: &[&str] = &[
    "script_name",
    "script-name",
    "path_info",
    "x.own",
    "x_own",
    "remote-user",
    "remote-groups",
    "x-forwarded-protocol",
    "x-url-scheme",
    "front-end-https",
    "x-accel-mapping",
    "x-sendfile-type",
    "x-goog-authenticated-user-email",
    "x-ms-client-principal-name",
    "x-forwarded-user",
    "x_forwarded_user",
    "x.amzn.oidc.identity",
    "x-amzn-oidc-data",
    "remote_role",
    "x-forwarded-for",
    "x-amzn-trace-id",
    "cookie",
    "authorization",
    "host",
    "content-length",
    "transfer-encoding",
];

#[test]
fn h_14_protected_names_are_no_trailers_on_http1() {
    let fixture = Fixture::start();
    for (browser, path) in doors(&fixture, Protocol::Http1) {
        let trailers: String = TRAILERS.iter().map(|name| format!("{name}: {MARK}\r\n")).collect();
        let lines = format!(
            "Trailer: {}, x-checksum\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
             3\r\nabc\r\n0\r\n{trailers}x-checksum: 9\r\n",
            TRAILERS.join(", ")
        );
        assert_eq!(raw::status(&fixture.bytes(bytes(&browser, "POST", path, &lines))), 200, "{path}");
        let received = fixture.target.last();
        assert_eq!(received.body_text(), "abc");
        is_clean(&received, path);
        assert_eq!(received.trailers, [("x-checksum".to_owned(), "9".to_owned())], "others pass");
    }
}

#[test]
fn h_14_protected_names_are_no_trailers_on_http2() {
    let fixture = Fixture::start();
    let declared = format!("{}, x-checksum", TRAILERS.join(", "));
    let mut http2 = Http2::connect(fixture.proxy.address(), "app.test");
    http2.headers(
        &[
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "app.test"),
            (":path", "/opt/x"),
            ("trailer", &declared),
        ],
        Stream::Open,
    );
    http2.data(b"abc", Stream::Open);
    // `transfer-encoding` would be a malformed section of its own (RFC 9113 §8.2.2).
    let mut trailers: Vec<_> = TRAILERS[..TRAILERS.len() - 1].iter().map(|name| (*name, MARK)).collect();
    trailers.push(("x-checksum", "9"));
    http2.headers(&trailers, Stream::Ended);
    assert_eq!(http2.outcome(), Outcome::Status(200));
    let received = fixture.target.last();
    assert_eq!(received.body_text(), "abc");
    is_clean(&received, "HTTP/2 trailers");
    assert_eq!(received.trailers, [("x-checksum".to_owned(), "9".to_owned())], "others pass");
}

#[test]
fn h_14_no_trailer_concerns_a_connection_or_comes_unannounced() {
    let fixture = Fixture::start();
    let hop_by_hop = [
        ("connection", "x-secret, close"),
        ("keep-alive", "5"),
        ("proxy-authorization", "Basic eDp5"),
        ("te", "gzip"),
        ("trailer", "x"),
        ("upgrade", "h2c"),
        ("expect", "100-continue"),
        ("content-encoding", "gzip"),
        ("max-forwards", "0"),
    ];
    let (browser, path) = doors(&fixture, Protocol::Http1).into_iter().next().expect("a door");
    let trailers: String = hop_by_hop.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let names: Vec<_> = hop_by_hop.iter().map(|(name, _)| *name).collect();
    for announced in [names.join(", "), String::from("x-other")] {
        let lines = format!(
            "Trailer: {announced}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
             3\r\nabc\r\n0\r\n{trailers}x-checksum: 9\r\n"
        );
        assert_eq!(raw::status(&fixture.bytes(bytes(&browser, "POST", path, &lines))), 200, "{announced}");
        let received = fixture.target.last();
        assert_eq!((received.body_text(), &received.trailers[..]), ("abc", &[][..]), "{announced}");
    }
}

#[test]
fn h_15_the_target_sees_none_of_our_cookies() {
    let fixture = Fixture::start();
    on_both(|protocol| {
        let mut browser = fixture.signed_in(protocol);
        let session = browser.cookie_header("app.test");
        let mut pending = fixture.browser(protocol);
        pending.get("https://app.test/");
        let pending = pending.cookie_header("app.test");
        assert!(session.starts_with("__Host-vestibule-0=") && pending.starts_with("__Host-vestibule-login"));
        let cookies = format!("theme=dark; {session}; {pending}; lang=en");
        for path in ["/api/x", "/opt/x", "/public/x"] {
            browser.send("GET", &format!("https://app.test{path}"), &[("cookie", &cookies)], b"");
            let received = fixture.target.last();
            assert_eq!(received.header("cookie"), Some("theme=dark; lang=en"), "{path}");
            assert_eq!(received.header("x-amzn-oidc-identity").is_some(), path != "/public/x", "{path}");
        }
        // The name of this program is reserved, whatever follows; `d_22` has a configured name.
        for look_alike in ["-", "-0", "-7", "-00", "-99999999", "-login", "-login-x", "-0 ", "-x", "-0-x"] {
            let cookies = format!("a=1;__Host-vestibule{look_alike}=x;b=2; {session}");
            browser.send("GET", "https://app.test/public/x", &[("cookie", &cookies)], b"");
            assert_eq!(fixture.target.last().header("cookie"), Some("a=1; b=2"), "{look_alike}");
        }
        browser.send("GET", "https://app.test/public/x", &[("cookie", &session)], b"");
        assert_eq!(fixture.target.last().header("cookie"), None);
    });
}

#[test]
fn h_15_another_name_for_the_session_is_hidden_as_well() {
    let rest = REST.replace("key_files", "cookie_name: __Host-door, key_files");
    let fixture = Fixture::with(|setup| setup.rest(&rest));
    let mut browser = fixture.signed_in(Protocol::Http2);
    assert!(browser.cookie_header("app.test").starts_with("__Host-door-0="));
    assert_eq!(browser.get("https://app.test/x").status, 200);
    assert_eq!(fixture.target.last().header("cookie"), None);
}

#[test]
fn h_15_no_listeners_cookies_reach_another_listeners_target() {
    // A browser keeps cookies by host, not by port: what one listener sets goes to all.
    let (provider, staff, other) = (Provider::start(), target::echo(), target::echo());
    let actions = "
      - { type: authenticate-oidc, provider: corp, session_cookie_name: __Host-staff }
      - { type: forward, target_group: app }";
    let pool = "user_pools: { people: { issuer: 'https://login.test', signing_key_file: pool-key.pem } }";
    let setup = Setup::new(&provider, &staff).default_actions(actions).rest(&format!("{REST}{pool}"));
    let second = "
  - name: other
    address: 127.0.0.1:0
    protocol: https
    certificates: [{ certificate_file: cert.pem, private_key_file: key.pem }]
    default_actions: [{ type: forward, target_group: other }]
identity_providers:";
    let group = format!("target_groups:\n  other: {{ targets: ['{}'] }}", other.address());
    let yaml = setup.yaml().replace("\nidentity_providers:", second).replace("target_groups:", &group);
    let proxy = Proxy::start(&yaml);
    on_both(|protocol| {
        let mut pending = proxy.browser(protocol);
        pending.get("https://app.test/");
        let session = proxy.signed_in(protocol, &provider).cookie_header("app.test");
        let pending = pending.cookie_header("app.test");
        assert!(session.starts_with("__Host-staff-0=") && pending.starts_with("__Host-staff-login"), "{pending}");
        let upper = |cookies: &str| cookies.replace("__Host-staff", "__HOST-STAFF");
        let pool = "__Host-vestibule-pool=x; __host-Vestibule-POOL=x; __Host-vestibule-pool-1=x";
        for cookies in [
            session.clone(),
            pending.clone(),
            upper(&session),
            upper(&pending),
            session.to_lowercase(),
            pool.into(),
            format!("{pool}; {session}; {pending}"),
        ] {
            let cookies = format!("theme=dark; {cookies}; lang=en");
            let headers = [("cookie", cookies.as_str())];
            let mut browser = Browser::new(protocol, proxy.address_of("other"));
            assert_eq!(browser.send("GET", "https://app.test/", &headers, b"").status, 200);
            assert_eq!(other.last().header("cookie"), Some("theme=dark; lang=en"), "{cookies}");
        }
        // Nor the target behind the login.
        let cookies = format!("theme=dark; {pool}; {session}; {pending}; lang=en");
        let answer = proxy.browser(protocol).send("GET", "https://app.test/", &[("cookie", &cookies)], b"");
        assert_eq!(answer.status, 200);
        assert_eq!(staff.last().header("cookie"), Some("theme=dark; lang=en"));
    });
}

#[test]
fn h_15_a_cookie_that_is_no_text_hides_neither_the_login_nor_the_session() {
    let fixture = Fixture::start();
    let mut browser = fixture.browser(Protocol::Http1);
    let sent = browser.get("https://app.test/");
    let callback = fixture.provider.callback_of(sent.location());
    let request = |browser: &Browser, path: &str| {
        let mut request =
            format!("GET {path} HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\ncookie: name=J").into_bytes();
        request.extend_from_slice(b"\xfcrgen; ");
        request.extend_from_slice(format!("{}\r\n\r\n", browser.cookie_header("app.test")).as_bytes());
        request
    };
    let path = callback.strip_prefix("https://app.test").expect("on this host");
    let answer = fixture.bytes(request(&browser, path));
    assert_eq!(raw::status(&answer), 302, "{answer}");
    let session = answer.lines().filter_map(|line| line.strip_prefix("set-cookie: __Host-vestibule-0=")).next();
    let session = session.expect("a session").split(';').next().expect("a value").to_owned();
    browser.set_cookie("app.test", "__Host-vestibule-0", &session);
    assert_eq!(raw::status(&fixture.bytes(request(&browser, "/api/x"))), 200);
}

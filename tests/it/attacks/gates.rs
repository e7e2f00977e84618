//! What gets past one gate gets past another: each attack on each gate that identifies somebody or asks who it is. The other modules try
//! the gate of a session in more ways; `bearer` tries the tokens themselves.

mod handshakes;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::harness::browser::{Answer, Browser, Protocol, is_challenge, on_both};
use crate::harness::http2::{Http2, Stream};
use crate::harness::provider::{Key, Provider};
use crate::harness::raw::{self, Raw};
use crate::harness::scenario::Scenario;
use crate::harness::server::Received;

/// The path of a gate, and whether a session and whether a token opens it.
struct Gate {
    path: &'static str,
    session: bool,
    token: bool,
}

const fn gate(path: &'static str, session: bool, token: bool) -> Gate {
    Gate { path, session, token }
}

/// Each kind of gate. Below `/staff/` and `/scripts/`, `authorize` asks for a group that Alice has.
const GATES: [Gate; 7] = [
    gate("/page/x", true, false),
    gate("/deny/x", true, false),
    gate("/pool/x", false, false),
    gate("/jwt/x", false, true),
    gate("/either/x", true, true),
    gate("/staff/x", true, false),
    gate("/scripts/x", false, true),
];

const POOL: &str = "
user_pools:
  people:
    issuer: https://login.test
    signing_key_file: pool-key.pem
    applications: [https://app.test]
";

fn rules(issuer: &str, other: &str) -> String {
    let session = "type: authenticate-oidc, provider: corp, scope: openid profile email, session_timeout: 8h";
    let token = |audience: &str| {
        format!("type: jwt-validation, issuer: '{issuer}', jwks_endpoint: '{issuer}/jwks', audience: [{audience}]")
    };
    let staff = "{ type: authorize, any: [{ claim: groups, contains: [staff] }] }";
    let gates = [
        ("page", format!("{{ {session} }}")),
        ("deny", format!("{{ {session}, on_unauthenticated_request: deny }}")),
        ("pool", "{ type: authenticate-user-pool, user_pool: people, session_cookie_name: __Host-pool }".to_owned()),
        ("jwt", format!("{{ {} }}", token("api"))),
        (
            "either",
            format!(
                "{{ {}, bearer: {{ audience: [api] }} }}",
                session.replace("authenticate-oidc", "session-or-bearer")
            ),
        ),
        ("staff", format!("{{ {session} }}, {staff}")),
        ("scripts", format!("{{ {} }}, {staff}", token("api"))),
        // For B-11.
        ("admin", format!("{{ {} }}", token("admin"))),
        (
            "other",
            format!("{{ type: jwt-validation, issuer: '{other}', jwks_endpoint: '{other}/jwks', audience: [api] }}"),
        ),
    ];
    let rule = |(index, (name, gates)): (usize, (&str, String))| {
        format!(
            "\n      - name: {name}\n        priority: {}\n        conditions: [{{ path_pattern: ['/{name}/*'] }}]\n        \
             actions: [{gates}, {{ type: forward, target_group: app }}]",
            index + 1
        )
    };
    gates.into_iter().enumerate().map(rule).collect()
}

/// All gates behind one listener, and a second issuer.
fn start(listener: &str) -> (Scenario, Provider) {
    let other = Provider::start();
    let scenario = Scenario::start(|setup| {
        let rules = rules(setup.issuer(), &other.issuer());
        let rest = format!("{}{POOL}", setup.rest);
        setup.rules(&rules).listener(listener).rest(&rest)
    });
    (scenario, other)
}

impl Scenario {
    /// Sends it to a gate; asserts that no target saw it, and that it is refused.
    #[track_caller]
    fn stopped(
        &self,
        browser: &mut Browser,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let before = self.target.count();
        let answer = browser.send(method, &format!("https://app.test{path}"), headers, body);
        assert_eq!(self.target.count(), before, "{path} {headers:?} reached the target");
        let is_refused = is_challenge(&answer) || matches!(answer.status, 400 | 403 | 405);
        assert!(is_refused, "{method} {path} {headers:?}: {} {}", answer.status, answer.text());
        answer
    }

    /// A browser that is signed in at `corp`.
    #[track_caller]
    fn alice(&self, protocol: Protocol) -> Browser {
        self.set_provider_clock();
        let mut browser = self.proxy.browser(protocol);
        let page = self.provider.sign_in(&mut browser, "https://app.test/page/x");
        assert_eq!(page.status, 200, "{}", page.text());
        browser
    }

    fn scripted(&self, protocol: Protocol) -> Browser {
        self.proxy.browser(protocol).scripted()
    }
}

#[track_caller]
fn opens(scenario: &Scenario, browser: &mut Browser, path: &str, headers: &[(&str, &str)]) -> Received {
    let answer = browser.send("GET", &format!("https://app.test{path}"), headers, b"");
    assert_eq!(answer.status, 200, "{path} {headers:?}: {}", answer.text());
    scenario.target.last()
}

#[test]
fn b_02_b_15_a_credential_counts_in_its_own_place_only() {
    let (scenario, _other) = start("");
    on_both(|protocol| {
        let token = scenario.token(&json!({}));
        let session = scenario.alice(protocol).cookie("app.test", "__Host-vestibule-0").expect("a session");
        let bearer = format!("Bearer {token}");
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let (as_user, as_password) = (basic(&format!("{token}:")), basic(&format!("alice:{token}")));
        let in_cookies = format!("access_token={token}; Authorization={token}; token={token}; session={session}");
        let headers: [(&str, &str); 17] = [
            ("cookie", &in_cookies),
            ("x-access-token", &token),
            ("x-auth-token", &token),
            ("x-forwarded-access-token", &token),
            ("x-amzn-oidc-accesstoken", &token),
            ("x-amzn-oidc-data", &token),
            ("x-amzn-oidc-identity", "alice"),
            ("proxy-authorization", &bearer),
            ("x-forwarded-authorization", &bearer),
            ("authorization", &as_user),
            ("authorization", &as_password),
            ("authorization", &format!("Token {token}")),
            ("authorization", &format!("Session {session}")),
            ("authorization", &format!("Bearer {session}")),
            ("authorization", &format!("DPoP {token}")),
            ("x-session", &session),
            ("sec-websocket-protocol", &format!("bearer, {token}")),
        ];
        let queries =
            [format!("access_token={token}"), format!("token={token}"), format!("__Host-vestibule-0={session}")];
        for Gate { path, session: by_session, token: by_token } in GATES {
            for header in headers {
                for mut browser in [scenario.proxy.browser(protocol), scenario.scripted(protocol)] {
                    let answer = scenario.stopped(&mut browser, "GET", path, &[header], b"");
                    assert!(by_session || path.starts_with("/pool/") || answer.status != 302, "{path} {header:?}");
                }
            }
            for query in &queries {
                let mut script = scenario.scripted(protocol);
                scenario.stopped(&mut script, "GET", &format!("{path}?{query}"), &[], b"");
                let form = [("content-type", "application/x-www-form-urlencoded")];
                scenario.stopped(&mut script, "POST", path, &form, query.as_bytes());
            }
            let cookie = format!("__Host-vestibule-0={session}");
            if by_session {
                opens(&scenario, &mut scenario.scripted(protocol), path, &[("cookie", &cookie)]);
            }
            if by_token {
                opens(&scenario, &mut scenario.scripted(protocol), path, &[("authorization", &bearer)]);
            }
        }
    });
}

#[test]
fn b_a_token_signs_nobody_in_where_a_session_is_asked_for() {
    let (scenario, _other) = start("");
    on_both(|protocol| {
        let bearer = format!("Bearer {}", scenario.token(&json!({"sub": "mallory"})));
        let mut alice = scenario.alice(protocol).scripted();
        for Gate { path, session, token } in GATES {
            if !token {
                scenario.stopped(
                    &mut scenario.proxy.browser(protocol),
                    "GET",
                    path,
                    &[("authorization", &bearer)],
                    b"",
                );
                let answer =
                    scenario.stopped(&mut scenario.scripted(protocol), "GET", path, &[("authorization", &bearer)], b"");
                assert_eq!(answer.reason().as_deref(), Some("auth.required"), "{path}");
            }
            if session && !token {
                let received = opens(&scenario, &mut alice, path, &[("authorization", &bearer)]);
                assert_eq!(received.header("x-amzn-oidc-identity"), Some("alice"), "{path}");
                assert_eq!(received.header("authorization"), Some(&*bearer), "it is for the application");
            }
            if token && !session {
                let answer = scenario.stopped(&mut alice, "GET", path, &[], b"");
                assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("bearer.missing")), "{path}");
            }
        }
    });
}

#[test]
fn b_07_a_header_that_can_be_read_in_two_ways_is_refused() {
    let (scenario, _other) = start("");
    on_both(|protocol| {
        let token = scenario.token(&json!({}));
        let alice = scenario.alice(protocol).scripted();
        let fields = [
            vec![format!("Bearer {token}"), format!("Bearer {token}")],
            vec![format!("Bearer {token}"), "Basic YWxpY2U6YQ==".to_owned()],
            vec!["Basic YWxpY2U6YQ==".to_owned(), format!("Bearer {token}")],
            vec![format!("Bearer\t{token}")],
            vec![format!("Bearer {token}, Bearer {token}")],
            vec![format!("Bearer {token} x")],
            vec![format!("Bearer \"{token}\"")],
            vec![format!("Bearer,{token}")],
            vec!["Bearer".to_owned()],
        ];
        for Gate { path, .. } in GATES.into_iter().filter(|gate| gate.token) {
            for fields in &fields {
                let headers: Vec<_> = fields.iter().map(|field| ("authorization", &**field)).collect();
                // Nor with a session beside it.
                for mut browser in [scenario.scripted(protocol), alice.clone()] {
                    let answer = scenario.stopped(&mut browser, "GET", path, &headers, b"");
                    assert_eq!(
                        (answer.status, answer.reason().as_deref()),
                        (400, Some("bearer.malformed")),
                        "{fields:?}"
                    );
                }
            }
            for good in [format!("bearer {token}"), format!("BEARER   {token}")] {
                opens(&scenario, &mut scenario.scripted(protocol), path, &[("authorization", &good)]);
            }
        }
    });
}

#[test]
fn b_11_what_was_verified_for_one_rule_is_nothing_at_another() {
    let (scenario, other) = start("");
    on_both(|protocol| {
        let mut client = scenario.scripted(protocol);
        let mut ask = |path: &str, token: &str| {
            let answer = client.send(
                "GET",
                &format!("https://app.test{path}"),
                &[("authorization", &format!("Bearer {token}"))],
                b"",
            );
            (answer.status, answer.reason())
        };
        let invalid = (401, Some("bearer.invalid".to_owned()));
        let ours = scenario.token(&json!({"jti": format!("{protocol:?}")}));
        let theirs = |key: &Key| scenario.token_as(&json!({"kid": key.kid}), &json!({"iss": other.issuer()}), key);
        let foreign = theirs(other.key());
        // Both workers remember it.
        for _ in 0..8 {
            assert_eq!((ask("/jwt/x", &ours).0, ask("/other/x", &foreign).0), (200, 200));
        }
        for _ in 0..8 {
            for path in ["/admin/x", "/other/x"] {
                assert_eq!(ask(path, &ours), invalid, "{path}");
            }
            for path in ["/jwt/x", "/admin/x", "/either/x", "/scripts/x"] {
                assert_eq!(ask(path, &foreign), invalid, "{path}");
            }
        }
        let both = scenario.token(&json!({"aud": ["api", "admin"]}));
        assert_eq!(
            (ask("/jwt/x", &both).0, ask("/admin/x", &both).0, ask("/other/x", &both)),
            (200, 200, invalid.clone())
        );
        // The keys of one issuer sign nothing for another.
        assert_eq!(ask("/jwt/x", &scenario.token_as(&json!({}), &json!({}), other.key())), invalid);
        assert_eq!(ask("/other/x", &theirs(scenario.provider.key())), invalid);
    });
}

#[test]
fn f_01_to_f_05_h_01_no_header_opens_a_gate() {
    let (scenario, _other) = start("");
    let headers = [
        ("user-agent", "ELB-HealthChecker/2.0"),
        ("user-agent", "kube-probe/1.30"),
        ("x-forwarded-uri", "/healthz"),
        ("x-original-url", "/healthz"),
        ("x-rewrite-url", "/healthz"),
        ("x-envoy-original-path", "/healthz"),
        ("x-envoy-internal", "true"),
        ("x-auth-request-redirect", "/healthz"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
        ("x-forwarded-user", "alice"),
        ("x-forwarded-groups", "staff"),
        ("x-remote-user", "alice"),
        ("remote-user", "alice"),
        ("x-client-cert", "alice"),
        ("x-amzn-mtls-clientcert-subject", "CN=alice"),
        ("x_amzn_oidc_identity", "alice"),
    ];
    on_both(|protocol| {
        for Gate { path, .. } in GATES {
            for header in headers {
                scenario.stopped(&mut scenario.scripted(protocol), "GET", path, &[header], b"");
            }
            let answer = scenario.stopped(&mut scenario.proxy.browser(protocol), "GET", path, &headers[2..], b"");
            if answer.status == 302 && !path.starts_with("/pool/") {
                let callback = scenario.provider.callback_of(answer.location());
                assert!(callback.starts_with("https://app.test/oauth2/idpresponse?"), "{callback}");
            }
        }
    });
}

#[test]
fn f_09_a_session_that_does_not_open_is_nobody_at_each_gate() {
    let (scenario, _other) = start("");
    on_both(|protocol| {
        let good = scenario.alice(protocol).cookie("app.test", "__Host-vestibule-0").expect("a session");
        let half = &good[..good.len() / 2];
        for Gate { path, .. } in GATES {
            for value in ["", "1", "1AAAA", "null", half, &format!("{good}A")] {
                for name in ["__Host-vestibule", "__Host-pool"] {
                    let cookie = format!("{name}-0={value}");
                    scenario.stopped(&mut scenario.scripted(protocol), "GET", path, &[("cookie", &cookie)], b"");
                }
            }
            // The session of another gate.
            let renamed = format!("__Host-pool-0={good}");
            scenario.stopped(&mut scenario.scripted(protocol), "GET", path, &[("cookie", &renamed)], b"");
        }
    });
}

#[test]
fn d_07_d_11_d_13_d_17_a_refusal_costs_little_and_sets_no_cookie() {
    let (scenario, _other) = start("");
    let many = (0..900).map(|number| format!("c{number}=x")).collect::<Vec<_>>().join("; ");
    on_both(|protocol| {
        for Gate { path, .. } in GATES {
            let mut script = scenario.scripted(protocol);
            for (headers, body) in [(&[("cookie", &*many)][..], &b""[..]), (&[], b"\0\xff"), (&[], b"a=b")] {
                let method = if body.is_empty() { "GET" } else { "POST" };
                let answer = scenario.stopped(&mut script, method, path, headers, body);
                assert_eq!((answer.status, answer.set_cookies()), (401, vec![]), "{method} {path}");
            }
        }
    });
    for Gate { path, .. } in GATES {
        for length in ["Content-Length: 10737418240", "Transfer-Encoding: chunked"] {
            let mut raw = Raw::connect(scenario.proxy.address(), "app.test");
            // Not one byte of the body is ever sent.
            raw.send(format!("POST {path} HTTP/1.1\r\nHost: app.test\r\n{length}\r\n\r\n"));
            assert_eq!(raw::status(&raw.read_response().0), 401, "{path} {length}");
        }
        let upload = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "app.test"),
            (":path", path),
            ("content-length", "10737418240"),
        ];
        let mut client = Http2::connect(scenario.proxy.address(), "app.test");
        client.open(&upload, Stream::Open);
        let head = client.frame_that(|frame| frame.status().is_some()).expect("an answer");
        assert_eq!(head.status(), Some(401), "{path} over HTTP/2");
    }
    let reached: Vec<_> = scenario.target.received().into_iter().map(|request| request.line).collect();
    assert!(reached.is_empty(), "{reached:?}");
}

#[test]
fn x_01_to_x_03_x_07_a_refusal_repeats_nothing_and_stays_where_it_belongs() {
    let (scenario, _other) = start("");
    let mark = "%3Cscript%3Ealert(1)%3C/script%3E";
    on_both(|protocol| {
        for Gate { path, .. } in GATES {
            for accept in ["text/html", "application/json", "text/plain"] {
                let headers = [("accept", accept), ("referer", "javascript:alert(1)"), ("x-mark", "<script>alert(1)")];
                let url = format!("{path}{mark}?q={mark}");
                let answer = scenario.stopped(&mut scenario.scripted(protocol), "GET", &url, &headers, b"");
                let said = format!("{:?} {}", answer.headers, answer.text());
                assert!(!said.contains("alert(1)</") && !said.contains("<script"), "{path}: {said}");
                assert!(!said.contains("javascript:"), "{path}: {said}");
                for (name, value) in [
                    ("cache-control", "no-store"),
                    ("x-content-type-options", "nosniff"),
                    ("referrer-policy", "no-referrer"),
                ] {
                    assert_eq!(answer.header(name), Some(value), "{path} {accept} {name}");
                }
                let policy = answer.header("content-security-policy").expect("a policy");
                assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
                // A page that a frame of the application may get says so inside the frame.
                let frames = [("DENY", "frame-ancestors 'none'"), ("SAMEORIGIN", "frame-ancestors 'self'")];
                let framed = answer.header("x-frame-options").expect("a value");
                let (_, ancestors) = frames.iter().find(|(value, _)| *value == framed).expect("one of both");
                assert!(policy.contains(ancestors), "{path} {accept}: {framed} {policy}");
            }
        }
    });
}

#[test]
fn x_10_a_preflight_opens_no_gate() {
    let with = "    cors: { allow_origins: ['https://spa.test'], allow_methods: [GET, DELETE], allow_headers: [authorization] }";
    for listener in ["", with] {
        let (scenario, _other) = start(listener);
        on_both(|protocol| {
            for Gate { path, .. } in GATES {
                for origin in ["https://spa.test", "https://evil.test"] {
                    let preflight = [
                        ("origin", origin),
                        ("access-control-request-method", "DELETE"),
                        ("access-control-request-headers", "authorization"),
                    ];
                    let before = scenario.target.count();
                    let url = format!("https://app.test{path}");
                    let answer = scenario.proxy.browser(protocol).send("OPTIONS", &url, &preflight, b"");
                    let is_told = answer.header("access-control-allow-origin").is_some();
                    let expected = if listener.is_empty() { 401 } else { 204 };
                    assert_eq!((answer.status, answer.header("location")), (expected, None), "{path} {origin}");
                    assert_eq!(is_told, !listener.is_empty() && origin == "https://spa.test", "{path} {origin}");
                    // What follows it meets the gate.
                    let answer = scenario.scripted(protocol).send("DELETE", &url, &preflight, b"");
                    assert_eq!(answer.status, 401, "{path} {origin}");
                    assert_eq!(scenario.target.count(), before, "{path} {origin}");
                }
            }
        });
    }
}

//! A user pool behind another proxy: its host is routed to Vestibule as a whole.

use serde_json::json;

use super::front::{Front, Kind, file, untouched};
use crate::harness::browser::{Browser, Protocol, on_both};
use crate::user_pool::{PASSWORD, hash, submit_at};

const ISSUER: &str = "https://login.test";

fn front(kind: Kind) -> Front {
    let yaml = |ours: String| {
        let written = file("# vestibule.yaml with a user pool");
        let (_, end) = ours.split_once("admin: ").expect("the end that tests add");
        let asked_by = ours.lines().find(|line| line.contains("asked_by")).expect("who asks").trim().to_owned();
        let written = written
            .replace("asked_by: nginx", &asked_by)
            .replace("127.0.0.1:9000", "127.0.0.1:0")
            .replace("${ADA_PASSWORD_HASH}", &format!("'{}'", hash()))
            .replace("app.example.com", "app.test")
            .replace("login.example.com", "login.test")
            .replace("/etc/vestibule/", "");
        format!("{written}admin: {end}")
    };
    Front::start_with(kind, yaml, |text| match kind {
        Kind::Nginx => {
            let server = file("# nginx.conf, the server of the user pool");
            let (http, end) = text.trim_end().rsplit_once('}').expect("the end of `http`");
            format!("{http}{server}}}{end}\n")
        }
        _ => text + &file("# Caddyfile, the site of the user pool"),
    })
}

#[test]
fn a_user_of_a_pool_signs_in_behind_another_proxy() {
    for kind in [Kind::Nginx, Kind::Caddy] {
        let front = front(kind);
        on_both(|protocol| {
            let mut browser = front.browser(protocol);
            let sent = untouched(&front, "no session", || browser.get("https://app.test/x?y=1"));
            assert_eq!(sent.status, 302, "{kind:?}: {sent:?}");
            assert!(sent.location().starts_with("https://login.test/oauth2/authorize?"), "{}", sent.location());
            let page = browser.get(sent.location());
            assert_eq!(page.status, 200, "{kind:?}: {page:?}");
            let signed_in = submit_at(ISSUER, &mut browser, &page, "ada", PASSWORD);
            assert!(signed_in.location().starts_with("https://app.test/oauth2/idpresponse?"), "{signed_in:?}");
            let back = browser.get(signed_in.location());
            assert_eq!((back.status, back.location()), (302, "/x?y=1"), "{back:?}");
            assert_eq!(browser.get("https://app.test/x?y=1").status, 200);
            assert!(front.target.last().header("x-amzn-oidc-data").is_some_and(|claims| claims.len() > 100));
            assert_eq!(front.target.last().header("cookie"), None);
            let metadata = browser.get("https://login.test/.well-known/openid-configuration").json();
            assert_eq!(metadata["issuer"], json!(ISSUER));
        });
    }
}

/// The other proxy passes on every path of the host, also those of the questions.
#[test]
fn f_11_at_the_host_of_a_pool_nobody_asks() {
    for kind in [Kind::Nginx, Kind::Caddy] {
        let front = front(kind);
        let mut browser = front.browser(Protocol::Http2);
        let page = browser.get("https://app.test/");
        let page = browser.get(page.location());
        let back = submit_at(ISSUER, &mut browser, &page, "ada", PASSWORD);
        assert_eq!(browser.get(back.location()).status, 302);
        let cookies = browser.cookie_header("app.test");
        let question = [
            ("cookie", &*cookies),
            ("x-original-method", "GET"),
            ("x-original-url", "https://app.test/"),
            ("x-forwarded-method", "GET"),
            ("x-forwarded-uri", "/"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "app.test"),
        ];
        for host in ["login.test", "LOGIN.test", "login.test:443", "login.test.", "login.test:1", "login.test:0"] {
            for path in ["/auth", "/auth/status"] {
                let of_front = |protocol| Browser::new(protocol, front.address);
                let answer = of_front(Protocol::Http1).send("GET", &format!("https://{host}{path}"), &question, b"");
                // Caddy answers by itself for a host that it does not know.
                assert!(answer.header("x-amzn-oidc-data").is_none(), "{kind:?} {host} {path}: {answer:?}");
                assert!(answer.header("x-amzn-trace-id").is_none(), "{kind:?} {host} {path}: {answer:?}");
                // And directly, as the other proxy passes it on.
                let mut as_proxy = Browser::new(Protocol::Http1, front.door.address_of("door"));
                let mut headers = question.to_vec();
                headers.push(("x-forwarded-for", "192.0.2.1"));
                let answer = as_proxy.send("GET", &format!("http://{host}{path}"), &headers, b"");
                assert!(answer.status >= 400, "{kind:?} {host} {path}: {answer:?}");
                assert!(answer.header("x-amzn-oidc-data").is_none(), "{kind:?} {host} {path}: {answer:?}");
            }
        }
        // The proxy itself is answered: it asks by another name.
        let mut asking = Browser::new(Protocol::Http1, front.door.address_of("door"));
        let mut headers = question.to_vec();
        headers.push(("x-forwarded-for", "192.0.2.1"));
        let path = if kind == Kind::Nginx { "/auth/status" } else { "/auth" };
        let answer = asking.send("GET", &format!("http://app.test{path}"), &headers, b"");
        assert!(answer.status == 200 && answer.header("x-amzn-oidc-data").is_some(), "{kind:?}: {answer:?}");
    }
}

//! What a team chooses about other sites: where the session cookie goes, who may open WebSockets, what a sign-out clears.

use crate::harness::app::{Proxy, Setup};
use crate::harness::browser::{Browser, Protocol, on_both};
use crate::harness::provider::Provider;
use crate::harness::server::{Reply, Server};
use crate::harness::{raw, target};

const PAGE: &str = "https://app.test/page?x=1";

fn actions(keys: &str) -> String {
    format!(
        "
      - {{ type: authenticate-oidc, provider: corp, {keys} }}
      - {{ type: forward, target_group: app }}"
    )
}

/// Signs in; answers the browser and the line that gave it the session.
#[track_caller]
fn signed_in(proxy: &Proxy, provider: &Provider, protocol: Protocol) -> (Browser, String) {
    let mut browser = proxy.browser(protocol);
    let sent = browser.get(PAGE);
    let back = browser.get(&provider.callback_of(sent.location()));
    let line = back.new_session().pop().expect("a session").to_owned();
    (browser, line)
}

#[test]
fn a_team_chooses_with_which_requests_of_other_sites_the_session_goes() {
    let (provider, target) = (Provider::start(), target::echo());
    for (written, attribute) in [("lax", "SameSite=Lax"), ("none", "SameSite=None"), ("strict", "SameSite=Strict")] {
        let keys = format!("session_cookie_same_site: {written}");
        let proxy = Setup::new(&provider, &target).default_actions(&actions(&keys)).start();
        on_both(|protocol| {
            let (mut browser, line) = signed_in(&proxy, &provider, protocol);
            assert!(line.contains(attribute) && line.contains("; Secure;"), "{line}");
            let out = browser.get("https://app.test/oauth2/sign_out");
            let shards: Vec<_> = out.set_cookies().into_iter().filter(|line| !line.contains("-login-")).collect();
            assert!(
                shards.iter().all(|line| line.contains(attribute)),
                "what deletes must be accepted, too: {shards:?}"
            );
            // The login itself always survives the way to the provider and back.
            let sent = browser.get(PAGE);
            assert!(sent.set_cookies().iter().all(|line| line.contains("SameSite=Lax")), "{:?}", sent.set_cookies());
        });
    }
}

#[test]
fn with_strict_cookies_a_page_of_ours_leads_where_a_redirect_would_not_carry_the_session() {
    let (provider, target) = (Provider::start(), target::echo());
    let proxy = Setup::new(&provider, &target).default_actions(&actions("session_cookie_same_site: strict")).start();
    on_both(|protocol| {
        // The way back from the provider is a navigation of another site, redirects included.
        let mut browser = proxy.browser(protocol);
        let sent = browser.get(PAGE);
        let back = browser.get(&provider.callback_of(sent.location()));
        assert_eq!((back.status, back.header("location")), (200, None));
        assert!(back.text().contains(r#"content="0;url=/page?x=1""#), "{}", back.text());
        assert_eq!(browser.get(PAGE).status, 200);
        // A link from another site: the browser keeps the cookie back, and sends it when our page leads there.
        let mut led = proxy.browser(protocol);
        let link = led.send("GET", PAGE, &[("sec-fetch-site", "cross-site")], b"");
        assert_eq!((link.status, link.set_cookies().len()), (200, 0));
        assert!(link.text().contains(r#"content="0;url=/page?x=1""#), "{}", link.text());
        let own = led.send("GET", PAGE, &[("sec-fetch-site", "same-origin")], b"");
        assert!(own.location().starts_with(&provider.issuer()), "no session: no loop either");
    });
}

fn echo() -> Server {
    Server::start(|_| {
        Reply::Switch(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n".into())
    })
}

#[test]
fn a_page_of_an_allowed_origin_opens_websockets_and_no_other() {
    let (provider, target) = (Provider::start(), echo());
    let keys = "allowed_origins: [https://other.test, 'https://other.test:8443']";
    let proxy = Setup::new(&provider, &target).default_actions(&actions(keys)).start();
    let (browser, _) = signed_in(&proxy, &provider, Protocol::Http1);
    let cookies = browser.cookie_header("app.test");
    let status = |origin: &str| {
        let request = format!(
            "GET /ws HTTP/1.1\r\nhost: app.test\r\nupgrade: websocket\r\nconnection: Upgrade\r\norigin: {origin}\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\ncookie: {cookies}\r\n\r\n"
        );
        let mut client = raw::Raw::connect(proxy.address(), "app.test");
        client.send(request);
        raw::status(&client.read_until("\r\n\r\n"))
    };
    for origin in ["https://app.test", "https://other.test", "https://other.test:8443", "https://OTHER.test"] {
        assert_eq!(status(origin), 101, "{origin}");
    }
    for origin in [
        "http://other.test",
        "https://other.test:444",
        "https://other.test.evil.test",
        "https://xother.test",
        "https://evil.test",
        "null",
    ] {
        assert_eq!(status(origin), 403, "{origin}");
    }
}

#[test]
fn a_sign_out_tells_the_browser_what_to_forget() {
    let (provider, target) = (Provider::start(), target::echo());
    for (written, expected) in [
        ("", Some("\"cache\"")),
        (", clear_site_data: [cache, storage]", Some("\"cache\", \"storage\"")),
        (", clear_site_data: []", None),
    ] {
        let rest = format!(
            "claims: {{ signer: 'arn:vestibule:test', signing_key_file: claims-key.pem }}\n\
             session: {{ key_files: [session-key]{written} }}\n"
        );
        let proxy = Setup::new(&provider, &target).rest(&rest).start();
        on_both(|protocol| {
            let (mut browser, _) = signed_in(&proxy, &provider, protocol);
            let out = browser.get("https://app.test/oauth2/sign_out");
            assert_eq!((out.status, out.header("clear-site-data")), (302, expected), "{written}");
            // Whoever was not signed in has nothing to forget.
            assert_eq!(browser.get("https://app.test/oauth2/sign_out").header("clear-site-data"), None);
        });
    }
}

#[test]
fn a_page_that_may_not_sign_the_user_out_offers_to() {
    let (provider, target) = (Provider::start(), target::echo());
    let proxy = Setup::new(&provider, &target).start();
    on_both(|protocol| {
        let mut browser = proxy.signed_in(protocol, &provider);
        let refused = browser.send("GET", "https://app.test/oauth2/sign_out", &[("sec-fetch-site", "cross-site")], b"");
        assert_eq!(refused.status, 403);
        assert!(refused.text().contains(r#"href="/oauth2/sign_out">Sign out</a>"#), "{}", refused.text());
    });
}

//! Whole sign-ins against servers in memory. The browser is a socket.

mod device;
mod mix_up;
mod scripted;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

use super::error::Error;
use super::sign_in::Wish;
use super::token::{self, Held, Revoked};
use crate::message::form::Form;
use crate::secret::Secret;
use scripted::*;

#[tokio::test]
async fn a_browser_signs_in_and_its_code_becomes_a_token() {
    let servers = Servers::new(json!({}));
    let wish = Wish { is_kept: true, ..wish() };
    let signed_in = by_browser(&servers, &wish, async |address| {
        let url = Url::parse(&address).expect("a URL");
        assert_eq!(parameter(&url, "client_id"), "cli");
        assert_eq!(parameter(&url, "scope"), "openid groups offline_access");
        assert_eq!(parameter(&url, "resource"), APP);
        let callback = callback(&address, &[("code", "c-1"), ("iss", ISSUER)]);
        assert_eq!((callback.host_str(), callback.path()), (Some("127.0.0.1"), "/callback"));
        let page = visit(&callback, callback.authority(), "GET").await;
        assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("Zurück zum Terminal"), "{page}");
        assert!(page.contains("default-src 'none'") && !page.contains("c-1"), "{page}");
        let port = callback.port().expect("a port");
        assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err(), "it closes after one answer");
    })
    .await
    .expect("signed in");
    assert_eq!((&*signed_in.resource, &*signed_in.issuer, &*signed_in.client_id), (APP, ISSUER, "cli"));
    assert_eq!(signed_in.token.access.expose(), "abc.def");
    let sent = servers.sent(TOKEN);
    let form = Form::parse(sent.as_bytes()).expect("a form");
    for (name, value) in
        [("grant_type", "authorization_code"), ("code", "c-1"), ("client_id", "cli"), ("resource", APP)]
    {
        assert_eq!(form.one(name), Ok(Some(value)));
    }
    assert_eq!(form.one("code_verifier").expect("once").map(str::len), Some(43));
}

/// A machine without IPv6 has only one.
async fn families() -> Vec<IpAddr> {
    let all = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
    let mut found = Vec::new();
    for ip in all {
        if TcpListener::bind((ip, 0)).await.is_ok() {
            found.push(ip);
        }
    }
    found
}

#[tokio::test]
async fn a_browser_may_take_localhost_for_either_family() {
    for ip in families().await {
        let servers = Servers::new(json!({}));
        let wish = Wish { redirect: "http://localhost/cb".parse().expect("sound"), ..wish() };
        let signed_in = by_browser(&servers, &wish, async |address| {
            let callback = callback(&address, &[("code", "c-1"), ("iss", ISSUER)]);
            assert_eq!(callback.host_str(), Some("localhost"));
            let page = visit_at(ip, &callback, callback.authority(), "GET").await;
            assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
        });
        signed_in.await.expect("signed in");
    }
}

/// Otherwise the code would go to whoever listens there.
#[tokio::test]
async fn a_port_of_localhost_that_another_program_has_in_one_family_is_not_used() {
    for ip in families().await {
        let other = TcpListener::bind((ip, 0)).await.expect("a free port");
        let uri = format!("http://localhost:{}/cb", other.local_addr().expect("bound").port());
        let wish = Wish { redirect: uri.parse().expect("sound"), patience: Duration::ZERO, ..wish() };
        let error = refused(&Servers::new(json!({})), &wish).await;
        assert!(matches!(error, Error::Listen(..)), "{error}");
    }
}

#[tokio::test]
async fn c_01_c_05_requests_of_other_pages_change_nothing() {
    let servers = Servers::new(json!({}));
    let signed_in = by_browser(&servers, &wish(), async |address| {
        let good = callback(&address, &[("code", "c-1"), ("iss", ISSUER)]);
        let mut guessed = good.clone();
        guessed.set_query(Some("code=evil&state=guessed"));
        let mut elsewhere = good.clone();
        elsewhere.set_path("/");
        let host = good.authority().to_owned();
        for (url, host, method) in [
            (&guessed, &*host, "GET"),
            (&elsewhere, &host, "GET"),
            (&good, "evil.test", "GET"),
            (&good, &host, "POST"),
            (&good, &host, "HEAD"),
        ] {
            let page = visit(url, host, method).await;
            assert!(page.starts_with("HTTP/1.1 404 "), "{method} {url} {host}: {page}");
        }
        // A connection that a browser opens and does not use is in nobody's way.
        let _unused = tokio::net::TcpStream::connect(("127.0.0.1", good.port().expect("a port"))).await.expect("open");
        assert!(visit(&good, &host, "GET").await.starts_with("HTTP/1.1 200 "));
    })
    .await
    .expect("signed in");
    assert_eq!(signed_in.token.access.expose(), "abc.def");
    assert!(servers.sent(TOKEN).contains("code=c-1"));
}

#[tokio::test]
async fn c_05_an_answer_of_another_issuer_ends_the_sign_in_without_a_token() {
    for (answer, expected) in [
        (&[("code", "c-1"), ("iss", "https://evil.test")][..], "another issuer"),
        (&[("code", "c-1")], "another issuer"),
        (
            &[("error", "access_denied"), ("error_description", "no\u{1b}[31m"), ("iss", ISSUER)],
            "access_denied (no[31m)",
        ),
        (&[("iss", ISSUER)], "not complete"),
    ] {
        let servers = Servers::new(json!({}));
        let error = by_browser(&servers, &wish(), async |address| {
            let callback = callback(&address, answer);
            let page = visit(&callback, callback.authority(), "GET").await;
            assert!(page.contains("Sie haben sich nicht angemeldet"), "{page}");
        })
        .await
        .expect_err("refused");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!servers.asked().contains(&TOKEN.to_owned()), "no code is sent");
    }
}

#[tokio::test]
async fn o_02_a_hostile_application_makes_nobody_call_other_servers() {
    let challenge = |metadata: &str| format!("Bearer resource_metadata=\"{metadata}\"");
    for metadata in [
        "https://evil.test/.well-known/oauth-protected-resource",
        "http://app.test/.well-known/oauth-protected-resource",
        "http://127.0.0.1:9/x",
        "https://app.test:8443/.well-known/oauth-protected-resource",
        "file:///etc/passwd",
    ] {
        let servers = Servers::new(json!({}));
        servers.says(&format!("{APP}/x"), answer(401, &[("www-authenticate", &challenge(metadata))], json!({})));
        let error = refused(&servers, &wish()).await;
        assert!(matches!(error, Error::Address { what: "the metadata", .. }), "{error}");
        assert_eq!(servers.asked(), [format!("{APP}/x")]);
    }
    // The metadata of another application, or of another path.
    for resource in [
        "https://other.test",
        "https://app.test/x",
        "https://app.test.evil.test",
        "http://app.test",
        " https://app.test",
        "https://app.test?x",
    ] {
        let servers = Servers::new(json!({}));
        servers.says_json(METADATA, json!({"resource": resource, "authorization_servers": [ISSUER]}));
        let error = refused(&servers, &wish()).await;
        assert!(matches!(error, Error::OtherResource { .. }), "{resource}: {error}");
    }
    for issuer in [
        "http://login.test",
        "https://127.0.0.1:8443",
        "https://localhost",
        "https://169.254.169.254",
        "https://u:p@login.test",
        "javascript:alert(1)",
        "https://login.test/\u{1b}[2J",
    ] {
        let servers = Servers::new(json!({}));
        servers.says_json(METADATA, json!({"resource": APP, "authorization_servers": [issuer]}));
        let error = refused(&servers, &wish()).await;
        assert!(matches!(error, Error::Address { what: "the issuer", .. }), "{issuer}: {error}");
        assert!(!error.to_string().contains('\u{1b}'));
        assert_eq!(servers.asked().len(), 2);
    }
}

#[tokio::test]
async fn o_01_an_issuer_is_believed_about_itself_only() {
    for issuer in ["https://login.test/", "https://evil.test", "", "HTTPS://login.test"] {
        let servers = Servers::new(json!({"issuer": issuer}));
        let error = refused(&servers, &wish()).await;
        assert!(matches!(error, Error::NoServer(_)), "{issuer}: {error}");
    }
    for (name, address) in [
        ("token_endpoint", "http://login.test/token"),
        ("authorization_endpoint", "javascript:alert(1)"),
        ("authorization_endpoint", "file:///x"),
        ("device_authorization_endpoint", "https://127.0.0.1/"),
        ("registration_endpoint", "ftp://login.test/"),
    ] {
        let servers = Servers::new(json!({name: address}));
        let error = refused(&servers, &wish()).await;
        assert!(matches!(&error, Error::Address { what, .. } if *what == name), "{address}: {error}");
    }
    let servers = Servers::new(json!({"code_challenge_methods_supported": ["plain"]}));
    assert!(refused(&servers, &wish()).await.to_string().contains("PKCE"));
    let other = Wish { issuer: Some("https://other.test".into()), ..wish() };
    assert!(matches!(refused(&Servers::new(json!({})), &other).await, Error::OtherIssuer { .. }));
}

#[tokio::test]
async fn metadata_is_looked_for_where_the_standard_has_it_if_nobody_names_it() {
    for (answered, expected) in
        [(answer(200, &[], json!({})), 5), (answer(401, &[("www-authenticate", "Basic realm=x")], json!({})), 5)]
    {
        let servers = Servers::new(json!({"device_authorization_endpoint": DEVICE}));
        servers.says(&format!("{APP}/x"), answered);
        servers.says(DEVICE, answer(400, &[], json!({"error": "invalid_scope"})));
        assert!(refused(&servers, &wish()).await.is_refusal("invalid_scope"));
        let asked = servers.asked();
        assert_eq!(asked[1..3], [format!("{METADATA}/x"), METADATA.to_owned()]);
        assert_eq!(asked.len(), expected, "{asked:?}");
    }
    let servers = Servers::new(json!({}));
    servers.says(&format!("{APP}/x"), answer(200, &[], json!({})));
    servers.says(METADATA, answer(401, &[], json!({})));
    assert!(matches!(refused(&servers, &wish()).await, Error::NoMetadata(_)));
}

#[tokio::test]
async fn a_program_registers_where_the_issuer_lets_it() {
    let registration = "https://login.test/register";
    let servers = Servers::new(json!({"registration_endpoint": registration}));
    servers.says_json(METADATA, json!({"resource": APP, "authorization_servers": [ISSUER]}));
    servers.says(registration, answer(201, &[], json!({"client_id": "new-1"})));
    let signed_in = by_browser(&servers, &wish(), async |address| {
        let callback = callback(&address, &[("code", "c-1"), ("iss", ISSUER)]);
        visit(&callback, callback.authority(), "GET").await;
    })
    .await
    .expect("signed in");
    assert_eq!(signed_in.client_id, "new-1");
    let sent: Value = serde_json::from_str(&servers.sent(registration)).expect("JSON");
    assert_eq!(sent["token_endpoint_auth_method"], "none");
    assert!(sent["redirect_uris"][0].as_str().expect("an address").starts_with("http://127.0.0.1:"), "{sent}");
    // Nobody says which client, and none can be made.
    let servers = Servers::new(json!({}));
    servers.says_json(METADATA, json!({"resource": APP, "authorization_servers": [ISSUER]}));
    assert!(matches!(refused(&servers, &wish()).await, Error::NoClient(_)));
}

#[tokio::test]
async fn a_refresh_token_goes_to_its_own_issuer_and_can_be_given_back() {
    let revocation = "https://login.test/revoke";
    let servers = Servers::new(json!({"revocation_endpoint": revocation}));
    servers.says(revocation, answer(200, &[], json!(null)));
    let held = Held { issuer: ISSUER, client_id: "cli", resource: Some(APP) };
    let kept = Secret::new("r-0".to_owned());
    let token = token::refresh(&servers.calls(), held, &kept).await.expect("a token");
    assert_eq!(token.refresh.expect("the next").expose(), "r-1");
    let sent = servers.sent(TOKEN);
    assert!(sent.contains("refresh_token=r-0") && sent.contains("resource=https%3A%2F%2Fapp.test"), "{sent}");
    assert_eq!(token::revoke(&servers.calls(), held, &kept, "refresh_token").await.expect("told"), Revoked::Yes);
    assert!(servers.sent(revocation).contains("token=r-0"));
    // The application is not asked: it cannot name another issuer for a token that is kept.
    assert!(servers.asked().iter().all(|url| url.starts_with("https://login.test/")));
    let without = Servers::new(json!({}));
    assert_eq!(
        token::revoke(&without.calls(), held, &kept, "refresh_token").await.expect("asked"),
        Revoked::Impossible
    );
    let moved = Servers::new(json!({"issuer": "https://evil.test", "token_endpoint": "https://evil.test/token"}));
    assert!(token::refresh(&moved.calls(), held, &kept).await.is_err());
    assert!(!moved.asked().iter().any(|url| url.contains("token")));
}

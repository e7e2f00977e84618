//! Whole sign-ins against servers in memory. The browser is a socket.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use url::Url;

use super::address::Place;
use super::calls::Calls;
use super::error::Error;
use super::loopback::Redirect;
use super::screen::Screen;
use super::sign_in::{self, Flow, SignedIn, Wish};
use super::token::{self, Held, Revoked};
use crate::backchannel::call::{self, Backchannel};
use crate::message::form::Form;
use crate::message::{WholeRequest, WholeResponse};
use crate::secret::Secret;

const APP: &str = "https://app.test";
const ISSUER: &str = "https://login.test";
const METADATA: &str = "https://app.test/.well-known/oauth-protected-resource";
const DISCOVERY: &str = "https://login.test/.well-known/openid-configuration";
const TOKEN: &str = "https://login.test/token";
const DEVICE: &str = "https://login.test/device";

/// Servers that answer what they are told, and remember what they were asked.
#[derive(Debug, Default)]
struct Servers {
    /// By address. Of several answers, the first goes, except the last.
    answers: Mutex<BTreeMap<String, Vec<Result<WholeResponse, ()>>>>,
    asked: Mutex<Vec<(String, String)>>,
}

impl Backchannel for Servers {
    fn call(
        &self,
        request: WholeRequest,
    ) -> Pin<Box<dyn Future<Output = Result<WholeResponse, call::Error>> + Send + '_>> {
        let url = request.uri().to_string();
        let body = String::from_utf8(request.body().to_vec()).expect("text");
        self.asked.lock().expect("sound").push((url.clone(), body));
        let mut answers = self.answers.lock().expect("sound");
        let answer = match answers.get_mut(&url) {
            Some(several) if several.len() > 1 => several.remove(0),
            Some(one) => one[0].clone(),
            None => Ok(answer(404, &[], json!(null))),
        };
        Box::pin(async move { answer.map_err(|()| call::Error::Timeout) })
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: Value) -> WholeResponse {
    let mut response = http::Response::builder().status(StatusCode::from_u16(status).expect("a status"));
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    response.body(body).expect("a response")
}

impl Servers {
    /// An application, and an issuer with these members of metadata besides the usual ones.
    fn new(more: Value) -> Arc<Self> {
        let servers = Arc::new(Self::default());
        let challenge = format!("Bearer realm=\"vestibule\", resource_metadata=\"{METADATA}\"");
        servers.says(&format!("{APP}/x"), answer(401, &[("www-authenticate", &challenge)], json!({})));
        let metadata = json!({"resource": APP, "authorization_servers": [ISSUER], "scopes_supported": ["openid", "groups"], "vestibule_client_id": "cli"});
        servers.says(METADATA, answer(200, &[], metadata));
        let mut discovery = json!({
            "issuer": ISSUER, "token_endpoint": TOKEN, "authorization_endpoint": "https://login.test/authorize",
            "authorization_response_iss_parameter_supported": true, "scopes_supported": ["openid", "offline_access"],
        });
        discovery.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        servers.says(DISCOVERY, answer(200, &[], discovery));
        let token = json!({"access_token": "abc.def", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r-1", "scope": "openid"});
        servers.says(TOKEN, answer(200, &[], token));
        servers
    }

    fn says(&self, url: &str, answer: WholeResponse) {
        self.answers.lock().expect("sound").insert(url.to_owned(), vec![Ok(answer)]);
    }

    fn says_json(&self, url: &str, body: Value) {
        self.says(url, answer(200, &[], body));
    }

    fn says_first(&self, url: &str, first: Vec<Result<WholeResponse, ()>>) {
        let mut answers = self.answers.lock().expect("sound");
        let last = answers.remove(url).unwrap_or_default();
        answers.insert(url.to_owned(), first.into_iter().chain(last).collect());
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("sound").iter().map(|(url, _)| url.clone()).collect()
    }

    /// The last body that was sent to an address.
    fn sent(&self, url: &str) -> String {
        let asked = self.asked.lock().expect("sound");
        asked.iter().rfind(|(asked, _)| asked == url).unwrap_or_else(|| panic!("{url} in {asked:?}")).1.clone()
    }

    fn calls(self: &Arc<Self>) -> Calls {
        Calls::new(Arc::clone(self) as Arc<dyn Backchannel>, Place::Elsewhere)
    }
}

/// Hands on what is shown.
struct Shown(mpsc::UnboundedSender<String>);

impl Screen for Shown {
    fn begin(&self, issuer: &str, resource: &str, client_id: &str) {
        let _ = self.0.send(format!("{issuer} {resource} {client_id}"));
    }

    fn show_address(&self, address: &Url) {
        let _ = self.0.send(address.to_string());
    }

    fn show_code(&self, address: &Url, code: &str, whole: Option<&Url>) {
        let _ = self.0.send(format!("{address} {code} {}", whole.map(Url::as_str).unwrap_or_default()));
    }
}

fn wish() -> Wish {
    Wish {
        client_id: None,
        issuer: None,
        scope: None,
        is_kept: false,
        names_resource: true,
        redirect: Redirect::default(),
        flow: Flow::Either,
        patience: Duration::from_secs(300),
    }
}

fn asked() -> Url {
    Url::parse(&format!("{APP}/x")).expect("a URL")
}

/// A sign-in that must fail before the user sees anything but its beginning.
async fn refused(servers: &Arc<Servers>, wish: &Wish) -> Error {
    let (shown, _shows) = mpsc::unbounded_channel();
    let result = sign_in::sign_in(&servers.calls(), &asked(), wish, &Shown(shown)).await;
    result.map(|signed_in| panic!("{signed_in:?}")).unwrap_err()
}

/// What a browser gets at an address on this machine.
async fn visit(url: &Url, host: &str, method: &str) -> String {
    let port = url.port().expect("a port");
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("somebody listens");
    let target = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    let head = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\naccept-language: de\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("text");
    text
}

fn parameter(url: &Url, name: &str) -> String {
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.unwrap_or_else(|| panic!("{name} in {url}")).1.into_owned()
}

/// The address that the issuer would send the browser to, with its answer.
fn callback(authorization: &str, answer: &[(&str, &str)]) -> Url {
    let authorization = Url::parse(authorization).expect("a URL");
    let mut url = Url::parse(&parameter(&authorization, "redirect_uri")).expect("a URL");
    url.query_pairs_mut().append_pair("state", &parameter(&authorization, "state")).extend_pairs(answer);
    url
}

/// Signs in by a browser that does this with the address that it is shown.
async fn by_browser(servers: &Arc<Servers>, wish: &Wish, browse: impl AsyncFnOnce(String)) -> Result<SignedIn, Error> {
    let (shown, mut shows) = mpsc::unbounded_channel();
    let (calls, asked, shown) = (servers.calls(), asked(), Shown(shown));
    let person = async {
        let address = loop {
            let text = shows.recv().await.expect("something is shown");
            if text.starts_with("https://login.test/authorize?") {
                break text;
            }
        };
        browse(address).await;
    };
    tokio::join!(sign_in::sign_in(&calls, &asked, wish, &shown), person).0
}

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

fn begun() -> Value {
    json!({"device_code": "d-1", "user_code": "WDJB\u{1b}[2J-MJHT", "verification_uri": "https://login.test/activate", "verification_uri_complete": "https://login.test/activate?code=WDJB", "expires_in": 600, "interval": 5})
}

fn error_of(code: &str) -> Result<WholeResponse, ()> {
    Ok(answer(400, &[], json!({"error": code})))
}

#[tokio::test(start_paused = true)]
async fn on_another_device_the_issuer_is_asked_as_often_as_it_likes() {
    let servers = Servers::new(json!({"device_authorization_endpoint": DEVICE}));
    servers.says_json(DEVICE, begun());
    servers.says_first(
        TOKEN,
        vec![error_of("authorization_pending"), error_of("slow_down"), Err(()), error_of("authorization_pending")],
    );
    let (shown, mut shows) = mpsc::unbounded_channel();
    let start = tokio::time::Instant::now();
    let signed_in = sign_in::sign_in(&servers.calls(), &asked(), &wish(), &Shown(shown)).await.expect("signed in");
    // 5 s, 5 s, slower by 5: 10 s, twice as slow: 20 s, 20 s.
    assert_eq!(start.elapsed().as_secs(), 5 + 5 + 10 + 20 + 20);
    assert_eq!(signed_in.token.access.expose(), "abc.def");
    assert_eq!(shows.recv().await.as_deref(), Some("https://login.test https://app.test cli"));
    let said = shows.recv().await.expect("the code");
    assert_eq!(said, "https://login.test/activate WDJB[2J-MJHT https://login.test/activate?code=WDJB");
    let sent = servers.sent(TOKEN);
    assert!(sent.contains("device_code=d-1") && sent.contains("client_id=cli"), "{sent}");
    assert!(servers.sent(DEVICE).contains("resource=https%3A%2F%2Fapp.test"));
}

#[tokio::test(start_paused = true)]
async fn a_device_sign_in_ends_when_the_user_says_no_or_the_time_is_over() {
    for (code, after) in [("access_denied", 10), ("expired_token", 10), ("authorization_pending", 300)] {
        let servers = Servers::new(json!({"device_authorization_endpoint": DEVICE}));
        servers.says_json(DEVICE, begun());
        servers.says(TOKEN, answer(400, &[], json!({"error": code})));
        servers.says_first(TOKEN, vec![error_of("authorization_pending")]);
        let start = tokio::time::Instant::now();
        let error = refused(&servers, &wish()).await;
        assert_eq!(start.elapsed().as_secs(), after, "{code}");
        let is_it =
            if code == "authorization_pending" { matches!(error, Error::TimedOut) } else { error.is_refusal(code) };
        assert!(is_it, "{code}: {error}");
    }
    for address in [
        "http://login.test/activate",
        "javascript:alert(1)",
        "https://login.test/\u{1b}]0;x\u{7}",
        "https://127.0.0.1/",
    ] {
        for name in ["verification_uri", "verification_uri_complete"] {
            let servers = Servers::new(json!({"device_authorization_endpoint": DEVICE}));
            let mut begun = begun();
            begun[name] = json!(address);
            servers.says_json(DEVICE, begun);
            let error = refused(&servers, &wish()).await;
            assert!(matches!(&error, Error::Address { what, .. } if *what == name), "{error}");
            assert!(!error.to_string().contains(char::is_control));
        }
    }
}

#[tokio::test]
async fn a_client_that_may_not_use_devices_signs_in_by_the_browser() {
    let servers = Servers::new(json!({"device_authorization_endpoint": DEVICE}));
    servers.says(DEVICE, answer(401, &[], json!({"error": "unauthorized_client"})));
    let only = Wish { flow: Flow::Device, ..wish() };
    assert!(refused(&servers, &only).await.is_refusal("unauthorized_client"));
    let signed_in = by_browser(&servers, &wish(), async |address| {
        let callback = callback(&address, &[("code", "c-1"), ("iss", ISSUER)]);
        visit(&callback, callback.authority(), "GET").await;
    })
    .await
    .expect("signed in");
    assert_eq!(signed_in.client_id, "cli");
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

#[tokio::test(start_paused = true)]
async fn only_a_bearer_token_that_fits_into_a_header_is_a_token() {
    for token in [
        json!({"access_token": "a b"}),
        json!({"access_token": "a\r\nx: y"}),
        json!({"access_token": "\u{1b}[2J"}),
        json!({"access_token": "="}),
        json!({"access_token": "abc", "token_type": "DPoP"}),
        json!({"access_token": 1}),
        json!({}),
    ] {
        let servers = Servers::new(json!({"device_authorization_endpoint": DEVICE}));
        servers.says_json(DEVICE, begun());
        servers.says_json(TOKEN, token.clone());
        let error = refused(&servers, &wish()).await;
        assert!(matches!(error, Error::NoBearer(_) | Error::Answer(..)), "{token}: {error}");
    }
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

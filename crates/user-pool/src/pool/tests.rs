//! The pool as a browser and a relying party see it; requests in memory. The harness is here, the tests are by endpoint.

mod account;
mod authorize;
mod clients;
mod confirm;
mod demo;
mod discovery;
mod documents;
mod email_code;
mod entry;
mod factor_attacks;
mod federated;
mod generations;
mod guesses;
mod levels;
mod lifetimes;
mod log;
mod logout;
mod logout_tokens;
mod looks;
mod managed_factors;
mod mfa;
mod oauth_endpoints;
mod own_factors;
mod own_page;
mod passkeys;
mod places;
mod pushed;
mod races;
mod resources;
mod restore;
mod self_service;
mod sent_codes;
mod set_up;
mod sign_in;
mod stored;
mod stored_sessions;
mod strict_reading;
mod today;
mod token;
mod trusted_browsers;

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use url::Url;

use super::*;
use crate::client_options::ClientOptions;
use crate::clock::{ManualClock, Timestamp};
use crate::credential::password::tests::cheap;
use crate::crypto::{aead, octets};
use crate::jose::signing_key::{Algorithm, SigningKey};
use crate::message::form;
use crate::oauth::keys::KeyRing;
use crate::secret::Secret;
use crate::settings::{ClientSettings, Pkce, UserSettings};
use demo::{settings, user};

const ISSUER: &str = "https://login.example";
const CALLBACK: &str = "https://app.example.com/oauth2/idpresponse";
/// What `cli` may get tokens for.
const APPLICATION: &str = "https://app.example.com";
const VERIFIER: &str = "dBjftJeZ4CVP-mBTsk9_6q1vQ2yW8Z0aXc3Ef5Gh7Ij";
const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// A pool with two users and two clients, and a clock to move.
struct Fixture {
    pool: UserPool,
    clock: ManualClock,
    registry: Registry,
    settings: Settings,
    /// Outlives the pool, as the process does.
    process: (PoolMemory, Clock),
}

fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

fn key_of(settings: &Settings) -> &SigningKey {
    settings.signing_key.as_ref().expect("a key of a file")
}

impl Fixture {
    fn new() -> Self {
        Self::with(settings(), START)
    }

    fn with(settings: Settings, start: Timestamp) -> Self {
        let (clock, hand) = Clock::manual(start);
        Self::of_process(settings, (PoolMemory::default(), clock), hand)
    }

    fn of_process(settings: Settings, process: (PoolMemory, Clock), hand: ManualClock) -> Self {
        Self::of_store(settings, process, hand, None)
    }

    /// A pool with a database.
    fn of_store(
        settings: Settings,
        process: (PoolMemory, Clock),
        hand: ManualClock,
        stored: Option<StoredUsers>,
    ) -> Self {
        let registry = Registry::default();
        let (memory, clock) = &process;
        let keys = Keys::new(KeyRing::of_files(&settings).expect("keys of files"));
        let pool =
            UserPool::new(settings.clone(), Arc::default(), memory, (stored, &[]), keys, clock.clone(), &registry);
        Self { pool, clock: hand, registry, settings, process }
    }

    /// The next configuration of the same process. This one can still be used.
    fn reloaded(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.settings.clone();
        change(&mut settings);
        Self::of_process(settings, self.process.clone(), self.clock.clone())
    }

    /// The same configuration in a new process, a second later.
    fn restarted(&self) -> Self {
        Self::with(self.settings.clone(), self.clock.now() + Duration::from_secs(1))
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn browser(&self) -> Browser<'_> {
        Browser {
            fixture: self,
            cookies: BTreeMap::new(),
            address: "192.0.2.1".parse().expect("an address"),
            at: At::ISSUER,
            headers: vec![],
        }
    }

    /// A call of a relying party's server.
    async fn call(&self, method: Method, path: &str, headers: &[(&str, String)], body: &str) -> Answer {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Bytes::from(body.to_owned())).expect("a request");
        Answer(self.pool.handle(request, At::ISSUER, "192.0.2.9".parse().expect("an address")).await)
    }

    /// A token request of the relying party in this process.
    async fn ours(&self, fields: &[(&str, &str)]) -> Answer {
        let request = http::Request::post(routes::TOKEN).header("content-type", FORM);
        let body = Bytes::from(form::encode(fields.iter().copied()));
        Answer(self.pool.handle_ours(request.body(body).expect("a request")).await)
    }

    /// The token endpoint, as the confidential client.
    async fn token(&self, fields: &[(&str, &str)]) -> Answer {
        self.of_dashboard(routes::TOKEN, fields).await
    }

    /// What the pool answers the confidential client.
    async fn of_dashboard(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let basic = STANDARD.encode("dashboard:s3cr%2Fet%2B1");
        let headers = [("authorization", format!("Basic {basic}")), ("content-type", FORM.to_owned())];
        self.call(Method::POST, path, &headers, &form::encode(fields.iter().copied())).await
    }

    async fn redeem(&self, code: &str) -> Answer {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.token(&fields).await
    }

    async fn refresh(&self, refresh_token: &str) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    async fn userinfo(&self, access_token: &str) -> Answer {
        let headers = [("authorization", format!("Bearer {access_token}"))];
        self.call(Method::GET, routes::USERINFO, &headers, "").await
    }

    /// A fresh login of Alice's, up to the tokens.
    async fn tokens(&self) -> Value {
        let code = self.browser().sign_in("alice", "correct horse").await.code();
        self.redeem(&code).await.json()
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// A browser with a cookie jar.
struct Browser<'w> {
    fixture: &'w Fixture,
    cookies: BTreeMap<String, String>,
    address: IpAddr,
    /// The host of the pool that it is at.
    at: At,
    /// Sent with the next request.
    headers: Vec<(&'static str, &'static str)>,
}

impl Browser<'_> {
    async fn send(&mut self, method: Method, path: &str, body: String) -> Answer {
        let mut request = http::Request::builder().method(&method).uri(path);
        let has_type = self.headers.iter().any(|(name, _)| *name == "content-type");
        if method == Method::POST && !has_type {
            request = request.header("content-type", FORM);
        }
        for (name, value) in std::mem::take(&mut self.headers) {
            request = request.header(name, value);
        }
        for (name, value) in &self.cookies {
            request = request.header("cookie", format!("{name}={value}"));
        }
        let request = request.body(Bytes::from(body)).expect("a request");
        let answer = Answer(self.fixture.pool.handle(request, self.at, self.address).await);
        for cookie in answer.0.headers().get_all(header::SET_COOKIE) {
            let text = cookie.to_str().expect("ASCII");
            assert!(text.contains("; HttpOnly; SameSite=Lax; Secure; Path=/; "), "{text}");
            let (pair, _) = text.split_once(';').expect("has attributes");
            let (name, value) = pair.split_once('=').expect("a pair");
            assert!(name.starts_with("__Host-"), "{name}");
            if text.ends_with("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, String::new()).await
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(Method::POST, path, form::encode(fields.iter().copied())).await
    }

    async fn authorize(&mut self, changes: &[(&str, &str)]) -> Answer {
        self.get(&authorize_path(changes)).await
    }

    async fn submit(&mut self, page: &Answer, username: &str, password: &str) -> Answer {
        let request = page.hidden();
        self.post(routes::SIGN_IN, &[("request", &request), ("username", username), ("password", password)]).await
    }

    /// Presses the button of the page that asks whether a program may act as the user.
    async fn confirm(&mut self, page: &Answer) -> Answer {
        page.assert_page(StatusCode::OK, "Give a program access?");
        self.post(routes::CONFIRM, &[("request", &page.hidden())]).await
    }

    /// From the relying party to the answer of the sign-in form.
    async fn sign_in(&mut self, username: &str, password: &str) -> Answer {
        let page = self.authorize(&[]).await;
        assert_eq!(page.status(), StatusCode::OK);
        self.submit(&page, username, password).await
    }
}

/// The path of a good authorization request with some parameters changed; an empty value takes one out.
fn authorize_path(changes: &[(&str, &str)]) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(octets::sha256(VERIFIER.as_bytes()));
    let mut fields = vec![
        ("response_type", "code"),
        ("client_id", "dashboard"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid email profile"),
        ("state", "st&te"),
        ("nonce", "n-0S6"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    fields.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    fields.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    format!("{}?{}", routes::AUTHORIZE, form::encode(fields))
}

#[derive(Debug)]
struct Answer(WholeResponse);

impl Answer {
    fn status(&self) -> StatusCode {
        self.0.status()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(self.0.body()).expect("UTF-8")
    }

    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_slice(self.0.body()).expect("JSON")
    }

    #[track_caller]
    fn header(&self, name: &str) -> &str {
        self.0.headers().get(name).unwrap_or_else(|| panic!("has {name}")).to_str().expect("ASCII")
    }

    /// The form's hidden value.
    #[track_caller]
    fn hidden(&self) -> String {
        let (_, rest) = self.text().split_once(r#"name="request" value=""#).expect("a form");
        rest.split_once('"').expect("a whole attribute").0.to_owned()
    }

    #[track_caller]
    fn location(&self) -> Url {
        assert_eq!(self.status(), StatusCode::SEE_OTHER, "{}", self.text());
        url(self.header("location"))
    }

    #[track_caller]
    fn query(&self, name: &str) -> Option<String> {
        self.location().query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    #[track_caller]
    fn code(&self) -> String {
        self.query("code").expect("a code")
    }

    /// Checks that this is a page of ours, and nothing that a browser would run, keep or show elsewhere.
    #[track_caller]
    fn assert_page(&self, status: StatusCode, heading: &str) {
        assert_eq!(self.status(), status, "{}", self.text());
        assert_eq!(self.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(self.header("x-frame-options"), "DENY");
        assert_eq!(self.header("referrer-policy"), "no-referrer");
        let policy = self.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(!self.text().contains("<script"), "{}", self.text());
        assert!(self.text().contains(&format!("<h1>{heading}</h1>")), "{}", self.text());
    }

    #[track_caller]
    fn assert_error(&self, status: StatusCode, code: &str) {
        assert_eq!(self.status(), status, "{}", self.text());
        assert_eq!(self.json()["error"], code, "{}", self.text());
    }
}

/// The payload of a token, unverified.
fn payload(token: &Value) -> Value {
    let segment = token.as_str().expect("a token").split('.').nth(1).expect("three segments");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segment).expect("base64url")).expect("JSON")
}

#[test]
fn a_pool_answers_for_its_own_authority_only() {
    let pool = Fixture::new().pool;
    assert!(pool.place(true, "login.example").is_some());
    assert!(pool.place(true, "LOGIN.example:443").is_some());
    for foreign in ["login.example:8443", "example", "app.example.com", "login.example.", "", "login.example:443:443"] {
        assert!(pool.place(true, foreign).is_none(), "{foreign}");
    }
    assert!(pool.place(false, "login.example").is_none());
    let with_port = Settings { issuer: url("https://localhost:9443"), ..settings() };
    let pool = Fixture::with(with_port, START).pool;
    assert!(pool.place(true, "localhost:9443").is_some());
    assert!(pool.place(true, "localhost").is_none());
}

#[test]
fn settings_are_equal_only_with_the_same_keys_and_secrets() {
    let one = settings();
    assert_eq!(one, one.clone());
    let changes: [fn(&mut Settings); 5] = [
        |other| other.signing_key = settings().signing_key,
        |other| other.seal_keys = [aead::Key::new(&Secret::new([8; 32]))].into(),
        |other| other.users[0].password_hash = cheap("another"),
        |other| other.clients[0].client_secret = Some(Secret::new("another".into())),
        |other| other.hashing_max += 1,
    ];
    for change in changes {
        let mut other = one.clone();
        change(&mut other);
        assert!(one != other);
    }
    let same = Settings { seal_keys: [aead::Key::new(&Secret::new([7; 32]))].into(), ..one.clone() };
    assert_eq!(one, same, "another reading of the same file");
    assert!(!format!("{one:?}").contains("s3cr"), "nothing secret is shown");
}

#[tokio::test]
async fn a_login_runs_from_the_relying_party_to_userinfo() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let back = browser.sign_in("Alice", "correct horse").await;
    assert!(back.location().as_str().starts_with(CALLBACK));
    assert_eq!(back.query("state").as_deref(), Some("st&te"));
    assert_eq!(back.query("iss").as_deref(), Some(ISSUER));
    let tokens = fixture.redeem(&back.code()).await.json();
    let id = payload(&tokens["id_token"]);
    assert_eq!(id["sub"], "sub-of-Alice");
    assert_eq!(id["aud"], "dashboard");
    assert_eq!(id["nonce"], "n-0S6");
    assert_eq!(id["email"], "alice@example.com");
    let userinfo = fixture.userinfo(tokens["access_token"].as_str().expect("a token")).await.json();
    assert_eq!(userinfo["sub"], "sub-of-Alice");
    assert_eq!(userinfo["preferred_username"], "Alice");
    let again = browser.authorize(&[]).await;
    assert_ne!(again.code(), back.code(), "the second time nobody is asked");
    let metrics = fixture.registry.render();
    for line in [
        r#"vestibule_pool_sign_ins_total{pool="demo",outcome="ok"} 1"#,
        r#"vestibule_pool_sign_ins_total{pool="demo",outcome="sso"} 1"#,
        r#"vestibule_pool_tokens_issued_total{pool="demo",grant="authorization_code"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[tokio::test]
async fn our_own_relying_party_needs_no_socket() {
    use crate::backchannel::call::Backchannel as _;
    let fixture = Fixture::new();
    let channel = crate::InProcess::new(Arc::new(fixture.pool));
    let request = http::Request::get(format!("{ISSUER}{}", routes::DISCOVERY)).body(Bytes::new()).expect("a request");
    assert_eq!(channel.call(request).await.expect("answers").status(), StatusCode::OK);
}

#[test]
fn handling_can_run_on_any_thread() {
    fn is_send<T: Send>(_: &T) {}
    let fixture = Fixture::new();
    let request = http::Request::get("/").body(Bytes::new()).expect("a request");
    is_send(&fixture.pool.handle(request, At::ISSUER, "192.0.2.1".parse().expect("an address")));
}

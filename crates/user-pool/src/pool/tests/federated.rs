//! Users who sign in at another provider: a second pool, called in this process.

mod account;
mod steps;

use std::pin::Pin;

use super::*;
use crate::backchannel::call::{Backchannel, Error as CallError};
use crate::database::{Database, Others};
use crate::federation::mapping::Mapping;
use crate::federation::settings::ProviderSettings;
use crate::management::Management;
use crate::oidc;
use crate::oidc::settings::ClientAuth;
use crate::testing::{Directory, temporary_directory};
use crate::{InProcess, MIGRATIONS, Records};

const CORP: &str = "https://corp.example";

/// A pool whose users come from the pool of a company, and that one.
struct Federated {
    fixture: Fixture,
    corp: Fixture,
    users: Management,
    database: Arc<Database>,
    _directory: Directory,
}

/// The same pool in this process, or nobody.
#[derive(Debug)]
struct Way(InProcess, Arc<std::sync::atomic::AtomicBool>);

impl Backchannel for Way {
    fn call(
        &self,
        request: WholeRequest,
    ) -> Pin<Box<dyn Future<Output = Result<WholeResponse, CallError>> + Send + '_>> {
        match self.1.load(std::sync::atomic::Ordering::Relaxed) {
            true => Box::pin(async { Err(CallError::Timeout) }),
            false => self.0.call(request),
        }
    }
}

fn keys(settings: &Settings) -> Keys {
    Keys::new(KeyRing::of_files(settings).expect("keys of files"))
}

fn provider(name: &str) -> ProviderSettings {
    let pair = |name: &str| (name.to_owned(), name.to_owned());
    ProviderSettings {
        name: name.into(),
        title: "The <Company>".into(),
        logo: None,
        email_domains: vec![],
        scope: "openid email profile".into(),
        mapping: Mapping::new([pair("email"), pair("name")]),
        asks_for_second_factor: false,
        is_believed_to_ask: false,
        group: None,
        callback_path: format!("/oauth2/idpresponse/{name}").into(),
    }
}

impl Federated {
    fn new() -> Self {
        Self::with(|_| {}).0
    }

    /// The flag makes the provider answer nothing any more.
    fn with(change: impl FnOnce(&mut ProviderSettings)) -> (Self, Arc<std::sync::atomic::AtomicBool>) {
        Self::of_pool(|pool| change(&mut pool.providers[0]))
    }

    fn of_pool(change: impl FnOnce(&mut Settings)) -> (Self, Arc<std::sync::atomic::AtomicBool>) {
        let mut settings_of_corp = settings();
        settings_of_corp.issuer = url(CORP);
        let client = &mut settings_of_corp.clients[1];
        client.client_id = "people".into();
        client.redirect_uris = vec![url("https://login.example/oauth2/idpresponse/corp")];
        client.is_ours = true;
        let corp = Fixture::with(settings_of_corp.clone(), START);
        let hand = corp.clock.clone();
        let (memory, clock) = corp.process.clone();
        let registry = Registry::default();
        let same = UserPool::new(
            settings_of_corp.clone(),
            Arc::default(),
            &memory,
            (None, &[]),
            keys(&settings_of_corp),
            clock.clone(),
            &registry,
        );
        let is_down = Arc::default();
        let way = Way(InProcess::new(Arc::new(same)), Arc::clone(&is_down));
        let of_client = oidc::settings::Settings {
            token_endpoint_auth_method: Some(ClientAuth::None),
            ..oidc::settings::Settings::new("corp", CORP, "people")
        };
        let client = Arc::new(oidc::RelyingParty::new(of_client, Arc::new(way), clock.clone(), &registry));
        let directory = temporary_directory("pool-federated");
        let database = Database::open(&directory.join("pool.db"), MIGRATIONS, Others::Nobody, START);
        let database = Arc::new(database.expect("a database"));
        let stored = StoredUsers { database: Arc::clone(&database), records: Records { pool: "demo".into() } };
        let mut settings = Settings { providers: vec![provider("corp")], ..settings() };
        change(&mut settings);
        let users = Management::new(stored.clone()).with_rules(Arc::clone(&settings.directory));
        let process = (PoolMemory::default(), clock.clone());
        let pool = UserPool::new(
            settings.clone(),
            Arc::default(),
            &process.0,
            (Some(stored), &[client]),
            keys(&settings),
            clock,
            &registry,
        );
        let fixture = Fixture { pool, clock: hand, registry, settings, process };
        (Self { fixture, corp, users, database, _directory: directory }, is_down)
    }

    /// Signs in at the company, where nobody is signed in. Returns the address to which it sends the browser back.
    async fn at_corp(&self, location: &str, username: &str, password: &str) -> String {
        self.typed_at_corp(&mut self.corp.browser(), location, username, password).await
    }

    /// Signs in at the company, which has to ask.
    async fn typed_at_corp(&self, browser: &mut Browser<'_>, location: &str, username: &str, password: &str) -> String {
        let path = location.strip_prefix(CORP).unwrap_or_else(|| panic!("{location}"));
        let page = browser.get(path).await;
        assert_eq!(page.status(), StatusCode::OK, "{}", page.text());
        let back = browser.submit(&page, username, password).await.location().to_string();
        back.strip_prefix(ISSUER).unwrap_or_else(|| panic!("{back}")).to_owned()
    }

    /// From the application to the address that the company sends the browser back to.
    async fn returning(&self, browser: &mut Browser<'_>) -> String {
        let page = browser.authorize(&[]).await;
        let way = browser.choose(&page, "corp").await;
        self.at_corp(&way, "alice", "correct horse").await
    }

    async fn claims(&self, answer: &Answer) -> Value {
        payload(&self.fixture.redeem(&answer.code()).await.json()["id_token"])
    }
}

impl Browser<'_> {
    /// Presses the button of a provider. Returns where it leads.
    async fn choose(&mut self, page: &Answer, provider: &str) -> String {
        let answer = self.post(routes::SIGN_IN_PROVIDER, &[("request", &page.hidden()), ("provider", provider)]).await;
        answer.goes_on()
    }

    fn is_signed_in(&self) -> bool {
        self.cookies.contains_key("__Host-vestibule-pool")
    }
}

impl Answer {
    /// Where the page leads that goes on by itself.
    #[track_caller]
    fn goes_on(&self) -> String {
        self.assert_page(StatusCode::OK, "One moment");
        let (_, rest) = self.text().split_once(r#"content="0;url="#).expect("a refresh");
        rest.split('"').next().expect("closed").replace("&#38;", "&").replace("&#39;", "'")
    }

    #[track_caller]
    fn assert_refused(&self, status: u16, code: &str) {
        assert_eq!(self.status().as_u16(), status, "{}", self.text());
        assert_eq!(self.0.extensions().get::<crate::page::Code>().map(|code| code.0), Some(code));
        assert!(self.text().contains(&format!("<code>{code}</code>")), "{}", self.text());
    }
}

#[tokio::test]
async fn a_user_of_another_provider_is_a_user_of_the_pool() {
    let federated = Federated::new();
    let mut browser = federated.fixture.browser();
    let page = browser.authorize(&[]).await;
    page.assert_page(StatusCode::OK, "Sign in");
    assert!(page.text().contains("Continue with <strong>The &#60;Company&#62;</strong>"), "{}", page.text());
    let way = browser.choose(&page, "corp").await;
    let back = federated.at_corp(&way, "alice", "correct horse").await;
    let there = browser.get(&back).await;
    assert!(there.location().as_str().starts_with(CALLBACK));
    assert_eq!(there.query("state").as_deref(), Some("st&te"));
    let claims = federated.claims(&there).await;
    assert_eq!(claims["preferred_username"], "corp_sub-of-Alice");
    assert_eq!((&claims["email"], &claims["name"]), (&json!("alice@example.com"), &json!("Alice A.")));
    assert_eq!((&claims["amr"], &claims["acr"]), (&json!(["fed"]), &json!("urn:cognito:loa:1")));
    assert_eq!(claims.get("email_verified"), None, "not mapped");
    assert_eq!(claims.get("groups"), None, "groups of the provider are not ours");
    // The session is that of the pool.
    assert_eq!(federated.claims(&browser.authorize(&[]).await).await["sub"], claims["sub"]);
    let mut other = federated.fixture.browser();
    let back = federated.returning(&mut other).await;
    let again = other.get(&back).await;
    assert_eq!(federated.claims(&again).await["sub"], claims["sub"], "the same user");
    let user = federated.users.show("corp_sub-of-alice").await.expect("a user");
    assert_eq!((user.status.as_str(), user.password_hash.is_none()), ("EXTERNAL_PROVIDER", true));
    let series = r#"vestibule_pool_provider_sign_ins_total{pool="demo",provider="corp",outcome="ok"} 2"#;
    assert!(federated.fixture.registry.render().contains(series));
    assert_eq!(browser.cookies.len(), 3, "nothing is left of the sign-in: {:?}", browser.cookies.keys());
}

#[tokio::test]
async fn an_answer_counts_once_in_its_browser_and_in_its_time() {
    let federated = Federated::new();
    let fixture = &federated.fixture;
    let mut browser = fixture.browser();
    let back = federated.returning(&mut browser).await;
    let mut stranger = fixture.browser();
    stranger.get(&back).await.assert_refused(403, "provider.foreign");
    federated.returning(&mut stranger).await;
    stranger.get(&back).await.assert_refused(403, "provider.foreign");
    assert!(!stranger.is_signed_in());
    for tampered in [
        back.replace("state=", "state=x"),
        back.replace("/idpresponse/corp?", "/idpresponse?"),
        back.replace("/idpresponse/corp?", "/idpresponse/other?"),
    ] {
        browser.get(&tampered).await.assert_refused(403, "provider.foreign");
    }
    assert_eq!(browser.get(&format!("{back}&code=2")).await.status(), StatusCode::BAD_REQUEST);
    assert!(!browser.is_signed_in());
    let cookies = browser.cookies.clone();
    assert_eq!(browser.get(&back).await.query("state").as_deref(), Some("st&te"), "and the right one still counts");
    browser.get(&back).await.assert_refused(403, "provider.foreign");
    // A copy of the cookie does not help.
    browser.cookies = cookies;
    browser.get(&back).await.assert_refused(403, "provider.used");
    assert!(!browser.is_signed_in());

    // The user is at the provider for so long.
    let mut slow = fixture.browser();
    let page = slow.authorize(&[]).await;
    let ways = [slow.choose(&page, "corp").await, slow.choose(&page, "corp").await];
    fixture.advance(299);
    let back = federated.at_corp(&ways[0], "alice", "correct horse").await;
    assert!(slow.get(&back).await.query("code").is_some());
    let mut late = Browser { cookies: slow.cookies.clone(), ..fixture.browser() };
    late.cookies.remove("__Host-vestibule-pool");
    fixture.advance(1);
    let back = federated.at_corp(&ways[1], "alice", "correct horse").await;
    let expired = late.get(&back).await;
    expired.assert_refused(403, "provider.expired");
    assert!(expired.text().contains(r#"href="https://app.example.com/oauth2/idpresponse?error=login_required"#));
    assert!(!late.is_signed_in());
}

#[tokio::test]
async fn what_a_provider_says_against_the_sign_in_is_told_and_never_let_pass() {
    let federated = Federated::new();
    let state_of = |back: &str| {
        url(&format!("{ISSUER}{back}")).query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned()
    };
    for (query, status, code) in [
        ("error=access_denied", 403, "provider.denied"),
        ("error=access_denied&code=x", 403, "provider.denied"),
        ("error=server_error&error_description=%3Cb%3E", 502, "provider.error"),
        ("error=temporarily_unavailable", 503, "provider.unavailable"),
        ("", 502, "provider.answer_invalid"),
        ("code=x", 502, "provider.answer_invalid"),
        ("code=x&iss=https://evil.example", 502, "provider.answer_invalid"),
        ("code=x&iss=https://corp.example", 403, "provider.used"),
    ] {
        let mut browser = federated.fixture.browser();
        let state = state_of(&federated.returning(&mut browser).await);
        let answer = browser.get(&format!("/oauth2/idpresponse/corp?{query}&state={state}")).await;
        answer.assert_refused(status, code);
        assert!(!answer.text().contains("<b>"));
        assert!(!browser.is_signed_in(), "{query}");
        browser
            .get(&format!("/oauth2/idpresponse/corp?{query}&state={state}"))
            .await
            .assert_refused(403, "provider.foreign");
    }
}

#[tokio::test]
async fn a_disabled_user_and_a_database_that_fails_let_nobody_in() {
    let federated = Federated::new();
    let mut browser = federated.fixture.browser();
    let back = federated.returning(&mut browser).await;
    browser.get(&back).await;
    federated.users.set_enabled("corp_sub-of-alice", false, START).await.expect("disabled");
    let page = browser.authorize(&[]).await;
    page.assert_page(StatusCode::OK, "Sign in");
    let mut browser = federated.fixture.browser();
    let back = federated.returning(&mut browser).await;
    browser.get(&back).await.assert_refused(403, "provider.user_disabled");
    assert!(!browser.is_signed_in());
    let back = federated.returning(&mut browser).await;
    federated.database.write(|on| on.execute("ALTER TABLE users RENAME TO gone", &[])).await.expect("renamed");
    browser.get(&back).await.assert_refused(503, "pool.unavailable");
    assert!(!browser.is_signed_in());
}

#[tokio::test]
async fn an_application_can_name_the_provider() {
    let (federated, _) = Federated::with(|corp| corp.email_domains = vec!["corp.example".into()]);
    let mut browser = federated.fixture.browser();
    for named in [("identity_provider", "corp"), ("idp_identifier", "corp"), ("idp_identifier", "Corp.Example")] {
        let sent =
            browser.authorize(&[named, ("prompt", "login consent"), ("max_age", "60"), ("login_hint", "ada")]).await;
        assert!(sent.location().as_str().starts_with("https://corp.example/oauth2/authorize?"), "{named:?}");
        assert_eq!(sent.query("redirect_uri").as_deref(), Some("https://login.example/oauth2/idpresponse/corp"));
        for (name, value) in
            [("prompt", "login consent"), ("max_age", "60"), ("login_hint", "ada"), ("code_challenge_method", "S256")]
        {
            assert_eq!(sent.query(name).as_deref(), Some(value), "{named:?}");
        }
        assert!(sent.query("nonce").is_some_and(|nonce| nonce != "n-0S6"), "a nonce of ours");
    }
    let ours = browser.authorize(&[("identity_provider", "COGNITO")]).await;
    assert!(ours.text().contains(r#"name="password""#) && !ours.text().contains("Company"), "{}", ours.text());
    for unknown in [("identity_provider", "corp.example"), ("identity_provider", "Google"), ("idp_identifier", "x")] {
        let refused = browser.authorize(&[unknown]).await;
        assert_eq!(refused.query("error").as_deref(), Some("invalid_request"), "{unknown:?}");
    }
    let silent = browser.authorize(&[("identity_provider", "corp"), ("prompt", "none")]).await;
    assert_eq!(silent.query("error").as_deref(), Some("login_required"));
    let back = browser.sign_in_named("alice", "correct horse").await;
    assert!(back.query("code").is_some());
    assert!(
        browser.authorize(&[("identity_provider", "corp")]).await.query("code").is_some(),
        "who is signed in is asked nothing"
    );
}

impl Browser<'_> {
    /// Signs in where the name is asked for first.
    async fn sign_in_named(&mut self, username: &str, password: &str) -> Answer {
        let page = self.authorize(&[]).await;
        let answer = self.post(routes::SIGN_IN_PROVIDER, &[("request", &page.hidden()), ("username", username)]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", answer.text());
        let path = answer.header("location").to_owned();
        let page = self.get(&path).await;
        assert!(page.text().contains(&format!(r#"value="{username}""#)), "{}", page.text());
        self.submit(&page, username, password).await
    }
}

#[tokio::test]
async fn the_domain_of_a_name_chooses_the_provider_whoever_exists() {
    let (federated, _) = Federated::with(|corp| corp.email_domains = vec!["corp.example".into()]);
    let mut browser = federated.fixture.browser();
    let page = browser.authorize(&[]).await;
    assert!(
        !page.text().contains(r#"name="password""#) && page.text().contains(">Continue</button>"),
        "{}",
        page.text()
    );
    let name = |typed: &'static str, page: &Answer| {
        [("request".to_owned(), page.hidden()), ("username".to_owned(), typed.to_owned())]
    };
    let fields = name(" nobody@Corp.Example ", &page);
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let way = browser.post(routes::SIGN_IN_PROVIDER, &fields).await.goes_on();
    assert!(
        way.starts_with("https://corp.example/oauth2/authorize?") && way.contains("login_hint=nobody%40corp.example"),
        "{way}"
    );
    let mut shown = Vec::new();
    for typed in ["alice", "nobody", "x@elsewhere.example"] {
        let back = browser.sign_in_named(typed, "wrong").await;
        back.assert_page(StatusCode::UNAUTHORIZED, "Sign in");
        assert!(back.text().contains(r#"name="password""#));
        shown.push(back.text().replace(typed, "?").replace(&back.hidden(), "?"));
    }
    assert_eq!(shown[0], shown[1]);
    assert_eq!(shown[0], shown[2]);
    // The page after the name is for the browser that has typed it.
    let page = browser.authorize(&[]).await;
    let sent = browser.post(routes::SIGN_IN_PROVIDER, &[("request", &page.hidden()), ("username", "alice")]).await;
    let path = sent.header("location").to_owned();
    let elsewhere = federated.fixture.browser().get(&path).await;
    assert_eq!((elsewhere.status(), elsewhere.header("location")), (StatusCode::SEE_OTHER, routes::SIGN_IN));
    // A form of another site, or of another browser.
    let forged = federated
        .fixture
        .browser()
        .post(routes::SIGN_IN_PROVIDER, &[("request", &page.hidden()), ("provider", "corp")])
        .await;
    forged.assert_refused(403, "sign_in.form_foreign");
    browser.headers = vec![("sec-fetch-site", "cross-site")];
    let forged = browser.post(routes::SIGN_IN_PROVIDER, &[("request", &page.hidden()), ("provider", "corp")]).await;
    forged.assert_refused(403, "sign_in.form_foreign");
}

#[tokio::test]
async fn a_provider_that_does_not_answer_keeps_nobody_else_out() {
    let (federated, is_down) = Federated::with(|_| {});
    let mut waiting = federated.fixture.browser();
    let back = federated.returning(&mut waiting).await;
    is_down.store(true, std::sync::atomic::Ordering::Relaxed);
    let refused = waiting.get(&back).await;
    refused.assert_refused(503, "provider.unavailable");
    assert_eq!(refused.header("retry-after"), "30");
    federated.fixture.advance(3600 * 24);
    let (federated, is_down) = Federated::with(|_| {});
    is_down.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut browser = federated.fixture.browser();
    browser.authorize(&[("identity_provider", "corp")]).await.assert_refused(503, "provider.unavailable");
    let page = browser.authorize(&[]).await;
    browser.headers = vec![("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-origin")];
    let fields = [("request", &*page.hidden()), ("provider", "corp")];
    let sent = browser.post(routes::SIGN_IN_PROVIDER, &fields).await;
    assert_eq!(sent.status(), StatusCode::SEE_OTHER);
    assert_eq!(sent.0.extensions().get::<crate::page::Code>().map(|code| code.0), Some("provider.unavailable"));
    let path = sent.header("location").to_owned();
    let shown = browser.get(&path).await;
    assert_eq!(shown.status(), StatusCode::OK);
    assert!(shown.text().contains("<code>provider.unavailable</code>"), "{}", shown.text());
    let back = browser.submit(&page, "alice", "correct horse").await;
    assert!(back.query("code").is_some(), "others sign in");
    is_down.store(false, std::sync::atomic::Ordering::Relaxed);
}

#[tokio::test]
async fn answers_that_lead_to_nothing_are_limited_and_sign_ins_are_not() {
    let federated = Federated::new();
    let mut browser = federated.fixture.browser();
    for _ in 0..70 {
        let back = federated.returning(&mut browser).await;
        assert!(browser.get(&back).await.query("code").is_some());
        browser.cookies.remove("__Host-vestibule-pool");
        federated.fixture.advance(1);
    }
    let mut codes = Vec::new();
    for _ in 0..61 {
        let sent = browser.authorize(&[("identity_provider", "corp")]).await;
        let state = sent.query("state").expect("a state");
        let answer = browser.get(&format!("/oauth2/idpresponse/corp?code=x&iss={CORP}&state={state}")).await;
        codes.push(answer.status().as_u16());
    }
    assert_eq!((codes[0], codes[59], codes[60]), (403, 403, 429), "{codes:?}");
}

#[tokio::test]
async fn a_browser_keeps_a_few_sign_ins_and_none_that_a_cookie_cannot_hold() {
    let federated = Federated::new();
    let mut browser = federated.fixture.browser();
    let mut backs = Vec::new();
    for _ in 0..7 {
        backs.push(federated.returning(&mut browser).await);
        federated.fixture.advance(1);
    }
    let count = browser.cookies.keys().filter(|name| name.starts_with("__Host-vestibule-pool-provider-")).count();
    assert_eq!(count, 5);
    browser.get(&backs[1]).await.assert_refused(403, "provider.foreign");
    assert!(browser.get(&backs[2]).await.query("code").is_some());
    assert!(browser.get(&backs[6]).await.query("code").is_some());
    let long = "x".repeat(2048);
    let mut browser = federated.fixture.browser();
    let fits = browser.authorize(&[("identity_provider", "corp"), ("state", &long)]).await;
    assert!(fits.query("state").is_some());
    let too_long = browser.authorize(&[("identity_provider", "corp"), ("state", &long), ("nonce", &long)]).await;
    too_long.assert_refused(400, "provider.request_too_long");
}

#[tokio::test]
async fn a_password_of_a_user_who_has_none_is_wrong() {
    let federated = Federated::new();
    let mut browser = federated.fixture.browser();
    let back = federated.returning(&mut browser).await;
    browser.get(&back).await;
    let mut shown = Vec::new();
    for typed in ["corp_sub-of-alice", "nobody"] {
        let back = federated.fixture.browser().sign_in(typed, "").await;
        let wrong = federated.fixture.browser().sign_in(typed, "wrong").await;
        shown.push((back.status(), wrong.text().replace(typed, "?").replace(&wrong.hidden(), "?")));
    }
    assert_eq!(shown[0], shown[1]);
}

#[tokio::test]
async fn without_an_application_the_user_returns_to_the_start_page() {
    let federated = Federated::new();
    let mut browser = federated.fixture.browser();
    let page = browser.get(routes::SIGN_IN).await;
    let way = browser.choose(&page, "corp").await;
    let back = federated.at_corp(&way, "alice", "correct horse").await;
    let there = browser.get(&back).await;
    assert_eq!((there.status(), there.header("location")), (StatusCode::SEE_OTHER, routes::SIGN_IN));
    assert!(browser.get(routes::SIGN_IN).await.text().contains("corp_sub-of-Alice"));
}

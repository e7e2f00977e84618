//! What follows a sign-in at another provider, what is written down, and what users of other providers cannot do here.

use super::super::mfa::{ASKED, SET_UP, factors, vault};
use super::*;
use crate::credential::totp::Seed;
use crate::directory::settings::{Alias, Settings as Rules};
use crate::factors::settings::{Factor, Mode, Settings as Mfa};
use crate::management::{Error, NewUser};
use crate::settings::Store;

const USER: &str = "corp_sub-of-alice";

impl Federated {
    /// A pool that asks for second factors.
    fn asking(mode: Mode, is_trusted: bool) -> Self {
        let change = |pool: &mut Settings| {
            pool.mfa = Mfa { mode, factors: vec![Factor::Totp], ..Mfa::default() };
            pool.store = Some(Store { sqlite: "unused".into(), vault: vault() });
            pool.providers[0].asks_for_second_factor = is_trusted;
        };
        Self::of_pool(change).0
    }

    /// Signs in up to what follows the provider.
    async fn comes_back(&self, browser: &mut Browser<'_>) -> Answer {
        let back = self.returning(browser).await;
        browser.get(&back).await
    }

    /// A browser in which Alice has signed in at the company ten minutes ago.
    async fn left_open(&self) -> Browser<'_> {
        let mut at_corp = self.corp.browser();
        let mut browser = self.fixture.browser();
        let page = browser.authorize(&[]).await;
        let sent = browser.choose(&page, "corp").await;
        self.typed_at_corp(&mut at_corp, &sent, "alice", "correct horse").await;
        self.fixture.clock.advance(Duration::from_mins(10));
        at_corp
    }

    /// The user has an app for one-time passwords.
    async fn with_totp(&self) -> Seed {
        let (seed, subject) = (Seed::random(), self.users.show(USER).await.expect("a user").subject);
        let of_app = seed.clone();
        let set = self.database.write(move |on| factors().set_totp(on, &subject, (&of_app, 0), START));
        set.await.expect("set");
        seed
    }
}

#[tokio::test]
async fn the_pool_asks_users_of_a_provider_for_a_second_factor_as_all_others() {
    let federated = Federated::asking(Mode::Required, false);
    let mut browser = federated.fixture.browser();
    federated.comes_back(&mut browser).await.assert_page(StatusCode::OK, SET_UP);
    assert!(!browser.is_signed_in(), "no session yet");
    let seed = federated.with_totp().await;
    let page = federated.comes_back(&mut browser).await;
    page.assert_page(StatusCode::OK, ASKED);
    assert!(!browser.is_signed_in());
    let code = seed.code_at(federated.fixture.clock.now());
    let claims = federated.claims(&browser.type_code(&page, &code).await).await;
    assert_eq!((&claims["amr"], &claims["acr"]), (&json!(["fed", "otp", "mfa"]), &json!("urn:cognito:loa:3")));
    // The session is worth as much.
    browser.authorize(&[]).await.code();
}

#[tokio::test]
async fn an_application_that_names_the_provider_gets_no_user_around_the_second_factor() {
    let federated = Federated::asking(Mode::Required, false);
    // No page of ours was shown before, so the browser has no cookie of a form.
    let mut browser = federated.fixture.browser();
    let sent = browser.authorize(&[("identity_provider", "corp")]).await;
    let back = federated.at_corp(sent.header("location"), "alice", "correct horse").await;
    browser.headers = vec![("sec-fetch-mode", "navigate"), ("sec-fetch-site", "cross-site")];
    // The form at the provider lists the pool in its `form-action`, not what comes after it. So this is a page, not a redirect.
    let path = browser.get(&back).await.goes_on();
    browser.get(&path).await.assert_page(StatusCode::OK, SET_UP);
}

#[tokio::test]
async fn a_provider_that_is_trusted_with_it_takes_the_place_of_the_second_factor() {
    let federated = Federated::asking(Mode::Required, true);
    let mut browser = federated.fixture.browser();
    let claims = federated.claims(&federated.comes_back(&mut browser).await).await;
    assert_eq!((&claims["amr"], &claims["acr"]), (&json!(["fed"]), &json!("urn:cognito:loa:1")));
    browser.authorize(&[]).await.code();
    // Others are still asked.
    federated.fixture.browser().sign_in("bob", "battery staple").await.assert_page(StatusCode::OK, SET_UP);
}

#[tokio::test]
async fn id_tokens_say_whom_the_user_is_elsewhere() {
    let federated = Federated::new();
    let mut browser = federated.fixture.browser();
    let claims = federated.claims(&federated.comes_back(&mut browser).await).await;
    let made_at = START.millis().to_string();
    let expected = json!([{
        "userId": "sub-of-Alice", "providerName": "corp", "providerType": "OIDC", "issuer": CORP, "primary": "true",
        "dateCreated": made_at,
    }]);
    assert_eq!(claims["identities"], expected);
    assert_eq!(claims["cognito:username"], "corp_sub-of-Alice");
    let of_ours = federated.fixture.browser().sign_in("alice", "correct horse").await;
    assert_eq!(federated.claims(&of_ours).await.get("identities"), None);
}

#[tokio::test]
async fn what_happens_at_a_provider_is_in_the_sign_in_log_and_the_audit() {
    let (federated, _) = Federated::with(|corp| corp.group = Some("from-corp".into()));
    for _ in 0..2 {
        federated.comes_back(&mut federated.fixture.browser()).await.code();
    }
    federated.users.set_enabled(USER, false, START).await.expect("disabled");
    federated.comes_back(&mut federated.fixture.browser()).await.assert_refused(403, "provider.user_disabled");
    let audited = federated.users.audited(Some(USER), 10).await.expect("read");
    let done: Vec<_> = audited.iter().map(|entry| (&*entry.actor, &*entry.operation)).collect();
    assert_eq!(
        done,
        [("system", "user.disable"), ("user", "group.join"), ("user", "user.add")],
        "newest first, once each"
    );
    let subject = federated.users.show(USER).await.expect("a user").subject;
    let expected =
        ["SignIn Pass Provider+ alice", "SignIn Pass Provider+ alice", "SignIn Fail Provider+ Disabled alice"];
    assert_eq!(federated.fixture.texts(&[(&*subject, "alice")]), expected);
}

/// A stranger who signs up first with the name that a user of the provider will get.
#[tokio::test]
async fn nobody_else_gets_a_name_of_the_users_of_a_provider() {
    let rules = Rules { reserved: vec!["corp_".into()], aliases: vec![Alias::PreferredUsername], ..Rules::default() };
    let federated = Federated::of_pool(|pool| pool.directory = Arc::new(rules)).0;
    for (username, preferred) in [("corp_7", None), (" CORP_seven", None), ("ｃorp_7", None), ("eve", Some("Corp_7"))]
    {
        let attributes = preferred.map(|name: &str| ("preferred_username".to_owned(), name.to_owned()));
        let new = NewUser {
            username: username.into(),
            password: None,
            attributes: attributes.into_iter().collect(),
            groups: vec![],
        };
        let added = federated.users.add(new, START).await;
        assert!(matches!(added, Err(Error::Reserved(_))), "{username}: {added:?}");
    }
    for username in ["corp", "corpo_7", "x_corp_7"] {
        let new = NewUser { username: username.into(), password: None, attributes: vec![], groups: vec![] };
        federated.users.add(new, START).await.expect("another name");
    }
    // Whose it is gets it.
    federated.comes_back(&mut federated.fixture.browser()).await.code();
    federated.users.show(USER).await.expect("a user");
}

/// Whoever changes an account has just proved who it is: the provider is told to ask again. A password here would be a way in beside the provider.
#[tokio::test]
async fn the_account_of_a_user_of_a_provider_has_no_password() {
    let federated = Federated::asking(Mode::Optional, false);
    let mut browser = federated.fixture.browser();
    federated.comes_back(&mut browser).await;
    let overview = browser.get("/account").await;
    assert_eq!(overview.status(), StatusCode::OK);
    let text = overview.text();
    assert!(text.contains("/account/factors") && !text.contains("/account/password"), "{text}");
    assert_eq!(browser.get("/account/password").await.status(), StatusCode::NOT_FOUND);

    federated.fixture.clock.advance(Duration::from_mins(6));
    let page = browser.get("/account/factors?confirm").await;
    let sent = browser.choose(&page, "corp").await;
    assert_eq!(parameter(&sent, "prompt").as_deref(), Some("login"), "{sent}");
    // An application that asks for nothing is not more trouble than before.
    let mut another = federated.fixture.browser();
    let page = another.authorize(&[]).await;
    let sent = another.choose(&page, "corp").await;
    assert_eq!(parameter(&sent, "prompt"), None, "{sent}");
}

/// Who sits before a browser in which the provider has a session has proved nothing, also if an application has led there a moment ago.
#[tokio::test]
async fn a_provider_that_did_not_ask_makes_nobody_just_signed_in() {
    let federated = Federated::asking(Mode::Optional, false);
    let mut at_corp = federated.left_open().await;
    let mut browser = federated.fixture.browser();
    let page = browser.authorize(&[]).await;
    let sent = browser.choose(&page, "corp").await;
    let back = at_corp.get(sent.strip_prefix(CORP).expect("an address of the company")).await.location().to_string();
    browser.get(back.strip_prefix(ISSUER).expect("an address of the pool")).await.code();
    assert_eq!(browser.get("/account").await.status(), StatusCode::OK, "may see");
    let asked = browser.get("/account/export").await;
    assert!(asked.text().contains("to see and change your account"), "and not change: {}", asked.text());
    // Nor has the user signed in within the last five minutes, as an application asks.
    browser.authorize(&[("max_age", "300")]).await.assert_page(StatusCode::OK, "Sign in");
    browser.authorize(&[]).await.code();

    let sent = browser.choose(&asked, "corp").await;
    let back = federated.typed_at_corp(&mut at_corp, &sent, "alice", "correct horse").await;
    assert_eq!(browser.get(&back).await.header("location"), "/account/export");
    let page = browser.get("/account/export").await;
    assert!(page.text().contains(r#"action="/account/export""#), "{}", page.text());
    browser.authorize(&[("max_age", "300")]).await.code();
}

/// Who sits before the browser takes out of the address what the provider is told. What counts is what it says.
#[tokio::test]
async fn a_provider_that_ignores_that_it_has_to_ask_helps_nobody() {
    let federated = Federated::asking(Mode::Optional, false);
    let mut at_corp = federated.left_open().await;
    let mut browser = federated.fixture.browser();
    let silently = async |at_corp: &mut Browser<'_>, sent: &str| {
        let mut address = url(sent);
        let told: Vec<_> = address.query_pairs().into_owned().collect();
        assert!(told.iter().any(|(name, value)| name == "max_age" && value == "0"), "{sent}");
        let left = told.into_iter().filter(|(name, _)| name != "prompt" && name != "max_age");
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(left).finish();
        address.set_query(Some(&query));
        let path = address.as_str().strip_prefix(CORP).expect("an address of the company").to_owned();
        let back = at_corp.get(&path).await.location().to_string();
        back.strip_prefix(ISSUER).expect("an address of the pool").to_owned()
    };

    let page = browser.authorize(&[("prompt", "login")]).await;
    let sent = browser.choose(&page, "corp").await;
    let back = silently(&mut at_corp, &sent).await;
    let refused = browser.get(&back).await;
    assert_eq!(refused.query("error").as_deref(), Some("login_required"));
    assert!(!browser.is_signed_in());

    let page = browser.get("/account/export").await;
    let sent = browser.choose(&page, "corp").await;
    let back = silently(&mut at_corp, &sent).await;
    assert_eq!(browser.get(&back).await.header("location"), "/account/export");
    let page = browser.get("/account/export").await;
    let code = page.0.extensions().get::<crate::page::Code>().map(|code| code.0);
    assert_eq!((page.status(), code), (StatusCode::FORBIDDEN, Some("provider.not_asked")));
    assert!(page.text().contains("Sign out there, and try again."), "{}", page.text());
    let metric = r#"vestibule_pool_provider_sign_ins_total{pool="demo",provider="corp",outcome="not_asked"} 2"#;
    assert!(federated.fixture.registry.render().contains(metric), "{}", federated.fixture.registry.render());
}

#[tokio::test]
async fn tokens_say_when_the_provider_has_asked_if_that_was_before() {
    let federated = Federated::new();
    let fixture = &federated.fixture;
    let tokens = fixture.redeem(&federated.comes_back(&mut fixture.browser()).await.code()).await.json();
    for said in said_of(fixture, &tokens).await {
        assert_eq!(said.get("vestibule:asked_at"), None, "{said}");
    }
    let mut at_corp = federated.left_open().await;
    let mut browser = fixture.browser();
    let page = browser.authorize(&[("scope", "openid offline_access")]).await;
    let sent = browser.choose(&page, "corp").await;
    let back = at_corp.get(sent.strip_prefix(CORP).expect("an address of the company")).await.location().to_string();
    let answer = browser.get(back.strip_prefix(ISSUER).expect("the pool")).await;
    let tokens = fixture.redeem(&answer.code()).await.json();
    for said in said_of(fixture, &tokens).await {
        assert_eq!(said["vestibule:asked_at"], START.seconds(), "{said}");
        assert_eq!(said["auth_time"], START.seconds() + 600, "{said}");
    }
    // An application with `max_age` looks there, too, and so does a rule that takes bearer tokens.
    let tokens = fixture.refresh(tokens["refresh_token"].as_str().expect("a token")).await.json();
    for said in said_of(fixture, &tokens).await {
        assert_eq!(said["vestibule:asked_at"], START.seconds(), "{said}");
    }
}

/// What the tokens of an answer say, and what introspection says of them.
async fn said_of(fixture: &Fixture, tokens: &Value) -> Vec<Value> {
    let mut said = vec![payload(&tokens["id_token"]), payload(&tokens["access_token"])];
    for token in ["access_token", "refresh_token"].iter().filter_map(|name| tokens[*name].as_str()) {
        let found = fixture.of_dashboard(routes::INTROSPECT, &[("token", token)]).await.json();
        assert_eq!(found["active"], true, "{found}");
        said.push(found);
    }
    said
}

fn parameter(address: &str, name: &str) -> Option<String> {
    let address = url(address);
    address.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

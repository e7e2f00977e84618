//! Grants are held to what a sign-in asks for today.

use super::mfa::{claims, pool, vault};
use super::stored::Stored;
use super::*;
use crate::factors::settings::{Factor, Mode};
use crate::management::Group;
use crate::settings::Store;

/// What a relying party has of one sign-in with a password alone.
struct Granted {
    unused: String,
    tokens: Value,
}

impl Granted {
    async fn of(stored: &Stored, username: &str, password: &str, scope: &str) -> Self {
        let mut browser = stored.fixture.browser();
        let page = browser.authorize(&[("scope", scope)]).await;
        let code = browser.submit(&page, username, password).await.code();
        let tokens = stored.fixture.redeem(&code).await.json();
        Self { unused: browser.authorize(&[("scope", scope)]).await.code(), tokens }
    }

    async fn refresh(&self, fixture: &Fixture) -> Answer {
        fixture.refresh(self.tokens["refresh_token"].as_str().expect("a token")).await
    }

    /// Nothing of it counts, and the answer says why.
    async fn is_not_enough(&self, fixture: &Fixture) {
        for answer in [self.refresh(fixture).await, fixture.redeem(&self.unused).await] {
            answer.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
            let description =
                "the user has to sign in again: a sign-in asks for more now than was proved for this grant";
            assert_eq!(answer.json()["error_description"], description);
            assert_eq!(answer.0.extensions().get(), Some(&crate::page::Code("token.not_enough")));
        }
        let userinfo = fixture.userinfo(self.tokens["access_token"].as_str().expect("a token")).await;
        assert_eq!(userinfo.status(), StatusCode::UNAUTHORIZED);
    }
}

const OFFLINE: &str = "openid email offline_access";

#[tokio::test]
async fn a_grant_of_a_password_alone_ends_when_the_user_sets_up_a_factor() {
    for scope in ["openid email", OFFLINE] {
        let stored = pool(Mode::Optional).await;
        let granted = Granted::of(&stored, "grace", "first compiler", scope).await;
        stored.with_totp(vec![]).await;
        granted.is_not_enough(&stored.fixture).await;
        let metrics = stored.fixture.registry.render();
        assert!(metrics.contains(r#"vestibule_pool_grants_not_enough_total{pool="demo"} 2"#), "{metrics}");
        // Not used up: what is taken back counts again.
        stored.users.reset_totp_of_tests("grace").await;
        assert_eq!(granted.refresh(&stored.fixture).await.status(), StatusCode::OK);
        // What the new sign-in gives is enough.
        let seed = stored.with_totp(vec![]).await;
        let (mut browser, page) = stored.half_way().await;
        let back = browser.type_code(&page, &stored.code(&seed)).await;
        let tokens = stored.fixture.redeem(&back.code()).await.json();
        let next = stored.fixture.refresh(tokens["refresh_token"].as_str().expect("a token")).await;
        assert_eq!(payload(&next.json()["id_token"])["acr"], "urn:cognito:loa:3");
    }
}

#[tokio::test]
async fn a_grant_of_a_password_alone_ends_when_the_pool_or_a_group_requires_more() {
    // A rule of the pool, in the next configuration.
    let stored = pool(Mode::Optional).await;
    let granted = Granted::of(&stored, "grace", "first compiler", OFFLINE).await;
    let required = stored.reconfigured(|settings| settings.mfa.mode = Mode::Required);
    granted.is_not_enough(&required).await;
    // A group that the user has joined since; and a user of the configuration.
    let stored = Stored::with(|settings| {
        settings.mfa.groups.insert("admins".into(), Mode::Required);
        settings.mfa.factors = vec![Factor::Totp];
        settings.store = Some(Store { sqlite: "unused".into(), vault: vault() });
    })
    .await;
    let (grace, alice) = (
        Granted::of(&stored, "grace", "first compiler", OFFLINE).await,
        Granted::of(&stored, "alice", "correct horse", OFFLINE).await,
    );
    let admins = Group { name: "admins".into(), description: None, precedence: None };
    stored.users.put_group(admins, START).await.expect("added");
    stored.users.join("grace", "admins", START).await.expect("joined");
    grace.is_not_enough(&stored.fixture).await;
    assert_eq!(alice.refresh(&stored.fixture).await.status(), StatusCode::OK, "not in the group");
    stored.users.leave("grace", "admins", START).await.expect("left");
    assert_eq!(grace.refresh(&stored.fixture).await.status(), StatusCode::OK, "nothing was used up");
    // A factor that nobody can set up here is asked for as well: a sign-in would let nobody in.
    let none = stored.reconfigured(|settings| {
        settings.mfa.mode = Mode::Required;
        settings.mfa.factors = vec![];
    });
    alice.is_not_enough(&none).await;
}

#[tokio::test]
async fn what_a_sign_in_would_not_ask_for_ends_no_grant() {
    // Nobody has a factor, and a long time passes.
    let stored = pool(Mode::Optional).await;
    let granted = Granted::of(&stored, "grace", "first compiler", OFFLINE).await;
    stored.fixture.advance(29 * 24 * 3600);
    assert_eq!(granted.refresh(&stored.fixture).await.status(), StatusCode::OK);
    // A factor that the pool does not ask for.
    let off = stored.reconfigured(|settings| settings.mfa.mode = Mode::Off);
    let granted = Granted::of(&stored, "grace", "first compiler", OFFLINE).await;
    stored.with_totp(vec![]).await;
    assert_eq!(granted.refresh(&off).await.status(), StatusCode::OK);
    // A recovery code was enough, and is enough after the factor has gone.
    let stored = pool(Mode::Required).await;
    let hash = crate::credential::recovery_code::hash("22222-33333-44444").expect("a code");
    stored.with_totp(vec![hash]).await;
    let (mut browser, page) = stored.half_way().await;
    let fields = [("request", &*page.hidden()), ("instead", "recovery_code"), ("code", "")];
    let other = browser.post(routes::STEP, &fields).await;
    let back = browser.type_code(&other, "22222-33333-44444").await;
    let tokens = stored.fixture.redeem(&back.code()).await.json();
    assert_eq!(payload(&tokens["id_token"])["acr"], "urn:cognito:loa:2");
    assert_eq!(
        stored.fixture.refresh(tokens["refresh_token"].as_str().expect("a token")).await.status(),
        StatusCode::OK
    );
    let again = browser.authorize(&[]).await;
    assert_eq!(claims(&stored, &again).await["acr"], "urn:cognito:loa:2");
}

/// The states are in `stored::only_who_knows_the_password_learns_the_state_and_nothing_counts_in_it`.
#[tokio::test]
async fn a_grant_without_the_session_ends_with_the_user_for_good() {
    let stored = pool(Mode::Optional).await;
    for command in ["disable", "reset", "sign-out"] {
        let granted = Granted::of(&stored, "grace", "first compiler", OFFLINE).await;
        match command {
            "disable" => stored.users.set_enabled("grace", false, START).await.expect("disabled"),
            "reset" => stored.users.reset("grace", START).await.expect("reset"),
            _ => stored.users.sign_out("grace", START).await.expect("signed out"),
        }
        for _ in 0..2 {
            let refresh = granted.refresh(&stored.fixture).await;
            refresh.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
            assert!(!refresh.text().contains("sign-in asks for more"), "{command}: {}", refresh.text());
            stored.users.set_enabled("grace", true, START).await.expect("enabled");
            let subject = stored.users.show("grace").await.expect("found").subject;
            stored.set_status(&subject, crate::directory::status::Status::Confirmed).await;
        }
    }
}

impl crate::management::Management {
    /// The app is gone, and nothing else.
    async fn reset_totp_of_tests(&self, who: &str) {
        let subject = self.show(who).await.expect("found").subject;
        let forgotten = self.stored().database.write(move |on| crate::factors::forget(on, "demo", &subject));
        assert!(forgotten.await.expect("written"));
    }
}

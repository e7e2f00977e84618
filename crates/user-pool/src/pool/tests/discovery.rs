//! The discovery document against the routes, and against what the endpoints do.

use std::collections::BTreeSet;

use super::mfa::vault;
use super::stored::Stored;
use super::*;
use crate::client_options::GrantTypes;
use crate::factors::settings::{Factor, Mode, Settings as Mfa};
use crate::settings::Store;

async fn metadata(fixture: &Fixture) -> Value {
    fixture.call(Method::GET, routes::DISCOVERY, &[], "").await.json()
}

#[track_caller]
fn texts(metadata: &Value, key: &str) -> Vec<String> {
    let list = metadata[key].as_array().unwrap_or_else(|| panic!("{key} in {metadata}"));
    list.iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

/// The endpoints that a document names, by their keys, with their paths.
fn endpoints(metadata: &Value) -> Vec<(String, String)> {
    let named = metadata.as_object().expect("an object").iter();
    let named = named.filter(|(key, _)| key.ends_with("_endpoint") || *key == "jwks_uri");
    named
        .map(|(key, url)| {
            let url = url.as_str().expect("an address");
            (key.clone(), url.strip_prefix(ISSUER).unwrap_or_else(|| panic!("{url}")).to_owned())
        })
        .collect()
}

/// A pool with everything that needs a database.
async fn everything() -> Stored {
    Stored::with(|settings| {
        let mut robot = settings.clients[0].clone();
        robot.client_id = "robot".into();
        robot.redirect_uris.clear();
        robot.options.grant_types = GrantTypes::ClientCredentials;
        robot.options.scopes = Some(vec!["https://api.example.com/read".into()]);
        settings.clients.push(robot);
        settings.mfa = Mfa { mode: Mode::Optional, factors: vec![Factor::Totp], ..Mfa::default() };
        settings.store = Some(Store { sqlite: "unused".into(), vault: vault() });
    })
    .await
}

#[tokio::test]
async fn every_endpoint_that_is_named_is_there_and_every_other_is_not() {
    let (plain, stored) = (Fixture::new(), everything().await);
    let of = async |fixture: &Fixture| endpoints(&metadata(fixture).await).into_iter().collect::<BTreeSet<_>>();
    let (without, with) = (of(&plain).await, of(&stored.fixture).await);
    assert!(without.is_subset(&with) && without.len() == 5 && with.len() == 8, "{without:?}\n{with:?}");
    for (fixture, named) in [(&plain, &without), (&stored.fixture, &with)] {
        for (key, path) in &with {
            let method = if matches!(&**key, "jwks_uri" | "userinfo_endpoint") { Method::GET } else { Method::POST };
            let answer = fixture.call(method, path, &[("content-type", FORM.to_owned())], "").await;
            let is_there = !matches!(answer.status(), StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(is_there, named.contains(&(key.clone(), path.clone())), "{key} {path}: {}", answer.status());
        }
    }
}

#[tokio::test]
async fn the_authorization_endpoint_does_what_is_said_of_it() {
    for fixture in [&Fixture::new(), &everything().await.fixture] {
        let said = metadata(fixture).await;
        let mut browser = fixture.browser();
        let refused = async |browser: &mut Browser<'_>, change: (&str, &str)| {
            let answer = browser.authorize(&[change]).await;
            (answer.status() == StatusCode::SEE_OTHER).then(|| answer.query("error")).flatten()
        };
        for (parameter, key, others) in [
            ("response_type", "response_types_supported", &["token", "id_token", "code id_token"][..]),
            ("response_mode", "response_modes_supported", &["fragment", "jwt"]),
            ("code_challenge_method", "code_challenge_methods_supported", &["plain"]),
            ("prompt", "prompt_values_supported", &["create"]),
        ] {
            for value in texts(&said, key) {
                let error = refused(&mut browser, (parameter, &value)).await;
                // `prompt=none` is understood, and nobody is signed in.
                assert_eq!(error.as_deref(), (value == "none").then_some("login_required"), "{parameter}={value}");
            }
            for value in others {
                let error = refused(&mut browser, (parameter, value)).await;
                let expected =
                    if parameter == "response_type" { "unsupported_response_type" } else { "invalid_request" };
                assert_eq!(error.as_deref(), Some(expected), "{parameter}={value}");
            }
        }
        for (parameter, key, code) in [
            ("request", "request_parameter_supported", "request_not_supported"),
            ("request_uri", "request_uri_parameter_supported", "request_uri_not_supported"),
        ] {
            assert_eq!(said[key], false);
            assert_eq!(refused(&mut browser, (parameter, "https://app.example.com/x")).await.as_deref(), Some(code));
        }
        assert_eq!(said["authorization_response_iss_parameter_supported"], true);
        let back = browser.sign_in("alice", "correct horse").await;
        assert_eq!(back.query("iss").as_deref(), said["issuer"].as_str());
    }
}

#[tokio::test]
async fn tokens_have_what_is_said_of_them() {
    for fixture in [&Fixture::new(), &everything().await.fixture] {
        let said = metadata(fixture).await;
        let scope = texts(&said, "scopes_supported").join(" ");
        let mut browser = fixture.browser();
        let claims = json!({"id_token": {"name": null}}).to_string();
        let page = browser.authorize(&[("scope", &scope), ("claims", &claims)]).await;
        let code = browser.submit(&page, "alice", "correct horse").await.code();
        let tokens = fixture.redeem(&code).await.json();
        assert_eq!(tokens["scope"], scope, "every scope is given");
        let token = payload(&tokens["id_token"]);
        for claim in texts(&said, "claims_supported") {
            assert!(token.get(&claim).is_some(), "{claim} in {token}");
        }
        let header = tokens["id_token"].as_str().expect("a token").split('.').next().expect("a header");
        let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).expect("base64url")).expect("JSON");
        let algorithm = header["alg"].as_str().expect("a text").to_owned();
        assert!(texts(&said, "id_token_signing_alg_values_supported").contains(&algorithm), "{algorithm}");
        assert_eq!(texts(&said, "subject_types_supported"), ["public"]);
        assert_eq!(payload(&fixture.tokens().await["id_token"])["sub"], token["sub"], "the same for every client");
        // By name, without the scope.
        let page = fixture.browser().authorize(&[]).await;
        assert_eq!(page.status(), StatusCode::OK);
        let mut other = fixture.browser();
        let page = other.authorize(&[("scope", "openid"), ("claims", &claims)]).await;
        let code = other.submit(&page, "alice", "correct horse").await.code();
        let token = payload(&fixture.redeem(&code).await.json()["id_token"]);
        assert_eq!(json!(token.get("name").is_some()), said["claims_parameter_supported"]);
    }
}

#[tokio::test]
async fn the_token_endpoint_takes_the_grants_and_the_credentials_that_are_named() {
    for fixture in [&Fixture::new(), &everything().await.fixture] {
        let said = metadata(fixture).await;
        let known = texts(&said, "grant_types_supported");
        for grant in ["authorization_code", "refresh_token", "client_credentials", "implicit", "password", "x"] {
            let answer = fixture.token(&[("grant_type", grant)]).await.json();
            let is_named = known.iter().any(|known| known == grant);
            // A pool without such a client says that the client may not, which is as true.
            let is_refused = answer["error"] == "unsupported_grant_type" || grant == "client_credentials" && !is_named;
            assert_eq!(is_refused, !is_named, "{grant}: {answer}");
        }
        let methods = texts(&said, "token_endpoint_auth_methods_supported");
        assert_eq!(methods, ["client_secret_basic", "client_secret_post", "none"]);
        let body = "grant_type=authorization_code&code=x&redirect_uri=x&code_verifier=x";
        for (headers, credentials, is_known) in [
            (vec![("authorization", format!("Basic {}", STANDARD.encode("dashboard:s3cr%2Fet%2B1")))], "", true),
            (vec![], "&client_id=dashboard&client_secret=s3cr%2Fet%2B1", true),
            (vec![], "&client_id=cli", true),
            (vec![], "&client_id=dashboard", false),
            (vec![], "&client_assertion=x&client_assertion_type=x&client_id=dashboard", false),
        ] {
            let mut headers = headers;
            headers.push(("content-type", FORM.to_owned()));
            let answer = fixture.call(Method::POST, routes::TOKEN, &headers, &format!("{body}{credentials}")).await;
            let expected = if is_known { "invalid_grant" } else { "invalid_client" };
            assert_eq!(answer.json()["error"], expected, "{credentials}");
        }
    }
}

#[tokio::test]
async fn levels_that_are_named_can_be_reached() {
    assert_eq!(texts(&metadata(&Fixture::new()).await, "acr_values_supported"), ["urn:cognito:loa:1"]);
    let of = async |change: fn(&mut Mfa)| {
        let stored = Stored::with(|settings| {
            change(&mut settings.mfa);
            settings.store = Some(Store { sqlite: "unused".into(), vault: vault() });
        });
        let levels = texts(&metadata(&stored.await.fixture).await, "acr_values_supported");
        levels.iter().map(|level| level.rsplit(':').next().expect("a number").to_owned()).collect::<String>()
    };
    assert_eq!(of(|mfa| mfa.factors = vec![Factor::Totp]).await, "1", "nobody is asked");
    assert_eq!(of(|mfa| (mfa.mode, mfa.factors) = (Mode::Optional, vec![Factor::Email])).await, "12");
    assert_eq!(of(|mfa| (mfa.mode, mfa.factors) = (Mode::Optional, vec![Factor::Totp])).await, "123");
    assert_eq!(of(|mfa| (mfa.mode, mfa.factors) = (Mode::Required, vec![Factor::Passkey])).await, "1234");
    assert_eq!(of(|mfa| mfa.passkey_is_first = true).await, "14");
}

//! Access tokens for applications (RFC 8707).

use super::*;

const LOOPBACK: &str = "http://127.0.0.1:51234/cb";

/// A code of Alice's for the public client, with these changes of the request.
async fn code(fixture: &Fixture, changes: &[(&str, &str)]) -> String {
    let mut all = vec![("client_id", "cli"), ("redirect_uri", LOOPBACK), ("nonce", "")];
    all.extend(changes);
    let mut browser = fixture.browser();
    let page = browser.authorize(&all).await;
    browser.submit(&page, "alice", "correct horse").await.code()
}

async fn ask(fixture: &Fixture, fields: &[(&str, &str)]) -> Answer {
    let body = form::encode(fields.iter().copied().chain([("client_id", "cli")]));
    fixture.call(Method::POST, routes::TOKEN, &[("content-type", FORM.to_owned())], &body).await
}

async fn redeem(fixture: &Fixture, code: &str, more: &[(&str, &str)]) -> Answer {
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", LOOPBACK),
        ("code_verifier", VERIFIER),
    ];
    fields.extend(more);
    ask(fixture, &fields).await
}

#[tokio::test]
async fn a_token_for_an_application_says_whose_it_is_and_is_good_for_nothing_else() {
    let fixture = Fixture::new();
    let scope = "openid email groups";
    // A client that parses the address as a URL sends it with a slash.
    for asked in [APPLICATION, "https://app.example.com/"] {
        let code = code(&fixture, &[("resource", asked), ("scope", scope)]).await;
        let tokens = redeem(&fixture, &code, &[("resource", asked)]).await.json();
        let claims = payload(&tokens["access_token"]);
        assert_eq!(
            (&claims["aud"], &claims["client_id"], &claims["scope"]),
            (&json!(APPLICATION), &json!("cli"), &json!(scope))
        );
        assert_eq!((&claims["email"], &claims["groups"]), (&json!("alice@example.com"), &json!(["ops"])));
        assert_eq!(claims["sub"], "sub-of-Alice", "no claim of the configuration takes the place of one of ours");
        for absent in ["name", "department", "grant", "nonce", "at_hash"] {
            assert_eq!(claims[absent], Value::Null, "{absent}");
        }
        let token = tokens["access_token"].as_str().expect("a token");
        assert_eq!(fixture.userinfo(token).await.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(payload(&tokens["id_token"])["aud"], "cli");
        let refresh = tokens["refresh_token"].as_str().expect("a token");
        let next =
            ask(&fixture, &[("grant_type", "refresh_token"), ("refresh_token", refresh), ("scope", "openid")]).await;
        let claims = payload(&next.json()["access_token"]);
        assert_eq!(
            (&claims["aud"], &claims["groups"]),
            (&json!(APPLICATION), &Value::Null),
            "less scope, fewer claims"
        );
    }
    // A token without `openid` has no ID token beside it.
    let code = code(&fixture, &[("resource", "https://app.example.com/mcp"), ("scope", "")]).await;
    let tokens = redeem(&fixture, &code, &[]).await.json();
    assert_eq!(payload(&tokens["access_token"])["aud"], "https://app.example.com/mcp");
    assert_eq!(tokens.get("id_token"), None);
}

#[tokio::test]
async fn b_03_no_client_gets_a_token_for_an_application_that_is_not_its_own() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    for foreign in [
        "https://other.example.com",
        "https://app.example.com/mc",
        "https://app.example.com/mcp/",
        "http://app.example.com",
        "app",
        "https://APP.example.com",
    ] {
        let refused =
            browser.authorize(&[("client_id", "cli"), ("redirect_uri", LOOPBACK), ("resource", foreign)]).await;
        assert_eq!(refused.query("error").as_deref(), Some("invalid_target"), "{foreign}");
    }
    // `dashboard` has none, and would not know that its token is for something else.
    let refused = browser.authorize(&[("resource", APPLICATION)]).await;
    assert_eq!(refused.query("error").as_deref(), Some("invalid_target"));
    let twice = format!(
        "{}&resource={APPLICATION}",
        authorize_path(&[("client_id", "cli"), ("redirect_uri", LOOPBACK), ("resource", APPLICATION)])
    );
    assert_eq!(browser.get(&twice).await.query("error").as_deref(), Some("invalid_target"));
    // Nor at the token endpoint, with a code for another one or for none.
    for granted in [APPLICATION, ""] {
        let code = code(&fixture, &[("resource", granted)]).await;
        let other = redeem(&fixture, &code, &[("resource", "https://app.example.com/mcp")]).await;
        other.assert_error(StatusCode::BAD_REQUEST, "invalid_target");
    }
    let code = code(&fixture, &[]).await;
    let tokens = redeem(&fixture, &code, &[]).await.json();
    assert_eq!(payload(&tokens["access_token"])["aud"], format!("{ISSUER}{}", routes::USERINFO));
    let refresh = tokens["refresh_token"].as_str().expect("a token");
    let other = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("resource", APPLICATION)];
    ask(&fixture, &other).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
}

#[tokio::test]
async fn a_resource_that_is_taken_away_ends_its_grants() {
    let fixture = Fixture::new();
    let waiting = code(&fixture, &[("resource", APPLICATION)]).await;
    let first = code(&fixture, &[("resource", APPLICATION)]).await;
    let tokens = redeem(&fixture, &first, &[]).await.json();
    let without = fixture.reloaded(|settings| settings.clients[1].resources.clear());
    redeem(&without, &waiting, &[]).await.assert_error(StatusCode::BAD_REQUEST, "invalid_target");
    let refresh =
        [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().expect("a token"))];
    ask(&without, &refresh).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    // With the former configuration again, it is as it was.
    assert_eq!(ask(&fixture, &refresh).await.status(), StatusCode::OK);
}

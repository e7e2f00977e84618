//! The addresses of Cognito's pages, with its parameters.

use super::self_service::{Open, by_address};
use super::*;

/// The same request for another page.
fn at(path: &str, changes: &[(&str, &str)]) -> String {
    authorize_path(changes).replace(routes::AUTHORIZE, path)
}

#[tokio::test]
async fn login_is_the_sign_in_page_and_keeps_the_request() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let page = browser.get(&at(routes::LOGIN, &[])).await;
    page.assert_page(StatusCode::OK, "Sign in");
    assert!(page.text().contains("The Dashboard"));
    let back = browser.submit(&page, "alice", "correct horse").await;
    assert_eq!(back.query("state").as_deref(), Some("st&te"));
    back.code();
    browser.get(&at(routes::LOGIN, &[])).await.code();
    fixture.browser().get(routes::LOGIN).await.assert_page(StatusCode::OK, "Sign in");
    let wrong = browser.get(&at(routes::LOGIN, &[("redirect_uri", "https://evil.test/")])).await;
    wrong.assert_page(StatusCode::BAD_REQUEST, "Unknown return address");
}

#[tokio::test]
async fn sign_up_and_recovery_keep_the_request() {
    let open = Open::new(by_address()).await;
    let mut browser = open.fixture.browser();
    for path in [routes::SIGN_UP, routes::FORGOT_PASSWORD] {
        let sent = browser.get(&at(path, &[])).await;
        let address = sent.header("location").to_owned();
        assert!(address.starts_with(&format!("{path}?for=")), "{address}");
        let page = browser.get(&address).await;
        assert_eq!(page.status(), StatusCode::OK);
        assert!(
            page.header("content-security-policy").contains("https://app.example.com"),
            "it leads to the application"
        );
        let refused = browser.get(&at(path, &[("response_type", "token")])).await;
        assert_eq!(refused.query("error").as_deref(), Some("unsupported_response_type"));
        let wrong = browser.get(&at(path, &[("redirect_uri", "https://evil.test/")])).await;
        wrong.assert_page(StatusCode::BAD_REQUEST, "Unknown return address");
    }
}

#[tokio::test]
async fn logout_takes_the_parameters_of_cognito() {
    let fixture = Fixture::new();
    let path = |fields: &[(&str, &str)]| format!("/logout?{}", form::encode(fields.iter().copied()));
    let (id, bye) = (("client_id", "dashboard"), ("logout_uri", "https://app.example.com/bye"));
    // Nobody is signed in.
    assert_eq!(fixture.browser().get(&path(&[id, bye])).await.header("location"), "https://app.example.com/bye");
    for wrong in
        [&[bye][..], &[id, ("logout_uri", "https://evil.test/")], &[id, ("redirect_uri", "https://evil.test/")]]
    {
        fixture.browser().get(&path(wrong)).await.assert_page(StatusCode::BAD_REQUEST, "Unknown return address");
    }
    // The pool asks, where Cognito does not: a link on a page of another site must not sign users out.
    let mut browser = fixture.browser();
    browser.sign_in("alice", "correct horse").await.code();
    let question = browser.get(&path(&[id, bye, ("redirect_uri", CALLBACK)])).await;
    question.assert_page(StatusCode::OK, "Sign out?");
    let answer = browser.post(routes::SIGN_OUT, &[("request", &question.hidden())]).await;
    assert_eq!(answer.header("location"), "https://app.example.com/bye", "logout_uri comes first");
    // With a request, the user signs in as somebody else.
    browser.sign_in("alice", "correct horse").await.code();
    let request = authorize_path(&[]).replace(routes::AUTHORIZE, "/logout");
    let question = browser.get(&request).await;
    let sent = browser.post(routes::SIGN_OUT, &[("request", &question.hidden())]).await;
    let login = sent.header("location").to_owned();
    assert!(login.starts_with("/login?client_id=dashboard&redirect_uri="), "{login}");
    let page = browser.get(&login).await;
    page.assert_page(StatusCode::OK, "Sign in");
    let back = browser.submit(&page, "bob", "battery staple").await;
    assert_eq!(back.query("state").as_deref(), Some("st&te"));
    back.code();
}

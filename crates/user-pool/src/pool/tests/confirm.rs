//! The page that asks whether a program may act as the user (attacks U-13, RFC 8252 §8.6).

use super::*;

const LOOPBACK: &str = "http://127.0.0.1:51234/cb";
const CLI: [(&str, &str); 2] = [("client_id", "cli"), ("redirect_uri", LOOPBACK)];

/// A browser in which Alice has signed in, at another client.
async fn signed_in(fixture: &Fixture) -> Browser<'_> {
    let mut browser = fixture.browser();
    browser.sign_in("alice", "correct horse").await.code();
    browser
}

/// What the page says, without its tags.
fn words(page: &Answer) -> String {
    let mut tags = page.text().split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text));
    tags.by_ref().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn u_13_a_program_gets_nothing_before_the_user_has_confirmed_it() {
    let mut settings = settings();
    settings.clients[1].redirect_uris.push(url("com.example.app:/cb"));
    let fixture = Fixture::with(settings, START);
    let mut browser = signed_in(&fixture).await;
    for redirect_uri in [LOOPBACK, "http://127.0.0.1/cb", "com.example.app:/cb"] {
        let asked = [("client_id", "cli"), ("redirect_uri", redirect_uri)];
        for prompt in ["", "consent"] {
            let page = browser.authorize(&[&asked[..], &[("prompt", prompt)]].concat()).await;
            page.assert_page(StatusCode::OK, "Give a program access?");
            let answer = browser.confirm(&page).await;
            assert!(answer.header("location").starts_with(redirect_uri), "{}", answer.header("location"));
            assert_eq!(answer.query("state").as_deref(), Some("st&te"));
            answer.code();
        }
        // OIDC Core §3.1.2.6.
        let silent = browser.authorize(&[&asked[..], &[("prompt", "none")]].concat()).await;
        assert_eq!((silent.query("error").as_deref(), silent.query("code")), (Some("consent_required"), None));
        let anew = browser.authorize(&[&asked[..], &[("prompt", "login")]].concat()).await;
        anew.assert_page(StatusCode::OK, "Sign in");
    }
    // Who has a secret or a name of its own is not asked about.
    browser.authorize(&[]).await.code();
}

#[tokio::test]
async fn u_13_the_page_names_the_program_the_account_and_what_it_gets() {
    let fixture = Fixture::new();
    let mut browser = signed_in(&fixture).await;
    let asked = [&CLI[..], &[("scope", "openid email zzz"), ("resource", APPLICATION)]].concat();
    let page = browser.authorize(&asked).await;
    let said = words(&page);
    for part in [
        "asks to act as Alice.",
        "It calls itself cli,",
        "access to https://app.example.com as you",
        "the ID of your account",
        "your e-mail address",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("your groups") && !page.text().contains("<script"), "{said}");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("form-action 'self' http://127.0.0.1:51234;"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "nobody puts the button under another one: {policy}");
    let german = browser.authorize(&[&CLI[..], &[("ui_locales", "de")]].concat()).await;
    german.assert_page(StatusCode::OK, "Einem Programm Zugriff geben?");
}

#[tokio::test]
async fn u_13_a_sign_in_is_a_confirmation() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let page = browser.authorize(&CLI).await;
    page.assert_page(StatusCode::OK, "Sign in");
    browser.submit(&page, "alice", "correct horse").await.code();
    browser.authorize(&CLI).await.assert_page(StatusCode::OK, "Give a program access?");
}

#[tokio::test]
async fn u_11_u_13_nobody_else_presses_the_button() {
    let fixture = Fixture::new();
    let mut browser = signed_in(&fixture).await;
    let page = browser.authorize(&CLI).await;
    let foreign = "This form cannot be used here";
    for site in ["cross-site", "same-site"] {
        browser.headers = vec![("sec-fetch-site", site)];
        let forged = browser.post(routes::CONFIRM, &[("request", &page.hidden())]).await;
        forged.assert_page(StatusCode::FORBIDDEN, foreign);
    }
    browser.headers = vec![("origin", "https://evil.test")];
    let forged = browser.post(routes::CONFIRM, &[("request", &page.hidden())]).await;
    forged.assert_page(StatusCode::FORBIDDEN, foreign);
    // A form of another browser, also one in which the same user has signed in.
    let mut other = signed_in(&fixture).await;
    other.authorize(&CLI).await.assert_page(StatusCode::OK, "Give a program access?");
    let planted = other.post(routes::CONFIRM, &[("request", &page.hidden())]).await;
    planted.assert_page(StatusCode::FORBIDDEN, foreign);
    // Another form, no form, another method.
    let out = browser.get(routes::SIGN_IN).await;
    let wrong = browser.post(routes::CONFIRM, &[("request", &out.hidden())]).await;
    wrong.assert_page(StatusCode::FORBIDDEN, foreign);
    browser.post(routes::CONFIRM, &[]).await.assert_page(StatusCode::FORBIDDEN, foreign);
    assert_eq!(browser.get(routes::CONFIRM).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    // And it is good for this question only, not as a sign-in.
    let wrong = browser.submit(&page, "alice", "correct horse").await;
    wrong.assert_page(StatusCode::FORBIDDEN, foreign);
    browser.confirm(&page).await.code();
}

#[tokio::test]
async fn u_13_the_button_is_for_the_user_whom_the_page_names() {
    let fixture = Fixture::new();
    let mut browser = signed_in(&fixture).await;
    let page = browser.authorize(&CLI).await;
    // Bob signs in, in another tab.
    let other = browser.authorize(&[("prompt", "login")]).await;
    browser.submit(&other, "bob", "battery staple").await.code();
    let answer = browser.confirm(&page).await;
    answer.assert_page(StatusCode::OK, "Sign in");
    browser.submit(&answer, "alice", "correct horse").await.code();
    // Alice signs out.
    let page = browser.authorize(&CLI).await;
    let out = browser.get(routes::SIGN_IN).await;
    browser.post(routes::SIGN_OUT, &[("request", &out.hidden())]).await;
    browser.confirm(&page).await.assert_page(StatusCode::OK, "Sign in");
}

#[tokio::test]
async fn u_13_a_question_is_good_for_fifteen_minutes_and_for_what_is_registered_then() {
    let fixture = Fixture::new();
    let mut browser = signed_in(&fixture).await;
    let page = browser.authorize(&CLI).await;
    fixture.advance(15 * 60);
    browser.confirm(&page).await.code();
    fixture.advance(1);
    let expired = browser.confirm(&page).await;
    expired.assert_page(StatusCode::FORBIDDEN, "This page has expired");
    assert!(expired.text().contains("error=login_required"), "a link to begin again: {}", expired.text());

    let page = browser.authorize(&CLI).await;
    let cookies = browser.cookies.clone();
    let reloaded = fixture.reloaded(|settings| settings.clients[1].redirect_uris = vec![url("https://a.example/")]);
    let mut browser = Browser { cookies, ..reloaded.browser() };
    browser.confirm(&page).await.assert_page(StatusCode::BAD_REQUEST, "Unknown return address");
}

#[tokio::test]
async fn u_13_the_page_names_what_is_asked_for_by_claims_and_by_scopes_of_others() {
    let stored = super::stored::Stored::with(|settings| {
        let mut scopes: Vec<String> = crate::SCOPES.iter().map(|&scope| scope.to_owned()).collect();
        scopes.push("https://api.example.com/read".into());
        settings.clients[1].options.scopes = Some(scopes);
    })
    .await;
    let mut browser = signed_in(&stored.fixture).await;
    let page = async |browser: &mut Browser<'_>, claims: &str| {
        words(&browser.authorize(&[&CLI[..], &[("scope", "openid"), ("claims", claims)]].concat()).await)
    };
    let (profile, email, groups) = ("your name and other data of your account", "your e-mail address", "your groups");
    let said = page(&mut browser, r#"{"id_token": {"email": null}, "userinfo": {"department": null}}"#).await;
    assert!(said.contains(email) && said.contains(profile) && !said.contains(groups), "{said}");
    let said = page(&mut browser, r#"{"userinfo": {"groups": {"essential": true}}}"#).await;
    assert!(said.contains(groups) && !said.contains(email) && !said.contains(profile), "{said}");
    // What every token has is no data of the account.
    let said = page(&mut browser, r#"{"id_token": {"acr": null, "sub": {"value": "sub-of-Alice"}}}"#).await;
    assert!(!said.contains(profile), "{said}");
    // The name of the user is.
    let said = page(&mut browser, r#"{"id_token": {"preferred_username": null}}"#).await;
    assert!(said.contains(profile), "{said}");
    // Each once.
    let both = [&CLI[..], &[("scope", "openid email"), ("claims", r#"{"id_token": {"email": null}}"#)]].concat();
    assert_eq!(words(&browser.authorize(&both).await).matches(email).count(), 1);
    // The scope of a resource server has no words of its own.
    let api = [&CLI[..], &[("scope", "openid https://api.example.com/read")]].concat();
    let said = words(&browser.authorize(&api).await);
    assert!(said.contains("access to https://api.example.com/read as you"), "{said}");
}

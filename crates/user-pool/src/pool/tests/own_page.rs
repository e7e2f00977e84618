//! Sign-in pages of the operator's own: the JSON endpoint, and what strangers can do with handles and tickets.

mod steps;

use super::*;
use crate::brand::{self, LoginPage};

const PAGE: &str = "https://www.example.com";

fn own_page(origin: &str) -> LoginPage {
    LoginPage { url: url(&format!("{origin}/login?a=1")), origins: vec![origin.to_owned()] }
}

/// A pool whose users sign in at [`PAGE`], and those of `cli` at another page.
fn fixture() -> Fixture {
    let brand = brand::Settings {
        login_page: Some(own_page(PAGE)),
        client_login_pages: [("cli".to_owned(), own_page("https://cli.example.com"))].into(),
        ..brand::Settings::default()
    };
    Fixture::with(Settings { brand, ..settings() }, START)
}

impl Browser<'_> {
    /// What the page at `origin` gets for this JSON.
    async fn page_sends(&mut self, origin: &'static str, body: &Value) -> Answer {
        self.headers.extend([("origin", origin), ("content-type", "application/json")]);
        self.send(Method::POST, routes::OWN_PAGE_JSON, body.to_string()).await
    }

    /// A page on another site: browsers send no cookie of ours.
    async fn page_of_another_site_sends(&mut self, origin: &'static str, body: &Value) -> Answer {
        let cookies = std::mem::take(&mut self.cookies);
        let answer = self.page_sends(origin, body).await;
        self.cookies = cookies;
        answer
    }

    /// The handle that the page gets.
    async fn handle(&mut self) -> String {
        handle(&self.authorize(&[]).await)
    }
}

#[track_caller]
fn handle(redirect: &Answer) -> String {
    in_fragment(&redirect.location(), "handle").expect("a handle")
}

fn in_fragment(location: &Url, name: &str) -> Option<String> {
    let fields = url::form_urlencoded::parse(location.fragment()?.as_bytes()).into_owned().collect::<Vec<_>>();
    fields.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn right(handle: &str) -> Value {
    json!({"handle": handle, "username": "alice", "password": "correct horse"})
}

/// The path of an address of ours.
#[track_caller]
fn path_of(answer: &Answer) -> String {
    assert_eq!(answer.status(), StatusCode::OK, "{}", answer.text());
    let location = answer.json()["location"].as_str().expect("an address").to_owned();
    location.strip_prefix(ISSUER).expect("an address of ours").to_owned()
}

#[tokio::test]
async fn a_user_signs_in_on_a_page_of_the_operator() {
    let fixture = fixture();
    let mut browser = fixture.browser();
    let redirect = browser.authorize(&[("login_hint", "al&ice"), ("ui_locales", "de")]).await;
    let location = redirect.location();
    assert!(location.as_str().starts_with("https://www.example.com/login?a=1#handle="), "{location}");
    assert_eq!(location.query(), Some("a=1"), "servers and `Referer` get nothing");
    assert_eq!(in_fragment(&location, "login_hint").as_deref(), Some("al&ice"));
    assert_eq!(in_fragment(&location, "ui_locales").as_deref(), Some("de"));
    assert_eq!(in_fragment(&location, "client_id").as_deref(), Some("dashboard"));
    let answer = browser.page_of_another_site_sends(PAGE, &right(&handle(&redirect))).await;
    assert_eq!(answer.json()["next"], "done");
    assert_eq!(answer.header("access-control-allow-origin"), PAGE);
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert_eq!(answer.header("vary"), "Origin");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.0.headers().get("set-cookie").is_none(), "the page gets no cookie");
    let back = browser.get(&path_of(&answer)).await;
    assert_eq!(back.query("state").as_deref(), Some("st&te"));
    let tokens = fixture.redeem(&back.code()).await.json();
    assert_eq!(payload(&tokens["id_token"])["sub"], "sub-of-Alice");
    // The session is that of our site: the next application asks for nothing.
    browser.authorize(&[]).await.code();
}

#[tokio::test]
async fn u_32_only_pages_on_the_list_may_send_and_read() {
    let fixture = fixture();
    let mut browser = fixture.browser();
    let handle = browser.handle().await;
    for origin in [
        "https://evil.test",
        "https://www.example.com.evil.test",
        "http://www.example.com",
        "https://www.example.com:8443",
        "https://WWW.example.com",
        "https://login.example",
        "https://www.example.com, https://evil.test",
        "null",
        "",
        // One of another client.
        "https://cli.example.com",
    ] {
        let answer = browser.page_sends(origin, &right(&handle)).await;
        answer.assert_error(StatusCode::FORBIDDEN, "login_page.origin");
        if origin != "https://cli.example.com" {
            assert!(answer.0.headers().get("access-control-allow-origin").is_none(), "{origin}");
        }
    }
    browser.headers = vec![("content-type", "application/json")];
    let without = browser.send(Method::POST, routes::OWN_PAGE_JSON, right(&handle).to_string()).await;
    without.assert_error(StatusCode::FORBIDDEN, "login_page.origin");
    browser.headers = vec![("origin", "https://evil.test")];
    browser.page_sends(PAGE, &right(&handle)).await.assert_error(StatusCode::FORBIDDEN, "login_page.origin");
    // None of them was an attempt.
    path_of(&browser.page_sends(PAGE, &right(&handle)).await);

    for (origin, allowed) in [(PAGE, Some("POST")), ("https://evil.test", None)] {
        browser.headers = vec![("origin", origin), ("access-control-request-method", "POST")];
        let preflight = browser.send(Method::OPTIONS, routes::OWN_PAGE_JSON, String::new()).await;
        assert_eq!(preflight.status(), StatusCode::NO_CONTENT);
        let header = |name| preflight.0.headers().get(name).map(|value| value.to_str().expect("ASCII"));
        assert_eq!(header("access-control-allow-methods"), allowed);
        assert_eq!(header("access-control-allow-origin"), allowed.map(|_| PAGE));
        assert_eq!(header("access-control-allow-headers"), allowed.map(|_| "content-type"));
        assert_eq!(header("access-control-allow-credentials"), allowed.map(|_| "true"));
        assert_eq!(header("vary"), Some("Origin"));
    }
    let fixture = Fixture::new();
    let answer = fixture.browser().page_sends(PAGE, &right("x")).await;
    answer.assert_error(StatusCode::FORBIDDEN, "login_page.origin");
}

#[tokio::test]
async fn a_failure_says_what_our_own_page_would_say() {
    let fixture = fixture();
    let mut browser = fixture.browser();
    let handle = browser.handle().await;
    let with = |username: &str, password: &str| json!({"handle": handle, "username": username, "password": password});
    let mut answers = Vec::new();
    for username in ["alice", "nobody", "bob", "\u{0}"] {
        let answer = browser.page_sends(PAGE, &with(username, "wrong")).await;
        answer.assert_error(StatusCode::UNAUTHORIZED, "sign_in.wrong_password");
        answers.push(answer.text().to_owned());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(
        serde_json::from_str::<Value>(&answers[0]).expect("JSON")["message"],
        "Incorrect user name or password."
    );
    for (username, password) in [("", "x"), (" ", "x"), ("alice", "")] {
        let answer = browser.page_sends(PAGE, &with(username, password)).await;
        answer.assert_error(StatusCode::BAD_REQUEST, "sign_in.incomplete");
    }
    // The same limits, wherever the password comes from.
    let limited = loop {
        let answer = browser.page_sends(PAGE, &with("alice", "wrong")).await;
        if answer.status() != StatusCode::UNAUTHORIZED {
            break answer;
        }
    };
    limited.assert_error(StatusCode::TOO_MANY_REQUESTS, "sign_in.too_many_attempts");
    let seconds = limited.json()["retry_after"].as_u64().expect("a number");
    assert_eq!(limited.header("retry-after"), seconds.to_string());
    assert_eq!(limited.header("access-control-expose-headers"), "retry-after");
    let ours = browser.get(&format!("{}?{}", routes::PROCEED, form::encode([("handle", &*handle)]))).await;
    let ours = browser.submit(&ours, "alice", "correct horse").await;
    assert_eq!(ours.status(), StatusCode::TOO_MANY_REQUESTS, "our own form counts the same attempts");
}

#[tokio::test]
async fn what_is_no_such_request_is_refused() {
    let fixture = fixture();
    let mut browser = fixture.browser();
    let handle = browser.handle().await;
    for body in ["", "{", "[]", "null", "{\"username\":\"alice\"}", "{\"handle\":1}", "handle=x&username=alice"] {
        browser.headers = vec![("origin", PAGE), ("content-type", "application/json")];
        let answer = browser.send(Method::POST, routes::OWN_PAGE_JSON, body.to_owned()).await;
        answer.assert_error(StatusCode::BAD_REQUEST, "login_page.malformed");
        assert_eq!(answer.header("access-control-allow-origin"), PAGE, "the page can say so");
    }
    // Types that browsers send without a preflight request.
    for kind in ["text/plain", FORM, "multipart/form-data; boundary=x", ""] {
        browser.headers = vec![("origin", PAGE), ("content-type", kind)];
        let answer = browser.send(Method::POST, routes::OWN_PAGE_JSON, right(&handle).to_string()).await;
        answer.assert_error(StatusCode::BAD_REQUEST, "login_page.malformed");
    }
    for method in [Method::GET, Method::HEAD, Method::PUT] {
        let answer = browser.send(method, routes::OWN_PAGE_JSON, String::new()).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    for other in ["x", "", &fixture.pool.ui().seal.seal(crate::seal::Purpose::LoginTicket, &"x")] {
        let answer = browser.page_sends(PAGE, &right(other)).await;
        answer.assert_error(StatusCode::FORBIDDEN, "login_page.handle_foreign");
    }
}

#[tokio::test]
async fn u_32_a_handle_is_short_lived_and_signs_in_once() {
    let fixture = fixture();
    let mut browser = fixture.browser();
    let handle = browser.handle().await;
    let wrong = json!({"handle": handle, "username": "alice", "password": "wrong"});
    browser.page_sends(PAGE, &wrong).await.assert_error(StatusCode::UNAUTHORIZED, "sign_in.wrong_password");
    fixture.clock.advance(Duration::from_secs(15 * 60));
    path_of(&browser.page_sends(PAGE, &right(&handle)).await);
    let bob = json!({"handle": handle, "username": "bob", "password": "battery staple"});
    browser.page_sends(PAGE, &bob).await.assert_error(StatusCode::FORBIDDEN, "login_page.handle_used");
    fixture.clock.advance(Duration::from_secs(1));
    browser.page_sends(PAGE, &right(&handle)).await.assert_error(StatusCode::FORBIDDEN, "login_page.handle_expired");

    // Two requests at the same time: one signs in.
    let handle = browser.handle().await;
    let (mut one, mut other) = (fixture.browser(), fixture.browser());
    let sent = right(&handle);
    let (one, other) = tokio::join!(one.page_sends(PAGE, &sent), other.page_sends(PAGE, &sent));
    let mut statuses = [one.status(), other.status()];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::FORBIDDEN]);
}

/// Login CSRF and session fixation: somebody makes a user open the address that they got for their own account.
#[tokio::test]
async fn u_32_a_ticket_signs_in_only_in_the_browser_that_began() {
    let fixture = fixture();
    let (mut attacker, mut victim) = (fixture.browser(), fixture.browser());
    let handle = attacker.handle().await;
    let bob = json!({"handle": handle, "username": "bob", "password": "battery staple"});
    let path = path_of(&attacker.page_sends(PAGE, &bob).await);
    // A browser that never began has no cookie; one that began has another.
    let refused = victim.get(&path).await;
    refused.assert_page(StatusCode::FORBIDDEN, "This form cannot be used here");
    assert!(victim.cookies.is_empty());
    victim.handle().await;
    let before = victim.cookies.clone();
    victim.get(&path).await.assert_page(StatusCode::FORBIDDEN, "This form cannot be used here");
    assert_eq!(victim.cookies, before, "no session has begun");
    // That took nothing from whom it is for.
    attacker.get(&path).await.code();
}

/// Somebody reads the handle of a user and signs in with it as themselves.
#[tokio::test]
async fn u_32_a_stolen_handle_gives_nothing_to_the_thief_and_is_noticed_where_cookies_are_sent() {
    let fixture = fixture();
    let (mut thief, mut victim) = (fixture.browser(), fixture.browser());
    let handle = victim.handle().await;
    // In the browser of the thief, which has begun a sign-in as well.
    thief.handle().await;
    let answer = thief.page_sends(PAGE, &right(&handle)).await;
    answer.assert_error(StatusCode::FORBIDDEN, "login_page.handle_foreign");
    // Without cookies, the thief gets a ticket, which the browser of the thief cannot use.
    let path = path_of(&thief.page_of_another_site_sends(PAGE, &right(&handle)).await);
    thief.get(&path).await.assert_page(StatusCode::FORBIDDEN, "This form cannot be used here");
    // The user is told, and begins again.
    victim.page_sends(PAGE, &right(&handle)).await.assert_error(StatusCode::FORBIDDEN, "login_page.handle_used");
    let handle = victim.handle().await;
    let path = path_of(&victim.page_sends(PAGE, &right(&handle)).await);
    victim.get(&path).await.code();
}

#[tokio::test]
async fn u_32_a_ticket_is_good_once_and_for_two_minutes() {
    let fixture = fixture();
    let mut browser = fixture.browser();
    let handle = browser.handle().await;
    let path = path_of(&browser.page_sends(PAGE, &right(&handle)).await);
    fixture.clock.advance(Duration::from_secs(120));
    let head = browser.send(Method::HEAD, &path, String::new()).await;
    assert_eq!(head.status(), StatusCode::METHOD_NOT_ALLOWED, "it does not use the ticket up");
    browser.get(&path).await.code();
    browser.get(&path).await.assert_page(StatusCode::FORBIDDEN, "This sign-in page has expired");
    // Signing out ends the session, and Back does not begin it again.
    let home = browser.get(routes::SIGN_IN).await;
    browser.post(routes::SIGN_OUT, &[("request", &home.hidden())]).await;
    browser.get(&path).await.assert_page(StatusCode::FORBIDDEN, "This sign-in page has expired");

    let handle = browser.handle().await;
    let path = path_of(&browser.page_sends(PAGE, &right(&handle)).await);
    fixture.clock.advance(Duration::from_secs(121));
    browser.get(&path).await.assert_page(StatusCode::FORBIDDEN, "This sign-in page has expired");

    for query in ["", "?", "?ticket=x", "?ticket=", "?handle=x", "?ticket=a&handle=b", "?ticket=a&ticket=b"] {
        let answer = browser.get(&format!("{}{query}", routes::PROCEED)).await;
        assert!(answer.status().is_client_error(), "{query}: {:?}", answer.0);
    }
    // Neither is good in the place of the other.
    for (name, value) in [("ticket", &handle), ("handle", &path[path.find('=').expect("a value") + 1..].to_owned())] {
        let answer = browser.get(&format!("{}?{}", routes::PROCEED, form::encode([(name, &**value)]))).await;
        answer.assert_page(StatusCode::FORBIDDEN, "This form cannot be used here");
    }
}

#[tokio::test]
async fn u_32_a_ticket_of_a_user_or_a_client_that_is_gone_signs_nobody_in() {
    let fixture = fixture();
    let mut browser = fixture.browser();
    let handle = browser.handle().await;
    let path = path_of(&browser.page_sends(PAGE, &right(&handle)).await);
    let other_password = |settings: &mut Settings| settings.users[0] = user("Alice", "another", json!({}));
    let no_redirect = |settings: &mut Settings| settings.clients[0].redirect_uris.clear();
    type Change = fn(&mut Settings);
    let changes: [(Change, &str); 2] =
        [(other_password, "This sign-in page has expired"), (no_redirect, "Unknown return address")];
    for (change, heading) in changes {
        let later = fixture.reloaded(change);
        let mut same = Browser { cookies: browser.cookies.clone(), ..later.browser() };
        let answer = same.get(&path).await;
        assert!(answer.text().contains(&format!("<h1>{heading}</h1>")), "{}", answer.text());
    }
    // The page may not send any more, and what it has sent goes on.
    let handle = browser.handle().await;
    let later = fixture.reloaded(|settings| settings.brand = brand::Settings::default());
    let mut same = Browser { cookies: browser.cookies.clone(), ..later.browser() };
    same.page_sends(PAGE, &right(&handle)).await.assert_error(StatusCode::FORBIDDEN, "login_page.origin");
}

#[tokio::test]
async fn our_own_page_can_take_the_place_of_the_operators() {
    let fixture = fixture();
    let (mut browser, mut other) = (fixture.browser(), fixture.browser());
    let path = format!("{}?{}", routes::PROCEED, form::encode([("handle", &*browser.handle().await)]));
    other.get(&path).await.assert_page(StatusCode::FORBIDDEN, "This form cannot be used here");
    let page = browser.get(&path).await;
    page.assert_page(StatusCode::OK, "Sign in");
    assert!(page.text().contains("The Dashboard"));
    browser.submit(&page, "alice", "correct horse").await.code();
    // A bookmark of our page leads to our page.
    fixture.browser().get(routes::SIGN_IN).await.assert_page(StatusCode::OK, "Sign in");
}

#[tokio::test]
async fn each_client_has_its_page_and_a_session_needs_none() {
    let fixture = fixture();
    let mut browser = fixture.browser();
    let cli = [("client_id", "cli"), ("redirect_uri", "http://127.0.0.1/cb")];
    let redirect = browser.authorize(&cli).await;
    assert!(redirect.location().as_str().starts_with("https://cli.example.com/login?a=1#"), "{:?}", redirect.0);
    let answer = browser.page_sends("https://cli.example.com", &right(&handle(&redirect))).await;
    browser.get(&path_of(&answer)).await;
    browser.authorize(&[]).await.code();
    // Unless the application wants the password again, or nobody to be asked.
    assert!(browser.authorize(&[("prompt", "login")]).await.location().as_str().starts_with(PAGE));
    let silent = fixture.browser().authorize(&[("prompt", "none")]).await;
    assert_eq!(silent.query("error").as_deref(), Some("login_required"));
}

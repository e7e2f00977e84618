//! The sign-in page and its form.

use super::*;

const WRONG: &str = "Incorrect user name or password.";

#[tokio::test]
async fn u_01_an_unknown_user_and_a_wrong_password_look_the_same() {
    let fixture = Fixture::new();
    let mut answers = Vec::new();
    for username in ["alice", "nobody", "bob"] {
        let mut browser = fixture.browser();
        let page = browser.authorize(&[]).await;
        let answer = browser.submit(&page, username, "wrong").await;
        answer.assert_page(StatusCode::UNAUTHORIZED, "Sign in");
        assert!(answer.text().contains(WRONG));
        answers.push(answer.text().replace(username, "?").replace(&answer.hidden(), "?"));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
}

#[tokio::test]
async fn a_wrong_password_keeps_the_name_and_the_next_one_signs_in() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let again = browser.sign_in("al\"><i>ice", "wrong").await;
    assert!(again.text().contains(r#"value="al&#34;&#62;&#60;i&#62;ice""#), "{}", again.text());
    assert!(!again.text().contains("wrong\""), "the password is not shown");
    assert!(again.text().contains(r#"required aria-describedby="notice" autofocus>"#));
    let back = browser.submit(&again, "alice", "correct horse").await;
    assert_eq!(back.query("state").as_deref(), Some("st&te"));
}

/// The headers of a browser that loads a page.
const NAVIGATION: [(&str, &str); 2] = [("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-origin")];

impl Browser<'_> {
    /// Submits the form as browsers do, and follows a redirect within the pool. Returns the path and the page.
    async fn navigate(&mut self, page: &Answer, username: &str, password: &str) -> (String, Answer) {
        self.headers = NAVIGATION.into();
        let answer = self.submit(page, username, password).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", answer.text());
        let path = answer.header("location").to_owned();
        if !path.starts_with('/') {
            return (path, answer);
        }
        let page = self.get(&path).await;
        (path, page)
    }
}

#[tokio::test]
async fn a_wrong_password_leads_a_browser_to_a_page_that_it_can_load_again() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let page = browser.authorize(&[]).await;
    for (username, password, notice) in [
        ("al\"ice", "wrong", WRONG),
        ("alice", "", "Enter your user name and your password."),
        ("", "wrong", "Enter your user name and your password."),
    ] {
        let (path, again) = browser.navigate(&page, username, password).await;
        for again in [again, browser.get(&path).await] {
            again.assert_page(StatusCode::OK, "Sign in");
            assert!(again.text().contains(notice), "{}", again.text());
            assert!(
                again.text().contains(&format!("value=\"{}\"", username.replace('"', "&#34;"))),
                "{}",
                again.text()
            );
            assert_eq!(again.hidden(), page.hidden(), "the form is not younger than it was");
            assert!(again.header("content-security-policy").contains("form-action 'self' https://app.example.com;"));
        }
        // Whole names: three letters are in an encrypted value by chance, about once in a hundred runs.
        assert!(["al\"ice", "al%22ice", "alice", "wrong"].iter().all(|text| !path.contains(text)), "{path}");
    }
    let (path, again) = browser.navigate(&page, "alice", "wrong").await;
    let (back, _) = browser.navigate(&again, "alice", "correct horse").await;
    assert!(back.starts_with(CALLBACK), "{back}");
    // Back in the history: the user is signed in by now.
    browser.get(&path).await.assert_page(StatusCode::OK, "You are signed in");
}

#[tokio::test]
async fn the_page_with_the_result_counts_down_the_wait() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let page = browser.authorize(&[]).await;
    for _ in 0..5 {
        browser.navigate(&page, "alice", "wrong").await;
    }
    let (path, told) = browser.navigate(&page, "alice", "correct horse").await;
    assert!(told.text().contains("Too many attempts. Try again in 30 seconds."), "{}", told.text());
    fixture.advance(10);
    let told = browser.get(&path).await;
    assert!(told.text().contains("Too many attempts. Try again in 20 seconds."), "{}", told.text());
    assert!(fixture.registry.render().contains(r#"outcome="rate_limited"} 1"#), "loading a page is no attempt");
}

#[tokio::test]
async fn u_11_nobody_can_make_a_link_that_shows_a_form_or_a_message_of_their_own() {
    let fixture = Fixture::new();
    let mut attacker = fixture.browser();
    let page = attacker.authorize(&[]).await;
    let (path, _) = attacker.navigate(&page, "mallory", "wrong").await;
    for has_cookie in [false, true] {
        let mut victim = fixture.browser();
        if has_cookie {
            victim.authorize(&[]).await;
        }
        let shown = victim.get(&path).await;
        shown.assert_page(StatusCode::FORBIDDEN, "This form cannot be used here");
        assert!(!shown.text().contains("mallory") && !shown.text().contains("<form"), "{}", shown.text());
    }
    // What is not sealed for this purpose is the plain page.
    for sealed in ["", "x", &path[path.len() - 40..], &page.hidden()] {
        let shown = attacker.get(&format!("{}?result={sealed}", routes::SIGN_IN)).await;
        shown.assert_page(StatusCode::OK, "Sign in");
        assert!(!shown.text().contains("class=\"alert\"") && !shown.text().contains("mallory"), "{}", shown.text());
    }
    fixture.advance(15 * 60 + 1);
    attacker.get(&path).await.assert_page(StatusCode::FORBIDDEN, "This sign-in page has expired");
}

#[tokio::test]
async fn a_form_that_is_refused_leads_a_browser_to_a_page_that_it_can_load_again() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let page = browser.authorize(&[]).await;
    // Another browser's form, one without its cookie, and one of another site.
    let mut other = fixture.browser();
    other.authorize(&[]).await;
    for site in ["same-origin", "cross-site"] {
        other.headers = vec![("sec-fetch-mode", "navigate"), ("sec-fetch-site", site)];
        let sent = other.submit(&page, "alice", "correct horse").await;
        assert_eq!(sent.status(), StatusCode::SEE_OTHER, "{}", sent.text());
        other.headers = vec![];
        for _ in 0..2 {
            let shown = other.get(sent.header("location")).await;
            shown.assert_page(StatusCode::OK, "This form cannot be used here");
            assert!(shown.text().contains("<code>sign_in.form_foreign</code>"), "{}", shown.text());
        }
        other.cookies.clear();
    }
    fixture.advance(15 * 60 + 1);
    let (path, expired) = browser.navigate(&page, "alice", "correct horse").await;
    expired.assert_page(StatusCode::OK, "This sign-in page has expired");
    assert!(expired.text().contains(&format!("href=\"{CALLBACK}")), "{}", expired.text());
    browser.get(&path).await.assert_page(StatusCode::OK, "This sign-in page has expired");
    assert!(fixture.registry.render().contains(r#"outcome="form_refused"} 3"#), "loading a page refuses no form");
    // What is not sealed for this purpose is the plain page.
    for sealed in ["", "x", &page.hidden()] {
        let shown = browser.get(&format!("{}?refused={sealed}", routes::SIGN_IN)).await;
        shown.assert_page(StatusCode::OK, "Sign in");
    }
}

#[tokio::test]
async fn who_does_not_navigate_and_who_would_get_too_long_an_address_gets_the_page_at_once() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let page = browser.authorize(&[]).await;
    browser.headers = vec![("sec-fetch-mode", "cors"), ("sec-fetch-site", "same-origin")];
    browser.submit(&page, "alice", "wrong").await.assert_page(StatusCode::UNAUTHORIZED, "Sign in");
    browser.headers = NAVIGATION.into();
    let long = browser.submit(&page, &"a".repeat(4096), "wrong").await;
    long.assert_page(StatusCode::UNAUTHORIZED, "Sign in");
}

#[tokio::test]
async fn d_23_pools_on_one_host_with_two_ports_keep_both_sessions() {
    let worlds = ["https://127.0.0.1:8443", "https://127.0.0.1:8444", "https://127.0.0.1"].map(|issuer| {
        let mut settings = settings();
        settings.issuer = url(issuer);
        Fixture::with(settings, START)
    });
    // One browser: the cookies of the host go to every port.
    let mut cookies = BTreeMap::new();
    let mut pages = Vec::new();
    for fixture in &worlds {
        let mut browser = Browser { cookies, ..fixture.browser() };
        pages.push(browser.authorize(&[]).await);
        cookies = browser.cookies;
    }
    for (fixture, page) in worlds.iter().zip(&pages) {
        let mut browser = Browser { cookies, ..fixture.browser() };
        assert!(
            browser.submit(page, "alice", "correct horse").await.query("code").is_some(),
            "the form is still bound"
        );
        cookies = browser.cookies;
    }
    for fixture in &worlds {
        let mut browser = Browser { cookies: cookies.clone(), ..fixture.browser() };
        assert!(browser.authorize(&[]).await.query("code").is_some(), "the session is still there");
    }
    // Signing out of one ends only that one.
    let mut browser = Browser { cookies, ..worlds[0].browser() };
    let question = browser.get(routes::LOGOUT).await.hidden();
    browser.post(routes::SIGN_OUT, &[("request", &question)]).await;
    let names = browser.cookies.keys().filter(|name| !name.contains("form") && !name.contains("known"));
    let names: Vec<_> = names.collect();
    assert_eq!(names, ["__Host-vestibule-pool", "__Host-vestibule-pool-8444"]);
}

#[tokio::test]
async fn u_04_another_spelling_is_the_same_user() {
    let fixture = Fixture::new();
    for spelling in ["alice", "ALICE", " Alice ", "ａｌｉｃｅ"] {
        let tokens = fixture.redeem(&fixture.browser().sign_in(spelling, "correct horse").await.code()).await.json();
        assert_eq!(payload(&tokens["id_token"])["sub"], "sub-of-Alice");
    }
    for other in ["аlice", "alice\0", "alice\nbob", "al ice"] {
        let answer = fixture.browser().sign_in(other, "correct horse").await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{other:?}");
    }
}

#[tokio::test]
async fn u_05_nothing_but_the_right_password_is_the_step() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let page = browser.authorize(&[]).await;
    let hidden = page.hidden();
    for fields in [
        vec![("request", hidden.as_str())],
        vec![("request", &hidden), ("username", "alice")],
        vec![("request", &hidden), ("username", "alice"), ("password", "")],
        vec![("request", &hidden), ("username", " "), ("password", "correct horse")],
        vec![("request", &hidden), ("username", "bob"), ("username", "alice"), ("password", "correct horse")],
        vec![("request", &hidden), ("username", "alice"), ("password", "x"), ("password", "correct horse")],
    ] {
        let answer = browser.post(routes::SIGN_IN, &fields).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{fields:?}");
    }
    browser.post(routes::SIGN_IN, &[]).await.assert_page(StatusCode::FORBIDDEN, "This form cannot be used here");
    assert!(!browser.cookies.contains_key("__Host-vestibule-pool"));
}

#[tokio::test]
async fn u_05_a_value_for_another_step_is_not_taken() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    browser.sign_in("alice", "correct horse").await;
    let question = browser.get(routes::LOGOUT).await.hidden();
    let fields = [("request", question.as_str()), ("username", "alice"), ("password", "correct horse")];
    assert_eq!(browser.post(routes::SIGN_IN, &fields).await.status(), StatusCode::FORBIDDEN);
    let session = browser.cookies["__Host-vestibule-pool"].clone();
    let fields = [("request", session.as_str()), ("username", "alice"), ("password", "correct horse")];
    assert_eq!(browser.post(routes::SIGN_IN, &fields).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn u_11_a_form_of_another_browser_or_site_is_refused() {
    let fixture = Fixture::new();
    let mut attacker = fixture.browser();
    let theirs = attacker.authorize(&[]).await;
    let mut victim = fixture.browser();
    let refused = victim.submit(&theirs, "alice", "correct horse").await;
    refused.assert_page(StatusCode::FORBIDDEN, "This form cannot be used here");
    let own = victim.authorize(&[]).await;
    let refused = victim.submit(&theirs, "alice", "correct horse").await;
    refused.assert_page(StatusCode::FORBIDDEN, "This form cannot be used here");
    for header in [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.test")] {
        victim.headers = vec![header];
        assert_eq!(victim.submit(&own, "alice", "correct horse").await.status(), StatusCode::FORBIDDEN, "{header:?}");
    }
    victim.headers = vec![("sec-fetch-site", "same-origin"), ("origin", "null")];
    assert!(victim.submit(&own, "alice", "correct horse").await.query("code").is_some());
    assert!(fixture.registry.render().contains(r#"outcome="form_refused"} 5"#));
}

#[tokio::test]
async fn u_11_the_page_may_not_be_framed_and_leads_only_to_the_relying_party() {
    let page = Fixture::new().browser().authorize(&[]).await;
    page.assert_page(StatusCode::OK, "Sign in");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(policy.contains("form-action 'self' https://app.example.com;"), "{policy}");
    assert!(policy.contains("base-uri 'none'"), "{policy}");
}

#[tokio::test]
async fn a_form_is_good_for_fifteen_minutes_and_in_every_tab() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let first = browser.authorize(&[("state", "first")]).await;
    let second = browser.authorize(&[("state", "second")]).await;
    assert_eq!(browser.submit(&second, "alice", "correct horse").await.query("state").as_deref(), Some("second"));
    assert_eq!(browser.submit(&first, "alice", "correct horse").await.query("state").as_deref(), Some("first"));
    fixture.advance(15 * 60);
    assert!(browser.submit(&first, "alice", "correct horse").await.query("code").is_some());
    fixture.advance(1);
    let late = browser.submit(&first, "alice", "correct horse").await;
    late.assert_page(StatusCode::FORBIDDEN, "This sign-in page has expired");
}

#[tokio::test]
async fn an_expired_page_says_so_and_leads_back_to_where_the_user_was_going() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let page = browser.authorize(&[]).await;
    let link = |answer: &Answer| {
        let (_, rest) = answer.text().split_once("<a class=\"button\" href=\"").expect("a link");
        rest.split('"').next().expect("closed").replace("&#38;", "&").replace("&#39;", "'")
    };
    // A day later the browser's cookie has ended as well.
    for seconds in [15 * 60 + 1, 24 * 3600] {
        fixture.advance(seconds);
        let expired = browser.submit(&page, "alice", "correct horse").await;
        expired.assert_page(StatusCode::FORBIDDEN, "This sign-in page has expired");
        assert!(expired.text().contains("The page was open for too long. You have not been signed in."));
        let again = url(&link(&expired));
        assert!(again.as_str().starts_with(CALLBACK), "{again}");
        let parameters: BTreeMap<_, _> = again.query_pairs().into_owned().collect();
        assert_eq!((&*parameters["error"], &*parameters["state"]), ("login_required", "st&te"));
        browser.cookies.clear();
    }
    let mut settings = settings();
    settings.clients[0].begins_again = false;
    let fixture = Fixture::with(settings, START);
    let page = fixture.browser().authorize(&[]).await;
    fixture.advance(15 * 60 + 1);
    let expired = fixture.browser().submit(&page, "alice", "correct horse").await;
    assert_eq!(link(&expired), "https://app.example.com/", "another relying party is begun at its own address");
}

#[tokio::test]
async fn every_page_has_a_way_on() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let foreign = browser.post(routes::SIGN_IN, &[]).await;
    let pages = [
        foreign,
        browser.get(routes::SIGN_IN).await,
        browser.get("/nothing").await,
        browser.get(routes::LOGOUT).await,
        browser.authorize(&[("client_id", "zzz")]).await,
        browser.authorize(&[("redirect_uri", "https://evil.test/")]).await,
        browser.send(Method::PUT, routes::SIGN_IN, String::new()).await,
    ];
    for page in pages {
        assert!(page.text().contains("<form") || page.text().contains("href=\"/sign-in\""), "{}", page.text());
    }
}

#[tokio::test]
async fn u_02_who_guesses_has_to_wait_and_then_may_go_on() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let page = browser.authorize(&[]).await;
    for _ in 0..5 {
        assert_eq!(browser.submit(&page, "alice", "wrong").await.status(), StatusCode::UNAUTHORIZED);
    }
    let answer = browser.submit(&page, "ALICE", "correct horse").await;
    answer.assert_page(StatusCode::TOO_MANY_REQUESTS, "Sign in");
    assert_eq!(answer.header("retry-after"), "30");
    assert!(answer.text().contains("Too many attempts. Try again in 30 seconds."));
    let mut elsewhere = fixture.browser();
    elsewhere.address = "198.51.100.7".parse().expect("an address");
    assert!(elsewhere.sign_in("alice", "correct horse").await.query("code").is_some(), "nobody else is kept out");
    fixture.advance(30);
    assert!(browser.submit(&page, "alice", "correct horse").await.query("code").is_some());
    assert!(fixture.registry.render().contains(r#"outcome="rate_limited"} 1"#));
}

#[tokio::test]
async fn u_02_an_unknown_user_is_slowed_down_just_the_same() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let page = browser.authorize(&[]).await;
    for _ in 0..5 {
        assert_eq!(browser.submit(&page, "nobody", "wrong").await.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(browser.submit(&page, "nobody", "wrong").await.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_login_hint_is_typed_already() {
    let page = Fixture::new().browser().authorize(&[("login_hint", "a\"b")]).await;
    assert!(page.text().contains(r#"value="a&#34;b""#), "{}", page.text());
}

#[tokio::test]
async fn the_pages_own_address_signs_in_and_names_the_applications() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let page = browser.get(routes::SIGN_IN).await;
    page.assert_page(StatusCode::OK, "Sign in");
    assert!(!page.text().contains("app.example.com"), "nobody is told which applications there are");
    let again = browser.submit(&page, "alice", "wrong").await;
    again.assert_page(StatusCode::UNAUTHORIZED, "Sign in");
    let back = browser.submit(&again, "alice", "correct horse").await;
    assert_eq!(back.header("location"), routes::SIGN_IN);
    let page = browser.get(routes::SIGN_IN).await;
    page.assert_page(StatusCode::OK, "You are signed in");
    assert!(page.text().contains("as <strong>Alice</strong>"));
    assert!(page.text().contains("<a href=\"https://app.example.com/\">The Dashboard</a>"), "{}", page.text());
    let bye = browser.post(routes::SIGN_OUT, &[("request", &page.hidden())]).await;
    bye.assert_page(StatusCode::OK, "You are signed out");
    browser.authorize(&[]).await.assert_page(StatusCode::OK, "Sign in");
}

#[tokio::test]
async fn an_office_behind_one_address_signs_in_at_the_same_moment() {
    let mut settings = settings();
    settings.hashing_max = 1;
    let fixture = Fixture::with(settings, START);
    let submit = async |_| fixture.browser().sign_in("alice", "correct horse").await;
    let answers = futures_util::future::join_all((0..200).map(submit)).await;
    for answer in answers {
        assert!(answer.query("code").is_some(), "{}", answer.text());
    }
    let one_wrong = fixture.browser().sign_in("alice", "wrong").await;
    assert_eq!(one_wrong.status(), StatusCode::UNAUTHORIZED, "no budget was used up");
}

#[tokio::test(start_paused = true)]
async fn d_22_a_sign_in_that_waits_too_long_is_told_so_and_not_counted() {
    let fixture = Fixture::new();
    let held = fixture.pool.ui().sign_in.block_hashing().await;
    for _ in 0..6 {
        let answer = fixture.browser().sign_in("alice", "correct horse").await;
        answer.assert_page(StatusCode::TOO_MANY_REQUESTS, "Sign in");
        assert_eq!(answer.header("retry-after"), "5");
        assert!(answer.text().contains("Too many people are signing in right now. Try again in 5 seconds."));
    }
    drop(held);
    assert!(
        fixture.browser().sign_in("alice", "correct horse").await.query("code").is_some(),
        "nobody looked at those six"
    );
    assert!(fixture.registry.render().contains(r#"outcome="busy"} 6"#));
}

#[tokio::test]
async fn u_02_nobody_who_guesses_keeps_a_user_out_of_the_browser_that_they_use() {
    let before = Fixture::new();
    let mut own = before.browser();
    own.sign_in("alice", "correct horse").await.code();
    own.cookies.remove("__Host-vestibule-pool");
    // A restart forgets every address, and another replica knows of none.
    let fixture = before.restarted();
    for _ in 0..10 {
        fixture.browser().sign_in("alice", "a guess from the same office").await;
    }
    let elsewhere = fixture.browser().sign_in("alice", "correct horse").await;
    assert_eq!(elsewhere.status(), StatusCode::TOO_MANY_REQUESTS);
    let mut browser = fixture.browser();
    browser.cookies = own.cookies;
    assert!(browser.sign_in("alice", "correct horse").await.query("code").is_some(), "she is not kept out");
    // What another user's browser has does not help to guess hers.
    let mut other = fixture.browser();
    other.sign_in("bob", "battery staple").await.code();
    other.cookies.remove("__Host-vestibule-pool");
    assert_eq!(other.sign_in("alice", "correct horse").await.status(), StatusCode::TOO_MANY_REQUESTS);
}

//! Codes that are brought to a browser that has not asked for them: an administrator has sent them, or the user has gone on at another device.

use super::*;
use crate::directory::status::Status;
use crate::messages::message::Kind;
use crate::self_service::Sent;

/// Sends the form of a page that was opened without anything of before.
async fn bring(browser: &mut Browser<'_>, path: &str, fields: &[(&str, &str)]) -> Answer {
    let page = browser.get(path).await;
    assert_eq!(page.status(), StatusCode::OK, "{}", page.text());
    assert!(page.text().contains(r#"name="username""#) && page.text().contains(r#"name="code""#), "{}", page.text());
    let hidden = page.hidden();
    browser.send_form(path, &[&[("request", &*hidden)], fields].concat()).await
}

fn chosen() -> directory::settings::Settings {
    directory::settings::Settings { aliases: vec![directory::settings::Alias::Email], ..Default::default() }
}

impl Open {
    /// How many rows were written since the database was opened.
    async fn written(&self) -> i64 {
        let total = self.database.write(|on| on.query_one("SELECT total_changes()", &[]));
        total.await.expect("counted").expect("a row").integer(0).expect("a number")
    }

    async fn reset_by_administrator(&self, name: &str) -> Due {
        self.users.reset(name, START).await.expect("reset");
        let user = self.users.show(name).await.expect("found");
        let service = self.fixture.pool.ui().service.as_ref().expect("a database");
        assert!(matches!(service.send_reset(&user, START).await.expect("written"), Sent::To { .. }));
        self.messages().await.pop().expect("a message")
    }
}

#[tokio::test]
async fn a_password_that_an_administrator_has_reset_is_chosen_in_any_browser() {
    let open = Open::new(chosen()).await;
    open.add("grace", "grace@example.com").await;
    let message = open.reset_by_administrator("grace").await;
    assert_eq!((message.kind, &*message.body.to), (Kind::ResetByAdministrator, "grace@example.com"));
    let link = message.body.link.as_ref().expect("a link").expose();
    assert_eq!(*link, format!("{ISSUER}{}", routes::RESET_PASSWORD), "without the code");
    let code = message.body.secret.as_ref().expect("a code").expose();
    // The address is a name as well.
    let fields = [("username", "Grace@Example.com"), ("code", code), ("password", PASSWORD)];
    let done = bring(&mut open.fixture.browser(), routes::RESET_PASSWORD, &fields).await;
    assert!(done.text().contains("Your password has changed"), "{}", done.text());
    assert_eq!(open.users.show("grace").await.expect("found").status, Status::Confirmed);
    open.fixture.browser().sign_in("grace", PASSWORD).await.code();
}

#[tokio::test]
async fn a_code_that_the_user_has_asked_for_is_good_in_another_browser_too() {
    let open = Open::new(chosen()).await;
    open.add("grace", "grace@example.com").await;
    let mut browser = open.fixture.browser();
    let page = browser.get(routes::FORGOT_PASSWORD).await;
    let fields = [("request", &*page.hidden()), ("username", "grace")];
    browser.send_form(routes::FORGOT_PASSWORD, &fields).await;
    let message = open.messages().await.pop().expect("a message");
    assert_eq!(message.kind, Kind::Reset);
    assert!(message.body.link.as_ref().expect("a link").expose().ends_with(routes::RESET_PASSWORD));
    let code = message.body.secret.as_ref().expect("a code").expose();
    let mut other = open.fixture.browser();
    let page = other.get(&Browser::link(&page, routes::RESET_PASSWORD)).await;
    let fields = [("request", &*page.hidden()), ("username", "grace"), ("code", code), ("password", "short")];
    let refused = other.send_form(routes::RESET_PASSWORD, &fields).await;
    assert!(refused.text().contains("Use at least 12 characters."), "{}", refused.text());
    assert!(refused.text().contains(r#"value="grace""#), "{}", refused.text());
    let fields = [("request", &*refused.hidden()), ("username", "grace"), ("code", code), ("password", PASSWORD)];
    let done = other.send_form(routes::RESET_PASSWORD, &fields).await;
    assert!(done.text().contains("Your password has changed"), "{}", done.text());
}

/// A user who was sent a code, one who was sent none, one who is disabled, one of the configuration, and nobody.
#[tokio::test]
async fn u_01_nobody_learns_of_whom_there_is_a_code() {
    let open = Open::new(chosen()).await;
    for name in ["grace", "heidi", "gonda"] {
        open.add(name, &format!("{name}@example.com")).await;
    }
    open.reset_by_administrator("grace").await;
    open.users.set_enabled("gonda", false, START).await.expect("disabled");
    let names = ["grace", "heidi", "gonda", "alice", "nobod"];
    // As many as a network may try within an hour.
    for (path, more, rounds) in
        [(routes::RESET_PASSWORD, Some(("password", PASSWORD)), 7), (routes::CONFIRM_USER, None, 5)]
    {
        for round in 0..rounds {
            let mut seen = Vec::new();
            for name in names {
                let mut fields = vec![("username", name), ("code", "00000")];
                fields.extend(more);
                let before = open.written().await;
                let page = bring(&mut open.fixture.browser(), path, &fields).await;
                seen.push((open.written().await - before, page.text().len(), shown(&page, &[name])));
            }
            let first = seen.remove(0);
            // The first try finds a code of one of them only, and makes one of the others.
            let others = seen.into_iter().map(|(rows, length, page)| match round {
                0 => (first.0, length, page),
                _ => (rows, length, page),
            });
            assert!(others.into_iter().all(|other| other == first), "{path} {round}: {first:#?}");
            assert!(first.2.1.contains("or it is no longer valid"), "{}", first.2.1);
        }
    }
}

#[tokio::test]
async fn wrong_codes_are_counted_in_all_browsers_together() {
    let open = Open::new(chosen()).await;
    open.add("grace", "grace@example.com").await;
    let message = open.reset_by_administrator("grace").await;
    let code = message.body.secret.as_ref().expect("a code").expose();
    let try_it = async |typed: &str| {
        let fields = [("username", "grace"), ("code", typed), ("password", PASSWORD)];
        bring(&mut open.fixture.browser(), routes::RESET_PASSWORD, &fields).await
    };
    for _ in 0..5 {
        try_it(&other_than(code)).await;
    }
    let late = try_it(code).await;
    assert!(late.text().contains("After five wrong codes"), "{}", late.text());
    assert_eq!(open.users.show("grace").await.expect("found").status, Status::ResetRequired);
    for _ in 0..9 {
        try_it("000000").await;
    }
    assert!(try_it("000000").await.text().contains("Too many attempts"));
}

#[tokio::test]
async fn a_sign_up_is_confirmed_in_any_browser_with_the_name_and_the_code() {
    for (rules, name) in [(by_address(), "ada@example.com"), (chosen(), "ada")] {
        let open = Open::new(rules).await;
        let mut browser = open.fixture.browser();
        let page = browser.get(routes::SIGN_UP).await;
        let typed = [("username", "ada"), ("email", "ada@example.com"), ("password", PASSWORD)];
        browser.send_form(routes::SIGN_UP, &[&[("request", &*page.hidden())][..], &typed].concat()).await;
        let code = open.code("ada@example.com").await;
        assert_eq!(Browser::link(&page, routes::CONFIRM_USER), routes::CONFIRM_USER);
        let mut other = open.fixture.browser();
        let wrong = bring(&mut other, routes::CONFIRM_USER, &[("username", name), ("code", &other_than(&code))]).await;
        assert!(wrong.text().contains("or it is no longer valid"), "{}", wrong.text());
        let empty = bring(&mut other, routes::CONFIRM_USER, &[("username", name), ("code", "")]).await;
        assert!(empty.text().contains("Fill in every field."), "{}", empty.text());
        let done = bring(&mut other, routes::CONFIRM_USER, &[("username", name), ("code", &code)]).await;
        assert!(done.text().contains("Your account is confirmed"), "{}", done.text());
        open.fixture.browser().sign_in(name, PASSWORD).await.code();
    }
}

#[tokio::test]
async fn without_codes_there_are_no_such_pages() {
    let sign_up = SignUp { allowed_domains: vec![], verify: vec![] };
    let open = Open::with(chosen(), SelfService { sign_up: Some(sign_up), recovery: vec![] }).await;
    for path in [routes::RESET_PASSWORD, routes::CONFIRM_USER] {
        open.fixture.browser().get(path).await.assert_page(StatusCode::NOT_FOUND, "Page not found");
    }
}

/// Two names of one user answer as two names of nobody, however often codes are tried.
#[tokio::test]
async fn u_01_tries_do_not_tell_that_two_names_are_one_user() {
    for (path, more) in [(routes::RESET_PASSWORD, Some(("password", PASSWORD))), (routes::CONFIRM_USER, None)] {
        let open = Open::new(chosen()).await;
        open.add("grace", "grace@example.com").await;
        let mut seen = Vec::new();
        for names in [["grace", "grace@example.com"], ["nobod", "nobod@example.com"]] {
            let mut pages = Vec::new();
            for name in names {
                for _ in 0..16 {
                    let mut fields = vec![("username", name), ("code", "00000")];
                    fields.extend(more);
                    // Each pair from a network of its own.
                    let mut browser = open.fixture.browser();
                    browser.address = format!("198.51.100.{}", seen.len()).parse().expect("an address");
                    let page = bring(&mut browser, path, &fields).await;
                    assert_eq!(page.text().contains("Too many attempts"), pages.len() % 16 == 15, "{name}");
                    pages.push((page.status(), page.text().len(), shown(&page, &[name])));
                }
            }
            seen.push(pages);
        }
        assert!(seen[0] == seen[1], "{path}");
    }
}

/// By all names together, a user has as many tries as by one. Beyond them a code is wrong, and is not used up.
#[tokio::test]
async fn u_02_two_names_of_a_user_give_no_more_tries() {
    let open = Open::new(chosen()).await;
    open.add("grace", "grace@example.com").await;
    let bring_as = async |name: &str, code: &str| {
        let fields = [("username", name), ("code", code), ("password", PASSWORD)];
        bring(&mut open.fixture.browser(), routes::RESET_PASSWORD, &fields).await
    };
    for _ in 0..15 {
        bring_as("grace", "00000").await;
    }
    let message = open.reset_by_administrator("grace").await;
    let code = message.body.secret.as_ref().expect("a code").expose();
    let (right, wrong) = (bring_as("grace@example.com", code).await, bring_as("grace@example.com", "00000").await);
    assert_eq!(right.status(), wrong.status());
    assert_eq!(shown(&right, &[]), shown(&wrong, &[]));
    assert!(right.text().contains("or it is no longer valid"), "{}", right.text());
    let subject = open.users.show("grace").await.expect("found").subject;
    let tries = open.database.read(move |on| {
        let sql = "SELECT wrong_tries FROM codes WHERE sub = ?1 AND purpose = 'reset'";
        on.query_one(sql, &[subject.as_str().into()])?.expect("a code").integer(0)
    });
    assert_eq!(tries.await.expect("read"), 0);
    // It stays right, and one try comes back in four minutes.
    open.fixture.advance(240);
    assert!(bring_as("grace@example.com", code).await.text().contains("Your password has changed"));
}

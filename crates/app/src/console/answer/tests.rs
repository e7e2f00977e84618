use std::sync::Arc;

use http::Method;
use http::Request;

use super::*;
use crate::console::route;
use crate::database::{Database, Others};
use crate::secret::Secret;
use crate::testing::{Directory, temporary_directory};
use crate::user_pool::management::NewUser;
use crate::user_pool::{MIGRATIONS, Records, StoredUsers};

const PASSWORD: &str = "0123456789abcdef0123456789abcdef";
const HOST: &str = "127.0.0.1:9440";

struct Opened {
    console: Console,
    _folder: Directory,
}

impl Opened {
    fn new(name: &str, pools: &[&str]) -> Self {
        let folder = temporary_directory(name);
        let (clock, _) = Clock::manual(Timestamp::from_seconds(1_790_000_000));
        let database = Database::open(&folder.join("people.db"), MIGRATIONS, Others::Nobody, clock.now());
        let database = Arc::new(database.expect("a database"));
        let pools = pools.iter().map(|name| {
            let records = Records { pool: (*name).into() };
            Pool::new(StoredUsers { database: Arc::clone(&database), records }, Arc::default())
        });
        let password = Password::new(&Secret::new(PASSWORD.to_owned()));
        Self { console: Console::new(password, pools.collect(), clock), _folder: folder }
    }

    async fn add(&self, name: &str, email: &str) -> String {
        let attributes = vec![("email".to_owned(), email.to_owned())];
        let new = NewUser { username: name.to_owned(), password: None, attributes, groups: Vec::new() };
        let now = self.console.clock.now();
        self.console.pools[0].users.add(new, now).await.expect("added").subject
    }

    async fn send(&self, method: Method, path: &str, headers: &[(header::HeaderName, &str)]) -> WholeResponse {
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().expect("a path");
        let all = headers.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value")));
        *request.headers_mut() = all.collect::<HeaderMap>();
        self.console.answer(&request).await
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let answer = self.send(Method::GET, path, &[authorization(PASSWORD)]).await;
        let text = match answer.headers().get(header::LOCATION) {
            Some(location) => location.to_str().expect("ASCII").to_owned(),
            None => String::from_utf8_lossy(answer.body()).into_owned(),
        };
        (answer.status(), text)
    }

    /// Sends a form as Chromium does from a page with `Referrer-Policy: no-referrer`.
    async fn post(&self, path: &str, site: &str) -> StatusCode {
        let from = [(header::ORIGIN, "null"), (header::HeaderName::from_static("sec-fetch-site"), site)];
        self.post_from(path, &from).await
    }

    async fn post_from(&self, path: &str, from: &[(header::HeaderName, &str)]) -> StatusCode {
        let headers = [&[authorization(PASSWORD), (header::HOST, HOST)], from].concat();
        self.send(Method::POST, path, &headers).await.status()
    }
}

fn authorization(password: &str) -> (header::HeaderName, &'static str) {
    use base64::Engine as _;
    let value = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("anybody:{password}")));
    (header::AUTHORIZATION, value.leak())
}

#[tokio::test]
async fn nobody_sees_a_page_without_the_password() {
    let opened = Opened::new("console-password", &["people"]);
    let wrong = "0123456789abcdef0123456789abcdeF";
    for headers in [
        vec![],
        vec![authorization(wrong)],
        vec![authorization("")],
        vec![authorization(PASSWORD), authorization(PASSWORD)],
    ] {
        for path in
            ["/console", "/console/users?pool=people", "/console/other", "/console/user/disable?pool=people&sub=1"]
        {
            let answer = opened.send(Method::GET, path, &headers).await;
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
            assert!(answer.headers().contains_key(header::WWW_AUTHENTICATE));
        }
    }
    assert_eq!(opened.get("/console").await, (StatusCode::SEE_OTHER, "/console/users?pool=people".to_owned()));
}

#[tokio::test]
async fn users_are_found_by_the_beginning_of_name_and_address() {
    let opened = Opened::new("console-search", &["people"]);
    let ada = opened.add("ada", "lovelace@example.com").await;
    opened.add("bob", "bob@example.com").await;
    for (search, finds) in [
        ("", [true, true]),
        ("ad", [true, false]),
        ("bob@", [false, true]),
        ("status%20%3D%20%22Enabled%22", [true, true]),
        ("x%22%20or%20%22", [false, false]),
    ] {
        let (status, page) = opened.get(&format!("/console/users?pool=people&search={search}")).await;
        assert_eq!(status, StatusCode::OK, "{search}");
        assert_eq!(["lovelace@example.com", "bob@example.com"].map(|text| page.contains(text)), finds, "{search}");
    }
    assert_eq!(opened.get("/console/users?pool=people&search=nickname%3D1").await.0, StatusCode::BAD_REQUEST);
    let (_, page) = opened.get("/console/users?pool=people").await;
    assert!(page.contains(&format!("/console/user?pool=people&#38;sub={ada}")), "{page}");
    let (status, page) = opened.get(&format!("/console/user?pool=people&sub={ada}")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("lovelace@example.com") && page.contains("Sign out everywhere"), "{page}");
    assert_eq!(opened.get("/console/user?pool=people&sub=nobody").await.0, StatusCode::NOT_FOUND);
    assert_eq!(opened.get("/console/users?pool=other").await.0, StatusCode::NOT_FOUND);
}

/// A browser adds the password to a form that another site sends.
#[tokio::test]
async fn only_a_form_of_the_console_changes_something() {
    let opened = Opened::new("console-forms", &["people"]);
    let ada = opened.add("ada", "ada@example.com").await;
    let is_enabled = async || opened.console.pools[0].users.show("ada").await.expect("a user").is_enabled;
    let disable = format!("/console/user/disable?pool=people&sub={ada}");
    for site in ["cross-site", "same-site", "none", ""] {
        assert_eq!(opened.post(&disable, site).await, StatusCode::FORBIDDEN, "{site}");
    }
    for origin in ["https://evil.example", "null", "http://127.0.0.1", "https://127.0.0.1:9440"] {
        assert_eq!(opened.post_from(&disable, &[(header::ORIGIN, origin)]).await, StatusCode::FORBIDDEN, "{origin}");
    }
    assert_eq!(opened.post_from(&disable, &[]).await, StatusCode::FORBIDDEN);
    assert_eq!(opened.get(&disable).await.0, StatusCode::OK, "it asks");
    assert!(is_enabled().await);
    let own = "same-origin";
    assert_eq!(opened.post(&disable, own).await, StatusCode::SEE_OTHER);
    assert!(!is_enabled().await);
    assert_eq!(opened.post(&disable.replace("disable", "enable"), own).await, StatusCode::SEE_OTHER);
    assert!(is_enabled().await);
    let program = format!("http://{HOST}");
    assert_eq!(opened.post_from(&disable, &[(header::ORIGIN, &program)]).await, StatusCode::SEE_OTHER);
    assert_eq!(opened.post(&disable.replace("disable", "delete"), own).await, StatusCode::NOT_FOUND);
    assert_eq!(opened.post("/console/users?pool=people", own).await, StatusCode::METHOD_NOT_ALLOWED);
    let put = [authorization(PASSWORD), (header::HeaderName::from_static("sec-fetch-site"), own)];
    let answer = opened.send(Method::PUT, "/console/users?pool=people", &put).await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.headers()[header::ALLOW], "GET, HEAD");
}

#[tokio::test]
async fn each_change_asks_first_and_tables_can_be_read_on_a_phone() {
    let opened = Opened::new("console-asks", &["people"]);
    let ada = opened.add("ada", "ada@example.com").await;
    let (_, page) = opened.get(&format!("/console/user?pool=people&sub={ada}")).await;
    assert!(!page.contains("<form"), "nothing is done at once: {page}");
    assert!(page.contains(r#"<th scope="row">Second factors</th><td>none</td>"#), "{page}");
    for (change, effect) in [
        ("disable", "cannot sign in until"),
        ("enable", "The user can sign in again."),
        ("sign-out", "All sessions and tokens of the user end"),
    ] {
        let path = format!("/console/user/{change}?pool=people&sub={ada}");
        if change != "enable" {
            assert!(page.contains(&format!("href=\"{}\"", path.replace('&', "&#38;"))), "{page}");
        }
        let (status, asked) = opened.get(&path).await;
        assert_eq!(status, StatusCode::OK);
        assert!(asked.contains(effect) && asked.contains("<h1>ada: "), "{asked}");
        assert!(asked.contains(&format!("method=\"post\" action=\"{}\"", path.replace('&', "&#38;"))), "{asked}");
    }
    assert!(opened.console.pools[0].users.show("ada").await.expect("a user").is_enabled);
    assert_eq!(opened.get("/console/user/disable?pool=people&sub=nobody").await.0, StatusCode::NOT_FOUND);
    let (_, page) = opened.get("/console/users?pool=people").await;
    assert!(page.contains(r#"<td data-label="E-mail address">ada@example.com</td>"#), "{page}");
}

#[tokio::test]
async fn what_is_looked_at_and_done_is_in_the_audit() {
    let opened = Opened::new("console-audit", &["people"]);
    let ada = opened.add("ada", "ada@example.com").await;
    opened.get("/console/users?pool=people").await;
    opened.get("/console/events?pool=people").await;
    opened.get(&format!("/console/user?pool=people&sub={ada}")).await;
    opened.post(&format!("/console/user/sign-out?pool=people&sub={ada}"), "same-origin").await;
    let audit = opened.console.pools[0].users.audited(None, 10).await.expect("an audit");
    let done: Vec<_> = audit.iter().rev().skip(1).map(|entry| (&*entry.actor, &*entry.operation)).collect();
    let console = |operation| ("console", operation);
    assert_eq!(done, ["user.list", "user.events", "user.show", "user.sign_out"].map(console));
}

/// It says who has a `sub`, a user name or an address.
#[tokio::test]
async fn a_page_that_asks_before_a_change_is_in_the_audit_too() {
    let opened = Opened::new("console-audit-asks", &["people"]);
    let ada = opened.add("ada", "ada@example.com").await;
    for change in ["disable", "enable", "sign-out"] {
        for who in ["ada", &*ada] {
            let (status, page) = opened.get(&format!("/console/user/{change}?pool=people&sub={who}")).await;
            assert_eq!(status, StatusCode::OK, "{change} {who}");
            assert!(page.contains("<h1>ada: "), "{page}");
            let audit = opened.console.pools[0].users.audited(None, 1).await.expect("an audit");
            let last = (&*audit[0].actor, &*audit[0].operation, audit[0].subject.as_deref());
            assert_eq!(last, ("console", "user.show", Some(&*ada)), "{change} {who}");
        }
    }
    let entries = async || opened.console.pools[0].users.audited(None, 100).await.expect("an audit").len();
    assert_eq!(entries().await, 1 + 6, "one for each page, after the one of the user who was added");
    // As on the page of a user: nobody is shown.
    assert_eq!(opened.get("/console/user/disable?pool=people&sub=nobody").await.0, StatusCode::NOT_FOUND);
    assert_eq!(entries().await, 1 + 6);
}

/// The name of a pool is any text.
#[tokio::test]
async fn a_pool_may_have_any_name() {
    let opened = Opened::new("console-names", &["die Leute/ü?"]);
    let (_, page) = opened.get("/console").await;
    assert_eq!(page, "/console/users?pool=die%20Leute%2F%C3%BC%3F");
    let (status, page) = opened.get(&page).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("Users of die Leute/ü?") && page.contains(r#"name="pool" value="die Leute/ü?""#), "{page}");
}

#[test]
fn paths_are_of_the_console_or_not() {
    for (path, is_ours) in [("/console", true), ("/console/users", true), ("/consoles", false), ("/metrics", false)] {
        assert_eq!(route::has(path), is_ours, "{path}");
    }
    assert_eq!(Place::at("/console/user/enable"), Some(Place::Change(Change::Enable)));
    for path in ["/console/user/enable/more", "/console/user/delete", "/console//"] {
        assert_eq!(Place::at(path), None, "{path}");
    }
}

/// It could not read them, and each would be written to the audit.
#[tokio::test]
async fn u_11_a_page_of_another_site_loads_none_of_ours() {
    let opened = Opened::new("console-embedded", &["people"]);
    let name = header::HeaderName::from_static;
    for (site, mode, dest, expected) in [
        ("cross-site", "no-cors", "image", StatusCode::FORBIDDEN),
        ("same-site", "no-cors", "script", StatusCode::FORBIDDEN),
        ("cross-site", "navigate", "iframe", StatusCode::FORBIDDEN),
        ("cross-site", "navigate", "document", StatusCode::OK),
        ("same-origin", "navigate", "document", StatusCode::OK),
        ("none", "navigate", "document", StatusCode::OK),
    ] {
        let from = [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)];
        let mut headers = vec![authorization(PASSWORD)];
        headers.extend(from.map(|(field, value)| (name(field), value)));
        let answer = opened.send(Method::GET, "/console/users?pool=people", &headers).await;
        assert_eq!(answer.status(), expected, "{site} {mode} {dest}");
    }
}

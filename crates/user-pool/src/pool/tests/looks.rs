//! The look of the pages: of the pool and of single clients.

use super::*;
use crate::brand;
use crate::page::css::Stylesheet;
use crate::page::{self, logo::Logo};

fn look(title: &str) -> page::settings::Settings {
    page::settings::Settings { title: Some(title.to_owned()), ..page::settings::Settings::default() }
}

fn stylesheet(text: &str) -> Stylesheet {
    Stylesheet::read(text).expect("a stylesheet")
}

/// A pool with a look, and one of its own for `cli`.
fn fixture() -> Fixture {
    let png = "data:image/png;base64,AAAA";
    let of_pool = page::settings::Settings {
        links: page::settings::Links {
            terms: Some("https://www.example.com/terms?a=1&b".into()),
            ..Default::default()
        },
        css: Some(stylesheet("h1{color:red}")),
        ..look("Example")
    };
    let of_cli = page::settings::Settings {
        css: Some(stylesheet(&format!("main{{background:url({png})}}"))),
        ..look("Command line")
    };
    let brand = brand::Settings {
        pages: Some(of_pool),
        clients: [("cli".to_owned(), of_cli)].into(),
        ..brand::Settings::default()
    };
    Fixture::with(Settings { brand, ..settings() }, START)
}

const CLI: [(&str, &str); 2] = [("client_id", "cli"), ("redirect_uri", "http://127.0.0.1/cb")];

#[track_caller]
fn stylesheet_of(page: &Answer) -> String {
    let (_, rest) = page.text().split_once("<link rel=\"stylesheet\" href=\"").expect("a stylesheet");
    rest.split_once('"').expect("a whole attribute").0.to_owned()
}

#[tokio::test]
async fn each_client_has_its_look_from_the_first_page_to_the_last() {
    let fixture = fixture();
    let mut browser = fixture.browser();
    let of_pool = browser.authorize(&[]).await;
    assert!(of_pool.text().contains("<title>Sign in · Example</title>"), "{}", of_pool.text());
    let link =
        "<a href=\"https://www.example.com/terms?a=1&#38;b\" target=\"_blank\" rel=\"noopener noreferrer\">Terms</a>";
    assert!(of_pool.text().contains(link), "{}", of_pool.text());
    let page = browser.authorize(&CLI).await;
    assert!(page.text().contains("<title>Sign in · Command line</title>"), "{}", page.text());
    assert_ne!(stylesheet_of(&page), stylesheet_of(&of_pool));
    // Also the page that shows the result of the form, which is another request.
    browser.headers = vec![("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-origin")];
    let answer = browser.submit(&page, "alice", "wrong").await;
    let again = browser.get(answer.header("location")).await;
    assert!(again.text().contains(" · Command line</title>"), "{}", again.text());
    assert!(browser.submit(&again, "alice", "correct horse").await.status().is_redirection());
    let asked = browser.authorize(&CLI).await;
    assert!(asked.text().contains("<title>Give a program access? · Command line</title>"), "{}", asked.text());
    // Pages that no client asked for have the look of the pool.
    assert!(browser.get(routes::SIGN_IN).await.text().contains(" · Example</title>"));
    assert!(browser.get("/nowhere").await.text().contains(" · Example</title>"));
}

#[tokio::test]
async fn a_stylesheet_is_a_file_that_only_this_host_uses() {
    let fixture = fixture();
    let mut browser = fixture.browser();
    let (of_pool, page) = (browser.authorize(&[]).await, browser.authorize(&CLI).await);
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("' 'self'; img-src data:; base-uri 'none'"), "the picture is inside: {policy}");
    assert!(!of_pool.header("content-security-policy").contains("img-src"), "there is no picture");
    let path = stylesheet_of(&page);
    let sheet = browser.get(&path).await;
    assert_eq!(sheet.status(), StatusCode::OK);
    assert_eq!(sheet.text().trim_end(), "main{background:url(\"data:image/png;base64,AAAA\");}");
    assert_eq!(sheet.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(sheet.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(sheet.header("x-content-type-options"), "nosniff");
    assert_eq!(sheet.header("cross-origin-resource-policy"), "same-origin");
    assert!(sheet.header("content-security-policy").starts_with("default-src 'none'"));
    for other in ["/style/", "/style/../sign-in", "/style/00000000000000000000000000000000.css", &format!("{path}x")] {
        browser.get(other).await.assert_page(StatusCode::NOT_FOUND, "Page not found");
    }
    let posted = browser.post(&path, &[]).await;
    assert_eq!((posted.status(), posted.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"));
}

#[tokio::test]
async fn a_page_without_a_look_has_no_stylesheet_and_no_links() {
    let fixture = Fixture::new();
    let page = fixture.browser().authorize(&[]).await;
    assert!(!page.text().contains("<link") && !page.text().contains("<footer"), "{}", page.text());
    assert!(!page.header("content-security-policy").contains("'self';"), "{:?}", page.0.headers());
    let logo = Logo::read(b"\x89PNG\r\n\x1a\n").expect("a picture");
    let pages = page::settings::Settings { logo: Some(logo), ..page::settings::Settings::default() };
    let brand = brand::Settings { pages: Some(pages), ..brand::Settings::default() };
    let fixture = Fixture::with(Settings { brand, ..settings() }, START);
    assert!(fixture.browser().authorize(&[]).await.header("content-security-policy").contains("img-src data:;"));
}

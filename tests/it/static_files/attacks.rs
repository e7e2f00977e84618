//! What strangers send to a directory of files (attacks P-21 to P-24, R-24, D-26, D-27, D-30).

use std::os::unix::fs::symlink;

use super::{LARGE, Site, begin};
use crate::harness::app::{Proxy, wait_until};
use crate::harness::browser::{Protocol, join, on_both};
use crate::harness::connection::Connection;
use crate::harness::http2::{DATA, HEADERS, Http2, Outcome, RST_STREAM, Stream};
use crate::harness::raw;
use crate::harness::runtime;

const SECRET: &str = "the-secret-beside-the-site";

/// A site with a secret beside it and several ways to it.
fn surrounded() -> (Site, Site) {
    let base = Site::new(&[
        ("secret", SECRET),
        ("site-2/secret", SECRET),
        ("site/index.html", "home"),
        ("site/a/page.html", "page"),
        ("site/.env", SECRET),
        ("site/.git/config", SECRET),
        ("site/a/.htpasswd", SECRET),
        ("site/.well-known/security.txt", "contact"),
        ("site/folder/index.html", "folder"),
        ("site/list/secret-name.txt", "x"),
    ]);
    for (to, link) in
        [("../secret", "out"), ("..", "up"), ("../../../../../../../etc", "etc"), ("/", "root"), (".git", "git")]
    {
        symlink(to, base.0.join("site").join(link)).expect("a link");
    }
    let site = Site(base.0.join("site"));
    (base, site)
}

#[test]
fn p_21_to_p_24_nothing_but_the_files_of_the_site() {
    let (_base, site) = surrounded();
    let made = std::process::Command::new("mkfifo").arg(site.0.join("pipe")).status().expect("mkfifo");
    assert!(made.success());
    let proxy = site.open("").start();
    let long = format!("/{}", "a".repeat(4000));
    let deep = "/a".repeat(1500);
    let paths = [
        // P-21
        "/../secret",
        "/a/../../secret",
        "/%2e%2e/secret",
        "/.%2e/secret",
        "/%2e%2e%2fsecret",
        "/..%2fsecret",
        "/a/..%2f..%2fsecret",
        "/%252e%252e/secret",
        "/%252e%252e%252fsecret",
        "/..%5csecret",
        "/..%255csecret",
        "/%c0%ae%c0%ae/secret",
        "/%e0%80%ae%e0%80%ae/secret",
        "/..;/secret",
        "/..;x=1/secret",
        "/a/page.html;x=1",
        "/a/page.html%3Bx",
        "/....//secret",
        "/..././secret",
        "/a/page.html%00",
        "/..%00/secret",
        "/secret%00.html",
        "/a/page.html/",
        "/a/page.html/.",
        "/a%2fpage.html",
        "/C:/secret",
        "/a/page.html::$DATA",
        "/~root",
        "/a/page.html%20",
        "/a/page.html.",
        "//../secret",
        "///etc/passwd",
        "/etc/passwd",
        "/proc/self/environ",
        "/%2fetc/passwd",
        "/file:///etc/passwd",
        "/?/../secret",
        "/static/../secret",
        &long,
        &deep,
        "/\u{ff0e}\u{ff0e}/secret",
        "/%uff0e%uff0e/secret",
        // P-22
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/.git/",
        "/a/.htpasswd",
        "/.well-known/../.env",
        "/.well-known/.env",
        // P-23
        "/out",
        "/up/secret",
        "/etc/passwd",
        "/root/etc/passwd",
        "/up/site-2/secret",
        // P-24
        "/pipe",
        "/list/",
        "/list",
        "/a/",
        "/",
    ];
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        for path in paths {
            let Ok(answer) = browser.try_send("GET", &format!("https://app.test{path}"), &[], b"") else { continue };
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(
                !text.contains(SECRET) && !text.contains("root:") && !text.contains("secret-name"),
                "{path}: {text}"
            );
            let is_home = path == "/" || path.starts_with("/?");
            let expected: &[u16] = if is_home { &[200] } else { &[400, 404] };
            assert!(expected.contains(&answer.status), "{path} on {protocol:?}: {} {text}", answer.status);
        }
        assert_eq!(browser.get("https://app.test/.well-known/security.txt").text(), "contact");
        assert_eq!(browser.get("https://app.test/a/page.html").text(), "page", "the site is still served");
    });
    // What no client library sends.
    for target in [
        "/..\\secret",
        "/a/..\\..\\secret",
        "/\\..\\secret",
        "/a\tb",
        "http://app.test/../secret",
        "/a#/../secret",
        "\\secret",
        "../secret",
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n");
        let answer = raw::exchange(proxy.address(), "app.test", request);
        assert!(!answer.contains(SECRET), "{target}: {answer}");
        assert!(answer.starts_with("HTTP/1.1 4"), "{target}: {answer}");
        let mut http2 = Http2::connect(proxy.address(), "app.test");
        let fields = [(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", target)];
        if let Outcome::Status(status) = http2.request(&fields) {
            assert!((400..500).contains(&status), "{target} over HTTP/2: {status}");
        }
    }
}

#[test]
fn p_22_a_link_that_the_operator_has_made_is_followed() {
    let (_base, site) = surrounded();
    let proxy = site.open("").start();
    // `.git` is no name of a request. `git` is one, and leads there.
    assert_eq!(proxy.browser(Protocol::Http1).get("https://app.test/git/config").text(), SECRET);
}

#[test]
fn r_24_the_slash_is_added_below_the_same_host() {
    let (_base, site) = surrounded();
    let proxy = site.open("").start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        for (path, at) in [
            ("/folder", "https://app.test/folder/"),
            ("/folder?next=//evil.test", "https://app.test/folder/?next=//evil.test"),
            ("/%66older", "https://app.test/folder/"),
        ] {
            let url = format!("https://app.test{path}");
            let answer = browser.get(&url);
            assert_eq!(answer.status, 302, "{path}");
            assert!(answer.location().starts_with("./"), "{path}: {}", answer.location());
            assert_eq!(join(&url, answer.location()), at, "{path}");
        }
        for path in ["//evil.test/folder", "///evil.test/folder", "/\u{2f}evil.test", "//evil.test/..", "//folder"] {
            let answer = browser.get(&format!("https://app.test{path}"));
            if answer.status == 302 {
                assert_eq!(answer.location(), "./folder/", "{path}");
            } else {
                assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
            }
        }
    });
}

#[test]
fn d_26_no_list_of_ranges_is_dearer_than_the_file() {
    let site = Site::new(&[("f.bin", &"0123456789".repeat(10_000))]);
    let proxy = site.open("").start();
    let many: Vec<String> = (0..800).map(|at| format!("{}-{}", at * 3, at * 3)).collect();
    let same = vec!["0-"; 1300];
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        for list in [many.join(","), same.join(","), "0-99999,1-99999,2-99999".to_owned(), "-1,-2,-3".to_owned()] {
            let range = format!("bytes={list}");
            let answer = browser.send("GET", "https://app.test/f.bin", &[("range", &range)], b"");
            assert_eq!((answer.status, answer.body.len()), (200, 100_000), "{}", &list[..20]);
        }
        let few = browser.send("GET", "https://app.test/f.bin", &[("range", "bytes=0-0,10-19,-1")], b"");
        assert_eq!((few.status, super::parts(&few).len()), (206, 3));
    });
}

#[test]
fn d_30_one_network_with_large_files_leaves_places_for_others() {
    let site = Site::new(&[("page.html", "page")]);
    let _file = site.large("large.bin");
    let proxy = Proxy::start(&site.open("").yaml().replace("workers: 2", "workers: 1"));
    // The worker has 512 places for one network.
    let mut statuses = Vec::new();
    let connections: Vec<Http2> = (0..5)
        .map(|_| {
            let mut connection = Http2::connect(proxy.address(), "app.test");
            connection.initial_window(0);
            for _ in 0..128 {
                connection.open(&get("/large.bin"), Stream::Ended);
            }
            for _ in 0..128 {
                let head = connection.frame_that(|frame| frame.kind == HEADERS).expect("a head for each");
                statuses.push(head.status().expect("a status"));
            }
            connection
        })
        .collect();
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(200), count(503)), (512, 128));
    let asking = |protocol, from: [u8; 4]| {
        let mut browser = proxy.browser(protocol);
        browser.from = Some(from.into());
        browser
    };
    let ask = |protocol, from: [u8; 4], path: &str| asking(protocol, from).get(&format!("https://app.test{path}"));
    let (flooding, other) = ([127, 0, 0, 1], [127, 0, 0, 2]);
    on_both(|protocol| {
        let refused = ask(protocol, flooding, "/large.bin");
        assert_eq!((refused.status, refused.reason().as_deref()), (503, Some("static.busy")));
        assert!(refused.header("retry-after").is_some());
        assert_eq!(ask(protocol, flooding, "/page.html").text(), "page", "what is small is sent");
        let part = [("range", "bytes=100-199")];
        assert_eq!(asking(protocol, flooding).send("GET", "https://app.test/large.bin", &part, b"").status, 206);
        assert_eq!(ask(protocol, other, "/page.html").text(), "page");
        assert_eq!(ask(protocol, other, "/large.bin").body.len() as u64, LARGE);
    });
    drop(connections);
    on_both(|protocol| {
        let file = wait_until("the places are free again", || {
            Some(ask(protocol, flooding, "/large.bin")).filter(|answer| answer.status == 200)
        });
        assert_eq!(file.body.len() as u64, LARGE);
    });
}

fn get(path: &str) -> [(&str, &str); 4] {
    [(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", path)]
}

#[test]
fn d_27_clients_that_take_nothing_of_a_large_file_hold_up_nobody() {
    let site = Site::new(&[("page.html", "page")]);
    let _file = site.large("large.bin");
    let proxy = site.open("").start();
    on_both(|protocol| {
        runtime().block_on(async {
            let mut waiting = Vec::new();
            // More than a disk has places for.
            for _ in 0..40 {
                let mut connection = Connection::open(protocol, proxy.address(), "app.test").await;
                let response = begin(&mut connection, "/large.bin").await;
                waiting.push((connection, response));
            }
            let mut other = Connection::open(protocol, proxy.address(), "app.test").await;
            assert_eq!(other.get("/page.html").await.text(), "page");
            assert_eq!(waiting.len(), 40);
        });
    });
    // A stream that is reset in the middle of a file, and one whose connection is gone.
    let mut http2 = Http2::connect(proxy.address(), "app.test");
    let fields = [(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", "/large.bin")];
    let stream = http2.open(&fields, Stream::Ended);
    assert!(http2.frame_that(|frame| frame.kind == DATA).is_some(), "some data of {LARGE}");
    http2.frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
    let page = [fields[0], fields[1], fields[2], (":path", "/page.html")];
    assert_eq!(http2.request(&page), Outcome::Status(200));
}

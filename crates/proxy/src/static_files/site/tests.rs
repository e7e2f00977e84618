use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration, UNIX_EPOCH};

use http_body_util::BodyExt as _;

use super::*;
use crate::clock::Clock;
use crate::message::uri::Scheme;
use crate::static_files::disk::Disk;
use crate::testing::{Directory, temporary_directory};

/// When every file was last changed.
const MODIFIED: u64 = 1_000_000_000;

/// A directory with these files.
fn directory(name: &str, files: &[(&str, &str)]) -> Directory {
    let directory = temporary_directory(name);
    files.iter().for_each(|(name, text)| write(&directory, name, text));
    directory
}

fn write(directory: &std::path::Path, name: &str, text: &str) {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    set_modified(&path, MODIFIED);
}

fn set_modified(path: &std::path::Path, seconds: u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
}

fn settings(directory: &std::path::Path) -> Settings {
    Settings {
        directory: directory.to_owned(),
        path_prefix: "".into(),
        index: vec!["index.html".into()],
        fallback: None,
        not_found: None,
        dotfiles: false,
        precompressed: false,
        content_types: [("wat".into(), HeaderValue::from_static("text/plain"))].into(),
        cache_control: HeaderValue::from_static("private, no-cache"),
    }
}

/// What a request gets: the status, the headers in order, and the body.
struct Got {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Got {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A day after the files were made: their tags are strong.
fn later() -> Timestamp {
    Clock::system().now() + Duration::from_secs(86_400)
}

fn ask(site: &Site, method: Method, path: &str, fields: &[(&str, &str)]) -> Result<Got, String> {
    let headers: HeaderMap = fields
        .iter()
        .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect();
    let mut with_host = headers.clone();
    with_host.insert(header::HOST, HeaderValue::from_static("app.test"));
    let uri = path.parse().unwrap();
    let request =
        CanonicalRequest::parse(Scheme::Https, &method, &uri, &with_host).map_err(|error| error.to_string())?;
    let asked = site.asked(&request, &headers, "BOUNDARY", later()).ok_or("no file can have the path")?;
    let answer = site.answer(&asked, true).map_err(|unanswered| unanswered.to_string())?;
    let response = answer.into_response(&Disk::new(), None);
    let (parts, body) = response.into_parts();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let body = runtime.block_on(body.collect()).unwrap().to_bytes();
    Ok(Got { status: parts.status.as_u16(), headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() })
}

#[track_caller]
fn get(site: &Site, path: &str, fields: &[(&str, &str)]) -> Got {
    ask(site, Method::GET, path, fields).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn a_file_and_what_is_said_of_it() {
    let directory =
        directory("whole", &[("a/page.html", "<p>page"), ("x.wat", "(module)"), ("README", "read"), ("empty.css", "")]);
    let site = Site::new(settings(&directory));
    let got = get(&site, "/a/page.html?v=1", &[]);
    assert_eq!((got.status, got.body.as_str()), (200, "<p>page"));
    assert_eq!(got.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(got.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(got.header("cache-control"), Some("private, no-cache"));
    assert_eq!(got.header("last-modified"), Some("Sun, 09 Sep 2001 01:46:40 GMT"));
    assert_eq!(got.header("accept-ranges"), Some("bytes"));
    assert!(got.header("etag").unwrap().starts_with('"'), "strong");
    assert_eq!(got.header("vary"), None);
    assert_eq!(get(&site, "/x.wat", &[]).header("content-type"), Some("text/plain"));
    assert_eq!(get(&site, "/README", &[]).header("content-type"), Some("application/octet-stream"));
    assert_eq!(get(&site, "/empty.css", &[]).body, "");
    let head = ask(&site, Method::HEAD, "/a/page.html", &[("range", "bytes=0-1")]).unwrap();
    assert_eq!((head.status, head.header("etag"), head.header("content-range")), (200, got.header("etag"), None));
}

#[test]
fn p_21_no_path_leads_elsewhere() {
    let directory = directory(
        "paths",
        &[("site/a/b.txt", "b"), ("site/a b", "blank"), ("site/a%2Fb", "no"), ("site/ü", "u"), ("secret", "s")],
    );
    let site = Site::new(settings(&directory.join("site")));
    for (path, expected) in [
        ("/a/b.txt", "b"),
        ("/a//b.txt", "b"),
        ("//a/b.txt", "b"),
        ("/a/b%2Etxt", "b"),
        ("/a%20b", "blank"),
        ("/%C3%BC", "u"),
    ] {
        assert_eq!(get(&site, path, &[]).body, expected, "{path}");
    }
    for path in [
        "/a/b.txt/",
        "/a%2Fb.txt",
        "/a%2Fb",
        "/a%2fb",
        "/a%2fb.txt",
        "/a/b.txt;v=1",
        "/%2e%2e/secret",
        "/a/..%2f..%2f../secret",
        "/..%5csecret",
        "/a/b.txt%00",
        "/a/b.txt%0a",
        "/..%c0%afsecret",
        "/%2e%2e%2fsecret",
        "/a/.%2e/.%2e/secret",
        "/none",
        "/a/b.txt/..",
        "/a/b.txt%2f",
        "/a%5cb.txt",
        "/%252e%252e/secret",
        "/....//secret",
        "/.../secret",
        "/a/b.txt%20",
        "/A/b.txt",
    ] {
        let refused = ask(&site, Method::GET, path, &[]);
        assert!(refused.is_err(), "{path}: {:?}", refused.map(|got| (got.status, got.body)));
    }
    assert!(ask(&site, Method::GET, &format!("/{}", "a".repeat(4000)), &[]).is_err());
    // `%252F` is a name with `%2F` in it. It is no slash, and here it is a file.
    assert_eq!(get(&site, "/a%252Fb", &[]).body, "no");
}

#[test]
fn p_22_hidden_files_are_not_there() {
    let files = [
        (".env", "key"),
        (".git/config", "git"),
        ("a/.htpasswd", "p"),
        (".well-known/security.txt", "sec"),
        ("index.html", "i"),
    ];
    let directory = directory("hidden", &files);
    let site = Site::new(settings(&directory));
    for path in ["/.env", "/.git/config", "/.git/", "/.git", "/a/.htpasswd", "/%2eenv", "/.well-known/.env"] {
        assert!(ask(&site, Method::GET, path, &[]).is_err(), "{path}");
    }
    assert_eq!(get(&site, "/.well-known/security.txt", &[]).body, "sec");
    let all = Site::new(Settings { dotfiles: true, ..settings(&directory) });
    assert_eq!(get(&all, "/.env", &[]).body, "key");
}

#[test]
fn a_directory_is_its_index_and_never_a_listing() {
    let files = [
        ("index.html", "home"),
        ("docs/start.htm", "start"),
        ("docs/index.html", "docs"),
        ("images/a.png", "png"),
        ("a:b/index.html", "colon"),
    ];
    let directory = directory("index", &files);
    let site = Site::new(Settings { index: vec!["start.htm".into(), "index.html".into()], ..settings(&directory) });
    assert_eq!(get(&site, "/", &[]).body, "home");
    assert_eq!(get(&site, "/docs/", &[]).body, "start");
    assert_eq!(get(&site, "/docs/", &[]).header("content-type"), Some("text/html; charset=utf-8"));
    for path in ["/images/", "/images"] {
        assert_eq!(ask(&site, Method::GET, path, &[]).err().as_deref(), Some("there is no such file"), "{path}");
    }
    for (path, location) in [
        ("/docs", "./docs/"),
        ("/docs?a=1&b=//evil", "./docs/?a=1&b=//evil"),
        ("//docs", "./docs/"),
        ("///evil.test/..;/docs", ""),
        ("/a:b", "./a:b/"),
        ("/%64ocs", "./docs/"),
    ] {
        match ask(&site, Method::GET, path, &[]) {
            Ok(got) => {
                assert_eq!((got.status, got.header("location")), (302, Some(location)), "{path}");
                assert_eq!(got.header("cache-control"), Some("private, no-cache"));
            }
            Err(error) => assert!(location.is_empty(), "{path}: {error}"),
        }
    }
}

#[test]
fn a_prefix_is_not_in_the_directory() {
    let directory = directory("prefix", &[("index.html", "home"), ("a/index.html", "a"), ("docs/x", "twice")]);
    let site = Site::new(Settings { path_prefix: "/docs".into(), ..settings(&directory) });
    assert_eq!(get(&site, "/docs/", &[]).body, "home");
    assert_eq!(get(&site, "/docs/index.html", &[]).body, "home");
    assert_eq!(get(&site, "/docs", &[]).header("location"), Some("./docs/"));
    assert_eq!(get(&site, "/docs/a", &[]).header("location"), Some("./a/"));
    assert_eq!(get(&site, "/docs/docs/x", &[]).body, "twice");
    for path in ["/", "/index.html", "/docs2/", "/docsindex.html", "/a/"] {
        assert!(ask(&site, Method::GET, path, &[]).is_err(), "{path}");
    }
}

#[test]
fn a_page_that_does_not_exist_is_the_application_or_the_404_of_the_site() {
    let directory = directory("missing", &[("index.html", "app"), ("404.html", "gone"), ("a.js", "script")]);
    let page = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    let app = Site::new(Settings {
        fallback: Some("index.html".into()),
        not_found: Some("404.html".into()),
        ..settings(&directory)
    });
    let got = get(&app, "/users/7", &page);
    assert_eq!((got.status, got.body.as_str(), got.header("vary")), (200, "app", Some("accept")));
    assert_eq!(got.header("content-type"), Some("text/html; charset=utf-8"));
    let tag = got.header("etag").unwrap();
    assert_eq!(get(&app, "/users/7", &[page[0], ("if-none-match", tag)]).status, 304);
    let script = get(&app, "/none.js", &[("accept", "*/*"), ("if-none-match", "*"), ("range", "bytes=0-0")]);
    assert_eq!((script.status, script.body.as_str()), (404, "gone"));
    assert_eq!((script.header("etag"), script.header("accept-ranges")), (None, None));
    assert_eq!(get(&app, "/a.js", &page).body, "script");
    let plain = Site::new(Settings { not_found: Some("none.html".into()), ..settings(&directory) });
    assert!(ask(&plain, Method::GET, "/x", &page).is_err());
}

#[test]
fn a_copy_is_sent_to_those_who_take_it() {
    let files = [
        ("a.js", "plain"),
        ("a.js.br", "brotli"),
        ("a.js.gz", "gzip"),
        ("b.js", "plain"),
        ("b.js.gz", "gzip"),
        ("c.js.br", "alone"),
    ];
    let directory = directory("copies", &files);
    let site = Site::new(Settings { precompressed: true, ..settings(&directory) });
    let mut tags = Vec::new();
    for (path, accept, body, coding) in [
        ("/a.js", "gzip, deflate, br", "brotli", Some("br")),
        ("/a.js", "gzip", "gzip", Some("gzip")),
        ("/a.js", "identity", "plain", None),
        ("/b.js", "br, gzip;q=0.1", "gzip", Some("gzip")),
    ] {
        let got = get(&site, path, &[("accept-encoding", accept)]);
        assert_eq!((got.body.as_str(), got.header("content-encoding")), (body, coding), "{path} {accept}");
        assert_eq!(got.header("content-type"), Some("text/javascript; charset=utf-8"));
        assert_eq!(got.header("vary"), Some("accept-encoding"));
        let tag = got.header("etag").unwrap().to_owned();
        let known = get(&site, path, &[("accept-encoding", accept), ("if-none-match", &tag)]);
        assert_eq!(
            (known.status, known.header("vary"), known.header("content-encoding")),
            (304, Some("accept-encoding"), None)
        );
        tags.push(tag);
    }
    tags.dedup();
    assert_eq!(tags.len(), 4, "each form has a tag of its own");
    assert!(ask(&site, Method::GET, "/c.js", &[("accept-encoding", "br")]).is_err(), "a copy of nothing");
    set_modified(&directory.join("b.js"), MODIFIED + 1);
    assert_eq!(get(&site, "/b.js", &[("accept-encoding", "gzip")]).body, "plain", "the copy is older");
    let off = Site::new(settings(&directory));
    assert_eq!(get(&off, "/a.js", &[("accept-encoding", "br")]).body, "plain");
}

#[test]
fn a_copy_that_cannot_be_read_is_passed_over() {
    let files = [("a.js", "plain"), ("a.js.br", "brotli"), ("a.js.gz", "gzip")];
    let directory = directory("unreadable-copies", &files);
    let site = Site::new(Settings { precompressed: true, ..settings(&directory) });
    let body = || get(&site, "/a.js", &[("accept-encoding", "br, gzip")]).body;
    let forbid = |name: &str| {
        let path = directory.join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        // Root reads everything. For root it is a link that leads out.
        if File::open(&path).is_ok() {
            fs::remove_file(&path).unwrap();
            symlink("/etc/hostname", &path).unwrap();
        }
    };
    assert_eq!(body(), "brotli");
    forbid("a.js.br");
    assert_eq!(body(), "gzip");
    forbid("a.js.gz");
    assert_eq!(body(), "plain");
}

#[test]
fn parts_of_a_file() {
    let directory = directory("ranges", &[("f.txt", "0123456789")]);
    let site = Site::new(settings(&directory));
    let one = get(&site, "/f.txt", &[("range", "bytes=2-4")]);
    assert_eq!((one.status, one.body.as_str(), one.header("content-range")), (206, "234", Some("bytes 2-4/10")));
    let tag = one.header("etag").unwrap();
    let several = get(&site, "/f.txt", &[("range", "bytes=8-,0-1"), ("if-range", tag)]);
    assert_eq!((several.status, several.header("content-range")), (206, None));
    assert_eq!(several.header("content-type"), Some("multipart/byteranges; boundary=BOUNDARY"));
    assert_eq!(
        several.body,
        "\r\n--BOUNDARY\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-range: bytes 8-9/10\r\n\r\n89\
         \r\n--BOUNDARY\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-range: bytes 0-1/10\r\n\r\n01\
         \r\n--BOUNDARY--\r\n"
    );
    let none = get(&site, "/f.txt", &[("range", "bytes=10-")]);
    assert_eq!((none.status, none.body.as_str(), none.header("content-range")), (416, "", Some("bytes */10")));
    let other = get(&site, "/f.txt", &[("range", "bytes=0-1"), ("if-range", "\"other\"")]);
    assert_eq!((other.status, other.body.as_str()), (200, "0123456789"));
    // Conditions come before ranges.
    assert_eq!(get(&site, "/f.txt", &[("range", "bytes=10-"), ("if-none-match", tag)]).status, 304);
    let failed = get(&site, "/f.txt", &[("range", "bytes=0-1"), ("if-match", "\"other\"")]);
    assert_eq!((failed.status, failed.body.as_str(), failed.header("content-type")), (412, "", None));
}

#[test]
fn what_cannot_be_read_is_not_what_does_not_exist() {
    let directory = directory("unreadable", &[("a", "a"), ("d/index.html", "d")]);
    symlink("/etc/hostname", directory.join("out")).unwrap();
    let site = Site::new(settings(&directory));
    let error = ask(&site, Method::GET, "/out", &[]).err().unwrap();
    assert_eq!(error, "a symbolic link leads out of the directory");
    // Root reads everything.
    fs::set_permissions(directory.join("a"), fs::Permissions::from_mode(0o000)).unwrap();
    if File::open(directory.join("a")).is_err() {
        assert_eq!(ask(&site, Method::GET, "/a", &[]).err().as_deref(), Some("the file cannot be read"));
    }
    let gone = Site::new(settings(&directory.join("gone")));
    assert_eq!(ask(&gone, Method::GET, "/a", &[]).err().as_deref(), Some("the directory cannot be opened"));
}

/// The file with that name may be there after the next deployment.
#[test]
fn d_28_what_takes_the_place_of_a_file_is_not_kept_as_long_as_files() {
    let directory = directory(
        "lifetimes",
        &[("a.txt", "0123456789"), ("index.html", "home"), ("404.html", "no"), ("docs/index.html", "d")],
    );
    let lasting = "public, max-age=31536000, immutable";
    let site = Site::new(Settings {
        fallback: Some("index.html".into()),
        not_found: Some("404.html".into()),
        cache_control: HeaderValue::from_static(lasting),
        ..settings(&directory)
    });
    for (path, fields, status, expected) in [
        ("/a.txt", &[][..], 200, lasting),
        ("/a.txt", &[("range", "bytes=0-1")], 206, lasting),
        ("/a.txt", &[("if-none-match", "*")], 304, lasting),
        ("/a.txt", &[("if-match", "\"x\"")], 412, "no-cache"),
        ("/a.txt", &[("range", "bytes=100-")], 416, "no-cache"),
        ("/docs", &[], 302, "no-cache"),
        ("/b.js", &[("accept", "*/*")], 404, "no-cache"),
        ("/b.js", &[("accept", "text/html")], 200, "no-cache"),
    ] {
        let got = get(&site, path, fields);
        assert_eq!((got.status, got.header("cache-control")), (status, Some(expected)), "{path} {fields:?}");
    }
}

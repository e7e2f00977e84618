//! `static`: the files of a directory, behind a sign-in.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use crate::harness::app::{Setup, folder, free_port, wait_until};
use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::connection::{self, Connection};
use crate::harness::process::{self, Process};
use crate::harness::provider::Provider;
use crate::harness::{runtime, target};

mod attacks;

/// A directory of files, removed with the value.
struct Site(PathBuf);

impl Site {
    fn new(files: &[(&str, &str)]) -> Self {
        let site = Self(folder());
        files.iter().for_each(|(name, text)| site.write(name, text));
        site
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(&path, text).expect("written");
        set_modified(&path);
    }

    /// A file that the buffers of a connection cannot hold.
    fn large(&self, name: &str) -> File {
        let file = File::create(self.0.join(name)).expect("created");
        file.set_len(LARGE).expect("a sparse file");
        file
    }

    /// The action, with more keys of it.
    fn action(&self, more: &str) -> String {
        format!("{{ type: static, directory: '{}'{more} }}", self.0.display())
    }

    /// A proxy that serves it to everybody.
    #[track_caller]
    fn open(&self, more: &str) -> Setup {
        Setup::open(&[]).default_actions(&format!(" [{}]", self.action(more)))
    }

    /// The same behind a sign-in.
    fn guarded(&self, provider: &Provider, more: &str) -> Setup {
        let target = target::echo();
        Setup::new(provider, &target).default_actions(&format!(
            " [{{ type: authenticate-oidc, provider: corp, session_timeout: 8h }}, {}]",
            self.action(more)
        ))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const LARGE: u64 = 32 * 1024 * 1024;
const DATE: &str = "Sun, 09 Sep 2001 01:46:40 GMT";

fn set_modified(path: &Path) {
    let file = File::options().write(true).open(path).expect("a file");
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000)).expect("a time");
}

#[test]
fn only_who_has_signed_in_gets_a_file() {
    let provider = Provider::start();
    let site = Site::new(&[("index.html", "home"), ("a/b.css", "css")]);
    let proxy = site.guarded(&provider, "").start();
    on_both(|protocol| {
        for path in ["/", "/a/b.css", "/none", "/a", "/.git/config"] {
            let url = format!("https://app.test{path}");
            let page = proxy.browser(protocol).get(&url);
            assert_eq!(page.status, 302, "{path}");
            assert!(page.location().starts_with(&provider.issuer()), "{path}: {}", page.location());
            let script = proxy.browser(protocol).scripted().get(&url);
            assert_eq!((script.status, script.reason().as_deref()), (401, Some("auth.required")), "{path}");
            let posted = proxy.browser(protocol).scripted().send("OPTIONS", &url, &[], b"");
            assert_eq!(posted.status, 401, "{path}");
        }
        let mut browser = proxy.signed_in(protocol, &provider);
        let home = browser.get("https://app.test/");
        assert_eq!((home.status, home.text()), (200, "home"));
        assert_eq!(home.header("cache-control"), Some("private, no-cache"));
        assert_eq!(home.header("content-length"), Some("4"));
        let head = browser.send("HEAD", "https://app.test/a/b.css", &[], b"");
        assert_eq!((head.status, head.text(), head.header("content-length")), (200, "", Some("3")));
        assert_eq!(head.header("content-type"), Some("text/css; charset=utf-8"));
        assert_eq!(browser.get("https://app.test/oauth2/userinfo").status, 200, "the paths of sign-in are not files");
    });
}

#[test]
fn each_answer_is_recorded_and_counted() {
    let provider = Provider::start();
    let site = Site::new(&[("page.html", "page")]);
    let proxy = site.guarded(&provider, "").start();
    let mut browser = proxy.signed_in(Protocol::Http1, &provider);
    assert_eq!(browser.get("https://app.test/page.html").status, 200);
    assert_eq!(browser.get("https://app.test/gone.html").reason().as_deref(), Some("request.not_found"));
    let of = |path: &str| {
        wait_until("the record is written", || {
            proxy.access_log(1).into_iter().find(|record| record["url.path"] == path)
        })
    };
    let page = of("/page.html");
    assert_eq!(page["actions"], serde_json::json!(["authenticate", "static"]));
    assert_eq!(
        (page["http.response.status_code"].as_u64(), page["http.response.body.size"].as_u64()),
        (Some(200), Some(4))
    );
    assert_eq!((&page["user.id"], page.get("target.address")), (&serde_json::json!("alice"), None), "{page}");
    let gone = of("/gone.html");
    assert_eq!(
        (gone["reason"].as_str(), gone["http.response.status_code"].as_u64()),
        (Some("request.not_found"), Some(404))
    );
    let counted = "vestibule_static_responses_total{listener=\"public\",rule=\"default\"}";
    wait_until("the page is counted", || (proxy.metric(counted) == 1).then_some(()));
    // The sign-in has led to `/`, which does not exist, either.
    let refused = "vestibule_refusals_total{listener=\"public\",reason=\"request.not_found\"}";
    wait_until("the others are counted as refusals", || (proxy.metric(refused) == 2).then_some(()));
}

#[test]
fn files_have_get_and_head_and_nothing_else() {
    let site = Site::new(&[("page.html", "page")]);
    let proxy = site.open("").start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        for method in ["POST", "PUT", "DELETE", "PATCH", "PROPFIND"] {
            let refused = browser.send(method, "https://app.test/page.html", &[], b"body");
            assert_eq!(
                (refused.status, refused.reason().as_deref()),
                (405, Some("static.method_not_allowed")),
                "{method}"
            );
            assert_eq!(refused.header("allow"), Some("GET, HEAD, OPTIONS"), "{method}");
        }
        let options = browser.send("OPTIONS", "https://app.test/page.html", &[], b"");
        assert_eq!((options.status, options.header("allow")), (204, Some("GET, HEAD, OPTIONS")));
        assert_eq!(browser.send("GET", "https://app.test/page.html", &[], b"a body that nobody reads").text(), "page");
    });
    assert_eq!(fs::read_to_string(site.0.join("page.html")).expect("there"), "page");
    let upgrade = [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")];
    let mut browser = proxy.browser(Protocol::Http1);
    assert_eq!(
        browser.send("GET", "https://app.test/page.html", &upgrade, b"").text(),
        "page",
        "a file is no WebSocket"
    );
}

#[test]
fn headers_and_cors_of_the_listener_apply() {
    let site = Site::new(&[("page.html", "<p>")]);
    let listener = "
    cors: { allow_origins: [https://spa.test] }
    response_headers:
      content_security_policy: default-src 'self'
      strict_transport_security: max-age=60
      x_frame_options: DENY";
    let proxy = site.open("").listener(listener).start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        for path in ["/page.html", "/none"] {
            let answer =
                browser.send("GET", &format!("https://app.test{path}"), &[("origin", "https://spa.test")], b"");
            assert_eq!(answer.header("strict-transport-security"), Some("max-age=60"), "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), Some("https://spa.test"), "{path}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        }
        let page = browser.get("https://app.test/page.html");
        assert_eq!(page.header("content-security-policy"), Some("default-src 'self'"));
        let asked = [("origin", "https://spa.test"), ("access-control-request-method", "GET")];
        let preflight = browser.send("OPTIONS", "https://app.test/page.html", &asked, b"");
        assert_eq!((preflight.status, preflight.header("allow")), (204, None), "a preflight is CORS's");
    });
}

#[test]
fn a_deployment_is_seen_at_once_without_a_reload() {
    let releases = Site::new(&[("1/index.html", "one"), ("2/index.html", "two"), ("2/new.html", "new")]);
    let current = releases.0.join("current");
    std::os::unix::fs::symlink("1", &current).expect("a link");
    let site = Site(current.clone());
    let proxy = site.open("").start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        std::os::unix::fs::symlink("1", releases.0.join("next")).expect("a link");
        fs::rename(releases.0.join("next"), &current).expect("ln -sfn");
        let before = browser.get("https://app.test/");
        assert_eq!(before.text(), "one");
        let tag = before.header("etag").expect("one").to_owned();
        assert_eq!(browser.send("GET", "https://app.test/", &[("if-none-match", &tag)], b"").status, 304);
        std::os::unix::fs::symlink("2", releases.0.join("next")).expect("a link");
        fs::rename(releases.0.join("next"), &current).expect("ln -sfn");
        assert_eq!(browser.send("GET", "https://app.test/", &[("if-none-match", &tag)], b"").text(), "two");
        assert_eq!(browser.get("https://app.test/new.html").text(), "new");
    });
    fs::remove_file(&current).expect("removed");
    let gone = proxy.browser(Protocol::Http1).get("https://app.test/");
    assert_eq!((gone.status, gone.reason().as_deref()), (500, Some("static.unreadable")));
    fs::create_dir(&current).expect("so that it is removed");
}

#[test]
fn a_reload_brings_a_directory_and_one_that_is_not_there_changes_nothing() {
    let site = Site::new(&[("page.html", "page")]);
    let closed = Setup::open(&[]).default_actions(" [{ type: fixed-response, status_code: 404 }]");
    let proxy = closed.start();
    let mut browser = proxy.browser(Protocol::Http1);
    assert_eq!(browser.get("https://app.test/page.html").status, 404);
    let missing = site.open("").yaml().replace(&site.0.display().to_string(), "/nowhere/at/all");
    let refused = proxy.reload(&missing).expect_err("a mistake");
    assert!(refused.contains("the directory `/nowhere/at/all` cannot be read"), "{refused}");
    assert_eq!(browser.get("https://app.test/page.html").status, 404);
    proxy.reload(&site.open("").yaml()).expect("sound");
    assert_eq!(browser.get("https://app.test/page.html").text(), "page");
    drop(closed);
}

/// The head of a large file, whose rest is not read yet.
async fn begin(connection: &mut Connection, path: &str) -> http::Response<hyper::body::Incoming> {
    let request = connection.request("GET", path).body(connection::empty()).expect("a request");
    let mut response = connection.send(request).await.expect("a head");
    assert_eq!(response.headers()["content-length"], LARGE.to_string().as_str());
    assert!(!connection::chunk(&mut response).await.is_empty());
    response
}

#[test]
fn a_file_that_becomes_shorter_is_cut_and_never_filled_up() {
    on_both(|protocol| {
        let site = Site::new(&[]);
        let file = site.large("large.bin");
        let proxy = site.open("").start();
        runtime().block_on(async {
            let mut connection = Connection::open(protocol, proxy.address(), "app.test").await;
            let response = begin(&mut connection, "/large.bin").await;
            file.set_len(1000).expect("shorter");
            assert!(connection::try_whole(response).await.is_err(), "not a whole answer");
        });
        let record = proxy.access_log(1).remove(0);
        assert_eq!(
            (record["reason"].as_str(), record["http.response.status_code"].as_u64()),
            (Some("static.unreadable"), Some(200))
        );
    });
}

#[test]
fn a_download_is_finished_when_the_process_stops_and_cut_after_the_deadline() {
    on_both(|protocol| {
        let site = Site::new(&[]);
        let _file = site.large("large.bin");
        let stopping = |drain_timeout: &str| {
            let mut setup = site.open("");
            setup.rest.push_str(&format!("shutdown: {{ drain_timeout: {drain_timeout} }}\n"));
            setup.start()
        };
        let mut proxy = stopping("60s");
        runtime().block_on(async {
            let mut connection = Connection::open(protocol, proxy.address(), "app.test").await;
            let mut response = begin(&mut connection, "/large.bin").await;
            let app = proxy.take();
            let drained = std::thread::spawn(move || app.shutdown());
            let mut left = LARGE;
            while let Some(frame) = http_body_util::BodyExt::frame(response.body_mut()).await {
                left = left.saturating_sub(frame.expect("whole").into_data().expect("data").len() as u64);
            }
            assert!(left < 1024 * 1024, "all but what was read before: {left}");
            drop((response, connection));
            assert!(tokio::task::block_in_place(|| drained.join().expect("it ends")), "the download was finished");
        });
        let mut proxy = stopping("200ms");
        runtime().block_on(async {
            let mut connection = Connection::open(protocol, proxy.address(), "app.test").await;
            let response = begin(&mut connection, "/large.bin").await;
            assert!(!tokio::task::block_in_place(|| proxy.shutdown()), "not everything had finished");
            assert!(connection::try_whole(response).await.is_err(), "not a whole answer");
        });
        assert_eq!(proxy.access_log(1)[0]["reason"], "proxy.drain_timeout");
    });
}

/// What a client sees of an answer.
fn seen(answer: &Answer) -> (u16, Option<&str>, Vec<u8>) {
    (answer.status, answer.header("content-range"), answer.body.clone())
}

/// nginx and Vestibule answer the same about one file: conditions and ranges.
#[test]
fn conditions_and_ranges_are_answered_as_nginx_answers_them() {
    let site = Site::new(&[("f.txt", "0123456789abcdef"), ("d/index.html", "index"), ("e.txt", "")]);
    let (place, port) = (folder(), free_port());
    let at = place.display();
    let settings = format!(
        "daemon off; master_process off; user root; pid {at}/nginx.pid; error_log {at}/error.log;
         events {{ worker_connections 64; }}
         http {{
           access_log off; default_type text/plain; if_modified_since before; absolute_redirect off;
           client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;
           uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
           server {{ listen 127.0.0.1:{port}; root {}; }}
         }}",
        site.0.display()
    );
    fs::write(place.join("nginx.conf"), settings).expect("a folder");
    let mut command = std::process::Command::new(process::needed_on_path("nginx"));
    command.arg("-p").arg(&place).arg("-c").arg(place.join("nginx.conf"));
    let other = Process::start(command);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    wait_until("nginx listens", || TcpStream::connect(address).ok());
    let proxy = site.open("").start_now();
    // The tag of a file that was changed within two seconds is weak.
    proxy.clock.advance(Duration::from_secs(60));
    let mut theirs = Browser::new(Protocol::Http1, address).with_host("app.test", address);
    let mut ours = proxy.browser(Protocol::Http1);
    let mut ask = |method: &str, path: &str, fields: &[(&str, &str)]| {
        let nginx = theirs.send(method, &format!("http://app.test:{port}{path}"), fields, b"");
        (nginx, ours.send(method, &format!("https://app.test{path}"), fields, b""))
    };
    let (nginx, vestibule) = ask("GET", "/f.txt", &[]);
    assert_eq!(seen(&nginx), seen(&vestibule));
    assert_eq!((nginx.header("last-modified"), nginx.header("accept-ranges")), (Some(DATE), Some("bytes")));
    assert_eq!((vestibule.header("last-modified"), vestibule.header("accept-ranges")), (Some(DATE), Some("bytes")));
    let tags = [nginx.header("etag").expect("one").to_owned(), vestibule.header("etag").expect("one").to_owned()];
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("GET", &[("range", "bytes=0-3")]),
        ("GET", &[("range", "bytes=-4")]),
        ("GET", &[("range", "bytes=4-")]),
        ("GET", &[("range", "bytes=0-1000")]),
        ("GET", &[("range", "bytes=-1000")]),
        ("GET", &[("range", "bytes=15-15")]),
        ("GET", &[("range", "bytes=0-3"), ("if-range", "Sun, 09 Sep 2001 01:46:41 GMT")]),
        ("GET", &[("range", "bytes=0-3"), ("if-range", "TAG")]),
        ("GET", &[("range", "bytes=0-3"), ("if-range", "\"other\"")]),
        ("GET", &[("if-modified-since", DATE)]),
        ("GET", &[("if-modified-since", "Sun, 09 Sep 2001 01:46:39 GMT")]),
        ("GET", &[("if-modified-since", "never")]),
        ("GET", &[("if-none-match", "TAG")]),
        ("GET", &[("if-none-match", "W/TAG")]),
        ("GET", &[("if-none-match", "\"a\", TAG")]),
        ("GET", &[("if-none-match", "*")]),
        ("GET", &[("if-none-match", "\"other\"")]),
        ("GET", &[("if-none-match", "\"other\""), ("if-modified-since", DATE)]),
        ("GET", &[("if-none-match", "TAG"), ("range", "bytes=0-3")]),
        ("GET", &[("range", "bytes=0-0,0-")]),
        ("HEAD", &[]),
        ("HEAD", &[("if-none-match", "TAG")]),
    ];
    for (method, fields) in cases {
        let [theirs, ours] = [0, 1].map(|of| -> Vec<(&str, String)> {
            fields.iter().map(|(name, value)| (*name, value.replace("TAG", &tags[of]))).collect()
        });
        let (nginx, _) = ask(method, "/f.txt", &borrowed(&theirs));
        let (_, vestibule) = ask(method, "/f.txt", &borrowed(&ours));
        assert_eq!(seen(&nginx), seen(&vestibule), "left: nginx, right: Vestibule; {method} {fields:?}");
    }
    // nginx takes a date for a strong validator. Two versions of a file can have one date, so it is none here.
    let (nginx, vestibule) = ask("GET", "/f.txt", &[("range", "bytes=0-3"), ("if-range", DATE)]);
    assert_eq!((nginx.status, vestibule.status), (206, 200));
    for (fields, status) in [
        (&[("if-match", "\"other\"")][..], 412),
        (&[("if-unmodified-since", "Sun, 09 Sep 2001 01:46:39 GMT")], 412),
        (&[("range", "bytes=16-")], 416),
    ] {
        let (nginx, vestibule) = ask("GET", "/f.txt", fields);
        assert_eq!((nginx.status, vestibule.status), (status, status), "{fields:?}");
        assert_eq!(nginx.header("content-range"), vestibule.header("content-range"), "{fields:?}");
    }
    for (path, status) in [("/d/", 200), ("/none", 404), ("/d/none/", 404), ("/f.txt/", 404), ("/e.txt", 200)] {
        let (nginx, vestibule) = ask("GET", path, &[]);
        assert_eq!((nginx.status, vestibule.status), (status, status), "{path}");
    }
    let (nginx, vestibule) = ask("GET", "/d?x=1", &[]);
    let resolved = |location: &str| url::Url::parse("http://app.test/d?x=1").unwrap().join(location).unwrap();
    assert_eq!(resolved(nginx.location()), resolved(vestibule.location()));
    let several = [("range", "bytes=0-1,4-5")];
    let (nginx, vestibule) = ask("GET", "/f.txt", &several);
    assert_eq!((nginx.status, vestibule.status), (206, 206));
    assert_eq!(parts(&nginx), parts(&vestibule));
    assert_eq!(parts(&vestibule), ["bytes 0-1/16 01", "bytes 4-5/16 45"]);
    drop(other);
    let _ = fs::remove_dir_all(place);
}

fn borrowed<'f>(fields: &'f [(&'f str, String)]) -> Vec<(&'f str, &'f str)> {
    fields.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// The parts of a `multipart/byteranges` (RFC 9110 §14.6): the range and the bytes of each.
#[track_caller]
fn parts(answer: &Answer) -> Vec<String> {
    let media_type = answer.header("content-type").expect("one");
    let boundary = media_type.strip_prefix("multipart/byteranges; boundary=").expect("parts");
    let text = answer.text();
    assert!(text.ends_with(&format!("\r\n--{boundary}--\r\n")), "{text:?}");
    let part = |part: &str| {
        let (head, body) = part.split_once("\r\n\r\n")?;
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let range = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-range"))?.1;
        Some(format!("{range} {}", body.trim_end_matches("\r\n")))
    };
    text.split(&format!("--{boundary}")).filter_map(part).collect()
}

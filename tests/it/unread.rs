//! Requests that the HTTP library does not read: each gets one page and one access record. Characters in a target that only
//! have one reading are accepted.

use serde_json::Value;

use crate::harness::app::{ATTACK_RULES, Proxy, Setup, wait_until};
use crate::harness::http2::{END_STREAM, HEADERS, Http2, Outcome, Stream};
use crate::harness::raw::{self, Raw};
use crate::harness::server::{Reply, Server};
use crate::harness::target;
use crate::harness::wire::Wire;

/// A request behind another, which nobody may answer.
const BEHIND: &str = "GET /public/behind HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n";

fn refusals(proxy: &Proxy, reason: &str) -> u64 {
    proxy.metric(&format!("vestibule_refusals_total{{listener=\"public\",reason=\"{reason}\"}}"))
}

/// Whether `answer` is one whole response with a page of ours, and the last of its connection.
#[track_caller]
fn is_one_page(answer: &str, status: u16, reason: &str) {
    assert_eq!(raw::status(answer), status, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    let (head, page) = answer.split_once("\r\n\r\n").expect("a head");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("connection: close"), "{head}");
    assert!(head.contains(&format!("content-length: {}", page.len())), "{head}");
    assert!(head.contains("date: ") && head.contains("cache-control: no-store"), "{head}");
    assert!(page.contains(reason), "{page}");
}

/// Sends `head`, which is refused: one page, one record, which is answered.
#[track_caller]
fn refused(proxy: &Proxy, head: impl AsRef<[u8]>, status: u16, reason: &str) -> Value {
    let (count, before) = (proxy.access_log(0).len(), refusals(proxy, reason));
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.try_send(head);
    let answer = client.read_to_end();
    is_one_page(&answer, status, reason);
    let records = proxy.access_log(count + 1);
    assert_eq!(records.len(), count + 1);
    let record = records.last().expect("a record").clone();
    assert_eq!((&record["http.response.status_code"], &record["reason"]), (&status.into(), &reason.into()));
    assert!(answer.contains(record["request_id"].as_str().expect("an id")), "{answer}");
    assert_eq!(record["client.address"], "127.0.0.1");
    assert_eq!(record["tls.client.server_name"], "app.test");
    assert_eq!(refusals(proxy, reason), before + 1);
    record
}

#[test]
fn a_head_that_cannot_be_read_gets_one_page_and_one_record() {
    let target = target::echo();
    let proxy =
        Setup::open(&[target.address()]).listener("    limits: { head_bytes_max: 16384, headers_max: 50 }").start();
    let malformed = [
        "G(T / HTTP/1.1\r\nhost: app.test\r\n\r\n",
        "GET /\r\n",
        "GET / HTTP/1.1\r\nhost app.test\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: app.test\r\n folded: x\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: app.test\r\nx: \0\r\n\r\n",
        "GET /?\u{7f} HTTP/1.1\r\nhost: app.test\r\n\r\n",
        "GET /?a b HTTP/1.1\r\nhost: app.test\r\n\r\n",
        "GET /?\0 HTTP/1.1\r\nhost: app.test\r\n\r\n",
        "GET a\"b/ HTTP/1.1\r\nhost: app.test\r\n\r\n",
        "GET http://a\"b/?\"x HTTP/1.1\r\nhost: app.test\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: app.test\r\ntransfer-encoding: identity\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: app.test\r\ncontent-length: six\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}",
    ];
    for head in malformed {
        refused(&proxy, format!("{head}{BEHIND}"), 400, "request.malformed");
    }
    let many = "x: y\r\n".repeat(60);
    let large = [
        format!("GET /?\" HTTP/1.1\r\nhost: app.test\r\nx: {}\r\n\r\n", "a".repeat(20_000)),
        format!("GET / HTTP/1.1\r\nhost: app.test\r\n{many}\r\n"),
    ];
    for head in large {
        refused(&proxy, format!("{head}{BEHIND}"), 431, "request.head_too_large");
    }
    let long = [
        format!("GET /?{} HTTP/1.1\r\nhost: app.test\r\n\r\n", "a".repeat(70_000)),
        format!("GET /?{} HTTP/1.1\r\nhost: app.test\r\nx: {}\r\n\r\n", "a".repeat(9000), "a".repeat(9000)),
        format!("GET /?{}", "\"".repeat(20_000)),
    ];
    for head in long {
        refused(&proxy, format!("{head}{BEHIND}"), 414, "request.uri_too_long");
    }
    for head in ["GET / HTTP/9.9\r\nhost: app.test\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        refused(&proxy, format!("{head}{BEHIND}"), 505, "request.http_version");
    }
    assert_eq!(target.count(), 0);
}

#[test]
fn the_record_and_the_page_have_what_could_be_read() {
    let target = target::echo();
    let proxy = Setup::open(&[target.address()]).start();
    let head = "PUT /a/b?secret HTTP/1.1\r\nhost: App.test\r\naccept: text/html\r\nuser-agent: old\r\nbroken\r\n\r\n";
    let record = refused(&proxy, head, 400, "request.malformed");
    assert_eq!(record["http.request.method"], "PUT");
    assert_eq!(record["url.path"], "/a/b");
    assert_eq!(record["server.address"], "app.test");
    assert_eq!(record["network.protocol.version"], "1.1");
    assert_eq!(record["user_agent.original"], "old");
    // What is no method and no path is in no record.
    let record = refused(&proxy, "\u{16}\u{3}\u{1} /a b", 400, "request.malformed");
    for field in ["http.request.method", "url.path", "server.address", "network.protocol.version"] {
        assert_eq!(record.get(field), None, "{field}");
    }
    for (accept, expected) in [
        ("text/html", "<h1>"),
        ("application/json", "{\"error\":\"request.malformed\""),
        ("*/*", "400 request.malformed: "),
    ] {
        let head = format!("GET / HTTP/1.1\r\nhost: app.test\r\naccept: {accept}\r\nbroken\r\n\r\n");
        let answer = raw::exchange(proxy.address(), "app.test", head);
        assert!(answer.contains(expected), "{answer}");
    }
    // The answer to HEAD has no page, and the length of one.
    let answer = raw::exchange(proxy.address(), "app.test", "HEAD / HTTP/1.1\r\nhost: app.test\r\nbroken\r\n\r\n");
    assert!(answer.ends_with("\r\n\r\n") && !answer.contains("content-length: 0\r\n"), "{answer}");
}

#[test]
fn the_client_that_a_trusted_proxy_names_is_in_the_record() {
    let proxy = Setup::open(&[target::echo().address()]).listener("    trusted_proxies: ['127.0.0.0/8']").start();
    raw::exchange(proxy.address(), "app.test", "GET / HTTP/1.1\r\nx-forwarded-for: 192.0.2.7\r\nbroken\r\n\r\n");
    assert_eq!(proxy.access_log(1)[0]["client.address"], "192.0.2.7");
}

#[test]
fn a_head_behind_another_is_refused_after_the_first_is_answered() {
    let target = target::echo();
    let proxy = Setup::open(&[target.address()]).start();
    for bad in ["G(T / HTTP/1.1\r\n\r\n", "GET a\"b/ HTTP/1.1\r\n\r\n", "GET /?\u{7f} HTTP/1.1\r\n\r\n"] {
        // In one piece, and as a second piece once the first answer is there.
        let good = "GET /first HTTP/1.1\r\nhost: app.test\r\n\r\n";
        let answers = raw::exchange(proxy.address(), "app.test", format!("{good}{bad}"));
        let second = answers.rfind("HTTP/1.1 ").expect("an answer");
        assert_eq!((raw::status(&answers), answers.matches("HTTP/1.1 ").count()), (200, 2), "{answers}");
        is_one_page(&answers[second..], 400, "request.malformed");
        let mut client = Raw::connect(proxy.address(), "app.test");
        client.send(good);
        assert_eq!(raw::status(&client.read_response().0), 200);
        client.send(bad);
        is_one_page(&client.read_to_end(), 400, "request.malformed");
    }
}

#[test]
fn a_head_that_does_not_end_is_answered_408() {
    let target = target::echo();
    let mut proxy = Setup::open(&[target.address()]).listener("    limits: { head_timeout: 300ms }").start();
    let record = refused(&proxy, "GET /slow HTTP/1.1\r\nhost: app.test\r\nx: ", 408, "request.head_timeout");
    assert_eq!((&record["http.request.method"], &record["url.path"]), (&"GET".into(), &"/slow".into()));
    for head in ["G", "\r\nG", "GET /?\"", "GET /?\" HTTP/1.1\r\nhost: a"] {
        refused(&proxy, head, 408, "request.head_timeout");
    }
    // Behind an answer it is the same.
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send("GET / HTTP/1.1\r\nhost: app.test\r\n\r\n");
    assert_eq!(raw::status(&client.read_response().0), 200);
    client.send("GET /second");
    is_one_page(&client.read_to_end(), 408, "request.head_timeout");
    // Where nothing of a request has come, there is nothing to answer.
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send("\r\n\r\n");
    assert_eq!(client.read_to_end(), "");
    assert!(proxy.shutdown());
    assert_eq!(proxy.access_log(0).len(), 7);
}

/// What the target receives of a request for `sent`.
#[track_caller]
fn arrives(proxy: &Proxy, target: &Server, sent: impl AsRef<[u8]>, received: &str) {
    let count = target.count();
    let head = [b"GET ", sent.as_ref(), b" HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n"].concat();
    let answer = raw::exchange(proxy.address(), "app.test", head);
    assert_eq!(raw::status(&answer), 200, "{}: {answer}", String::from_utf8_lossy(sent.as_ref()));
    assert_eq!((target.count(), target.last().target()), (count + 1, received));
}

#[test]
fn characters_that_only_have_one_reading_are_passed_on_encoded() {
    let target = target::echo();
    let proxy = Setup::open(&[target.address()]).start();
    arrives(&proxy, &target, "/?a=\"<>\"", "/?a=%22%3C%3E%22");
    arrives(&proxy, &target, "/x?{\"a\":\"ä\"}", "/x?{%22a%22:%22ä%22}");
    arrives(&proxy, &target, b"/?\x80\xff", "/?%80%FF");
    arrives(&proxy, &target, "/?ä", "/?ä");
    arrives(&proxy, &target, "/a<b>`c`?d", "/a%3Cb%3E%60c%60?d");
    arrives(&proxy, &target, "https://app.test/?\"", "/?%22");
    arrives(&proxy, &target, "/\"a\"?b", "/\"a\"?b");
    assert!(proxy.access_log(7).iter().all(|record| record.get("reason").is_none()));
}

#[test]
fn every_request_of_a_connection_may_have_them() {
    let target = target::echo();
    let proxy = Setup::open(&[target.address()]).start();
    let mut client = Raw::connect(proxy.address(), "app.test");
    for turn in 0..3 {
        for sent in ["/?\"", "/plain", "/?ä", "/<"] {
            client.send(format!("GET {sent}{turn} HTTP/1.1\r\nhost: app.test\r\n\r\n"));
            assert_eq!(raw::status(&client.read_response().0), 200, "{sent}");
        }
        // The body of a request is not looked at, whatever is in it.
        let body = "GET /?\"#<> HTTP/1.1\r\nhost: app.test\r\n\r\n";
        for length in [format!("content-length: {}", body.len()), "transfer-encoding: chunked".to_owned()] {
            client.send(format!("POST /?\"{turn} HTTP/1.1\r\nhost: app.test\r\n{length}\r\n\r\n"));
            let is_chunked = length.starts_with('t');
            client.send(if is_chunked { format!("{:x}\r\n", body.len()) } else { String::new() });
            for byte in body.as_bytes() {
                client.send([*byte]);
            }
            client.send(if is_chunked { "\r\n0\r\n\r\n" } else { "" });
            assert_eq!(raw::status(&client.read_response().0), 200);
            assert_eq!((target.last().target(), target.last().body_text()), (&*format!("/?%22{turn}"), body));
        }
    }
    assert_eq!(target.count(), 18);
    assert!(proxy.access_log(18).iter().all(|record| record["http.response.status_code"] == 200));
}

#[test]
fn a_head_may_come_in_any_pieces() {
    let target = target::echo();
    let proxy = Setup::open(&[target.address()]).start();
    let head =
        "\r\nPOST /a?b=\"c\" HTTP/1.1\r\nhost: app.test\r\nx: \"#\"\r\ncontent-length: 3\r\n\r\n\"#\n".as_bytes();
    let mut client = Raw::connect(proxy.address(), "app.test");
    for at in 1..head.len() {
        client.send(&head[..at]);
        client.send(&head[at..]);
        assert_eq!(raw::status(&client.read_response().0), 200, "{at}");
        let received = target.last();
        assert_eq!((received.target(), received.body_text()), ("/a?b=%22c%22", "\"#\n"), "{at}");
        assert_eq!(received.header("x"), Some("\"#\""), "{at}");
    }
    for byte in head {
        client.send([*byte]);
    }
    assert_eq!(raw::status(&client.read_response().0), 200);
    assert_eq!(target.count(), head.len());
}

#[test]
fn requests_in_one_piece_are_answered_each_or_the_rest_is_refused() {
    let target = target::echo();
    let proxy = Setup::open(&[target.address()]).start();
    let request = |target: &str| format!("GET {target} HTTP/1.1\r\nhost: app.test\r\n\r\n");
    // The first of a piece is served whatever is behind it.
    let bytes = [request("/?\"1"), request("/2"), request("/?ä3"), BEHIND.to_owned()].concat();
    let answers = raw::exchange(proxy.address(), "app.test", bytes);
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 4, "{answers}");
    let received: Vec<String> = target.received().iter().map(|request| request.target().to_owned()).collect();
    assert_eq!(received, ["/?%221", "/2", "/?ä3", "/public/behind"]);
    // The library has forgotten the head of a later one. It is refused, and nothing behind it is served.
    let answers = raw::exchange(proxy.address(), "app.test", [&request("/1"), &request("/?\"2"), BEHIND].concat());
    assert_eq!((raw::status(&answers), answers.matches("HTTP/1.1 ").count()), (200, 2), "{answers}");
    is_one_page(&answers[answers.rfind("HTTP/1.1 ").expect("an answer")..], 400, "request.malformed");
    assert_eq!(target.count(), 5);
}

#[test]
fn g_what_follows_a_refused_head_is_never_taken_for_one() {
    let target = target::echo();
    let proxy = Setup::open(&[target.address()]).start();
    // Each begins a request that needs encoding where a body, a field or nothing is.
    for inner in ["GET /?\" HTTP/1.1\r\nhost: app.test\r\n\r\n", "GET /?\u{ff} HTTP/1.1\r\nhost: app.test\r\n\r\n"] {
        let length = inner.len();
        for head in [
            "POST /a HTTP/1.1\r\nhost: app.test\r\ntransfer-encoding: identity\r\n\r\n".to_owned(),
            "POST /a HTTP/1.1\r\nhost: app.test\r\ntransfer-encoding: chunked, identity\r\n\r\n".to_owned(),
            format!("POST /a HTTP/1.1\r\nhost: app.test\r\ncontent-length: {length}\r\ncontent-length: 1\r\n\r\n"),
            format!("POST a\"b/ HTTP/1.1\r\nhost: app.test\r\ncontent-length: {length}\r\n\r\n"),
            format!("POST //a<b HTTP/1.1\r\nhost: app.test\r\ncontent-length: x{length}\r\n\r\n"),
            "POST /a HTTP/1.0\r\nhost: app.test\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
            "GET /a HTTP/1.1\r\nhost: app.test\r\nbroken\r\nx: ".to_owned(),
            "GET /\r\n".to_owned(),
            "GET /a#b HTTP/1.1\r\nhost: app.test\r\n\r\n".to_owned(),
        ] {
            for split in [0, head.len() / 2, head.len(), head.len() + 5] {
                let bytes = format!("{head}{inner}{BEHIND}");
                let mut client = Raw::connect(proxy.address(), "app.test");
                client.send(&bytes[..split]);
                client.try_send(&bytes[split..]);
                let answer = client.read_to_end();
                assert_eq!((raw::status(&answer), answer.matches("HTTP/1.1 ").count()), (400, 1), "{head:?}: {answer}");
            }
        }
    }
    assert_eq!(target.count(), 0);
}

#[test]
fn rules_match_the_encoded_form() {
    let target = target::echo();
    let rules = format!(
        "{ATTACK_RULES}
      - name: query
        priority: 1
        conditions: [{{ query_string: [{{ key: a, value: '*\"*' }}] }}]
        actions: [{{ type: fixed-response, status_code: 204 }}]
      - name: path
        priority: 2
        conditions: [{{ path_pattern: ['/a<*'] }}]
        actions: [{{ type: fixed-response, status_code: 410 }}]
"
    );
    let proxy = Setup::open(&[target.address()]).rules(&rules).start();
    for (sent, status) in [("/?a=\"", 204), ("/?a=%22", 204), ("/a<b", 410), ("/a%3Cb", 410), ("/?b=\"", 200)] {
        let head = format!("GET {sent} HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n");
        assert_eq!(raw::status(&raw::exchange(proxy.address(), "app.test", head)), status, "{sent}");
    }
}

#[test]
fn what_comes_during_a_long_answer_does_not_cut_it() {
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).start();
    // A next request that comes during a long answer neither cuts it nor is misread.
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send("GET /long HTTP/1.1\r\nhost: app.test\r\n\r\n");
    let mut end = wire.accept();
    end.read_head();
    end.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n");
    client.read_until("1\r\na\r\n");
    client.send("GET /?\" HTTP/1.1\r\nhost: app.test\r\n\r\n");
    for piece in ["b", "c"] {
        end.send(format!("1\r\n{piece}\r\n"));
        client.read_until(&format!("1\r\n{piece}\r\n"));
    }
    end.send("0\r\n\r\n");
    client.read_until("0\r\n\r\n");
    let answer = client.read_to_end();
    is_one_page(&answer, 400, "request.malformed");
}

#[test]
fn a_tunnel_is_left_alone() {
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).start();
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send("GET /?\" HTTP/1.1\r\nhost: app.test\r\n\r\n");
    let mut end = wire.accept();
    end.read_head();
    end.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    client.read_until("\r\n\r\n");
    client.send(
        "GET /socket HTTP/1.1\r\nhost: app.test\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    // On a connection of its own, or on the first.
    let mut end = if end.has_something() { end } else { wire.accept() };
    end.read_head();
    end.send(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    );
    client.read_until("\r\n\r\n");
    // Frames, which the tunnel passes on as they are: a text of 40 bytes, masked with zeros.
    let text = "GET /?\"#<>`ab HTTP/1.1\r\n\r\nand more of it";
    let (mut up, mut down) = (vec![0x81, 0x80 | 40, 0, 0, 0, 0], vec![0x81, 40]);
    up.extend_from_slice(text.as_bytes());
    down.extend_from_slice(text.as_bytes());
    for _ in 0..3 {
        client.send(&up);
        assert!(end.read_until("and more of it").contains(text));
        end.send(&down);
        assert!(client.read_until("and more of it").contains(text));
    }
}

#[test]
fn a_request_that_the_library_resets_on_http2_has_one_record() {
    let target = target::echo();
    let mut proxy = Setup::open(&[target.address()]).start();
    let mut client = Http2::connect(proxy.address(), "app.test");
    let get = |path| [(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", path)];
    let protocol_error = Outcome::Reset(1);
    assert_eq!(client.request(&get("/1")), Outcome::Status(200));
    for path in ["/?\"", "/?<", "/a b", ""] {
        assert_eq!(client.request(&get(path)), protocol_error, "{path:?}");
    }
    assert_eq!(client.request(&[(":method", "GET"), (":path", "/")]), protocol_error);
    let connected = [get("/").as_slice(), &[("connection", "close")]].concat();
    assert_eq!(client.request(&connected), protocol_error);
    // With a body that goes on, and behind requests that are served. Trailers are no request.
    client.headers(&get("/?\""), Stream::Open);
    client.data(b"abc", Stream::Ended);
    assert_eq!(client.outcome(), protocol_error);
    let post = [(":method", "POST"), (":scheme", "https"), (":authority", "app.test"), (":path", "/2")];
    client.headers(&post, Stream::Open);
    client.data(b"abc", Stream::Open);
    client.headers(&[("x-trailer", "a")], Stream::Ended);
    assert_eq!(client.outcome(), Outcome::Status(200));
    wait_until("they are counted", || (refusals(&proxy, "request.malformed") == 7).then_some(()));
    assert_eq!(target.count(), 2);
    drop(client);
    assert!(proxy.shutdown());
    let records = proxy.access_log(9);
    assert_eq!(records.len(), 9);
    let lost: Vec<&Value> = records.iter().filter(|record| record["reason"] == "request.malformed").collect();
    assert_eq!(lost.len(), 7);
    for record in lost {
        assert_eq!(
            (&record["http.response.status_code"], &record["network.protocol.version"]),
            (&400.into(), &"2".into())
        );
        assert_eq!((record.get("http.request.method"), record.get("url.path")), (None, None));
        assert_eq!((&record["client.address"], &record["http.response.body.size"]), (&"127.0.0.1".into(), &0.into()));
    }
}

#[test]
fn a_head_on_http2_that_comes_in_pieces_is_one_request() {
    const CONTINUATION: u8 = 9;
    const END_HEADERS: u8 = 4;
    let target = target::echo();
    let mut proxy = Setup::open(&[target.address()]).start();
    let mut client = Http2::connect(proxy.address(), "app.test");
    let mut block = Vec::new();
    for (name, value) in [(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", "/")] {
        block.extend([0, name.len() as u8]);
        block.extend_from_slice(name.as_bytes());
        block.push(value.len() as u8);
        block.extend_from_slice(value.as_bytes());
    }
    let (first, second) = block.split_at(20);
    client.frame(HEADERS, END_STREAM, 1, first);
    // The proxy has read the first frame, and waits for the next.
    wait_until("the connection is served", || {
        (proxy.metric("vestibule_connections_open{listener=\"public\"}") == 1).then_some(())
    });
    client.frame(CONTINUATION, END_HEADERS, 1, second);
    assert_eq!(client.outcome(), Outcome::Status(200));
    drop(client);
    assert!(proxy.shutdown());
    assert_eq!((proxy.access_log(1).len(), target.count()), (1, 1));
}

#[test]
fn a_request_beyond_the_streams_of_a_connection_is_not_called_malformed() {
    let target = Server::start(|_| Reply::BytesThenHang(Vec::new()));
    let proxy = Setup::open(&[target.address()]).listener("    limits: { streams_max: 2 }").start();
    let mut client = Http2::connect(proxy.address(), "app.test");
    let get = [(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", "/")];
    for _ in 0..2 {
        client.open(&get, Stream::Ended);
    }
    target.wait_for(2);
    // REFUSED_STREAM.
    assert_eq!(client.request(&get), Outcome::Reset(7));
    let counted = || proxy.metric("vestibule_http2_requests_refused_total{listener=\"public\"}");
    wait_until("it is counted", || (counted() == 1).then_some(()));
    assert_eq!(refusals(&proxy, "request.malformed"), 0);
}

//! Stopping: what has begun is finished, nothing new begins, every record is written, and nothing waits for ever.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::harness::app::{Proxy, Setup, wait_until};
use crate::harness::browser::{Protocol, on_both};
use crate::harness::connection::{self, Connection};
use crate::harness::http2::{Http2, Outcome, Stream};
use crate::harness::raw::{self, Raw};
use crate::harness::server::{DEADLINE, Reply, Server};
use crate::harness::wire::Wire;
use crate::harness::{runtime, target};

/// A target that answers when it is told to.
fn gated() -> (Server, Sender<()>) {
    let (release, gate) = channel();
    let gate = Mutex::new(gate);
    let target = Server::start(move |request| {
        if request.target() == "/slow" {
            let _ = gate.lock().expect("unpoisoned").recv_timeout(DEADLINE);
        }
        Reply::text("whole")
    });
    (target, release)
}

/// Stops the proxy on another thread, and returns when it no longer accepts.
fn stop(proxy: &mut Proxy) -> JoinHandle<bool> {
    let address = proxy.address();
    let app = proxy.take();
    let stopping = std::thread::spawn(move || app.shutdown());
    wait_until("nothing is accepted any more", || TcpStream::connect(address).is_err().then_some(()));
    stopping
}

fn admin(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the operator's endpoint accepts");
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn a_reload_while_the_process_stops_changes_nothing() {
    let (target, release) = gated();
    let mut proxy = Setup::open(&[target.address()]).start();
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http1, proxy.address(), "app.test").await;
        let request = client.request("GET", "/slow").body(connection::empty()).expect("a request");
        let pending = client.start(request).await.expect("sent");
        target.wait_for(1);
        let (operator, address) = (proxy.admin(), proxy.address());
        proxy.prepare(&proxy.yaml().replace("127.0.0.1:0", &address.to_string()));
        let stopping = stop(&mut proxy);
        let mut stream = TcpStream::connect(operator).expect("the operator's endpoint accepts");
        stream.write_all(b"POST /reload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n").expect("sent");
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("an answer");
        assert_eq!(raw::status(&said), 503, "{said}");
        assert!(said.ends_with("\r\n\r\nthe process is stopping\n"), "{said}");
        assert!(TcpStream::connect(address).is_err(), "no listener comes back");
        release.send(()).expect("the target waits");
        let (answer, _) = connection::whole(pending.head().await.expect("an answer")).await;
        assert_eq!((answer.status, answer.text()), (200, "whole"));
        assert!(tokio::task::block_in_place(|| stopping.join()).expect("no panic"), "everything had finished");
    });
}

#[test]
fn a_request_that_has_begun_is_answered_whole() {
    on_both(|protocol| {
        let (target, release) = gated();
        let mut proxy = Setup::open(&[target.address()]).start();
        runtime().block_on(async {
            let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
            let request = client.request("GET", "/slow").body(connection::empty()).expect("a request");
            let pending = client.start(request).await.expect("sent");
            target.wait_for(1);
            let operator = proxy.admin();
            assert_eq!(raw::status(&admin(operator, "/readyz")), 200);
            let stopping = stop(&mut proxy);
            assert_eq!(raw::status(&admin(operator, "/readyz")), 503, "a load balancer is told");
            assert_eq!(raw::status(&admin(operator, "/livez")), 200, "and an orchestrator does not kill us");
            release.send(()).expect("the target waits");
            let (answer, _) = connection::whole(pending.head().await.expect("an answer")).await;
            assert_eq!((answer.status, answer.text()), (200, "whole"), "{protocol:?}");
            client.closed().await.expect("closed in order");
            assert!(tokio::task::block_in_place(|| stopping.join()).expect("no panic"), "everything had finished");
        });
        let records = proxy.access_log(1);
        assert_eq!((records.len(), &records[0]["http.response.status_code"]), (1, &200.into()));
        assert_eq!(records[0].get("reason"), None);
    });
}

#[test]
fn an_idle_connection_does_not_hold_the_process_up() {
    on_both(|protocol| {
        let target = target::echo();
        let mut proxy = Setup::open(&[target.address()]).start();
        runtime().block_on(async {
            let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
            assert_eq!(client.get("/").await.status, 200);
            assert!(tokio::task::block_in_place(|| proxy.shutdown()), "{protocol:?}");
            client.closed().await.expect("closed in order");
        });
    });
}

#[test]
fn a_client_in_the_middle_of_a_handshake_does_not_hold_the_process_up_for_ever() {
    let mut proxy = Setup::open(&[]).listener("    limits: { handshake_timeout: 300ms }").start();
    let _silent = TcpStream::connect(proxy.address()).expect("the proxy accepts");
    wait_until("it is accepted", || {
        (proxy.metric("vestibule_connections_open{listener=\"public\"}") == 1).then_some(())
    });
    assert!(proxy.shutdown());
}

#[test]
fn an_answer_that_streams_goes_on_to_its_end() {
    let wire = crate::harness::wire::Wire::listen();
    let mut proxy = Setup::open(&[wire.address()]).start();
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
        let request = client.request("GET", "/").body(connection::empty()).expect("a request");
        let pending = client.start(request).await.expect("sent");
        let mut target = wire.accept();
        target.read_head();
        target.send("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf");
        let mut response = pending.head().await.expect("a head");
        assert_eq!(connection::chunk(&mut response).await, "half");
        let stopping = stop(&mut proxy);
        target.send("half");
        assert_eq!(connection::whole(response).await.0.text(), "half");
        drop(client);
        assert!(tokio::task::block_in_place(|| stopping.join()).expect("no panic"));
    });
    assert_eq!(proxy.access_log(1)[0]["http.response.body.size"], 8);
}

#[test]
fn what_does_not_finish_in_time_is_cut_and_recorded() {
    let target = Server::start(|_| Reply::BytesThenHang(Vec::new()));
    let mut setup = Setup::open(&[target.address()]);
    setup.rest.push_str("shutdown: { drain_timeout: 300ms }\n");
    let mut proxy = setup.start();
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send("GET /hang HTTP/1.1\r\nhost: app.test\r\n\r\n");
    target.wait_for(1);
    assert!(!proxy.shutdown(), "not everything had finished");
    assert_eq!(client.read_to_end(), "");
    let records = proxy.access_log(1);
    assert_eq!((records.len(), &records[0]["url.path"]), (1, &"/hang".into()));
}

#[test]
fn every_record_is_written_before_the_end() {
    let target = target::echo();
    let mut proxy = Setup::open(&[target.address()]).start();
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
        for _ in 0..200 {
            assert_eq!(client.get("/").await.status, 200);
        }
    });
    assert!(proxy.shutdown());
    let text = std::fs::read_to_string(proxy.folder().join("access.log")).expect("a log");
    assert_eq!(text.lines().count(), 200, "without another beat of the log's clock");
}

#[test]
fn a_request_sent_after_the_goaway_is_not_lost_in_silence() {
    let (target, release) = gated();
    let mut proxy = Setup::open(&[target.address()]).start();
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
        let request = client.request("GET", "/slow").body(connection::empty()).expect("a request");
        let pending = client.start(request).await.expect("sent");
        target.wait_for(1);
        let stopping = stop(&mut proxy);
        let request = client.request("GET", "/late").body(connection::empty()).expect("a request");
        // Either answer is right: served, or refused by the client's own library, which heard GOAWAY.
        let late = client.start(request).await.ok();
        release.send(()).expect("the target waits");
        assert_eq!(connection::whole(pending.head().await.expect("an answer")).await.0.status, 200);
        if let Some(late) = late {
            match late.head().await {
                Ok(response) => assert_eq!(response.status(), 200),
                Err(_) => assert!(target.received().iter().all(|request| request.target() != "/late")),
            }
        }
        drop(client);
        assert!(tokio::task::block_in_place(|| stopping.join()).expect("no panic"));
    });
}

#[test]
fn an_upload_that_the_client_has_sent_whole_reaches_the_target_whole() {
    let wire = Wire::listen();
    let mut proxy = Setup::open(&[wire.address()]).start();
    let mut client = Http2::connect(proxy.address(), "app.test");
    let fields = [(":method", "POST"), (":scheme", "https"), (":authority", "app.test"), (":path", "/import")];
    client.headers(&fields, Stream::Open);
    let mut target = wire.accept();
    target.read_head();
    // It says "accepted" before it goes on to read.
    target.send("HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\nok");
    let (sent, statuses) = client.data_until_the_window_is_shut();
    assert_eq!(statuses, [202]);
    client.data(b"", Stream::Ended);
    // The proxy has it once it has answered what comes behind it. Then the client has no more to do here.
    client.ping();
    while !client.has_pong() {}
    drop(client);
    let open = "vestibule_connections_open{listener=\"public\"}";
    wait_until("the proxy has seen it go", || (proxy.metric(open) == 0).then_some(()));
    let app = proxy.take();
    let stopping = std::thread::spawn(move || app.shutdown());
    // A drain that waits is what is asked for; one that does not is over by now.
    let late = Instant::now() + Duration::from_millis(300);
    while !stopping.is_finished() && Instant::now() < late {
        std::thread::yield_now();
    }
    let rest = target.rest();
    assert!(rest.ends_with("\r\n0\r\n\r\n"), "of {sent} bytes came {}", rest.len());
    assert!(stopping.join().expect("no panic"));
}

#[test]
fn no_request_of_a_kept_connection_is_lost_under_load() {
    let target = target::echo();
    let mut proxy = Setup::open(&[target.address()]).start();
    let address = proxy.address();
    let clients: Vec<_> = (0..32)
        .map(|_| {
            std::thread::spawn(move || {
                let mut client = Raw::connect(address, "app.test");
                loop {
                    client.send("GET / HTTP/1.1\r\nhost: app.test\r\n\r\n");
                    // Fails the test where the proxy closes without an answer.
                    let (head, _) = client.read_response();
                    assert_eq!(raw::status(&head), 200);
                    if head.contains("connection: close\r\n") {
                        return client.read_to_end();
                    }
                }
            })
        })
        .collect();
    target.wait_for(32 * 10);
    assert!(proxy.shutdown(), "nothing is left");
    for client in clients {
        assert_eq!(client.join().expect("no request is lost"), "", "closed in order");
    }
}

#[test]
fn a_request_that_comes_soon_after_the_stop_is_answered_as_the_last() {
    let target = target::echo();
    let mut proxy = Setup::open(&[target.address()]).listener("    limits: { head_timeout: 300ms }").start();
    let get = "GET / HTTP/1.1\r\nhost: app.test\r\n\r\n";
    let mut clients = [Raw::connect(proxy.address(), "app.test"), Raw::connect(proxy.address(), "app.test")];
    clients[0].send(get);
    assert_eq!(raw::status(&clients[0].read_response().0), 200);
    // One connection is at rest, the other has only just come.
    wait_until("it rests", || (proxy.metric("vestibule_connections_resting{listener=\"public\"}") > 0).then_some(()));
    let stopping = stop(&mut proxy);
    for client in &mut clients {
        client.send(get);
        let (head, _) = client.read_response();
        assert!(raw::status(&head) == 200 && head.contains("connection: close\r\n"), "{head}");
        assert_eq!(client.read_to_end(), "");
    }
    assert!(stopping.join().expect("no panic"));
}

#[test]
fn an_idle_http2_client_that_does_not_answer_does_not_hold_the_process_up() {
    let (target, release) = gated();
    let mut proxy = Setup::open(&[target.address()]).start();
    let fields = |path| [(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", path)];
    // Neither client answers the PING that follows GOAWAY.
    let mut idle = Http2::connect(proxy.address(), "app.test");
    assert_eq!(idle.request(&fields("/")), Outcome::Status(200));
    let mut waits = Http2::connect(proxy.address(), "app.test");
    waits.open(&fields("/slow"), Stream::Ended);
    target.wait_for(2);
    let stopping = stop(&mut proxy);
    let mut last = None;
    while let Some(frame) = idle.next_frame() {
        last = Some(frame);
    }
    let last = last.expect("GOAWAY");
    assert_eq!((last.code(), &last.payload[..4]), (Some(0), &[0, 0, 0, 1][..]), "its only request was served");
    // By now the other connection was looked at, too. Its request is not cut.
    release.send(()).expect("the target waits");
    assert_eq!(waits.frame_that(|frame| frame.status().is_some()).and_then(|frame| frame.status()), Some(200));
    while waits.next_frame().is_some() {}
    assert!(stopping.join().expect("no panic"), "everything had finished");
    let records = proxy.access_log(2);
    assert!(records.iter().all(|record| record.get("reason").is_none()), "{records:?}");
}

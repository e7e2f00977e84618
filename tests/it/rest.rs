//! Connections at rest: what a connection gives back while nothing happens on it, and that nobody can tell.

use crate::harness::app::{Proxy, Setup, wait_until};
use crate::harness::browser::Protocol;
use crate::harness::connection::Connection;
use crate::harness::raw::{self, Raw};
use crate::harness::server::Server;
use crate::harness::wire::Wire;
use crate::harness::{runtime, target};

const GET: &str = "GET / HTTP/1.1\r\nhost: app.test\r\n\r\n";

/// A proxy whose connections go to rest soon: the beat is half the shortest limit.
fn restless(target: &Server) -> Proxy {
    Setup::open(&[target.address()]).listener("    limits: { head_timeout: 300ms }").start()
}

fn resting(proxy: &Proxy) -> u64 {
    proxy.metric("vestibule_connections_resting{listener=\"public\"}")
}

fn rests(proxy: &Proxy) {
    wait_until("the connection rests", || (resting(proxy) == 1).then_some(()));
}

fn ask(client: &mut Raw) {
    client.send(GET);
    assert_eq!(raw::status(&client.read_response().0), 200);
}

/// A connection with one request behind it.
fn asked(proxy: &Proxy) -> Raw {
    let mut client = Raw::connect(proxy.address(), "app.test");
    ask(&mut client);
    client
}

#[test]
fn a_connection_wakes_from_rest_with_its_next_request() {
    let target = target::echo();
    let proxy = restless(&target);
    let mut client = asked(&proxy);
    for _ in 0..3 {
        rests(&proxy);
        ask(&mut client);
    }
    rests(&proxy);
    assert_eq!(target.count(), 4);
}

#[test]
fn a_connection_that_has_not_asked_yet_rests_too() {
    let target = target::echo();
    let proxy = restless(&target);
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http1, proxy.address(), "app.test").await;
        tokio::task::block_in_place(|| rests(&proxy));
        assert_eq!(client.get("/").await.status, 200);
    });
}

#[test]
fn d_a_head_that_begins_after_a_rest_is_cut_like_any_other() {
    let target = target::echo();
    let proxy = restless(&target);
    let mut client = asked(&proxy);
    rests(&proxy);
    client.send("GET / HT");
    assert_eq!(raw::status(&client.read_to_end()), 408);
    let timed_out = "vestibule_connections_timed_out_total{listener=\"public\"}";
    wait_until("it is counted", || (proxy.metric(timed_out) == 1).then_some(()));
    assert_eq!((target.count(), resting(&proxy)), (1, 0));
}

#[test]
fn half_a_head_that_came_with_a_request_is_not_lost_at_rest() {
    let target = target::echo();
    let proxy = Setup::open(&[target.address()]).start();
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send(format!("{GET}GET /second HTTP/1.1\r\nho"));
    assert_eq!(raw::status(&client.read_response().0), 200);
    // Another connection's rest tells that this one has had its own.
    let _other = asked(&proxy);
    rests(&proxy);
    client.send("st: app.test\r\n\r\n");
    assert_eq!(raw::status(&client.read_response().0), 200);
    assert!(target.last().line.starts_with("GET /second "));
}

#[test]
fn d_half_a_head_that_came_with_a_request_is_cut_too() {
    let target = target::echo();
    let proxy = restless(&target);
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send(format!("{GET}GET /second HT"));
    assert_eq!(raw::status(&client.read_response().0), 200);
    assert_eq!(raw::status(&client.read_to_end()), 408);
    assert_eq!(target.count(), 1);
}

#[test]
fn attack_the_rest_of_an_upload_is_not_read_as_a_request() {
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).listener("    limits: { head_timeout: 300ms }").start();
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send("POST / HTTP/1.1\r\nhost: app.test\r\ncontent-length: 400\r\n\r\n0123456789");
    let mut target = wire.accept();
    target.read_until("0123456789");
    // The answer ends before its request does.
    target.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    assert_eq!(client.read_response().1, "ok");
    let mut other = Raw::connect(proxy.address(), "app.test");
    other.send(GET);
    let mut another = wire.accept();
    another.read_head();
    another.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(raw::status(&other.read_response().0), 200);
    rests(&proxy);
    client.send("GET /smuggled HTTP/1.1\r\nhost: app.test\r\n\r\n");
    assert!(target.read_head().starts_with("GET /smuggled "), "it is a part of the upload");
    other.send("GET /other HTTP/1.1\r\nhost: app.test\r\n\r\n");
    assert!(another.read_head().starts_with("GET /other "));
    assert_eq!(client.read_soon(), b"");
}

#[test]
fn a_connection_at_rest_ends_in_order_when_the_process_does() {
    let target = target::echo();
    let mut proxy = restless(&target);
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http1, proxy.address(), "app.test").await;
        assert_eq!(client.get("/").await.status, 200);
        tokio::task::block_in_place(|| {
            rests(&proxy);
            assert!(proxy.shutdown());
        });
        client.closed().await.expect("closed in order");
    });
}

#[test]
fn a_connection_at_rest_does_not_live_for_ever() {
    let target = target::echo();
    let proxy =
        Setup::open(&[target.address()]).listener("    limits: { head_timeout: 300ms, keep_alive: 1s }").start();
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http1, proxy.address(), "app.test").await;
        assert_eq!(client.get("/").await.status, 200);
        tokio::task::block_in_place(|| rests(&proxy));
        client.closed().await.expect("without an error");
    });
    assert_eq!(proxy.metric("vestibule_connections_timed_out_total{listener=\"public\"}"), 0);
}

#[test]
fn a_client_that_leaves_a_connection_at_rest_is_noticed() {
    let target = target::echo();
    let proxy = restless(&target);
    let client = asked(&proxy);
    rests(&proxy);
    drop(client);
    let open = || proxy.metric("vestibule_connections_open{listener=\"public\"}");
    wait_until("it is gone", || (open() == 0).then_some(()));
    assert_eq!(resting(&proxy), 0);
}

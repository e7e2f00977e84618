//! D: frames of HTTP/2 and records of TLS that no client library sends. Floods of frames that do nothing are in the module `http2`, and
//! requests that are taken back in `limits`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::Fixture;
use crate::harness::app::wait_until;
use crate::harness::browser::on_both;
use crate::harness::http2::{END_STREAM, GOAWAY, HEADERS, Http2, Outcome, RST_STREAM, SETTINGS, Stream, WINDOW_UPDATE};
use crate::harness::server::DEADLINE;

const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;
const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", "/public/x")];

/// Everybody else is served.
#[track_caller]
fn serves(fixture: &Fixture) {
    on_both(|protocol| assert_eq!(fixture.browser(protocol).get("https://app.test/public/x").status, 200));
}

#[test]
fn d_02_goaway_with_settings_harms_nobody() {
    let fixture = Fixture::start();
    for round in 0..20 {
        let mut client = Http2::connect(fixture.proxy.address(), "app.test");
        assert_eq!(client.request(&GET), Outcome::Status(200));
        for _ in 0..round {
            client.frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 1, 0, 4, 0, 0, 0, 1]);
            client.frame(GOAWAY, 0, 0, &[0; 8]);
        }
        client.frame(GOAWAY, 0, 0, &[0xff; 8]);
        client.frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff]);
        while client.next_frame().is_some() {}
    }
    serves(&fixture);
}

#[test]
fn d_04_a_head_without_end_ends_the_connection() {
    let fixture = Fixture::start();
    // A field of 256 MB that is never whole, and fields of nothing: neither may be kept without a bound.
    let long: &[u8] = &[0, 1, b'x', 0x7f, 0x81, 0xff, 0xff, 0x7f];
    for (begin, piece) in [(long, vec![b'a'; 16 * 1024]), (&[0, 1, b'x', 0], [0, 1, b'a', 0].repeat(4096))] {
        let mut client = Http2::connect(fixture.proxy.address(), "app.test");
        client.frame(HEADERS, END_STREAM, 1, begin);
        // The proxy says so and lingers, so that the client can read it.
        let _ = (0..200).take_while(|_| client.frame(CONTINUATION, 0, 1, &piece)).count();
        let goaway = client.frame_that(|frame| frame.kind == GOAWAY || frame.status().is_some());
        let code = goaway.and_then(|frame| frame.code());
        assert!(code.is_none_or(|code| code != 0), "3 MB of one head are read: {code:?}");
    }
    assert_eq!(fixture.target.count(), 0);
    serves(&fixture);
}

#[test]
fn d_05_frames_that_make_us_reset_streams_end_the_connection() {
    let fixture = Fixture::start();
    let mut client = Http2::connect(fixture.proxy.address(), "app.test");
    let mut is_open = true;
    for _ in 0..5000 {
        // A window that grows by nothing is an error of the stream (RFC 9113 §6.9).
        let stream = client.open(&[&GET[..], &[("x-made-you", "reset")]].concat(), Stream::Open);
        is_open = client.frame(WINDOW_UPDATE, 0, stream, &[0; 4]);
        if !is_open {
            break;
        }
    }
    let ends = std::iter::from_fn(|| client.next_frame()).any(|frame| frame.kind == GOAWAY);
    assert!(ends || !is_open, "the connection goes on for ever");
    serves(&fixture);
}

#[test]
fn d_06_a_header_list_that_expands_is_not_kept() {
    let fixture = Fixture::start();
    let mut client = Http2::connect(fixture.proxy.address(), "app.test");
    // `x: aaa…` goes into the table of 4096 bytes; each reference to it is one byte (RFC 7541 §6.1, §6.2.1).
    let mut block = Vec::new();
    for (name, value) in GET {
        block.extend([0, u8::try_from(name.len()).expect("short")]);
        block.extend(name.as_bytes());
        block.push(u8::try_from(value.len()).expect("short"));
        block.extend(value.as_bytes());
    }
    // 3,900 is 127 + 3,773: 0x7f, 0xbd, 0x1d (RFC 7541 §5.1).
    block.extend([0x40, 1, b'x', 0x7f, 0xbd, 0x1d]);
    block.extend([b'a'; 3900]);
    block.extend([0x80 | 62; 10_000]);
    client.frame(HEADERS, END_STREAM | END_HEADERS, 1, &block);
    let first = client.frame_that(|frame| [HEADERS, RST_STREAM, GOAWAY].contains(&frame.kind));
    let status = first.as_ref().and_then(|frame| frame.status());
    assert!(status.is_none_or(|status| status == 431), "39 MB of headers: {first:?}");
    assert_eq!(fixture.target.count(), 0);
    serves(&fixture);
}

#[test]
fn d_21_what_is_no_handshake_harms_nobody() {
    let fixture = Fixture::start();
    let failed = || fixture.proxy.metric("vestibule_tls_handshakes_failed_total{listener=\"public\"}");
    // A ClientHello of TLS 1.2 that names one suite, and is then cut, grown or changed.
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0]].concat();
    let length = u8::try_from(body.len()).expect("short");
    let hello = [&[0x16, 3, 1, 0, length + 4, 1, 0, 0, length][..], &body].concat();
    let mut broken: Vec<Vec<u8>> = (0..hello.len())
        .map(|at| {
            let mut changed = hello.clone();
            changed[at] ^= 0xff;
            changed
        })
        .collect();
    broken.push(hello.clone());
    broken.push([&[0x16, 3, 1, 0xff, 0xff][..], &[1; 70_000]].concat());
    broken.push([&hello[..], &hello].concat());
    broken.push(vec![0x16, 3, 1, 0, 0]);
    let before = failed();
    let count = broken.len() as u64;
    for bytes in broken {
        let mut stream = TcpStream::connect(fixture.proxy.address()).expect("the proxy accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        // The proxy may have closed already.
        let _ = stream.write_all(&bytes).and_then(|()| stream.shutdown(std::net::Shutdown::Write));
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", answer.escape_ascii());
    }
    wait_until("most are counted as handshakes that failed", || (failed() - before > count / 2).then_some(()));
    assert_eq!(fixture.target.count(), 0);
    serves(&fixture);
}

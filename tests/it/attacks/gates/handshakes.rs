//! W: WebSockets at each gate.

use std::time::Duration;

use serde_json::json;

use super::{GATES, Gate, start};
use crate::harness::browser::Protocol;
use crate::harness::http2::{Http2, Stream};
use crate::harness::raw::{self, Raw};
use crate::harness::scenario::Scenario;
use crate::harness::websocket::{self, Socket, asks};

/// A handshake over HTTP/1.1.
fn handshake(path: &str, more: &[(&str, &str)]) -> String {
    let more: String = more.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!(
        "GET {path} HTTP/1.1\r\nhost: app.test\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n{more}\r\n"
    )
}

/// The status of a handshake, over both protocols.
#[track_caller]
fn opened(scenario: &Scenario, path: &str, more: &[(&str, &str)]) -> [u16; 2] {
    let mut client = Raw::connect(scenario.proxy.address(), "app.test");
    client.send(handshake(path, more));
    let over_http1 = raw::status(&client.read_until("\r\n\r\n"));
    let mut client = Http2::connect(scenario.proxy.address(), "app.test");
    client.open(&asks(path, more), Stream::Open);
    let over_http2 = client.frame_that(|frame| frame.status().is_some()).expect("a head").status().expect("a status");
    [over_http1, over_http2]
}

#[test]
fn w_01_w_02_w_05_a_handshake_meets_each_gate() {
    let (scenario, _other) = start("");
    let alice = scenario.alice(Protocol::Http1);
    let cookie = alice.cookie_header("app.test");
    let bearer = format!("Bearer {}", scenario.token(&json!({})));
    scenario.target.script(websocket::opens);
    let count = scenario.target.count();
    for Gate { path, session, .. } in GATES {
        for more in [
            &[][..],
            &[("accept", "text/html"), ("sec-fetch-mode", "navigate")],
            &[("cookie", "__Host-vestibule-0=1A")],
        ] {
            assert_eq!(opened(&scenario, path, more), [401, 401], "{path} {more:?}");
        }
        // Another protocol than WebSocket is no way round, either.
        let upgrade = format!("GET {path} HTTP/1.1\r\nhost: app.test\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n");
        assert_eq!(raw::status(&raw_head(&scenario, &upgrade)), 401, "{path}");
        if session {
            for origin in ["https://evil.test", "null", "https://app.test.evil.test"] {
                assert_eq!(opened(&scenario, path, &[("cookie", &cookie), ("origin", origin)]), [403, 403], "{path}");
            }
        }
    }
    assert_eq!(scenario.target.count(), count, "no target was asked");
    for Gate { path, session, token } in GATES {
        if session {
            let ours = [("cookie", &*cookie), ("origin", "https://app.test")];
            assert_eq!(opened(&scenario, path, &ours), [101, 200], "{path}");
        }
        if token {
            assert_eq!(opened(&scenario, path, &[("authorization", &bearer)]), [101, 200], "{path}");
        }
    }
}

/// The head of the answer to these bytes.
fn raw_head(scenario: &Scenario, request: &str) -> String {
    let mut client = Raw::connect(scenario.proxy.address(), "app.test");
    client.send(request);
    client.read_until("\r\n\r\n")
}

#[test]
fn w_03_a_websocket_ends_with_its_token() {
    let (scenario, _other) = start("");
    scenario.target.script(websocket::opens);
    for Gate { path, .. } in GATES.into_iter().filter(|gate| gate.token) {
        let bearer = format!("Bearer {}", scenario.token(&json!({"jti": path})));
        let mut old = Raw::connect(scenario.proxy.address(), "app.test");
        old.send(handshake(path, &[("authorization", &bearer)]));
        assert_eq!(raw::status(&old.read_until("\r\n\r\n")), 101, "{path}");
        let mut client = Http2::connect(scenario.proxy.address(), "app.test");
        let stream = client.open(&asks(path, &[("authorization", &bearer)]), Stream::Open);
        let mut new = Socket { client, stream };
        assert_eq!(new.next().status(), Some(200), "{path}");
        // Clocks may differ by a minute.
        scenario.proxy.clock.advance(Duration::from_secs(3600 + 61));
        let rest = old.read_to_end();
        assert!(rest.contains("the session has ended"), "{path}: {rest:?}");
        new.is_closed_with("the session has ended");
    }
}

#[test]
fn w_04_a_token_among_the_protocols_is_not_logged() {
    let (scenario, _other) = start("");
    scenario.target.script(websocket::opens);
    let token = scenario.token(&json!({}));
    let (bearer, protocols) = (format!("Bearer {token}"), format!("graphql-ws, bearer.{token}"));
    for Gate { path, token, .. } in GATES {
        let with_protocols = [("sec-websocket-protocol", &*protocols)];
        assert_eq!(opened(&scenario, path, &with_protocols), [401, 401], "{path}: it is no token for us");
        if token {
            let both = [("authorization", &*bearer), ("sec-websocket-protocol", &protocols)];
            assert_eq!(opened(&scenario, path, &both), [101, 200], "{path}");
        }
    }
    let records = scenario.proxy.access_log(2 * GATES.len());
    assert!(!format!("{records:?}").contains(&token[..40]), "{records:?}");
}

//! A target that echoes what it received, and can be told to misbehave.

use serde_json::json;

use super::app::Proxy;
use super::browser::Browser;
use super::raw::Raw;
use super::server::{Received, Reply, Server};

/// Starts a target that answers 200 with what it received, as JSON.
pub fn echo() -> Server {
    Server::start(echoed)
}

/// The answer of [`echo`].
pub fn echoed(request: &Received) -> Reply {
    Reply::json(&json!({
        "line": request.line,
        "headers": request.headers,
        "body": String::from_utf8_lossy(&request.body),
        "connection": request.connection,
        "turn": request.turn,
    }))
}

/// Opens a stream of events with a browser's session, and a WebSocket. Returns both when they run.
pub fn streams(target: &Server, proxy: &Proxy, browser: &Browser) -> [Raw; 2] {
    let cookies = browser.cookie_header("app.test");
    target.script(|request| {
        if request.target() == "/events" {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
            Reply::BytesThenHang(format!("{head}6\r\nhello\n\r\n").into_bytes())
        } else {
            let head = b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n";
            // A whole frame, so that a closing frame can follow.
            Reply::Switch([&head[..], b"\x81\x05hello"].concat())
        }
    });
    let upgrade = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: x\r\nsec-websocket-version: 13\r\n";
    [("/events", ""), ("/socket", upgrade)].map(|(path, more)| {
        let mut raw = Raw::connect(proxy.address(), "app.test");
        raw.send(format!("GET {path} HTTP/1.1\r\nhost: app.test\r\ncookie: {cookies}\r\n{more}\r\n"));
        raw.read_until("hello");
        raw
    })
}

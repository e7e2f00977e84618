//! A target that echoes what it received, and can be told to misbehave.

use serde_json::json;

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

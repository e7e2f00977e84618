//! Every integration test, in one binary. A capability is a module; a reader learns the product by reading this list.

mod harness;

/// What strangers send: spoofed headers, crooked paths, broken framing; each with its id.
mod attacks;
/// Stopping without losing a request.
mod drain;
/// Answers of our own.
mod fixed_response;
/// Requests to targets and answers from them: streams, failures, turns.
mod forward;
/// Every limit on a connection.
mod limits;
/// The way in and out: signing in, the session, signing out.
mod login;
/// Redirects, and the step from plain HTTP to HTTPS.
mod redirect;
/// What strangers send, and that it does nothing: one test for each attack, by its id.
mod attacks;
/// What the target is told of a user, and that others can verify it.
mod claims_headers;
/// The way in and out: signing in, the session, signing out.
mod login;
/// Signing out, here and at the provider.
mod logout;
/// New tokens for a session: once, whoever asks.
mod refresh;
/// What two files say about the same thing is the same.
mod repository;
/// Which room may use which: the architecture, as a table.
mod room_graph;
/// Which rule takes a request: six conditions, priority, default.
mod rules;
/// Certificates by name, versions, resumption, and what is not TLS.
mod tls;
/// WebSockets through the proxy.
mod websocket;
/// What becomes of a request with a session, without one, and with one that is over.
mod session;

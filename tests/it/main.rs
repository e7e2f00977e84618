//! Every integration test, in one binary. A capability is a module; a reader learns the product by reading this list.

mod harness;

/// What a person sees in a real browser.
mod browser;
/// What the commands do, as processes: `dev`, `serve`, `check`, `healthcheck`, `keys`, `users`.
mod commands;
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
/// Signing in with providers that nobody here wrote.
mod real_providers;
/// Redirects, and the step from plain HTTP to HTTPS.
mod redirect;
/// What two files say about the same thing is the same.
mod repository;
/// Which room may use which: the architecture, as a table.
mod room_graph;
/// Which rule takes a request: six conditions, priority, default.
mod rules;
/// Certificates by name, versions, resumption, and what is not TLS.
mod tls;
/// What the application is told, verified by libraries that nobody here wrote.
mod verifiers;
/// WebSockets through the proxy.
mod websocket;

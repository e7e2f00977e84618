//! Every integration test, in one binary. A capability is a module; a reader learns the product by reading this list.

mod harness;

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
/// What becomes of a request with a session, without one, and with one that is over.
mod session;

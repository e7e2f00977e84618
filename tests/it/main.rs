//! Every integration test, in one binary. A capability is a module; a reader learns the product by reading this list.

mod harness;

/// What strangers send, and that it does nothing: one test for each attack, by its id.
mod attacks;
/// The way in and out: signing in, the session, signing out.
mod login;
/// What two files say about the same thing is the same.
mod repository;
/// Which room may use which: the architecture, as a table.
mod room_graph;
/// What becomes of a request with a session, without one, and with one that is over.
mod session;

//! Every integration test, in one binary. A capability is a module; a reader learns the product by reading this list.

mod harness;

/// What a person sees in a real browser.
mod browser;
/// What the commands do, as processes: `dev`, `serve`, `check`, `healthcheck`, `keys`, `users`.
mod commands;
/// The way in and out: signing in, the session, signing out.
mod login;
/// Signing in with providers that nobody here wrote.
mod real_providers;
/// What two files say about the same thing is the same.
mod repository;
/// Which room may use which: the architecture, as a table.
mod room_graph;
/// What the application is told, verified by libraries that nobody here wrote.
mod verifiers;

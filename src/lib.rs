//! Vestibule: an authenticating HTTPS reverse proxy, with the OpenID provider behind it, in one binary.
//!
//! The rooms, in reading order. `docs/ARCHITECTURE.md` tells the life of a request and of a login as walks through them;
//! a test checks which room may use which (`tests/it/room_graph.rs`).

// Rooms in crates of their own: `crates/base`, `crates/user-pool`.
pub use vestibule_base::clock;
#[cfg(test)]
use vestibule_base::testing;
use vestibule_base::{
    backchannel, crypto, database, drain, flight, identity, jose, message, oidc, page, secret, telemetry,
};
use vestibule_user_pool as user_pool;

mod action;
mod admin;
pub mod app;
#[doc(hidden)]
pub mod bench_door;
mod budget;
mod certificate;
mod claims;
pub mod cli;
pub mod config;
mod console;
mod exchange;
mod forward_auth;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz_door;
#[cfg(target_os = "linux")]
mod handover;
mod import;
mod listener;
mod otlp;
mod proxy;
mod rule;
mod service_manager;
mod session;
mod socket;
mod static_files;
mod token_client;
mod upstream;

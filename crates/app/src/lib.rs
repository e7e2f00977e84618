//! The configuration file, the process and the commands.
//!
//! The rooms, in reading order. `docs/ARCHITECTURE.md` tells the life of a request and of a login as walks through them;
//! a test checks which room may use which (`tests/it/room_graph.rs`).

// The rooms below. They are called by the same names as in the crates beside this one.
pub use vestibule_base::clock;
#[cfg(test)]
use vestibule_base::testing;
use vestibule_base::{backchannel, crypto, database, drain, identity, jose, message, oidc, page, secret, telemetry};
use vestibule_proxy::{
    action, certificate, claims, exchange, forward_auth, listener, otlp, proxy, rule, serving, session, socket,
    static_files, token_client, upstream,
};
use vestibule_user_pool as user_pool;

mod admin;
pub mod app;
#[doc(hidden)]
pub mod bench_door;
pub mod cli;
pub mod config;
mod console;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz_door;
#[cfg(target_os = "linux")]
mod handover;
mod import;
mod service_manager;

//! Vestibule: an authenticating HTTPS reverse proxy, with the OpenID provider behind it, in one binary.
//!
//! The rooms, in reading order. `docs/ARCHITECTURE.md` tells the life of a request and of a login as walks through them;
//! a test checks which room may use which (`tests/it/room_graph.rs`).

mod action;
mod admin;
pub mod app;
mod backchannel;
#[doc(hidden)]
pub mod bench_door;
mod budget;
mod certificate;
mod claims;
pub mod cli;
pub mod clock;
pub mod config;
mod console;
mod crypto;
mod database;
mod drain;
mod exchange;
mod flight;
mod forward_auth;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz_door;
#[cfg(target_os = "linux")]
mod handover;
mod identity;
mod import;
mod jose;
mod listener;
mod message;
mod oidc;
mod otlp;
mod page;
mod proxy;
mod rule;
mod secret;
mod service_manager;
mod session;
mod socket;
mod static_files;
mod telemetry;
mod token_client;
mod upstream;
mod user_pool;

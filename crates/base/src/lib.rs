//! The rooms of Vestibule that the user pool and the proxy share. None of them knows either.
//!
//! `docs/ARCHITECTURE.md` says what each is for. A test checks which room may use which (`tests/it/room_graph.rs`).

pub mod backchannel;
pub mod clock;
pub mod crypto;
pub mod database;
pub mod drain;
pub mod flight;
pub mod identity;
pub mod jose;
pub mod message;
pub mod oidc;
pub mod page;
pub mod secret;
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

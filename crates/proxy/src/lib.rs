//! What a request passes, from the socket of a listener to the target and back.
//!
//! None of these rooms knows the configuration file: `config` and `app`, in the crate above, make what they serve by. Start at [`proxy`].

// The rooms below. They are called by the same names as in the crates beside this one.
#[cfg(test)]
use vestibule_base::testing;
use vestibule_base::{
    backchannel, clock, crypto, drain, flight, identity, jose, message, oidc, page, secret, telemetry,
};
use vestibule_user_pool as user_pool;

pub mod action;
pub mod budget;
pub mod certificate;
pub mod claims;
pub mod exchange;
pub mod forward_auth;
pub mod listener;
pub mod otlp;
pub mod proxy;
pub mod rule;
pub mod serving;
pub mod session;
pub mod socket;
pub mod static_files;
pub mod token_client;
pub mod upstream;

//! Target groups: choosing a target and talking to it.
//!
//! Knows no rule and no user. What all workers share is a [`group::TargetGroup`]; each worker has a [`client::Client`] of
//! its own for each group, with its own idle connections. Start at [`client::Client::send`].

pub(crate) mod client;
mod connect;
pub(crate) mod error;
pub(crate) mod group;
mod http1;
pub(crate) mod metrics;
mod pool;
pub(crate) mod settings;
pub(crate) mod tls;
pub(crate) mod upgrade;
mod websocket;

#[cfg(any(test, fuzzing))]
pub(crate) use http1::fuzz;

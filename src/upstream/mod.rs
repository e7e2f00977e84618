//! Target groups: choosing a target and sending requests to it.
//!
//! This room knows nothing about rules or users. All workers share a [`group::TargetGroup`]. Each worker has its own
//! [`client::Client`] for each group, with its own idle connections. Start at [`client::Client::send`].

pub(crate) mod client;
mod connect;
pub(crate) mod error;
pub(crate) mod group;
mod http1;
pub(crate) mod metrics;
mod pool;
mod protocol;
pub(crate) mod request;
pub(crate) mod settings;
mod target_stream;
pub(crate) mod tls;
pub(crate) mod upgrade;
mod websocket;

#[cfg(any(test, fuzzing))]
pub(crate) use http1::fuzz;

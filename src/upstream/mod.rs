//! Target groups: choosing a target and sending requests to it.
//!
//! This room knows nothing about rules or users. All workers share a [`group::TargetGroup`]. Each worker has its own
//! [`group_client::GroupClient`] for each group, with its own idle connections. Start at [`group_client::GroupClient::send`].

mod connect;
pub(crate) mod error;
pub(crate) mod group;
pub(crate) mod group_client;
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

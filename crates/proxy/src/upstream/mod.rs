//! Target groups: choosing a target and sending requests to it.
//!
//! This room knows nothing about rules or users. The process has one [`target_table::TargetTable`]: it gives the same
//! [`target::Target`] to every configuration that has it. All workers share a [`group::TargetGroup`]. Each worker has its
//! own [`worker_connections::WorkerConnections`], and a [`group_client::GroupClient`] for each group that uses them. Start at
//! [`group_client::GroupClient::send`].

mod anomaly;
mod balancer;
mod connect;
pub(crate) mod error;
pub mod group;
pub mod group_client;
pub mod health;
mod http1;
mod http2;
mod members;
pub mod metrics;
pub mod name;
pub mod place;
mod pool;
mod progress;
pub(crate) mod protocol;
pub mod protocol_version;
pub mod report;
pub(crate) mod request;
mod retry_budget;
pub mod settings;
pub mod stickiness;
mod target;
mod target_metrics;
mod target_stream;
pub mod target_table;
#[cfg(test)]
mod testing;
pub mod tls;
pub(crate) mod upgrade;
mod websocket;
pub mod weighted;
pub mod worker_connections;
mod worker_target;

#[cfg(any(test, fuzzing, feature = "testing"))]
pub use http1::fuzz;

//! Health checks of targets, on the control runtime.
//!
//! [`checker::Checker`] asks each target at fixed times, and [`machine::Machine`] decides what the outcomes mean. The result is an
//! atomic of the target ([`state::TargetHealth`]), and whether a group has enough healthy targets is an atomic of the group
//! ([`group_health::GroupHealth`]). The request path reads these two and nothing else.

pub(super) mod check;
pub mod checker;
mod failure;
pub(super) mod group_health;
mod grpc_health;
mod machine;
mod metrics;
mod over_http1;
mod over_http2;
pub mod settings;
pub(super) mod state;

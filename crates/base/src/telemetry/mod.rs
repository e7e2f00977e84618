//! The log, metrics, the access log and traces.
//!
//! This room knows nothing about requests: other rooms define their metrics and receive a registry. Start at
//! [`metrics::Registry`].

pub mod access_log;
pub mod ids;
pub mod line_budget;
pub mod logged_names;
pub mod logging;
pub mod metrics;
mod process;
pub mod traces;

//! The log, metrics, the access log and traces.
//!
//! This room knows nothing about requests: other rooms define their metrics and receive a registry. Start at
//! [`metrics::Registry`].

pub(crate) mod access_log;
pub(crate) mod ids;
pub(crate) mod line_budget;
pub(crate) mod logged_names;
pub(crate) mod logging;
pub(crate) mod metrics;
mod process;
pub(crate) mod traces;

//! Logs, metrics and the access log: how the process speaks to its operator.
//!
//! Knows no request: rooms define what they count and are handed a registry. Start at [`metrics::Registry`].

pub(crate) mod access_log;
pub(crate) mod line_budget;
pub(crate) mod logging;
pub(crate) mod metrics;
pub(crate) mod once;
mod process;

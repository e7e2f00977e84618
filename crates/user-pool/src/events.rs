//! What users have done (the sign-in log, pool §11.7), and what administrators and users have changed (the audit).
//!
//! [`event`] is one event, [`event_rows`] its table. [`audit`] is the other one, written in the transaction of what it tells of. Events of requests are
//! written a moment later, and only up to a bound ([`log`], [`buffer`]). [`keeper`] writes them, deletes what is kept no longer, and copies the audit to
//! the log of the process.

pub mod audit;
pub(crate) mod buffer;
pub mod event;
pub(crate) mod event_rows;
pub mod keeper;
pub mod log;
pub mod settings;

#[cfg(test)]
mod tests;

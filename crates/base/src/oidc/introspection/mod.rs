//! Token introspection (RFC 7662): asks the provider whether an opaque access token is active, and whose it is.
//!
//! What the provider said is remembered for a short time in [`table`], which all workers share. A worker looks there only for a token that it does
//! not remember itself. Start at `RelyingParty::introspection` in [`ask`].

mod answer;
mod ask;
pub mod digest;
pub mod fairness;
#[cfg(any(test, fuzzing, feature = "testing"))]
pub mod fuzz;
pub mod outcome;
mod recent;
pub(super) mod table;
mod token;

//! The certificates of clients (mutual TLS, ALB §10.8): trusting, verifying and describing them.
//!
//! A [`policy::Policy`] is what a listener asks of its clients. [`verifier::Verifier`] applies it in the handshake, and
//! [`policy::Policy::judge`] applies another one later, to a connection that is older than the configuration.

pub(crate) mod facts;
#[cfg(any(test, fuzzing, feature = "testing"))]
pub mod fuzz;
pub mod headers;
pub mod name;
pub mod policy;
pub mod refusal;
pub mod trust_store;
pub(crate) mod verifier;

//! The certificates of clients (mutual TLS, ALB §10.8): trusting, verifying and describing them.
//!
//! A [`policy::Policy`] is what a listener asks of its clients. [`verifier::Verifier`] applies it in the handshake, and
//! [`policy::Policy::judge`] applies another one later, to a connection that is older than the configuration.

pub(crate) mod facts;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub(crate) mod headers;
pub(crate) mod name;
pub(crate) mod policy;
pub(crate) mod refusal;
pub(crate) mod trust_store;
pub(crate) mod verifier;

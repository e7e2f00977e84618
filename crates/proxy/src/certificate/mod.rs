//! The certificates that listeners show: reading them, and choosing one for a client.
//!
//! This room knows nothing of sockets and of the configuration file. A table of certificates never changes: a new configuration
//! builds a new one. Start at [`table::Certificates`].

pub mod acme;
pub mod chain;
pub(crate) mod chooser;
pub mod client;
pub mod ocsp;
pub mod table;

//! The certificates that listeners show: reading them, and choosing one for a client.
//!
//! This room knows nothing of sockets and of the configuration file. A table of certificates never changes: a new configuration
//! builds a new one. Start at [`table::Certificates`].

pub(crate) mod acme;
pub(crate) mod chain;
pub(crate) mod chooser;
pub(crate) mod client;
pub(crate) mod ocsp;
pub(crate) mod table;

//! The few cryptographic operations we use, all over one provider (aws-lc-rs).
//!
//! Knows no cookie, token or certificate. Start at [`aead`], which seals what leaves us and comes back.

pub(crate) mod aead;
pub(crate) mod compare;
pub(crate) mod digest;
pub(crate) mod provider;
pub(crate) mod random;

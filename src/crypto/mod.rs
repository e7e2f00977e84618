//! The few cryptographic operations we use, all over one provider (aws-lc-rs).
//!
//! Knows no cookie and no token, and of certificates only how they are read. Start at [`sealed`], which encrypts values that are sent to a browser and come back.

pub(crate) mod aead;
pub(crate) mod certified_key;
pub(crate) mod octets;
pub(crate) mod pbkdf2;
pub(crate) mod provider;
pub(crate) mod sealed;
pub(crate) mod uuid;

//! The few cryptographic operations we use, all over one provider (aws-lc-rs).
//!
//! Knows no cookie and no token, and of certificates only how they are read. Start at [`sealed`], which encrypts values that are sent to a browser and come back.

pub mod aead;
pub mod certified_key;
pub mod octets;
pub mod pbkdf2;
pub mod provider;
pub mod sealed;
pub mod uuid;

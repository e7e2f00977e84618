//! How users prove who they are. Pure functions without storage.

pub mod breach;
pub(crate) mod cost;
mod foreign;
#[cfg(any(test, fuzzing, feature = "testing"))]
pub mod fuzz;
pub mod hasher;
pub mod password;
pub mod policy;
pub(crate) mod recovery_code;
pub(crate) mod totp;
pub mod webauthn;

//! How users prove who they are. Pure functions without storage.

pub(crate) mod breach;
pub(crate) mod cost;
mod foreign;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub(crate) mod hasher;
pub(crate) mod password;
pub(crate) mod policy;
pub(crate) mod recovery_code;
pub(crate) mod totp;
pub(crate) mod webauthn;

//! How users prove who they are. Pure functions without storage.

pub(crate) mod password;
pub(crate) mod policy;
pub(crate) mod recovery_code;
pub(crate) mod totp;

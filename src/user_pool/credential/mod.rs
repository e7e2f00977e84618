//! How users prove who they are. Pure functions without storage.

pub(crate) mod password;
pub(crate) mod policy;

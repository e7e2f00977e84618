//! Proofs that a user can give; pure, no storage.

pub(crate) mod password;

//! Verifies users: `password`, then second factors in `challenge`. `step` says what a sign-in asks for next.

pub(crate) mod again;
mod challenge;
pub(crate) mod known;
pub(crate) mod passkey;
mod password;
pub(crate) mod proof;
pub(crate) mod second;
pub(crate) mod sent_code;
pub(crate) mod sso;
pub(crate) mod state;
pub(crate) mod step;
mod trust;

pub(crate) use password::{Outcome, SignIn, hasher};

//! Verifies users: `password`, then second factors in `challenge`. `step` says what a sign-in asks for next.

mod challenge;
pub(crate) mod known;
mod password;
pub(crate) mod proof;
pub(crate) mod second;
pub(crate) mod sso;
pub(crate) mod state;
pub(crate) mod step;

pub(crate) use password::{Outcome, SignIn, hasher};

//! What users have to prove who they are, apart from the password: rows of the database. Each function is one use case inside of a transaction.
//!
//! Knows neither pages nor what a sign-in asks for. Start at [`Factors`].

pub mod browsers;
pub mod change;
mod owned;
pub mod passkeys;
mod recovery;
mod rows;
pub(crate) mod rules;
pub mod settings;
mod totp;

pub use owned::{Owned, forget, owned};
pub(crate) use rows::Factors;

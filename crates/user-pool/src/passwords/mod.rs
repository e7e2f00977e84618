//! Sets passwords of the users of a database. There is no other way to do it: nothing else writes a hash of a password.
//!
//! A password is judged and hashed before the transaction, because both take long ([`Passwords::prepare`], [`Passwords::first`]). The transaction of
//! the caller then sets it, together with what belongs to it, for example the code that is used up ([`NewPassword::set`](set::NewPassword::set), [`FirstPassword::set`]).
//! [`Passwords::set`] does both.

pub(crate) mod after;
mod first;
mod history;
mod set;
mod temporary;

pub use first::FirstPassword;
#[cfg(test)]
pub(crate) use set::tests;
pub use set::{Error, Lasting, Passwords};

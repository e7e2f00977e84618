//! What has ended before its time: in the database, in the same transaction as its cause, and from there in the [`Endings`] of this process.
//!
//! [`rows`] has the statements. [`reader`] publishes what they say, whichever process has written it. [`declared`] is for users without a database.
//!
//! [`Endings`]: crate::identity::endings::Endings

pub(crate) mod declared;
pub mod reader;
pub(crate) mod rows;

#[cfg(test)]
mod tests;

//! The keys that sign tokens: those of files, or those that the pool makes and replaces by itself ([`tending`]).
//!
//! Who signs or publishes reads a [`KeyRing`] that is in memory. A request never waits for the database because of keys.

pub mod key;
mod plan;
mod ring;
mod rows;
pub mod tending;

pub use ring::{KeyRing, Keys};

//! Passwords that attackers know: a sorted file of the beginnings of their SHA-1, as [Have I Been Pwned](https://haveibeenpwned.com/Passwords)
//! publishes them. `vestibule users breach-list` makes it ([`build`]); [`BreachList`] looks passwords up in it.
//!
//! The file: [`format::MAGIC`], the number of entries (8 bytes, big-endian), and the entries in ascending order. An entry is the first 8 bytes of a SHA-1.
//! Two passwords have the same by chance once in 10¹⁰ lookups in a file of 10⁹ entries.

pub mod build;
mod format;
mod list;
mod search;

pub use list::BreachList;

#[cfg(test)]
pub(crate) mod tests;

//! The machinery of a document: a text with positions, held against a schema, and what is wrong with it.
//!
//! This room knows no key of ours and nothing of the settings. [`parse`] makes the [`tree`], [`shape`] holds the tree against a
//! JSON schema, [`findings`] collects the problems of all steps, and [`report`] shows them.

pub mod diagnostic;
pub(crate) mod files;
pub(crate) mod findings;
pub(crate) mod parse;
pub(crate) mod path;
mod render;
pub mod report;
pub(crate) mod scalar;
mod schema;
pub(crate) mod secrets;
pub(crate) mod shape;
pub mod source;
pub(crate) mod suggest;
pub(crate) mod tree;

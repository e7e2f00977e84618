//! The file: read it, check it, hand out settings. No room but `app` and `cli` knows that there is one.
//!
//! Text becomes a [`tree`] with positions; [`shape`] holds it against the schema of the [`raw`] types; `validate` makes
//! each room's settings of what is sound. Each step collects all problems, so that one run of `vestibule check` tells an
//! operator everything. Start at [`load`].

pub mod diagnostic;
pub(crate) mod findings;
pub(crate) mod path;
pub(crate) mod raw;
pub mod reference;
pub(crate) mod shape;
pub mod source;
mod suggest;
pub(crate) mod tree;
